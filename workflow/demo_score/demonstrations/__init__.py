"""Scripted demonstrators: strategies as waypoints, inverse kinematics, and the collection of successes."""
