"""robosuite's tasks, made as the `env_args` of a robomimic file describe them, with the names of its observations.

An episode has both: what a policy observes, and robosuite's own observations under the names that robomimic's files
give them, of which it is put together. Source: robosuite 1.5.2, environments/base.py; robomimic, envs/env_robosuite.py.
"""

import copy
import logging
import os
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

os.environ.setdefault("MUJOCO_GL", "disable")  # as in envs.aloha
if not (log := logging.getLogger("robosuite_logs")).filters:  # else it advises to install what no task here needs
    log.addFilter(lambda record: record.levelno >= logging.ERROR)

import numpy as np
from gymnasium import spaces
from robosuite.controllers.composite.composite_controller_factory import refactor_composite_controller_config
from robosuite.environments.base import REGISTERED_ENVS

from demo_score.data.episodes import OBSERVATION_PREFIX
from demo_score.envs.base import (
    Environment,
    Observation,
    check_choice,
    check_sizes,
    chosen_cameras,
    no_opengl,
    step_info,
    unbounded,
)
from demo_score.envs.physics import broke_down
from demo_score.observations import SIZES, image_size
from demo_score.runtime.errors import UserError, out_of_memory

OBJECT_STATE, OBJECT = "object-state", "object"  # robosuite's name of what robomimic calls so
NEVER_KEPT = "proprio-state"  # of an arm: all its observations once more
ALWAYS_ACTIVE = ("joint_pos", "eef_vel")  # which robomimic records, too
TWO_ARMED = ("Baxter", "GR1", "Tiago")
DRAWING_CAMERA, DRAWING_SIZE = "frontview", (360, 480)  # of draw()
# Of robosuite.make, whatever a file says: numbers at every step, images when asked for, and no end but ours.
OURS = {"has_renderer": False, "use_camera_obs": False, "use_object_obs": True, "ignore_done": True}
# What MuJoCo computes contacts and constraints in, for each environment: tasks use .1 to 1 MB of it. The sizes that
# robosuite asks for make it 1.3 GB, of which 50 environments have not enough.
ARENA = "64M"


class RobosuiteEnv(Environment):
    """One task of robosuite.

    Observation, float32: what settings["observed"] puts together for a policy (key -> names of robomimic's), and all of
    robomimic's, "observation.robot0_eef_pos" and "observation.object", say; uint8 (H, W, 3)
    "observation.images.<camera>", upright. Action: float (action_dim,), the controller's, in -1..1. Reward:
    robosuite's. Terminates where the task is done for a moment, as robomimic counts success, and where the physics
    breaks down, which is a failure; truncates after episode_length. Raises UserError for settings that the task cannot
    meet.
    """

    def __init__(self, settings: Mapping[str, Any], drawing: bool = False) -> None:
        check_choice(settings, "task", sorted(REGISTERED_ENVS))
        super().__init__(settings)
        self.task = settings["task"]
        self.episode_length = settings["episode_length"]
        self.robosuite = _make_task(settings, images=drawing or bool(self.image_space))
        check_sizes(settings, {"action_dim": int(self.robosuite.action_dim)})
        if settings["fps"] != (fps := self.robosuite.control_freq):
            raise UserError(f"{self.task} is controlled at {fps} Hz; set fps={fps}")
        self.named = _by_robomimics_names(self.robosuite._get_observations(force_update=True))
        self._put_together = {key: settings["observed"].get(key) or [key] for key in self.observation_space}
        self._check_observed(settings)
        named = {key: unbounded(values.shape) for key, values in self.named.items()}
        self.observation_space = spaces.Dict({**self.observation_space, **named})
        if self.image_space:
            model = self.robosuite.sim.model._model
            self._cameras = chosen_cameras(settings, [model.camera(index).name for index in range(model.ncam)], None)
            self._image_size = image_size(settings)
            self.images()  # where OpenGL does not work, say so now

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, bool]]:
        """Start the episode numbered `seed`: it alone decides what robosuite draws. Raises ValueError for None."""
        if seed is None:
            raise ValueError("reset needs a seed: it decides where the objects are")
        super().reset(seed=seed)
        # Of its own: a demonstrator draws from the same seed. In place, as what places objects has the generator, too.
        fresh = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
        self.robosuite.rng.bit_generator.state = fresh.bit_generator.state
        self.robosuite.reset()
        return self._started(self._look_first())

    def reset_to(self, model_xml: str, state: np.ndarray) -> tuple[Observation, dict[str, bool]]:
        """Start where an episode of a robomimic file did: its `model_file` and the first of its `states`."""
        self.robosuite.reset_from_xml_string(self.robosuite.edit_model_xml(model_xml))
        self.robosuite.sim.reset()
        self.robosuite.sim.set_state_from_flattened(state)
        self.robosuite.sim.forward()
        for robot in self.robosuite.robots:  # a controller tends towards the pose in which it was made
            robot._load_controller()
            robot.composite_controller.update_state()
            robot.composite_controller.reset()
        return self._started(self._look())

    def step(self, action: np.ndarray) -> tuple[Observation, float, bool, bool, dict[str, bool]]:
        """Advance 1 / fps seconds. After broken physics, reset."""
        self._steps += 1
        seen, reward, _, _ = self.robosuite.step(np.asarray(action, dtype=np.float64))
        self.named = _by_robomimics_names(seen)
        if broke_down(self.robosuite.sim.data._data):
            return self._observed(), 0.0, True, False, step_info(success=False, physics_error=True)
        success, truncated = self._succeeds(), self._steps >= self.episode_length
        return self._observed(), float(reward), success, truncated, step_info(success, physics_error=False)

    def images(self) -> Observation:
        return self._render(self._cameras, *self._image_size) if self.image_space else {}

    def draw(self) -> np.ndarray:
        return self._render({"": DRAWING_CAMERA}, *DRAWING_SIZE)[""]

    def close(self) -> None:
        self.robosuite.close()

    def _look_first(self) -> Mapping[str, np.ndarray]:
        """What the first frame of robomimic's files shows, where each episode begins from a state that was stored.

        What robosuite tells of an object as the hand sees it is of the hand at the look before: there it is that of an
        arm that nobody has bent yet, and in robosuite's own first look it is zeros. Source: robomimic 0.5,
        envs/env_robosuite.py, reset_to.
        """
        sim = self.robosuite.sim
        state = sim.get_state()
        sim.reset()
        sim.forward()
        self._look()
        sim.set_state(state)
        sim.forward()
        return self._look()

    def _look(self) -> Mapping[str, np.ndarray]:
        for observable in self.robosuite._observables.values():  # each look, too, moves the moment of the next
            observable.reset()
        return self.robosuite._get_observations(force_update=True)

    def _started(self, seen: Mapping[str, np.ndarray]) -> tuple[Observation, dict[str, bool]]:
        self.named, self._steps = _by_robomimics_names(seen), 0
        return self._observed(), step_info(success=False, physics_error=False)

    def _succeeds(self) -> bool:
        found = self.robosuite._check_success()
        return bool(found["task"] if isinstance(found, dict) else found)

    def _observed(self) -> Observation:
        seen = {key: np.asarray(values, np.float32) for key, values in self.named.items()}
        return seen | {key: _join(self.named, names) for key, names in self._put_together.items()}

    def _render(self, cameras: Mapping[str, str], height: int, width: int) -> Observation:
        """What `cameras` see, under their keys; robosuite's images hang upside down."""
        try:
            sim = self.robosuite.sim
            drawn = {key: sim.render(height=height, width=width, camera_name=name) for key, name in cameras.items()}
        except Exception as error:  # of any kind, by what is missing
            raise no_opengl(error) from error
        return {key: image[::-1].copy() for key, image in drawn.items()}

    def _check_observed(self, settings: Mapping[str, Any]) -> None:
        """That robosuite tells what the policy observes, in the sizes of the settings."""
        for key, names in self._put_together.items():
            if missing := [name for name in names if name not in self.named]:
                known = ", ".join(sorted(self.named))
                raise UserError(f"{self.task} has no {missing[0]}; set dataset_keys.{key} to some of {known}")
            check_sizes(settings, {SIZES[key]: len(_join(self.named, names))})


