"""Joint targets that put both finger tips where a plan wants them: damped least squares, open loop.

The mocap end-effector simulation that the original recipe records from is unusable under MuJoCo 3.8.
Method: Buss, Introduction to inverse kinematics (2009), section 6.
"""

from collections.abc import Iterator

import mujoco
import numpy as np
from gym_aloha.constants import START_ARM_POSE
from scipy.spatial.transform import Rotation

from demo_score.demonstrations.waypoints import Plan, Waypoint, ahead, interpolate

TIP = np.array([0.135, 0, 0])  # m, a point between the fingers, in the frame of gripper_link
DAMPING = 0.03  # m and rad: keeps the step short where an arm is stretched out
REGULARISATION = DAMPING**2 * np.eye(6)
ITERATIONS = 2  # a control step, each starting from the last solution
ARM_JOINTS = np.array([np.arange(0, 6), np.arange(8, 14)])  # of qpos and qvel, left first; two fingers follow each
BOTH_ARMS = np.arange(2)[:, None]
FACING = Rotation.from_quat([[0, 0, 0, 1], [0, 0, 1, 0]])  # of an arm that reaches straight ahead: the right one to -x


def joint_actions(model: mujoco.MjModel, plan: Plan, n_steps: int) -> Iterator[np.ndarray]:
    """Yield the `n_steps` joint-position actions, float32 (14,), that follow `plan` from the start pose."""
    arms = TwoArms(model)
    starts = [Waypoint(0, position, 0, ahead()) for position in arms.tips()]
    paths = [
        interpolate([start, *waypoints], n_steps)
        for start, waypoints in zip(starts, (plan.left, plan.right), strict=True)
    ]
    positions = np.stack([path.positions for path in paths], axis=1)
    quaternions = np.stack(
        [(path.orientations * facing).as_quat(scalar_first=True) for path, facing in zip(paths, FACING, strict=True)],
        axis=1,
    )
    for step in range(n_steps):
        joints = arms.follow(positions[step], quaternions[step])
        grippers = [[path.grippers[step]] for path in paths]
        yield np.concatenate([joints, grippers], axis=1, dtype=np.float32).ravel()


class TwoArms:
    """Both arms' kinematics on scratch data; the joints stay where the last call left them."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self.model, self.data = model, mujoco.MjData(model)
        self.data.qpos[:16] = START_ARM_POSE
        self.bodies = [model.body(f"vx300s_{side}/gripper_link").id for side in ("left", "right")]
        self.lower, self.upper = np.moveaxis(model.jnt_range[ARM_JOINTS], -1, 0)  # rad, each (2, 6)
        mujoco.mj_kinematics(self.model, self.data)

    def tips(self) -> np.ndarray:
        """Positions (2, 3), in m, of the finger tips."""
        return self.data.xpos[self.bodies] + self.data.xmat[self.bodies].reshape(2, 3, 3) @ TIP

    def tips_at(self, joints: np.ndarray) -> np.ndarray:
        """Positions (2, 3), in m, of the finger tips where the joints are `joints` (2, 6), in rad."""
        self.data.qpos[ARM_JOINTS] = joints
        mujoco.mj_kinematics(self.model, self.data)
        return self.tips()

    def follow(self, positions: np.ndarray, quaternions: np.ndarray) -> np.ndarray:
        """Joint positions (2, 6), in rad, that bring the tips to `positions` (2, 3) and world `quaternions` (2, 4)."""
        for _ in range(ITERATIONS):
            tips = self.tips()
            jacobians = self._jacobians(tips)
            transposed = jacobians.swapaxes(1, 2)
            errors = self._errors(positions - tips, quaternions)
            change = transposed @ np.linalg.solve(jacobians @ transposed + REGULARISATION, errors)
            joints = self.data.qpos[ARM_JOINTS] + change[..., 0]
            self.data.qpos[ARM_JOINTS] = joints.clip(self.lower, self.upper)
            mujoco.mj_kinematics(self.model, self.data)
        return self.data.qpos[ARM_JOINTS]

    def _errors(self, offsets: np.ndarray, quaternions: np.ndarray) -> np.ndarray:
        """(2, 6, 1): what is missing to the target positions (m) and orientations (rotation vectors, world axes)."""
        errors = np.empty((2, 6, 1))
        errors[:, :3, 0] = offsets
        local = np.empty(3)
        for arm, body in enumerate(self.bodies):
            mujoco.mju_subQuat(local, quaternions[arm], self.data.xquat[body])
            mujoco.mju_rotVecQuat(errors[arm, 3:, 0], local, self.data.xquat[body])
        return errors

    def _jacobians(self, tips: np.ndarray) -> np.ndarray:
        """(2, 6, 6): derivative of each tip's position and orientation by its own arm's joints."""
        mujoco.mj_comPos(self.model, self.data)
        jacobians = np.empty((2, 6, self.model.nv))
        for jacobian, tip, body in zip(jacobians, tips, self.bodies, strict=True):
            mujoco.mj_jac(self.model, self.data, jacobian[:3], jacobian[3:], tip, body)
        return jacobians[BOTH_ARMS, :, ARM_JOINTS].swapaxes(1, 2)
