"""Dropout that draws what it drops does what torch's does."""

import pytest
import torch
from demo_score.policies import dropout
from demo_score.policies.dropout import Dropout, attend, dropped

N = 400_000


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("rate", [0.003, 0.1, 0.5])
def test_each_element_is_dropped_with_the_rate_whatever_was_before_it(rate) -> None:
    drops = torch.zeros(N)
    drops[dropped(N, rate)] = 1
    deviation = (rate * (1 - rate) / N) ** 0.5
    assert abs(drops.mean() - rate) < 4 * deviation
    for lag in (1, 2, 7, int(3 / rate) + 1):
        both = (drops[lag:] * drops[:-lag]).mean()
        assert abs(both - rate**2) < 6 * rate * deviation + 4 * rate**2 / (N * rate**2) ** 0.5


@pytest.mark.parametrize("n", [1, 2, 5, 63])
def test_the_last_elements_are_dropped_as_often_as_the_first(n) -> None:
    counts = torch.zeros(n)
    for _ in range(4000):
        places = dropped(n, 0.3)
        assert (places.diff() > 0).all()
        counts[places] += 1
    assert ((counts / 4000 - 0.3).abs() < 4.5 * (0.21 / 4000) ** 0.5).all()


def test_a_rate_of_next_to_nothing_drops_next_to_nothing() -> None:
    assert sum(len(dropped(1000, rate)) for rate in (1e-300, 1e-12, 1e-7)) == 0


def test_what_stays_is_scaled_and_has_the_gradient_of_it() -> None:
    x = torch.ones(100, 50, requires_grad=True)
    y = Dropout(0.1)(x)
    assert set(y.unique().tolist()) == {0.0, y.max().item()} and y.max().item() == pytest.approx(1 / 0.9)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


def test_after_relu_it_is_relu_and_dropout_with_their_gradient(monkeypatch) -> None:
    x = torch.randn(40, 50, requires_grad=True)
    drops = dropped(x.numel(), 0.2)
    monkeypatch.setattr(dropout, "dropped", lambda n, rate: drops)
    module = Dropout(0.2)
    ways, upstream = [module.after_relu(x), module(x.relu())], torch.randn(40, 50)
    gradients = [torch.autograd.grad(way, x, upstream)[0] for way in ways]
    assert torch.equal(*ways) and torch.equal(*gradients)
    assert torch.equal(module.eval().after_relu(x), x.relu())


def test_evaluating_drops_nothing() -> None:
    x = torch.randn(7, 3)
    assert torch.equal(Dropout(0.1).eval()(x), x)


@pytest.mark.parametrize(("n_queries", "masked"), [(6, False), (6, True), (1, True)])
def test_attention_and_its_gradients_are_those_of_its_weights_with_the_same_dropped(
    monkeypatch, n_queries, masked
) -> None:
    shapes = [(3, 2, n, 4) for n in (n_queries, 6, 6)]
    inputs = [torch.randn(shape, requires_grad=True) for shape in shapes]
    mask = (torch.rand(3, 1, 1, 6) < 0.6).index_fill_(3, torch.tensor([0]), True) if masked else None
    drops = dropped(3 * 2 * n_queries * 6, 0.2)
    monkeypatch.setattr(dropout, "dropped", lambda n, rate: drops)
    ways = [attend(*inputs, mask, 0.2), _attend_plainly(*inputs, mask, drops, 0.2)]
    upstream = torch.randn_like(ways[0])
    gradients = [torch.autograd.grad(way, inputs, upstream, retain_graph=True) for way in ways]
    torch.testing.assert_close(*ways)
    for fast, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(fast, plain, atol=2e-6, rtol=1e-4)


def _attend_plainly(query, key, value, mask, drops, rate) -> torch.Tensor:
    logits = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    weights = (logits if mask is None else logits.masked_fill(~mask, -torch.inf)).softmax(-1)
    kept = torch.ones(weights.numel()).index_fill_(0, drops, 0).view(weights.shape) / (1 - rate)
    return (weights * kept) @ value


def test_without_a_rate_attention_is_torchs() -> None:
    inputs = [torch.randn(2, 2, 5, 4) for _ in range(3)]
    plain = torch.nn.functional.scaled_dot_product_attention(*inputs)
    assert torch.equal(attend(*inputs, None, 0.0), plain)
