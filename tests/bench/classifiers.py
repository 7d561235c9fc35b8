"""An epoch of the classifier sweep, training and both evaluations: ours, and an ordinary PyTorch loop, in turns.

python tests/bench/classifiers.py [--rounds 3] [--members 16]

100 + 100 rollouts of 400 frames of 14 numbers, batches of 1,024, as published (facts of arXiv 2503.03707's code). The
ordinary loop: torch.nn modules, a DataLoader over a TensorDataset, torch.optim.AdamW, one member after another, as the
published code does it. One thread each.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow"))

import torch
import torch.nn.functional as F
from demo_score.curation.classifiers import Architecture, build_architecture
from demo_score.curation.features import Rollouts
from demo_score.curation.storage import Variant
from demo_score.curation.training import FAILURE_WEIGHT, Samples, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

WIDTH, STEPS, EPISODES = 14, 400, 100
TRANSFORMER = {"type": "transformer", "dropout": 0.3, "trajectory_steps": 100}
ARCHITECTURES = {
    "step-wise [8, 8]": {"type": "stepwise", "hidden_sizes": [8, 8], "dropout": 0.3},
    "step-wise [32, 32]": {"type": "stepwise", "hidden_sizes": [32, 32], "dropout": 0.3},
    "transformer 8, 8, 2, 2": TRANSFORMER | {"dim_model": 8, "dim_feedforward": 8, "n_heads": 2, "n_layers": 2},
}


def rollouts(seed: int) -> Rollouts:
    generator = torch.Generator().manual_seed(seed)
    frames = [torch.randn(STEPS, WIDTH, generator=generator) for _ in range(EPISODES)]
    return Rollouts(frames, torch.rand(EPISODES, generator=generator) < 0.5)


def ours(architecture: Architecture, samples: list[Samples], members: int, batch_size: int) -> Callable[[], None]:
    variants = [Variant(seed=seed, lr=1e-4, weight_decay=0.1) for seed in range(members)]
    trainer = Trainer(architecture, WIDTH, variants, *samples)

    def epoch() -> None:
        trainer.train_epoch(batch_size)
        trainer.evaluate(trainer.parameters)

    return epoch


class OrdinaryTransformer(nn.Module):
    """The same layers, by torch's own forward pass."""

    def __init__(self, layers: nn.ModuleDict):
        super().__init__()
        self.layers = layers

    def forward(self, samples: Tensor) -> Tensor:
        frames, valid = samples[..., :-1], samples[..., -1:]
        hidden = self.layers["encoder"](self.layers["embedding"](frames), src_key_padding_mask=valid[..., 0] == 0)
        return self.layers["head"]((hidden * valid).sum(1) / valid.sum(1))


def ordinary(architecture: Architecture, samples: list[Samples], batch_size: int) -> Callable[[], None]:
    module = architecture.module(WIDTH)
    module = OrdinaryTransformer(module) if isinstance(module, nn.ModuleDict) else module
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-4, weight_decay=0.1)
    sets = [TensorDataset(part.inputs, part.labels) for part in samples]
    training = DataLoader(sets[0], batch_size, shuffle=True)
    evaluated = [DataLoader(data, batch_size) for data in sets]

    def epoch() -> None:
        module.train()
        for inputs, labels in training:
            loss = F.binary_cross_entropy_with_logits(module(inputs).squeeze(1), labels, weight=labels + FAILURE_WEIGHT)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        module.eval()
        with torch.no_grad():
            for batches in evaluated:
                for inputs, labels in batches:
                    F.binary_cross_entropy_with_logits(module(inputs).squeeze(1), labels)

    return epoch


def milliseconds(epoch: Callable[[], None]) -> float:
    start = time.perf_counter()
    epoch()
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--members", type=int, default=16)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    n = arguments.members
    print(f"| Architecture | Ordinary loop, ms | Ours, one member, ms | Ours, ms a member of {n} | Times |")
    print("|---|---|---|---|---|")
    for name, description in ARCHITECTURES.items():
        architecture = build_architecture(description)
        samples = [Samples(architecture, rollouts(seed), lambda frames: frames) for seed in (0, 1)]
        batch_size = 1024 if description["type"] == "stepwise" else 16
        ways = [ordinary(architecture, samples, batch_size)]
        ways += [ours(architecture, samples, members, batch_size) for members in (1, n)]
        taken = [[milliseconds(way) for way in ways] for _ in range(arguments.rounds + 1)][1:]
        theirs, alone, together = (min(column) for column in zip(*taken, strict=True))
        print(f"| {name} | {theirs:.0f} | {alone:.1f} | {together / n:.1f} | {theirs / together * n:.0f} |", flush=True)


if __name__ == "__main__":
    main()
