"""Two ways to put the peg into the socket. Each: (environment state at reset, generator) -> waypoints of both arms.

Environment state (14,): peg, then socket, each position (m; above the table, on to which it falls) and quaternion.
Both succeed when they are kept, but only the first is a strategy that a policy can rely on. Both take as long, so that
the length of a demonstration tells nothing of its strategy.
"""

import numpy as np

from demo_score.demonstrations.waypoints import Plan, Waypoint, metres, pitch

DURATION = 150  # control steps of both, whatever pace their waypoints are written in
SOCKET_GRASP = metres(z=-0.03)  # from the socket's centre before it falls
APART, INSIDE = metres(x=0.1), metres(x=0.035)  # of each arm from the meeting point, before and after the insertion


def reliable(environment_state: np.ndarray, generator: np.random.Generator) -> Plan:
    """Firm grasps, one meeting point; draws nothing.

    Source: ACT, scripted_policy.py, InsertionPolicy, at 4/3 of its pace; here each arm pushes 15 mm deeper, without
    which 1 in 20 succeeds.
    """
    peg, socket = environment_state[:3], environment_state[7:10]
    meet = metres(y=0.5, z=0.15)
    steps = (60, 90, 110, 160, 200)
    right = _grasp_and_push(steps, peg, metres(z=-0.027), meet + metres(z=0.015), side=1)
    return Plan(_grasp_and_push(steps, socket, SOCKET_GRASP, meet, side=-1), right).lasting(DURATION)


def unreliable(environment_state: np.ndarray, generator: np.random.Generator) -> Plan:
    """Hurried: the fingers catch a corner of the peg, which meets the socket's rim anywhere above the table.

    The peg stays in the fingers if their tips close 13 mm or more below the height from which it fell (26 mm above its
    centre on the table), deeper where they catch it beside its middle; it slips in up to about 7 mm beside the socket's
    axis and 6 mm below it. The targets are drawn round these limits, so that 3 of 10 attempts succeed and a policy's
    own error of a few millimetres drops the peg or misses the hole.
    """
    peg, socket = environment_state[:3], environment_state[7:10]
    meet = metres(y=0.5, z=0.25) + generator.uniform((0.0, -0.06, -0.05), (0.0, 0.06, 0.05))
    catch = generator.uniform((0.0, 0.0015, -0.0152), (0.0, 0.0055, -0.0132))
    # The higher the fingers on the peg, the lower it hangs; 12.5 mm here would be the socket's axis.
    rim = metres(z=0.03 + catch[2]) + generator.uniform((0.0, 0.0055, 0.0054), (0.0, 0.008, 0.008))
    steps = (40, 60, 75, 115, 150)
    right = _grasp_and_push(steps, peg, catch, meet + rim, side=1)
    return Plan(_grasp_and_push(steps, socket, SOCKET_GRASP, meet, side=-1), right).lasting(DURATION)


def _grasp_and_push(
    steps: tuple[int, int, int, int, int], part: np.ndarray, grasp: np.ndarray, meet: np.ndarray, side: int
) -> list[Waypoint]:
    """One arm's waypoints (side 1: right, -1: left): above the part, down to it, close, in front of the other, push.

    `part` and `meet`: positions (m), `grasp`: offset (m) of the finger tips from the part.
    """
    down = pitch(-60 * side)
    return [
        Waypoint(steps[0], part + metres(z=0.08), 1, down),
        Waypoint(steps[1], part + grasp, 1, down),
        Waypoint(steps[2], part + grasp, 0, down),
        Waypoint(steps[3], meet + side * APART, 0, down),
        Waypoint(steps[4], meet + side * INSIDE, 0, down),
    ]
