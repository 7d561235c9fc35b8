"""Ten minutes of training on the images that published policies see, and a success rate to hold beside theirs."""

from short_training import TINY_SIZES, Recipe, run_recipe
from table import Rows

SIZES = ["env.image_size=[480,640]", "training.batch_size=64", "use_amp=true", "eval.n_episodes=250"]
RECIPE = Recipe(SIZES, TINY_SIZES, episodes=(50, 50), training=600 / 960, testing=0.1)


def measure(rows: Rows, device: str, quick: bool, seconds: float) -> None:
    run_recipe(rows, RECIPE, device, quick, seconds)
