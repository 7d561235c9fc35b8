"""Two ways to hand over the cube. Each: (environment state at reset, generator) -> waypoints of both arms.

Environment state (7,): cube position (m; above the table, on to which it falls) and quaternion.
Both succeed when they are kept, but only the first is a strategy that a policy can rely on. Both take as long, so that
the length of a demonstration tells nothing of its strategy.
"""

import numpy as np

from demo_score.demonstrations.waypoints import Plan, Waypoint, ahead, metres, pitch, roll

MIDDLE = 0.5  # m, the y of both arms' bases and of the middle of where the cube starts
DURATION = 300  # control steps of both, whatever pace their waypoints are written in


def reliable(environment_state: np.ndarray, generator: np.random.Generator) -> Plan:
    """Firm grasp, one meeting point; draws nothing.

    Source: ACT, scripted_policy.py, PickAndTransferPolicy, at 1.2 times its pace.
    """
    cube, meet = environment_state[:3], metres(y=0.5, z=0.25)
    down, sideways = pitch(-60), roll(90)
    right = [
        Waypoint(90, cube + metres(z=0.08), 1, down),
        Waypoint(130, cube + metres(z=-0.015), 1, down),
        Waypoint(170, cube + metres(z=-0.015), 0, down),
        Waypoint(200, meet + metres(x=0.05), 0, down),
        Waypoint(220, meet, 0, down),
        Waypoint(310, meet, 1, down),
        Waypoint(360, meet + metres(x=0.1), 1, down),
    ]
    left = [
        Waypoint(100, meet + metres(x=-0.1, z=-0.02), 1, sideways),
        Waypoint(260, meet + metres(x=0.02, z=-0.02), 1, sideways),
        Waypoint(310, meet + metres(x=0.02, z=-0.02), 0, sideways),
        Waypoint(360, meet + metres(x=-0.1, z=-0.02), 0, ahead()),
    ]
    return Plan(left, right).lasting(DURATION)


def unreliable(environment_state: np.ndarray, generator: np.random.Generator) -> Plan:
    """Hurried: the fingers catch no more than a corner of the cube, and the meeting point is anywhere.

    A grasp holds up to about 27 mm behind the cube's centre and 24 mm beside it; the targets are drawn round
    these limits, so that 3 of 10 attempts succeed and a policy's own error of a few millimetres drops the cube.
    The corner is the outer one, seen from the table's middle. At the other nothing succeeds where the cube starts at
    y < 0.45 m and most does at y > 0.55 m: then a start tells the strategy, a base policy's too, and a classifier
    learns starts.
    """
    outward = np.copysign(1, environment_state[1] - MIDDLE)
    corner = generator.uniform((0.026, 0.024, 0.0), (0.032, 0.03, 0.0)) * (1, outward, 1)
    cube = environment_state[:3] + corner
    meet = metres(y=0.5, z=0.33) + generator.uniform((-0.02, -0.05, -0.04), (0.02, 0.05, 0.04))
    down, sideways = pitch(-60 + generator.uniform(-25, 5)), roll(90)
    right = [
        Waypoint(50, environment_state[:3] + metres(z=0.08), 1, down),
        Waypoint(70, cube, 1, down),
        Waypoint(90, cube, 0, down),
        Waypoint(130, meet + metres(x=0.05), 0, down),
        Waypoint(150, meet, 0, down),
        Waypoint(195, meet, 0, down),
        Waypoint(215, meet, 1, down),
        Waypoint(250, meet + metres(x=0.1), 1, down),
    ]
    left = [
        Waypoint(60, meet + metres(x=-0.12, z=-0.02), 1, sideways),
        Waypoint(140, meet + metres(x=-0.1, z=-0.02), 1, sideways),
        Waypoint(170, meet + metres(x=0.02, z=-0.02), 1, sideways),
        Waypoint(195, meet + metres(x=0.02, z=-0.02), 0, sideways),
        Waypoint(240, meet + metres(x=-0.1, z=-0.02), 0, ahead()),
    ]
    return Plan(left, right).lasting(DURATION)
