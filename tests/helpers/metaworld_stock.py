"""Meta-World's own environment, to compare ours with."""

import pickle
from functools import cache

import metaworld
from demo_score.envs.metaworld import MetaWorldEnv
from metaworld.sawyer_xyz_env import SawyerXYZEnv
from metaworld.types import Task


@cache
def benchmark(name: str) -> metaworld.MT1:
    return metaworld.MT1(name, seed=1)


def metaworld_of(env: MetaWorldEnv) -> SawyerXYZEnv:
    """That of MT1, by its own `set_task`, at the start that `env` has drawn."""
    mt1 = benchmark(env.task)
    start = {"rand_vec": env.metaworld._last_rand_vec, "env_cls": mt1.train_classes[env.task]}
    data = pickle.loads(mt1.train_tasks[0].data) | start
    made = mt1.train_classes[env.task]()
    made.set_task(Task(env_name=env.task, data=pickle.dumps(data)))
    return made
