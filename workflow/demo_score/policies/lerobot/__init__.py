"""Policies as LeRobot stores them: a folder with config.json, model.safetensors, and its pre- and postprocessor.

Source: lerobot 0.6.1, policies/act, policies/diffusion and processor. Nothing here imports it.
"""
