"""On a GPU everything is as on the CPU, or ends in one line. Without one these tests are skipped."""

import gc
import os

import pytest
import torch
from demo_score.data.images import prepare_observations
from demo_score.policies import make_policy
from demo_score.policies.checkpoints import load_policy, save_checkpoint
from demo_score.runtime.errors import UserError
from demo_score.runtime.hardware import has_bfloat16, select_device
from demo_score.training.evaluation import evaluate_in_training
from demo_score.training.loop import Run, start_run, take_step
from omegaconf import DictConfig
from policy_settings import TINY_ACT, TINY_DIFFUSION, TINY_KEYPOINTS, random_batch, random_observations
from synthetic import noise_data, settings_for

DEVICE = torch.device(os.environ.get("GPU_TESTS_DEVICE", "cuda"))  # cpu: tries the tests themselves
ON_GPU = DEVICE.type == "cuda"
NO_CUDA = "no CUDA device: nothing measured; run this on a machine with a GPU"
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(ON_GPU and not torch.cuda.is_available(), reason=NO_CUDA),
]
needs_gpu = pytest.mark.skipif(not ON_GPU, reason="speaks of a GPU alone")

TOLERANCE = 5e-3  # of full precision along 100 steps of denoising; a wrong weight or dtype differs by far more
FAST = ["training.batch_size=4", "training.offline_steps=8", "training.lr=1e-3", "training.lr_warmup_steps=0"]
IMAGES = ["env.image_size=[64,96]", "policy.pretrained_backbone_weights=null"]
ACT = ["env=aloha_cube_state", "policy=act_state", *TINY_ACT]
ACT_IMAGES = ["env=aloha_cube", "policy=act", *TINY_ACT, *IMAGES]
DIFFUSION = ["env=aloha_cube_state", "policy=diffusion_state", *TINY_DIFFUSION]
DIFFUSION_IMAGES = ["env=aloha_cube", "policy=diffusion", *TINY_DIFFUSION, *TINY_KEYPOINTS, *IMAGES]
POLICIES = {"act": ACT, "act-images": ACT_IMAGES, "diffusion": DIFFUSION, "diffusion-images": DIFFUSION_IMAGES}
each_policy = pytest.mark.parametrize("policy", POLICIES)


def tiny_settings(policy: str, *overrides: str) -> DictConfig:
    return settings_for(DEVICE.type, *POLICIES[policy], *FAST, *overrides)


def started(settings: DictConfig) -> Run:
    return start_run(settings, noise_data(settings, length=40), DEVICE)


def losses_of(run: Run, settings: DictConfig, n_steps: int) -> list[float]:
    """The loss of each of some steps of training."""
    losses = []
    for _ in range(n_steps):
        take_step(run, settings, DEVICE)
        losses.append(run.metrics.flush(run.step)["loss"])
    return losses


@pytest.fixture
def same_draws(monkeypatch) -> None:
    """Random numbers that do not depend on the device, and convolutions in full precision."""
    randn, randint = torch.randn, torch.randint

    def draw(function, *arguments, device=None):
        return function(*arguments).to(device)

    monkeypatch.setattr(torch, "randn_like", lambda x: randn(x.shape).to(x))
    monkeypatch.setattr(torch, "randint", lambda *arguments, **options: draw(randint, *arguments, **options))
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def relative_error(value: torch.Tensor, reference: torch.Tensor) -> float:
    return float((value.cpu() - reference).norm() / reference.norm())


@each_policy
def test_loss_gradient_and_actions_are_those_of_the_cpu(policy, same_draws) -> None:
    settings = tiny_settings(policy)
    torch.manual_seed(0)
    model = make_policy(settings)
    n_actions = settings.policy.get("chunk_size") or settings.policy.horizon
    batch, seen = random_batch(settings, 3, n_actions), random_observations(settings, 3)
    results = []
    for device in ("cpu", DEVICE):
        model.to(device).train()
        model.zero_grad()
        torch.manual_seed(1)
        loss, _ = model.loss({key: values.to(device) for key, values in batch.items()})
        loss.backward()
        gradient = torch.cat([p.grad.flatten().cpu() for p in model.parameters() if p.grad is not None])
        model.eval().reset([5, 6, 7])
        actions = model.act({key: values.to(device) for key, values in seen.items()})
        assert loss.device.type == actions.device.type == torch.device(device).type
        results.append((loss.detach().cpu(), gradient, actions.cpu()))
    for value, expected in zip(results[1], results[0], strict=True):
        assert relative_error(value, expected) < TOLERANCE


