"""A robot, and an arm to lead it by, that LeRobot takes for real ones: a point that goes where its joints are sent.

LeRobot finds the module by its name in an installed distribution: tests/peers/test_lerobot_robot.py makes one.
"""

import time
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from lerobot.robots import Robot, RobotConfig
from lerobot.teleoperators import Teleoperator, TeleoperatorConfig

JOINTS = ("left.pos", "right.pos")
CAMERA, SHAPE = "front", (48, 64, 3)
SPEED = 0.5  # share of the way to its goal that a joint goes in a step


class Always:
    """What needs no cable and no calibration."""

    is_connected = False
    is_calibrated = True

    def connect(self, calibrate: bool = True) -> None:
        self.is_connected = True

    def disconnect(self) -> None:
        self.is_connected = False

    def calibrate(self) -> None:
        pass

    def configure(self) -> None:
        pass


@RobotConfig.register_subclass("tiny")
@dataclass(kw_only=True)
class TinyRobotConfig(RobotConfig):
    pass


class TinyRobot(Always, Robot):
    config_class, name = TinyRobotConfig, "tiny"
    action_features: ClassVar = dict.fromkeys(JOINTS, float)
    observation_features: ClassVar = {**action_features, CAMERA: SHAPE}

    def __init__(self, config: TinyRobotConfig):
        super().__init__(config)
        self.joints, self.cameras = dict.fromkeys(JOINTS, 0.0), {CAMERA: None}

    def get_observation(self) -> dict:
        """Joints, and how bright its camera sees them."""
        image = np.zeros(SHAPE, dtype=np.uint8)
        image[..., : len(JOINTS)] = [int(127 + 100 * np.tanh(joint)) for joint in self.joints.values()]
        return {**self.joints, CAMERA: image}

    def send_action(self, action: dict) -> dict:
        for name, goal in action.items():
            self.joints[name] += SPEED * (goal - self.joints[name])
        return action


@TeleoperatorConfig.register_subclass("tiny")
@dataclass(kw_only=True)
class TinyTeleoperatorConfig(TeleoperatorConfig):
    pass


class TinyTeleoperator(Always, Teleoperator):
    config_class, name = TinyTeleoperatorConfig, "tiny"
    action_features: ClassVar = dict.fromkeys(JOINTS, float)
    feedback_features: ClassVar = {}

    def get_action(self) -> dict[str, float]:
        """Round a circle in two seconds."""
        angle = np.pi * time.monotonic()
        return dict(zip(JOINTS, (float(np.cos(angle)), float(np.sin(angle))), strict=True))

    def send_feedback(self, feedback: dict) -> None:
        pass
