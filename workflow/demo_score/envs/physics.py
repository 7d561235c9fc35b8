"""MuJoCo's warnings: kept silent, and asked for. Import it after MUJOCO_GL is set."""

import mujoco

_UNSTABLE = (mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL, mujoco.mjtWarning.mjWARN_BADQACC)

mujoco.set_mju_user_warning(lambda message: None)  # else it writes files


def broke_down(data: mujoco.MjData) -> bool:
    """Whether a step since the reset met numbers that are none, or too large."""
    return any(data.warning[kind].number for kind in _UNSTABLE)