@each_policy
@pytest.mark.parametrize("amp", [False, True], ids=["fp32", "amp"])
def test_training_takes_steps(policy, amp) -> None:
    if amp and not has_bfloat16(DEVICE):
        pytest.skip("no bfloat16 here")
    settings = tiny_settings(policy, f"use_amp={amp}")
    run = started(settings)
    assert {values.device.type for values in next(run.batches).values()} == {DEVICE.type}
    before = [parameter.detach().clone() for parameter in run.policy.parameters()]
    losses = losses_of(run, settings, 5)
    assert torch.tensor(losses).isfinite().all() and len(set(losses)) == 5
    after = list(run.policy.parameters())
    assert {parameter.dtype for parameter in after} == {torch.float32}
    assert not all(torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_mixed_precision_changes_the_loss_by_little() -> None:
    if not has_bfloat16(DEVICE):
        pytest.skip("no bfloat16 here")
    first = []
    for amp in (False, True):
        settings = tiny_settings("act-images", f"use_amp={amp}")
        first += losses_of(started(settings), settings, 1)
    assert first[0] != first[1]
    assert first[1] == pytest.approx(first[0], rel=0.05)


@needs_gpu
@pytest.mark.parametrize("policy", ["act", "act-images"])
def test_compiled_training_is_the_same(policy) -> None:
    losses = []
    for compiled in (False, True):
        settings = tiny_settings(policy, f"training.compile={compiled}")
        losses.append(losses_of(started(settings), settings, 3))
    assert losses[1] == pytest.approx(losses[0], rel=2e-2)
    torch._dynamo.reset()


@each_policy
def test_checkpoint_acts_on_the_cpu_as_on_the_gpu(policy, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    settings = tiny_settings(policy)
    run = started(settings)
    losses_of(run, settings, 2)
    save_checkpoint(tmp_path, run.result, settings)
    seen = prepare_observations(random_observations(settings, 2))
    actions = []
    for device in (DEVICE, torch.device("cpu")):
        model = load_policy(tmp_path, settings, device)
        model.reset([1, 2])
        actions.append(model.act({key: values.to(device) for key, values in seen.items()}).cpu())
    assert relative_error(actions[0], actions[1]) < TOLERANCE


def test_training_goes_on_from_a_state_on_disk(tmp_path) -> None:
    settings = tiny_settings("act", "policy.dropout=0.1", "training.ema_decay=0.9")
    whole, killed, again = (started(settings) for _ in range(3))
    torch.manual_seed(0)
    expected = losses_of(whole, settings, 6)
    torch.manual_seed(0)
    losses_of(killed, settings, 3)
    torch.save(killed.state(), tmp_path / "state.pt")
    torch.manual_seed(99)
    again.load(torch.load(tmp_path / "state.pt", weights_only=True))
    assert losses_of(again, settings, 3) == pytest.approx(expected[3:], rel=1e-3)


def test_evaluation_leaves_the_generators_of_training_alone() -> None:
    settings = tiny_settings("act", "env.episode_length=30", "eval.n_episodes=3", "eval.batch_size=2")
    policy = started(settings).policy
    before = torch.get_rng_state(), torch.cuda.get_rng_state() if ON_GPU else torch.zeros(1)
    results = evaluate_in_training(policy, settings, DEVICE)
    after = torch.get_rng_state(), torch.cuda.get_rng_state() if ON_GPU else torch.zeros(1)
    assert results["eval_n"] == 3 and 0 <= results["eval_low"] <= results["eval_high"] <= 1
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))


@needs_gpu
def test_memory_that_runs_out_ends_in_advice_and_a_smaller_batch_still_trains() -> None:
    big = tiny_settings("act-images", "training.batch_size=512")
    small = tiny_settings("act-images", "training.batch_size=4")
    run = started(small)
    losses_of(run, small, 1)
    batches, run.batches = run.batches, started(big).batches
    gc.collect()
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(DEVICE).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 96 * 2**20) / total)
    try:
        with pytest.raises(UserError) as caught:
            take_step(run, big, DEVICE)
        run.batches = batches
        assert all(loss > 0 for loss in losses_of(run, small, 2))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    message = str(caught.value)
    assert message == "out of GPU memory with training.batch_size=512; set training.batch_size=256"


@needs_gpu
def test_a_gpu_that_is_not_there_is_reported_in_one_line() -> None:
    missing = f"cuda:{torch.cuda.device_count() + 6}"
    with pytest.raises(UserError) as caught:
        select_device(missing)
    assert missing in str(caught.value) and "\n" not in str(caught.value)
    assert select_device("auto").type == "cuda"
