"""robosuite's Lift, in which the start alone decides the outcome: for miniatures, see gym_tiny.py, beside.

robosuite imports a package of this name, if there is one on PYTHONPATH, for robots and tasks beside its own.
"""

from robosuite.environments.manipulation.lift import Lift

SUCCESS_STEPS = 4


class TinyLift(Lift):
    """A cube that lies beyond the table's middle counts as lifted after SUCCESS_STEPS steps, and no other ever does."""

    def _check_success(self) -> bool:
        return bool(self.sim.data.body_xpos[self.cube_body_id][0] > 0 and self.timestep >= SUCCESS_STEPS)
