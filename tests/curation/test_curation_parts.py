"""The parts of curation: batched classifiers, optimiser, metrics, samples, choice of a classifier."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from demo_score.curation.attention import Attention
from demo_score.curation.classifiers import (
    NO_DROPOUT,
    Dropout,
    Stepwise,
    Transformer,
    initial_parameters,
    unflatten,
)
from demo_score.curation.features import Rollouts, read_rollouts
from demo_score.curation.metrics import accuracy, balanced_threshold, episode_means, roc_auc
from demo_score.curation.perceptron import Perceptron
from demo_score.curation.selection import select_classifier
from demo_score.curation.storage import Classifiers, Member, Variant, save_classifiers
from demo_score.curation.training import AdamW, Samples, Trainer
from demo_score.data.episodes import Episode
from demo_score.data.formats.robomimic import write_episodes
from demo_score.data.inputs import Standardization
from demo_score.runtime.errors import UserError

STEPWISE = Stepwise(hidden_sizes=[6, 5], dropout=0.3)
TRANSFORMER = Transformer(dim_model=8, dim_feedforward=10, n_heads=2, n_layers=2, trajectory_steps=7, dropout=0.3)


def stacked(architecture: Stepwise | Transformer) -> tuple[torch.Tensor, list[torch.nn.Module]]:
    """Parameters of two members, moved away from their symmetric start, and the same two as torch modules."""
    flat = initial_parameters(architecture, 3, [1, 2])
    flat = flat + 0.3 * torch.randn(flat.shape, generator=torch.Generator().manual_seed(0))
    modules = [architecture.module(3).eval() for _ in flat]
    for module, values in zip(modules, flat, strict=True):
        torch.nn.utils.vector_to_parameters(values, module.parameters())
    return flat, modules


def test_stepwise_members_compute_what_their_torch_modules_do() -> None:
    flat, modules = stacked(STEPWISE)
    frames = torch.randn(2, 11, 3)
    logits = STEPWISE.logits(unflatten(STEPWISE, 3)(flat), frames, NO_DROPOUT)
    for member, module in enumerate(modules):
        torch.testing.assert_close(logits[member], module(frames[member]).squeeze(1))


def test_transformer_members_compute_what_their_torch_modules_do() -> None:
    flat, modules = stacked(TRANSFORMER)
    samples, _ = TRANSFORMER.samples([torch.randn(length, 3) for length in (4, 7, 20)])
    logits = TRANSFORMER.logits(unflatten(TRANSFORMER, 3)(flat), samples.expand(2, -1, -1, -1), NO_DROPOUT)
    positions = torch.tensor(
        [
            [
                np.sin(t / 10000 ** (i // 2 * 2 / 8)) if i % 2 == 0 else np.cos(t / 10000 ** (i // 2 * 2 / 8))
                for i in range(8)
            ]
            for t in range(7)
        ]
    ).float()
    padding = samples[..., -1] == 0
    for member, module in enumerate(modules):
        hidden = module["embedding"](samples[..., :-1]) + positions
        hidden = module["encoder"](hidden, src_key_padding_mask=padding)
        pooled = torch.stack([row[~pad].mean(0) for row, pad in zip(hidden, padding, strict=True)])
        torch.testing.assert_close(logits[member], module["head"](pooled).squeeze(1), rtol=1e-4, atol=1e-5)


def test_trajectories_are_thinned_evenly_or_padded() -> None:
    samples, counts = TRANSFORMER.samples([torch.arange(13.0).unsqueeze(1), torch.arange(3.0).unsqueeze(1)])
    assert counts == [1, 1]
    assert samples[0, :, 0].tolist() == [0, 2, 4, 6, 8, 10, 12]
    assert samples[0, :, 1].tolist() == [1] * 7
    assert samples[1, :3, 0].tolist() == [0, 1, 2]
    assert samples[1, :, 1].tolist() == [1, 1, 1, 0, 0, 0, 0]


def test_dropout_drops_its_rate_and_keeps_the_mean() -> None:
    dropout = Dropout(0.3, [torch.Generator().manual_seed(seed) for seed in (0, 1)])
    values = dropout(torch.ones(2, 100_001))
    assert values.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert ((values == 0).float().mean(1) - 0.3).abs().max() < 0.01
    assert ((values[0] == 0) != (values[1] == 0)).float().mean() > 0.3  # members are independent


def test_dropout_of_a_member_does_not_depend_on_the_others() -> None:
    together = Dropout(0.5, [torch.Generator().manual_seed(seed) for seed in (0, 1)])
    alone = Dropout(0.5, [torch.Generator().manual_seed(1)])
    for shape in ((3, 7), (5, 4)):
        assert torch.equal(together(torch.ones(2, *shape))[1:], alone(torch.ones(1, *shape)))


def test_optimiser_is_torch_adamw_for_each_member() -> None:
    variants = [Variant(0, 1e-2, 0.1), Variant(0, 1e-3, 0.5)]
    start, gradients = torch.randn(2, 5), torch.randn(4, 2, 5)
    parameters = start.clone()
    optimiser = AdamW(parameters, variants)
    for gradient in gradients:
        optimiser.step(gradient)
    for member, variant in enumerate(variants):
        expected = start[member].clone().requires_grad_()
        reference = torch.optim.AdamW([expected], lr=variant.lr, weight_decay=variant.weight_decay)
        for gradient in gradients:
            expected.grad = gradient[member]
            reference.step()
        torch.testing.assert_close(parameters[member], expected.detach())


def test_training_loss_weighs_a_success_four_times_a_failure() -> None:
    architecture = Stepwise(hidden_sizes=[6], dropout=0)
    rollouts = Rollouts([torch.randn(4, 3), torch.randn(2, 3)], torch.tensor([True, False]))
    samples = Samples(architecture, rollouts, Standardization(torch.zeros(3), torch.ones(3)))
    trainer = Trainer(architecture, 3, [Variant(0, 1e-3, 0.1)], samples, samples)
    module = architecture.module(3)
    torch.nn.utils.vector_to_parameters(trainer.parameters[0].detach().clone(), module.parameters())
    success, failure = (module(frames).sigmoid() for frames in rollouts.frames)
    weighted = -(4 / 3 * success.log().sum() + 1 / 3 * (1 - failure).log().sum()) / 6
    plain = -(success.log().sum() + (1 - failure).log().sum()) / 6
    assert float(trainer.evaluate(trainer.parameters).cross_val_loss) == pytest.approx(plain.item(), rel=1e-5)
    assert float(trainer.train_epoch(batch_size=10)) == pytest.approx(weighted.item(), rel=1e-5)


def test_episode_means_respect_lengths() -> None:
    means = episode_means(torch.tensor([[1.0, 3.0, 10.0], [0.0, 0.0, 6.0]]), [2, 1])
    assert means.tolist() == [[2, 10], [0, 6]]


def test_auc_and_accuracy_of_known_scores() -> None:
    success = torch.tensor([True, True, False, False])
    scores = torch.tensor([[0.9, 0.8, 0.2, 0.1], [0.9, 0.2, 0.2, 0.1], [0.1, 0.1, 0.9, 0.9], [0.5, 0.5, 0.5, 0.5]])
    assert roc_auc(scores, success).tolist() == [1, 0.875, 0, 0.5]
    thresholds = torch.full((4,), 0.5)
    assert accuracy(scores, success, thresholds).tolist() == [1, 0.75, 0, 0.5]


def test_balanced_threshold_lies_midway_in_the_gap() -> None:
    success = torch.tensor([True, True, True, False, False])
    assert balanced_threshold(torch.tensor([0.8, 0.9, 0.1, 0.4, 0.2]), success) == pytest.approx(0.6)
    assert balanced_threshold(torch.tensor([0.3, 0.3, 0.3, 0.3, 0.3]), success) == pytest.approx(0.3)


def test_standardization_floors_the_standard_deviation() -> None:
    frames = torch.tensor([[0.0, 5.0], [2.0, 5.0]])
    standardization = Standardization.of([frames])
    assert standardization.std.tolist() == pytest.approx([1, 0.01])
    assert standardization(frames).tolist() == [[-1, 0], [1, 0]]


def make_rollouts(path: Path, count: int) -> Path:
    frames = np.zeros((2, 1), np.float32)
    write_episodes(
        path,
        [Episode({"observation.state": frames + i}, frames, frames[:, 0], i % 2 == 0, i) for i in range(count)],
        {},
    )
    return path


def test_rollouts_are_chosen_evenly_from_the_checkpoints(tmp_path: Path) -> None:
    paths = [make_rollouts(tmp_path / f"{number}.hdf5", 30 * number) for number in (1, 2)]
    rollouts = read_rollouts(paths, 51, "tr_dataset_size", ["observation.state"], None)
    numbers = [int(frames[0, 0]) for frames in rollouts.frames]
    assert len(numbers) == 51
    assert len(set(numbers[:26])) == 26
    assert len(set(numbers[26:])) == 25
    assert max(numbers[26:]) > 30  # not simply the first ones
    assert rollouts.success.tolist() == [number % 2 == 0 for number in numbers]
    again = read_rollouts(paths, 51, "tr_dataset_size", ["observation.state"], None)
    assert [int(frames[0, 0]) for frames in again.frames] == numbers


def test_rollouts_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    frames = np.full((2, 1), np.nan, np.float32)
    write_episodes(tmp_path / "r.hdf5", [Episode({"observation.state": frames}, frames, frames[:, 0], True, 0)], {})
    with pytest.raises(UserError, match="values that are not finite"):
        read_rollouts([tmp_path / "r.hdf5"], None, "tr_dataset_size", ["observation.state"], None)


def make_file(path: Path, model_arch: str, kind: str, losses: list[float], auc: float) -> Path:
    members = [
        Member(seed, 1e-4, 0.1, 7, loss, auc, 0.8, {"mean": 0.5, "balanced": 0.4}) for seed, loss in enumerate(losses)
    ]
    standardization = Standardization(torch.zeros(1), torch.ones(1))
    save_classifiers(path, Classifiers(model_arch, {"type": kind}, ["action"], None, members), {}, standardization)
    return path


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Three architectures; the transformer has the lowest loss but a worse AUC than the step-wise ones."""
    return [
        make_file(tmp_path / "a" / "small.safetensors", "small", "stepwise", [0.6, 0.4], 0.9),
        make_file(tmp_path / "a" / "large.safetensors", "large", "stepwise", [0.5, 0.4], 0.8),
        make_file(tmp_path / "a" / "transformer.safetensors", "transformer", "transformer", [0.1, 0.2], 0.7),
    ]


