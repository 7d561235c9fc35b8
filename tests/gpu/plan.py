"""The parts of the run on a GPU, the most important first, and the rows of the table that each fills."""

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


MACHINE = Part("machine", "machine", 60, ("card", "driver", "CUDA", "torch", "Python", "cores", "date", "commit"))
DRAWING_ROWS = ("OpenGL", "frames, full", "frames, fast", "control steps, one process", "control steps, all cores")
PARTS = (
    Part("tests", "marked_tests", 110, ("pytest -m gpu",)),
    Part("speed", "speed", 170, (*map(matrix_row, MATRICES), *_act_rows())),
    Part("drawing", "drawing", 60, DRAWING_ROWS),
    Part("training", "short_training", 180, ("demonstrations", "steps", "success")),
)
