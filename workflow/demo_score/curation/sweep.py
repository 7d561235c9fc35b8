"""The classifier sweep (step 3): one architecture on one split, for every seed, learning rate and weight decay."""

import itertools
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from demo_score.config.models.classifiers import Sweep
from demo_score.curation.classifiers import build_architecture
from demo_score.curation.features import Rollouts, read_rollouts
from demo_score.curation.metrics import accuracy, balanced_threshold, roc_auc
from demo_score.curation.policy_features import PolicyFeatures, open_features
from demo_score.curation.settings import read_settings
from demo_score.curation.storage import Classifiers, Member, Variant, save_classifiers
from demo_score.curation.training import Evaluation, Samples, Trainer
from demo_score.data.inputs import Standardization
from demo_score.data.lists import check_distinct, read_entries
from demo_score.runtime.code_store import code_digest
from demo_score.runtime.cores import available_threads
from demo_score.runtime.digests import digest
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import atomic_path, check_outputs
from demo_score.runtime.progress import progress_bar
from demo_score.runtime.resume import ResumeFolder
from demo_score.runtime.stopping import StoppedError, check, ignore_sigterm, polled
from demo_score.tables import CLASSIFIER_METRICS

STORED_EVERY = 60  # seconds
MEASURED = [name for name in CLASSIFIER_METRICS.columns if name.startswith(("training_", "cross_val_"))]


def train_classifiers(
    settings: Path,
    model_arch: str,
    train: list[Path],
    cross_val: list[Path],
    out: Path,
    metrics: Path,
    features_of: Path | None = None,
) -> int:
    """Train all members of `model_arch`; write them at their best epochs to `out`, and the table to `metrics`.

    `train` and `cross_val` are episode files, one a checkpoint; `features_of` is the checkpoint that looks at them, for
    the input policy.features. The table has a row for each member and evaluated epoch; accuracy there is at the
    published threshold. A sweep that was killed goes on from the state last stored, to the same bits. Returns the
    number of members. Raises UserError for bad settings or data.
    """
    check_outputs({"--out": out, "--metrics": metrics}, [settings, *train, *cross_val])
    torch.set_num_threads(available_threads())
    sweep = read_settings(settings)
    if model_arch not in sweep.model_archs:
        raise UserError(f"model_archs has no {model_arch}; choose from: {', '.join(sweep.model_archs)}")
    architecture = build_architecture(sweep.architecture(model_arch))
    inputs = sweep.inputs_of(model_arch)
    features = open_features(inputs, features_of)
    rollouts = _read_split(sweep, inputs, features, train, cross_val)
    standardization = Standardization.of(rollouts[0].frames)
    samples = [Samples(architecture, part, standardization) for part in rollouts]
    variants = [Variant(*values) for values in itertools.product(sweep.seeds, sweep.lr, sweep.weight_decay)]
    trainer = Trainer(architecture, len(standardization.mean), variants, *samples, sweep.weighted_cross_val)
    folder = ResumeFolder(out.parent, model_arch, _digest(model_arch, settings, rollouts))
    progress = _train(trainer, variants, sweep, folder)
    members = _describe(trainer, progress.best, progress.best_epoch.tolist(), variants)
    looks = features.digest if features else None
    classifiers = Classifiers(model_arch, sweep.architecture(model_arch), inputs, sweep.max_frames, members, looks)
    with atomic_path(metrics) as temporary:
        _table(progress.measured, variants).to_csv(temporary, index=False, float_format="%.9g")
    save_classifiers(out, classifiers, trainer.named(progress.best), standardization)
    folder.remove()
    return len(members)


def _read_split(
    settings: Sweep,
    inputs: list[str],
    features: PolicyFeatures | None,
    training: list[Path],
    cross_val: list[Path],
) -> list[Rollouts]:
    _check_given_once(training, cross_val)
    sizes = {"tr_dataset_size": settings.tr_dataset_size, "cross_val_dataset_size": settings.cross_val_dataset_size}
    parts = zip((training, cross_val), sizes.items(), strict=True)
    seen = (inputs, settings.max_frames, features)
    rollouts = [read_rollouts(paths, size, name, *seen) for paths, (name, size) in parts]
    widths = {frames.shape[1] for part in rollouts for frames in part.frames}
    if len(widths) > 1:
        raise UserError(f"{training[0]}, ...: inputs are {sorted(widths)} wide; do not mix rollouts of several tasks")
    return rollouts


def _check_given_once(training: list[Path], cross_val: list[Path]) -> None:
    if shared := {path.resolve() for path in training} & {path.resolve() for path in cross_val}:
        raise UserError(f"{min(shared)}: is in both training and cross-validation; give each its own checkpoints")
    check_distinct(entry for path in (*training, *cross_val) for entry in read_entries(path))


def _digest(model_arch: str, settings: Path, rollouts: list[Rollouts]) -> str:
    """Names the state of this sweep: of the same settings, data and code only."""
    frames = [episode.numpy().tobytes() for part in rollouts for episode in part.frames]
    outcomes = [part.success.numpy().tobytes() for part in rollouts]
    return digest(model_arch, settings.read_bytes(), *frames, *outcomes, code_digest(Path(__file__)))


