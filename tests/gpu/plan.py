"""What is measured on a GPU: plans of parts, the most important first, and the rows of the table that each fills."""

from dataclasses import dataclass

BATCH_SIZES = (8, 64)  # the guide's, and one that fills a large card
PRECISIONS = ("fp32", "bf16")
MATRICES = ("bf16", "fp32", "tf32")


@dataclass(frozen=True)
class Part:
    """`module`.measure(rows, device, quick, seconds) fills the `rows`; it is stopped after `seconds`."""

    name: str
    module: str
    seconds: int
    rows: tuple[str, ...]


def matrix_row(precision: str) -> str:
    return f"matrix product, {precision}"


def act_row(who: str, precision: str, batch_size: int) -> str:
    return f"{who}, {precision}, batch {batch_size}"


def _act_rows() -> tuple[str, ...]:
    both = [(who, precision) for precision in PRECISIONS for who in ("ours", "LeRobot")]
    eager = [act_row(*kind, batch_size) for batch_size in BATCH_SIZES for kind in both]
    return (*eager, *(act_row("ours", "bf16 compiled", batch_size) for batch_size in BATCH_SIZES))


def variant_row(way: str, batch_size: int) -> str:
    return f"{way}, bf16, batch {batch_size}"


def together_row(where: str, n_trainings: int) -> str:
    return f"{n_trainings} small trainings, {where}" if n_trainings > 1 else f"a small training, {where}"


TOGETHER_KINDS = (("on a core of the CPU", 1), *(("on the card", n) for n in (1, 4, 16)))
MACHINE = Part("machine", "machine", 60, ("card", "driver", "CUDA", "torch", "Python", "cores", "date", "commit"))
DRAWING_ROWS = ("OpenGL", "frames, full", "frames, fast", "control steps, one process", "control steps, all cores")
TRAINING_ROWS = ("demonstrations", "steps", "success")
WAYS = ("as it is", "channels-last", "CUDA graph")
TRAINERS = ("lerobot-train", "ours", "ours, images decoded before")
FIRST = "first"
PLANS = {
    FIRST: (
        Part("tests", "marked_tests", 110, ("pytest -m gpu",)),
        Part("speed", "speed", 170, (*map(matrix_row, MATRICES), *_act_rows())),
        Part("drawing", "drawing", 60, DRAWING_ROWS),
        Part("training", "short_training", 180, TRAINING_ROWS),
    ),
    "more": (
        Part("video", "video_training", 90, TRAINERS),
        Part("variants", "variants", 60, tuple(variant_row(way, size) for size in BATCH_SIZES for way in WAYS)),
        Part("together", "together", 60, tuple(together_row(*kind) for kind in TOGETHER_KINDS)),
    ),
    "long": (Part("long training", "long_training", 960, TRAINING_ROWS),),
}
