"""The training loop: steps 1 (base policy) and 5 (final policy) of Demo-SCORE, for every policy."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig
from torch import nn
from tqdm import tqdm

from demo_score import settings as settings_files
from demo_score.data.chunks import ChunkSampler
from demo_score.data.lists import read_listed_episodes
from demo_score.dependencies import code_digest
from demo_score.errors import UserError
from demo_score.hardware import available_threads, select_device
from demo_score.policies import make_policy
from demo_score.training.checkpoints import save_checkpoint
from demo_score.training.evaluation import evaluate_in_training
from demo_score.training.metrics import MetricsTable
from demo_score.training.resume import ResumeFolder, capture_generators, restore_generators
from demo_score.training.steps import checkpoint_name, is_due


@dataclass
class Run:
    """What changes during training."""

    policy: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    generator: torch.Generator
    metrics: MetricsTable
    step: int = 0

    def state(self) -> dict:
        modules = {name: getattr(self, name).state_dict() for name in ("policy", "optimizer", "scheduler", "metrics")}
        return {**modules, "generators": capture_generators(self.generator), "step": self.step}

    def load(self, state: dict) -> None:
        for name in ("policy", "optimizer", "scheduler", "metrics"):
            getattr(self, name).load_state_dict(state[name])
        restore_generators(state["generators"], self.generator)
        self.step = state["step"]


def train(settings: DictConfig, run_dir: Path) -> None:
    """Train the policy of `settings` on `settings.datasets_file`; leave the results in `run_dir`.

    Results, which appear together at the end: checkpoints/<step>/{model.safetensors,settings.yaml} every
    save_freq steps and after the last, metrics.csv. Same settings and data give the same bits on a CPU with the
    same number of threads, also when killed and started again. Raises UserError for bad settings or data, and
    when the loss is no longer finite.
    """
    torch.set_num_threads(available_threads())
    device = select_device(settings.device)
    data, content = load_data(settings)
    folder = ResumeFolder(
        run_dir, settings_files.digest(settings_files.to_yaml(settings), content, code_digest(Path(__file__)))
    )
    run = start_run(settings, data.to(device), device)
    if settings.training.resume and (state := folder.load()):
        run.load(state)
    total = settings.training.offline_steps
    with tqdm(total=total, initial=run.step, desc=run_dir.name, unit="step", mininterval=1) as progress:
        while run.step < total:
            take_step(run, data, settings)
            progress.update()
            if is_due(run.step, settings.training.log_freq, settings):
                progress.set_postfix(run.metrics.flush(run.step, lr=run.scheduler.get_last_lr()[0]))
            if settings.training.eval_freq and run.step % settings.training.eval_freq == 0:
                run.metrics.add_evaluation(run.step, evaluate_in_training(run.policy, settings, device))
            if is_due(run.step, settings.training.save_freq, settings):
                save_checkpoint(folder.results / "checkpoints" / checkpoint_name(run.step), run.policy, settings)
            if run.step % settings.training.resume_freq == 0:
                folder.save(run.state())
    run.metrics.write(folder.results / "metrics.csv")
    folder.publish()


def load_data(settings: DictConfig) -> tuple[ChunkSampler, str]:
    """The batches' source, and a digest of its content."""
    if "datasets_file" not in settings:
        raise UserError("no training data: give +datasets_file=LIST.txt (or an episode file)")
    data = ChunkSampler(
        read_listed_episodes(settings.datasets_file),
        list(settings.policy.input_shapes),
        settings.policy.chunk_size,
        settings.training.start_fraction,
        settings.training.start_frames,
    )
    return data, data.digest()


def start_run(settings: DictConfig, data: ChunkSampler, device: torch.device) -> Run:
    """An untrained policy with its optimiser; all randomness follows from settings.seed."""
    torch.manual_seed(settings.seed)
    policy = make_policy(settings)
    policy.normalization.set_statistics(data.statistics(), settings.policy.min_std)
    policy.to(device).train()
    training = settings.training
    optimizer = torch.optim.AdamW(policy.parameters(), lr=training.lr, weight_decay=training.weight_decay, fused=True)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_factor(step, training))
    generator = torch.Generator().manual_seed(settings.seed)
    return Run(policy, optimizer, scheduler, generator, MetricsTable())


def learning_rate_factor(step: int, training: DictConfig) -> float:
    """The learning rate at `step`, as a fraction of training.lr: linear warm-up, then constant or cosine."""
    if step < training.lr_warmup_steps:
        return (step + 1) / training.lr_warmup_steps
    if training.lr_scheduler == "constant":
        return 1.0
    progress = (step - training.lr_warmup_steps) / max(1, training.offline_steps - training.lr_warmup_steps)
    final = training.lr_final_fraction
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def take_step(run: Run, data: ChunkSampler, settings: DictConfig) -> None:
    """One gradient step on one batch."""
    batch = data.sample(settings.training.batch_size, run.generator)
    loss, parts = run.policy.loss(batch)
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(run.policy.parameters(), settings.training.grad_clip_norm)
    if not torch.isfinite(norm):
        raise UserError(f"the loss is no longer finite at step {run.step + 1}; set a smaller training.lr")
    run.optimizer.step()
    run.scheduler.step()
    run.step += 1
    run.metrics.add(loss=loss.detach(), grad_norm=norm, **parts)
