"""A training step of ACT in LeRobot's configuration: ours and LeRobot's own, in turns: milliseconds a step.

LEROBOT_PYTHON=.venv-peers/bin/python python tests/bench/act_step.py [--threads 2] [--rounds 5] [--only 64,128,32,0,0]

Chunks of 100 actions of 14 numbers from 14 joints and 7 numbers about objects, or from the joints and one image of
480x640 (ResNet18); 4 encoder layers, 4 of the variational encoder, 1 decoder layer, 8 heads, dropout .1, as LeRobot
has them. A step: normalise, loss, gradient, clip, AdamW. Batches are random and in memory.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.extend(str(Path(__file__).resolve().parents[2] / folder) for folder in ("workflow", "tests/helpers"))

import torch
from flops import count_flops
from turns import answer, asked

# dim, feed-forward, batch, an image, loss in bfloat16
SIZES = [(64, 128, 32, 0, 0), (128, 512, 32, 0, 0), (512, 3200, 8, 0, 0), (512, 3200, 8, 1, 0), (512, 3200, 8, 1, 1)]
CHUNK, ACTION, STATE, OBJECTS, HEADS = 100, 14, 14, 7, 8
STEPS = 3  # between two looks at the clock
LARGE = 2048  # rows and columns of the product that shows the machine's rate
Step = Callable[[], None]
Size = tuple[int, int, int, int, int]


def observations(batch_size: int, image: int) -> dict[str, torch.Tensor]:
    seen = {"observation.state": torch.randn(batch_size, STATE)}
    if image:
        return seen | {"observation.images.top": torch.rand(batch_size, 3, 480, 640)}
    return seen | {"observation.environment_state": torch.randn(batch_size, OBJECTS)}


def ours(dim: int, feedforward: int, batch_size: int, image: int, half: int) -> Step:
    from demo_score.config.settings import compose_settings
    from demo_score.policies import make_policy

    sizes = [f"policy.dim_model={dim}", f"policy.dim_feedforward={feedforward}", f"policy.n_heads={HEADS}"]
    which = ["env=aloha", "policy=act"] if image else ["env=aloha_cube_state", "policy=act_state"]
    given = ["device=cpu", "seed=1", *(["policy.pretrained_backbone_weights=null"] if image else [])]
    settings = compose_settings([*which, *given, *sizes, f"policy.chunk_size={CHUNK}"])[0]
    policy = make_policy(settings).train()
    training = settings.training
    optimizer = torch.optim.AdamW(policy.parameter_groups(training), lr=training.lr, fused=True)
    batch = {key: seen[:, None] for key, seen in observations(batch_size, image).items()}
    batch |= {"action": torch.randn(batch_size, CHUNK, ACTION)}
    batch |= {"action_is_pad": torch.zeros(batch_size, CHUNK, dtype=torch.bool)}
    return _step(lambda: policy.loss(batch)[0], list(policy.parameters()), optimizer, half)


def theirs(dim: int, feedforward: int, batch_size: int, image: int, half: int) -> Step:
    from lerobot.configs.types import FeatureType, PolicyFeature
    from lerobot.policies.act.configuration_act import ACTConfig
    from lerobot.policies.act.modeling_act import ACTPolicy
    from lerobot.policies.act.processor_act import make_act_pre_post_processors

    seen = observations(batch_size, image)
    kinds = {"observation.state": FeatureType.STATE, "observation.environment_state": FeatureType.ENV}
    inputs = {
        key: PolicyFeature(kinds.get(key, FeatureType.VISUAL), tuple(value.shape[1:])) for key, value in seen.items()
    }
    config = ACTConfig(
        input_features=inputs,
        output_features={"action": PolicyFeature(FeatureType.ACTION, (ACTION,))},
        device="cpu",
        dim_model=dim,
        dim_feedforward=feedforward,
        n_heads=HEADS,
        chunk_size=CHUNK,
        n_action_steps=CHUNK,
        pretrained_backbone_weights=None,
        push_to_hub=False,
    )
    policy = ACTPolicy(config).train()
    whole = seen | {"action": torch.randn(batch_size, CHUNK, ACTION)}
    shapes = {key: (value.shape[1], 1, 1) if value.dim() == 4 else value.shape[-1:] for key, value in whole.items()}
    statistics = {key: {"mean": torch.zeros(shape), "std": torch.ones(shape)} for key, shape in shapes.items()}
    before, _ = make_act_pre_post_processors(config, statistics)
    preset = config.get_optimizer_preset()
    optimizer = preset.build(policy.get_optim_params())
    whole |= {"action_is_pad": torch.zeros(batch_size, CHUNK, dtype=torch.bool)}
    return _step(lambda: policy.forward(before(dict(whole)))[0], list(policy.parameters()), optimizer, half)


def _step(loss: Callable[[], torch.Tensor], parameters: list, optimizer: torch.optim.Optimizer, half: int) -> Step:
    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bool(half)):
            error = loss()
        optimizer.zero_grad(set_to_none=True)
        error.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 10.0)
        optimizer.step()

    step()
    return step


def milliseconds(step: Step) -> float:
    start = time.perf_counter()
    for _ in range(STEPS):
        step()
    return (time.perf_counter() - start) / STEPS * 1e3


def product_rate() -> float:
    """Operations a millisecond of a large product of matrices, on all threads."""
    matrix = torch.rand(LARGE, LARGE)
    return 2 * LARGE**3 / milliseconds(lambda: torch.mm(matrix, matrix))


def compare(size: Size, threads: int, rounds: int) -> tuple[float, float, float]:
    """Least milliseconds a step, ours and theirs, and the limit: the least for its products alone."""
    given = ["--threads", str(threads), "--there", ",".join(map(str, size))]
    command = [os.environ["LEROBOT_PYTHON"], __file__, *given]
    with asked(command) as there:
        step = ours(*size)
        operations = count_flops(step)
        taken = [(milliseconds(step), there(), operations / product_rate()) for _ in range(rounds)]
    return tuple(min(column) for column in zip(*taken, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", help="dim,feedforward,batch,image,half")
    parser.add_argument("--there", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.there:
        step = theirs(*(int(part) for part in arguments.there.split(",")))
        return answer(partial(milliseconds, step))
    sizes = [tuple(int(part) for part in arguments.only.split(","))] if arguments.only else SIZES
    print("| dim · feed-forward · batch | Image | Loss in | LeRobot, ms | Ours, ms | Times | Limit in float32, ms |")
    print("|---|---|---|---|---|---|---|")
    for size in sizes:
        here, there, limit = compare(size, arguments.threads, arguments.rounds)
        what = [" · ".join(map(str, size[:3])), "480x640" if size[3] else "–", "bfloat16" if size[4] else "float32"]
        row = [*what, f"{there:.0f}", f"{here:.0f}", f"{there / here:.2f}", f"{limit:.0f}"]
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