@dataclass
class Progress:
    """How far a sweep of M members has come."""

    best: Tensor  # (M, parameters) at the epoch with the lowest cross-validation loss
    best_loss: Tensor  # (M,)
    best_epoch: Tensor  # (M,)
    measured: dict[int, Tensor]  # evaluated epoch -> (M, columns)
    epoch: int = 0

    @classmethod
    def none(cls, trainer: Trainer) -> "Progress":
        best = trainer.parameters.detach().clone()
        return cls(best, torch.full((len(best),), torch.inf), torch.zeros(len(best), dtype=torch.int64), {})


def _train(trainer: Trainer, variants: list[Variant], settings: Sweep, folder: ResumeFolder) -> Progress:
    """Train to the end, or from the state in `folder` on. It is stored every minute, and at SIGTERM."""
    progress = Progress.none(trainer)
    if state := folder.load():
        trainer.load_state_dict(state["trainer"])
        progress = Progress(**state["progress"])
    stored = time.monotonic()
    with polled(), progress_bar(settings.epochs, f"{len(variants)} classifiers", "epoch", progress.epoch) as bar:
        try:
            while progress.epoch < settings.epochs:
                _take_epoch(trainer, variants, settings, progress)
                bar.set_postfix(lowest_cross_val_loss=f"{progress.best_loss.min():.4f}", refresh=False)
                bar.update()
                if time.monotonic() - stored > STORED_EVERY:
                    _store(folder, trainer, progress)
                    stored = time.monotonic()
                check()
        except StoppedError:
            _store(folder, trainer, progress)
            raise
        ignore_sigterm()
    return progress


def _store(folder: ResumeFolder, trainer: Trainer, progress: Progress) -> None:
    folder.save({"trainer": trainer.state_dict(), "progress": vars(progress)})


def _take_epoch(trainer: Trainer, variants: list[Variant], settings: Sweep, progress: Progress) -> None:
    epoch = progress.epoch + 1
    training_loss = trainer.train_epoch(settings.batch_size)
    if epoch % settings.eval_every == 0 or epoch == settings.epochs:
        _measure(trainer, training_loss, variants, settings, progress, epoch)
    progress.epoch = epoch


def _measure(
    trainer: Trainer,
    training_loss: Tensor,
    variants: list[Variant],
    settings: Sweep,
    progress: Progress,
    epoch: int,
) -> None:
    evaluation = trainer.evaluate(trainer.parameters)
    _check_finite(training_loss + evaluation.cross_val_loss, variants, epoch)
    improved = evaluation.cross_val_loss < progress.best_loss
    progress.best[improved] = trainer.parameters.detach()[improved]
    progress.best_loss[improved] = evaluation.cross_val_loss[improved]
    progress.best_epoch[improved] = epoch
    progress.measured[epoch] = _measures(trainer, training_loss, evaluation)


def _check_finite(losses: Tensor, variants: list[Variant], epoch: int) -> None:
    for loss, variant in zip(losses.tolist(), variants, strict=True):
        if not np.isfinite(loss):
            raise UserError(f"the loss of {variant} is {loss} at epoch {epoch}; set a smaller lr")


def _measures(trainer: Trainer, training_loss: Tensor, evaluation: Evaluation) -> Tensor:
    """The columns of the table at one epoch: (M, columns)."""
    training, cross_val = trainer.training.success, trainer.cross_val.success
    columns = [
        training_loss,
        roc_auc(evaluation.training_scores, training),
        accuracy(evaluation.training_scores, training, evaluation.thresholds),
        evaluation.cross_val_loss,
        roc_auc(evaluation.cross_val_scores, cross_val),
        accuracy(evaluation.cross_val_scores, cross_val, evaluation.thresholds),
    ]
    return torch.stack(columns, dim=1)


def _table(measured: dict[int, Tensor], variants: list[Variant]) -> pd.DataFrame:
    values = torch.stack(list(measured.values()), dim=1)  # (M, epochs, columns)
    tables = [
        pd.DataFrame(rows.numpy(), columns=MEASURED).assign(member=number, epoch=list(measured), **asdict(variant))
        for number, (rows, variant) in enumerate(zip(values, variants, strict=True))
    ]
    return pd.concat(tables)


def _describe(trainer: Trainer, parameters: Tensor, epochs: list[int], variants: list[Variant]) -> list[Member]:
    """The members at their best epochs, with the thresholds of both rules."""
    evaluation = trainer.evaluate(parameters)
    success = trainer.cross_val.success
    auc = roc_auc(evaluation.cross_val_scores, success).tolist()
    correct = accuracy(evaluation.cross_val_scores, success, evaluation.thresholds).tolist()
    return [
        Member(
            **asdict(variant),
            best_epoch=epochs[number],
            cross_val_loss=float(evaluation.cross_val_loss[number]),
            cross_val_auc=auc[number],
            cross_val_accuracy=correct[number],
            thresholds={
                "mean": float(evaluation.thresholds[number]),
                "balanced": balanced_threshold(evaluation.cross_val_scores[number], success),
            },
        )
        for number, variant in enumerate(variants)
    ]
