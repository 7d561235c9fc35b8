"""Many environments stepped together: one after another, or each in a process of its own."""

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from omegaconf import DictConfig, OmegaConf

from demo_score.envs import make_env
from demo_score.envs.base import asks_for_images
from demo_score.rollout.chunk_env import ChunkEnv, Recorded
from demo_score.runtime.errors import UserError
from demo_score.runtime.stopping import check
from demo_score.simulators import simulator

# What every process imports, unless it is forked from one that has done so.
PRELOADED = ["gymnasium", "h5py"]


@dataclass(frozen=True)
class EnvironmentMaker:
    """Makes a ChunkEnv of the settings (the keys of configs/env/*.yaml), in whichever process it is called.

    n_obs_steps: how many observations a policy sees. record_images: which images are stored in the episodes.
    """

    settings: Mapping[str, Any]
    n_obs_steps: int = 1
    record_images: Recorded = False

    @classmethod
    def of(cls, settings: DictConfig, **options: Any) -> "EnvironmentMaker":
        """For a policy of these settings; `options`: fields that they do not decide."""
        return cls(OmegaConf.to_container(settings.env), settings.policy.n_obs_steps, **options)

    @property
    def needs_opengl(self) -> bool:
        return asks_for_images(self.settings)

    def __call__(self) -> ChunkEnv:
        return ChunkEnv(make_env(self.settings), self.n_obs_steps, self.record_images)


@contextmanager
def open_environments(make: EnvironmentMaker, n_envs: int, use_async_envs: bool) -> Iterator[VectorEnv]:
    """`n_envs` ChunkEnvs, each in its own process with `use_async_envs`. Raises UserError where one dies."""
    makers = [make] * n_envs
    if use_async_envs:
        _preload(make.settings["name"], make.needs_opengl)
        with _processes(makers) as environments:
            yield environments
    else:
        environments = SyncVectorEnv(makers, autoreset_mode=AutoresetMode.DISABLED)
        yield environments
        environments.close()


@contextmanager
def _processes(makers: list[Callable[[], ChunkEnv]]) -> Iterator[AsyncVectorEnv]:
    environments = None
    try:
        with _main_hidden():
            # Not forked from this process: neither torch's threads nor OpenGL survive that.
            environments = AsyncVectorEnv(makers, autoreset_mode=AutoresetMode.DISABLED, context="forkserver")
        yield environments
        environments.close()
    except BaseException as error:
        if environments is not None:
            _end(environments)
        if isinstance(error, EOFError | ConnectionError):
            check()  # the signal may have ended the process, too
            raise UserError(
                f"the process of one of {len(makers)} environments died (out of memory?); set a smaller "
                "eval.batch_size, or eval.use_async_envs=false"
            ) from None
        raise


@contextmanager
def _main_hidden() -> Iterator[None]:
    """Processes that start now do not run the command's file, which would import torch into each of them: 3 s."""
    main = sys.modules["__main__"]
    file = vars(main).pop("__file__", None)
    try:
        yield
    finally:
        if file is not None:
            main.__file__ = file


def _end(environments: AsyncVectorEnv) -> None:
    """End the processes, busy or not."""
    for process in environments.processes:
        process.terminate()
        process.join()
    environments.closed = True


def _preload(name: str, opengl: bool) -> None:
    """Import once what all processes need, but nothing that may load OpenGL."""
    opengl = opengl or os.environ.get("MUJOCO_GL", "disable") != "disable"
    known = simulator(name)
    shared = [] if opengl and known.draws_with_opengl else [known.module]
    multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOADED + shared)
