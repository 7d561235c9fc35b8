"""The training loop: steps 1 (base policy) and 5 (final policy) of Demo-SCORE, for every policy."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from demo_score.config import settings as settings_files
from demo_score.data.images import prepare_observations
from demo_score.envs import make_env
from demo_score.observations import IMAGE
from demo_score.policies import action_offsets, check_memory, make_policy
from demo_score.policies.checkpoints import METRICS, check_run_dir, checkpoint_files, initialise, save_checkpoint
from demo_score.runtime.code_store import code_digest
from demo_score.runtime.cores import available_threads
from demo_score.runtime.digests import digest
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import check_writable
from demo_score.runtime.hardware import autocast, compiled, memory_advice, select_device
from demo_score.runtime.progress import progress_bar
from demo_score.runtime.resume import ResumeFolder
from demo_score.runtime.stopping import StoppedError, check, ignore_sigterm, polled
from demo_score.training.batches import Batches
from demo_score.training.chunks import ChunkDataset
from demo_score.training.evaluation import evaluate_in_training
from demo_score.training.generators import capture_generators, restore_generators
from demo_score.training.image_transforms import ImageTransforms
from demo_score.training.metrics import MetricsTable
from demo_score.training.optimizer import AdamW
from demo_score.training.sources import training_episodes, training_weights
from demo_score.training.steps import checkpoint_name, is_due
from demo_score.training.tracking import Tracker

Loss = Callable[[dict[str, Tensor]], tuple[Tensor, dict[str, Tensor]]]
STATEFUL = ("policy", "average", "optimizer", "scheduler", "metrics")


@dataclass
class Run:
    """What changes during training."""

    policy: nn.Module
    loss: Loss  # the policy's, compiled where the settings say so
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    batches: Batches
    transforms: ImageTransforms
    metrics: MetricsTable
    step: int = 0
    evaluation_due: bool = False  # of the step last taken

    @property
    def result(self) -> nn.Module:
        """What is evaluated and saved: the policy, or the moving average of its weights."""
        return self.policy if self.average is None else self.average.module

    def state(self) -> dict:
        modules = {name: part.state_dict() for name in STATEFUL if (part := getattr(self, name)) is not None}
        generators = capture_generators(self.batches.generator_state())
        return {**modules, "generators": generators, "step": self.step, "evaluation_due": self.evaluation_due}

    def load(self, state: dict) -> None:
        for name in STATEFUL:
            if name in state:
                getattr(self, name).load_state_dict(state[name])
        restore_generators(state["generators"], self.batches.generator)
        self.step, self.evaluation_due = state["step"], state["evaluation_due"]


def train(settings: DictConfig, run_dir: Path) -> None:
    """Train the policy of `settings` on `settings.datasets_file`; leave the results in `run_dir`.

    Results, which appear together at the end: checkpoints/<step>/{model.safetensors,settings.yaml} every
    save_freq steps and after the last, metrics.csv. Same settings and data give the same bits on a CPU with the
    same number of threads, also when killed and started again. SIGTERM stores the state of the step at hand. Raises
    UserError for bad settings or data, and when the loss is no longer finite.
    """
    device = select_device(settings.device)
    check_writable(run_dir, folder=True)
    check_run_dir(run_dir, settings)
    torch.backends.cudnn.benchmark = True  # batches are all of one size: a GPU tries its convolutions out once
    if settings.training.eval_freq:
        make_env(OmegaConf.to_container(settings.env)).close()  # what an evaluation lacks is said before the training
    data = load_data(settings)
    torch.set_num_threads(available_threads(settings.training.num_workers if data.images else 0))
    made_with = digest(settings_files.to_yaml(settings), data.digest(), code_digest(Path(__file__)), *initial(settings))
    folder = ResumeFolder(run_dir, "training", made_with)
    run = start_run(settings, data, device)
    if settings.resume and (state := folder.load()):
        run.load(state)
    with (
        polled(),
        Tracker(settings, run_dir, folder.path / "wandb_id") as tracker,
        progress_bar(settings.training.offline_steps, run_dir.name, "step", initial=run.step) as progress,
    ):
        try:
            take_steps(run, settings, device, folder, tracker, progress)
        except StoppedError:
            folder.save(run.state())
            raise
        ignore_sigterm()
    run.metrics.write(folder.results / METRICS)
    folder.publish()


def take_steps(
    run: Run, settings: DictConfig, device: torch.device, folder: ResumeFolder, tracker: Tracker, progress: tqdm
) -> None:
    """Train to the last step. Where SIGTERM stops this, `run` is as it was after a whole step, or before evaluation."""
    training = settings.training
    while run.step < training.offline_steps or run.evaluation_due:
        if run.evaluation_due:
            results = evaluate_in_training(run.result, settings, device)
            tracker.log(run.metrics.add_evaluation(run.step, results), "eval")
            run.evaluation_due = False
            check()
            continue
        take_step(run, settings, device)
        progress.update()
        if is_due(run.step, training.log_freq, settings):
            log(run, tracker, progress)
        run.evaluation_due = bool(training.eval_freq) and run.step % training.eval_freq == 0
        if is_due(run.step, training.save_freq, settings):
            checkpoint = folder.results / "checkpoints" / checkpoint_name(run.step)
            save_checkpoint(checkpoint, run.result, settings)
        if run.step % training.resume_freq == 0:
            folder.save(run.state())
        check()


def log(run: Run, tracker: Tracker, progress: tqdm) -> None:
    """A row of the means since the last one."""
    row = run.metrics.flush(run.step, lr=run.scheduler.get_last_lr()[0])
    check_finite(row)
    tracker.log(row, "train")
    progress.set_postfix({name: f"{value:.4g}" for name, value in row.items() if name != "step"}, refresh=False)


def load_data(settings: DictConfig) -> ChunkDataset:
    """The frames that batches are drawn from."""
    training, offsets = settings.training, action_offsets(settings)
    episodes = training_episodes(settings)
    return ChunkDataset(
        episodes,
        list(settings.policy.input_shapes),
        settings.policy.n_obs_steps,
        offsets,
        training.drop_n_last_frames,
        training.start_fraction,
        training.start_frames,
        training_weights(settings, [len(episode) for episode in episodes]),
    )


def initial(settings: DictConfig) -> list[bytes]:
    """The content of the files that the training starts from."""
    start = settings.training.init_from
    return [] if start is None else [path.read_bytes() for path in checkpoint_files(Path(start))]


def start_run(settings: DictConfig, data: ChunkDataset, device: torch.device) -> Run:
    """A policy at its start with its optimiser; all randomness follows from settings.seed."""
    check_memory(settings, device)
    torch.manual_seed(settings.seed)
    training = settings.training
    policy = make_policy(settings, pretrained=training.init_from is None)
    if training.init_from is None:
        statistics = data.statistics(policy.normalization.pixel_keys)
        policy.normalization.set_statistics(statistics, settings.policy.min_std)
    else:
        initialise(policy, Path(training.init_from), settings)
    policy.to(device).train()
    optimizer = AdamW(
        policy.parameter_groups(training),
        lr=training.lr,
        betas=tuple(training.adam_betas),
        eps=training.adam_eps,
        weight_decay=training.weight_decay,
        fused=True,
    )
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_factor(step, training))
    generator = torch.Generator().manual_seed(settings.seed)
    batches = Batches(data, training.batch_size, generator, training.num_workers, device)
    decay = training.ema_decay
    average = AveragedModel(policy, multi_avg_fn=get_ema_multi_avg_fn(decay)) if decay else None
    transforms = ImageTransforms(training.image_transforms)
    loss = compiled(policy.loss, device) if training.compile else policy.loss
    return Run(policy, loss, average, optimizer, scheduler, batches, transforms, MetricsTable())


def learning_rate_factor(step: int, training: DictConfig) -> float:
    """The learning rate at `step`, as a fraction of training.lr: linear warm-up, then constant or cosine."""
    if step < training.lr_warmup_steps:
        return (step + 1) / training.lr_warmup_steps
    if training.lr_scheduler == "constant":
        return 1.0
    progress = (step - training.lr_warmup_steps) / max(1, training.offline_steps - training.lr_warmup_steps)
    final = training.lr_final_fraction
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def take_step(run: Run, settings: DictConfig, device: torch.device) -> None:
    """One gradient step on one batch."""
    with memory_advice("training.batch_size", settings.training.batch_size):
        batch = prepare_batch(next(run.batches), run.transforms, settings)
        with autocast(device, settings.use_amp):
            loss, parts = run.loss(batch)
        run.optimizer.zero_grad(set_to_none=True)
        loss.backward()
    norm = nn.utils.clip_grad_norm_(run.policy.parameters(), settings.training.grad_clip_norm)
    run.optimizer.step()
    run.scheduler.step()
    if run.average:
        run.average.update_parameters(run.policy)
    run.step += 1
    run.metrics.add(loss=loss.detach(), grad_norm=norm, **parts)


def check_finite(row: dict[str, float]) -> None:
    """Raise UserError where a gradient was not finite. Looking at every step would make a GPU wait for it."""
    if not math.isfinite(row["grad_norm"]):
        raise UserError(f"the loss is no longer finite at step {row['step']}; set a smaller training.lr")


def prepare_batch(batch: dict[str, Tensor], transforms: ImageTransforms, settings: DictConfig) -> dict[str, Tensor]:
    """Images as floats, changed at random where training.image_transforms says so."""
    observations = prepare_observations({key: batch[key] for key in settings.policy.input_shapes})
    images = {key: transforms(values) for key, values in observations.items() if key.startswith(IMAGE)}
    return {**batch, **observations, **images}
