"""Stands for lerobot where it is not installed: one policy, which tests/policies/test_lerobot_process.py knows."""
