"""A policy of LeRobot's, by LeRobot itself: answers on standard output what is asked on standard input.

PYTHON serve.py FOLDER DEVICE, with a Python that has lerobot; nothing else of this repository is imported. A message is
a line of JSON, and after it as many bytes (safetensors) as its key "bytes" says. process.py asks:
    {"reset": seed}                  a batch of episodes begins; draws follow from the seed
    {"act": actions, "task": text}   with observations (B, ...): the next so many actions, (B, actions, action_dim)
"""

import json
import os
import sys
from pathlib import Path


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    try:
        policy, before, after = _open(Path(sys.argv[1]), sys.argv[2])
        say(answers, {"ready": True, "queue": _queues(policy)})
        while line := sys.stdin.buffer.readline():
            asked = json.loads(line)
            content = sys.stdin.buffer.read(asked.get("bytes", 0))
            if "reset" in asked:
                _reset(policy, asked["reset"])
                say(answers, {})
            else:
                say(answers, {}, _act(policy, before, after, asked, content))
    except Exception as error:  # of any kind: the other process tells its user
        say(answers, {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"})
        sys.exit(1)


def say(stream, message: dict, content: bytes = b"") -> None:
    stream.write(json.dumps(message | {"bytes": len(content)}).encode() + b"\n" + content)
    stream.flush()


def _open(folder: Path, device: str) -> tuple:
    import torch
    from lerobot.configs import PreTrainedConfig
    from lerobot.policies.factory import get_policy_class, make_pre_post_processors

    torch.set_num_threads(1)
    config = PreTrainedConfig.from_pretrained(folder, local_files_only=True)
    config.device = device
    policy = get_policy_class(config.type).from_pretrained(folder, config=config, local_files_only=True)
    before, after = make_pre_post_processors(
        config, pretrained_path=str(folder), preprocessor_overrides={"device_processor": {"device": device}}
    )
    return policy.eval(), before, after


def _queues(policy) -> bool:
    """Whether it plans several actions from the observation of one moment, and hands them out one by one."""
    has_queue = hasattr(policy, "_action_queue") or hasattr(policy, "_queues")
    return has_queue and getattr(policy.config, "n_obs_steps", 1) == 1


def _reset(policy, seed: int) -> None:
    import torch

    torch.manual_seed(seed)
    policy.reset()


def _act(policy, before, after, asked: dict, content: bytes) -> bytes:
    import torch
    from safetensors.torch import load, save

    observations = load(content)
    n = len(next(iter(observations.values())))
    actions = []
    with torch.inference_mode():
        batch = before(observations | {"task": [asked["task"]] * n})
        for _ in range(asked["act"]):  # several only of a policy that looks at the first alone
            actions.append(after(policy.select_action(dict(batch))))
    return save({"action": torch.stack(actions, dim=1).float().cpu().contiguous()})


if __name__ == "__main__":
    main()