def _join(named: Observation, names: list[str]) -> np.ndarray:
    return np.concatenate([np.ravel(named[name]) for name in names], dtype=np.float32)


def _by_robomimics_names(seen: Mapping[str, np.ndarray]) -> Observation:
    """What robosuite observes -> what robomimic records of it: the objects, and of each arm everything."""
    kept = {OBJECT: seen[OBJECT_STATE]} | {
        name: values for name, values in seen.items() if name.startswith("robot") and not name.endswith(NEVER_KEPT)
    }
    return {f"{OBSERVATION_PREFIX}{name}": np.array(values) for name, values in kept.items()}


class _SmallArena:
    """robosuite's environment with less memory."""

    def edit_model_xml(self, xml: str) -> str:
        return re.sub(r"<size\b[^>]*/>", f'<size memory="{ARENA}"/>', super().edit_model_xml(xml))


@cache
def _with_small_arena(task: str) -> type:
    known = REGISTERED_ENVS[task]
    made = type(task, (_SmallArena, known), {})
    REGISTERED_ENVS[task] = known  # robosuite puts every class there
    return made


def _make_task(settings: Mapping[str, Any], images: bool) -> Any:
    """robosuite's environment, as robomimic makes it. Raises UserError for arguments that it does not take."""
    kwargs = copy.deepcopy(dict(settings["env_kwargs"])) | OURS | {"has_offscreen_renderer": images, "seed": 0}
    kwargs["robots"] = robots = np.ravel(kwargs.get("robots") or ["Panda"]).tolist()
    if kwargs.get("controller_configs"):  # files of robosuite 1.4 and older have one of an arm
        kwargs["controller_configs"] = refactor_composite_controller_config(
            kwargs["controller_configs"], robots[0], ["right", "left"] if robots[0] in TWO_ARMED else ["right"]
        )
    try:
        made = _with_small_arena(settings["task"])(**kwargs)
    except (TypeError, ValueError, KeyError, AssertionError) as error:
        if out_of_memory(error):
            raise MemoryError(str(error)) from error
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{settings['task']}: robosuite does not take env.env_kwargs: {reason}; correct them"
        ) from error
    for name in made.observation_names:
        if any(part in name for part in ALWAYS_ACTIVE):
            made.modify_observable(observable_name=name, attribute="active", modifier=True)
    return made
