"""Reads back what an offline run of Weights & Biases wrote (tests only).

The file is a LevelDB log after a header of 7 bytes: blocks of 32 KiB of records (checksum, length, kind), where kinds
2, 3, 4 are the first, middle and last part of a long one. A record is a protocol buffer of wandb's own.
"""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

HEADER, BLOCK, RECORD_HEADER = 7, 32768, 7


def records(path: Path) -> Iterator[bytes]:
    data, position, parts = path.read_bytes(), HEADER, b""
    while position + RECORD_HEADER <= len(data):
        if BLOCK - position % BLOCK < RECORD_HEADER:  # the rest of a block that no header fits into
            position += BLOCK - position % BLOCK
            continue
        length, kind = struct.unpack_from("<HB", data, position + 4)
        parts += data[position + RECORD_HEADER :][:length]
        position += RECORD_HEADER + length
        if kind in (1, 4):
            yield parts
            parts = b""


def read_run(folder: Path) -> dict:
    """What was logged below `folder`: project, name, notes, id, config, and history: step -> values."""
    import wandb
    from wandb.proto.wandb_internal_pb2 import Record

    wandb.teardown()  # its own process may still be writing
    logged: dict = {"config": {}, "history": {}}
    for path in sorted(folder.rglob("*.wandb")):
        for content in records(path):
            record = Record()
            record.ParseFromString(content)
            kind = record.WhichOneof("record_type")
            if kind == "run":
                run = record.run
                logged |= {"project": run.project, "name": run.display_name, "notes": run.notes, "id": run.run_id}
                logged["config"] |= {item.key: json.loads(item.value_json) for item in run.config.update}
            elif kind == "history":
                items = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
                logged["history"].setdefault(items["_step"], {}).update(items)
    return logged
