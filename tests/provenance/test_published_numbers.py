"""Documents with published numbers: their tables are written between markers, and `verify` compares each number."""

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import one_line_error
from demo_score.provenance.documents import DOCUMENTS
from demo_score.provenance.readme import BLOCK, INTERVAL, with_tables
from demo_score.provenance.verify import verify
from finished_experiment import edit, finished, made, made_public, problems, published
from places import REPOSITORY
from synthetic_results import write_table

__all__ = ["finished", "made", "made_public", "published"]  # the fixtures

pytestmark = pytest.mark.slow

README = """# Mine

<!-- begin mine: written by make docs -->
<!-- end mine -->

Text with <!-- comments -->, and | a line |.

<!-- begin experiments: written by make docs -->
| an old | table |
<!-- end experiments -->
"""


def test_list_names_every_document_with_published_numbers() -> None:
    documents = [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md")]
    texts = {path.relative_to(REPOSITORY).as_posix(): path.read_text() for path in documents}
    del texts["docs/data.md"]  # whose intervals are those of the small example, which is not published
    assert set(DOCUMENTS) == {name for name, text in texts.items() if BLOCK.search(text) or INTERVAL.search(text)}


@pytest.fixture
def readme(published: Path) -> Path:
    """A document with the tables of results, as `make docs` writes it."""
    Path("README.md").write_text(README)
    script = REPOSITORY / "workflow/scripts/tools/document_results.py"
    subprocess.run([sys.executable, script, "--documents", "README.md"], capture_output=True, check=True)
    return Path("README.md")


def test_tables_of_results_are_written_between_their_markers(readme, published) -> None:
    text = readme.read_text()
    summary = [line for line in (published / "tables/summary.md").read_text().splitlines() if line.startswith("|")]
    assert len(summary) == 2 + 7 and "\n\n" + "\n".join(summary) + "\n\n<!-- end mine -->" in text
    success, differences = (pd.read_csv(published / f"tables/{name}.csv") for name in ("success", "differences"))
    head, _, row = text.partition("<!-- begin experiments")[2].splitlines()[2:5]
    cells = dict(zip(*([cell.strip() for cell in line.strip("|").split("|")] for line in (head, row)), strict=True))
    assert (cells["Experiment"], cells["Runs × starts"]) == ("`mine`", "2 × 40")
    base = success[(success["condition"] == "base") & (success["seed"] == "all")].iloc[0]
    limits = [f"{100 * base[key] + 1e-6:.1f}" for key in ("rate", "low", "high")]
    assert cells["Base"] == "{} [{}, {}]".format(*limits)
    for heading, condition, against in (
        ("Minus base", "curated_demos", "base"),
        ("Minus random of equal size", "curated_demos", "random"),
        (
            "Curated (rollouts + demos) minus its control",
            "curated_rollouts_plus_demos",
            "random_rollouts_plus_demos",
        ),
    ):
        rows = differences[(differences["condition"] == condition) & (differences["against"] == against)]
        assert cells[heading].startswith(f"{100 * rows[rows['seed'] == 'all']['difference'].item() + 1e-6:+.1f} [")
    assert "an old" not in text and "Text with <!-- comments -->, and | a line |." in text
    assert with_tables(text, Path("results/published")) == text
    found, notes = verify(Path("results"), [readme, Path("docs/absent.md")])
    assert found == [] and "README.md: 12 rows and intervals compared" in notes


def test_other_arithmetics_have_a_table_of_their_own(readme, published) -> None:
    for name in ("avx2", "default"):
        shutil.copytree(published, published.parent / f"arithmetics/{name}/mine")
    block = "<!-- begin arithmetics: written by make docs -->\n<!-- end arithmetics -->\n"
    lines = with_tables(block, Path("results/published")).splitlines()
    assert [line.split(" | ")[0] for line in lines if "`mine`" in line] == ["| `mine`, avx2", "| `mine`, default"]
    rows = readme.read_text().partition("<!-- begin experiments")[2]
    assert with_tables(readme.read_text(), Path("results/published")).partition("<!-- begin experiments")[2] == rows


def test_experiment_with_one_run_and_few_conditions_is_a_row_of_what_it_has(tmp_path) -> None:
    row = {"seed": "all", "runs": 1, "n": 50, "rate": 0.1625, "low": float("nan"), "high": float("nan")}
    row |= {"successes": 8, "interval": "none", "mean_max_reward": float("nan")}
    table = pd.DataFrame([{"condition": "base", **row, "seed": "7"}, {"condition": "base", **row}])
    write_table(tmp_path / "few/tables/success.csv", table)
    block = "<!-- begin experiments: written by make docs -->\n<!-- end experiments -->\n"
    assert "\n| `few` | 1 × 50 | 16.3 | – | – | – | – | – |\n" in with_tables(block, tmp_path)


@pytest.mark.parametrize(
    ("pattern", "new", "named"),
    [
        (r"^\| Base policy \(all demos\) \| \d", "| Base policy (all demos) | 9", "table mine: not what is published"),
        (r"^\| `mine` \| 2 × 40", "| `mine` | 3 × 40", "table experiments: not what is published"),
        (r"^\| Oracle.*\n", "", "table mine: not what is published; run `make docs`: | Oracle"),
        ("^Text", "It reaches 12.3 [4.5, 67.8].", "README.md: 12.3 [4.5, 67.8] follows from no published table"),
    ],
)
def test_edited_number_of_the_readme_is_named(readme, pattern, new, named) -> None:
    edit(readme, pattern, new)
    (line,) = problems()
    assert line.startswith("README.md: ") and named in line


def test_numbers_in_the_text_may_be_those_of_any_table(readme, published) -> None:
    row = pd.read_csv(published / "tables/kept.csv").iloc[0]
    shown = "{:.1f} [{:.1f},\n{:.1f}]".format(*(100 * row[key] + 1e-6 for key in ("fraction", "low", "high")))
    readme.write_text(f"{readme.read_text()}\nKept: {shown}.\n")
    assert problems() == []


def test_table_of_what_is_not_published_is_one_line(readme) -> None:
    text = "<!-- begin other: written by make docs -->\n<!-- end other -->\n"
    with one_line_error("results/published", "has no other", "publish it"):
        with_tables(text, Path("results/published"))