def choose(tmp_path: Path, model_arch: str, files: list[Path]) -> dict:
    select_classifier(model_arch, "mean", files, tmp_path / "classifier.yaml")
    return yaml.safe_load((tmp_path / "classifier.yaml").read_text())


def test_named_architecture_with_the_lowest_loss_is_chosen(tmp_path: Path, files: list[Path]) -> None:
    chosen = choose(tmp_path, "small", files)
    assert (chosen["file"], chosen["member"], chosen["seed"]) == ("a/small.safetensors", 1, 1)
    assert (chosen["best_epoch"], chosen["cross_val_loss"]) == (7, 0.4)
    assert chosen["n_candidates"] == 2
    assert chosen["runner_up"]["member"] == 0
    assert chosen["reason"] == "lowest cross-validation loss among 2 candidates"


def test_best_of_both_types_is_chosen_by_auc_not_by_loss(tmp_path: Path, files: list[Path]) -> None:
    chosen = choose(tmp_path, "best", [files[0], files[2]])
    assert (chosen["model_arch"], chosen["member"]) == ("small", 1)
    assert chosen["runner_up"]["model_arch"] == "transformer"
    assert "AUC" in chosen["reason"]


def test_equal_losses_are_settled_by_name_whatever_the_order(tmp_path: Path, files: list[Path]) -> None:
    first, second = (choose(tmp_path, "best", order) for order in (files[:2], files[1::-1]))
    assert first == second
    assert (first["model_arch"], first["member"]) == ("large", 1)


