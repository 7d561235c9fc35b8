import json
from types import SimpleNamespace


class PreTrainedConfig:
    @staticmethod
    def from_pretrained(folder, local_files_only):
        print("lerobot prints this")  # on standard output, where answers are
        return SimpleNamespace(**json.loads((folder / "config.json").read_text()))
