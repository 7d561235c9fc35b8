import os

import torch


class Policy:
    """Plans n_action_steps times the state and a draw; fails, or dies, where the task says so."""

    def __init__(self, config):
        self.config, self._queues = config, {}

    @classmethod
    def from_pretrained(cls, folder, config, local_files_only):
        return cls(config)

    def eval(self):
        return self

    def reset(self):
        self.plan = []

    def select_action(self, batch):
        if batch["task"][0] == "fail":
            raise ValueError("no such\nthing")
        if batch["task"][0] == "die":
            os._exit(7)
        if not self.plan:
            self.plan = [batch["observation.state"] + torch.rand(1) for _ in range(self.config.n_action_steps)]
        return self.plan.pop(0)


def get_policy_class(kind):
    return {"stub": Policy}[kind]


def make_pre_post_processors(config, pretrained_path, preprocessor_overrides):
    return (lambda batch: batch), (lambda action: 2 * action)