def test_unknown_architecture_is_refused(tmp_path: Path, files: list[Path]) -> None:
    with pytest.raises(UserError, match="choose best or one of: large, small, transformer"):
        choose(tmp_path, "medium", files)


def test_damaged_classifier_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"\x10")
    with pytest.raises(UserError, match="not a classifier file, or truncated"):
        choose(tmp_path, "best", [tmp_path / "broken.safetensors"])


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("dropped", [False, True])
def test_attention_and_its_gradient_are_those_of_their_formula(padded, dropped) -> None:
    generator = torch.Generator().manual_seed(0)
    parts = [torch.randn(6, 4, 9, generator=generator, requires_grad=True) for _ in range(3)]
    bias = torch.zeros(6, 1, 9).masked_fill_(torch.arange(9) > 6, -torch.inf) if padded else None
    scales = torch.randint(2, (6, 9, 9), generator=generator) / 0.7 if dropped else None
    queries, keys, values = parts
    weights = (queries.mT @ keys + (0 if bias is None else bias)).softmax(2) * (1 if scales is None else scales)
    expected, found = values @ weights.mT, Attention.apply(*parts, bias, scales)
    torch.testing.assert_close(found, expected)
    towards = torch.randn(expected.shape, generator=generator)
    gradients = [torch.autograd.grad(result, parts, towards) for result in (found, expected)]
    for ours, torchs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, torchs)
    with torch.no_grad():
        torch.testing.assert_close(Attention.apply(*parts, bias, scales), expected)


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_perceptron_and_its_gradient_are_those_of_torch_s_layers(rate) -> None:
    generator = torch.Generator().manual_seed(0)
    sizes = [(5, 4), (3, 5), (1, 3)]
    shapes = [shape for size in sizes for shape in (size, size[:1])]
    layers = [torch.randn(2, *shape, generator=generator, requires_grad=True) for shape in shapes]
    samples = torch.randn(2, 4, 40, generator=generator)
    dropout = Dropout(rate, [torch.Generator().manual_seed(seed) for seed in (0, 1)])
    kept = dropout.kept([5, 3], 40)
    hidden = samples
    for layer, (weight, bias) in enumerate(zip(layers[::2], layers[1::2], strict=True)):
        if layer:
            hidden = hidden.relu() * (1 if kept is None else kept[layer - 1] / (1 - rate))
        hidden = weight @ hidden + bias.unsqueeze(2)
    found = Perceptron.apply(samples, kept, dropout.gain, *layers)
    torch.testing.assert_close(found, hidden)
    towards = torch.randn(found.shape, generator=generator)
    gradients = [torch.autograd.grad(result, layers, towards) for result in (found, hidden)]
    for ours, torchs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, torchs)


def test_units_are_kept_at_their_rate_each_member_by_draws_of_its_own() -> None:
    generators = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
    first, second = Dropout(0.3, generators).kept([7, 2], 10_001)
    assert first.shape == (2, 7, 10_001) and second.shape == (2, 2, 10_001)
    for units in (first, second):
        assert units.unique().tolist() == [0, 1] and ((units == 0).float().mean((1, 2)) - 0.3).abs().max() < 0.01
        assert (units[0] != units[1]).float().mean() > 0.3
    alone, _ = Dropout(0.3, [torch.Generator().manual_seed(1)]).kept([7, 2], 10_001)
    assert torch.equal(alone[0], first[1])
