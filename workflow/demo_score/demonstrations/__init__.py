"""Scripted demonstrators: strategies as waypoints, inverse kinematics, and the collection of successes."""

WITH_PATHS = ("aloha", "pusht")  # simulators in which it is known where hands or pusher are
