"""The first page of the report: what came out, in sentences and one table an experiment."""

from pathlib import Path

from demo_score.analysis.compare import agreement_with, compare
from demo_score.analysis.verdict import effects
from demo_score.reporting.pages import markdown, page
from demo_score.runtime.errors import UserError
from demo_score.runtime.files import read_text, write_text
from demo_score.tables import DIFFERENCES

UNTESTED = "No policy was tested here: this says what was kept, not whether it helps."
NOTE = (
    "Success in percent, differences in points, with 95% t intervals over runs; a run is one whole pipeline, from the "
    "base policy to the test. An effect is shown where the interval of a difference leaves out 0. On the left, every "
    "figure and table in the order of the method; under Workflow, the graph of its rules."
)


def write_answer(experiments: list[Path], published: Path, out: Path) -> str:
    """Write the page of some experiments (folders with tables/) to `out`; returns its sentences, a line each.

    `published`: where experiments of the same names may lie, with which they are compared. Raises UserError where an
    experiment has no summary.
    """
    said = {folder.name: _sentences(folder, published / folder.name) for folder in experiments}
    parts = [f"# {' and '.join(said)}" if len(said) == 1 else "# What came out"]
    for name, sentences in said.items():
        parts += [f"**{name}**"] * (len(said) > 1) + ["\n".join(f"- {sentence}" for sentence in sentences)]
    for folder in experiments:
        parts += [f"## {folder.name}"] * (len(said) > 1) + [_summary_table(folder)]
    write_text(out, page("Demo-SCORE", markdown("\n\n".join([*parts, NOTE]))))
    return "\n".join(f"{name}: {line.replace('**', '')}" for name, lines in said.items() for line in lines)


def _sentences(folder: Path, published: Path) -> list[str]:
    """The verdicts on an experiment in Markdown: what it shows, and whether it agrees with the published one."""
    differences = folder / "tables/differences.csv"
    if not differences.is_file():
        return [UNTESTED]
    lines = [f"**{found.finding}** {found.numbers}" for found in effects(DIFFERENCES.read(differences))]
    if (published / "tables").is_dir():
        found = agreement_with(folder, published, compare(folder, published))
        lines.append(f"This result **{found.word}** {found.sentence.removeprefix(found.word).strip()}")
    return lines


def _summary_table(folder: Path) -> str:
    """The first table of the summary."""
    summary = folder / "tables/summary.md"
    if not summary.is_file():
        raise UserError(f"{summary}: no such file; run the workflow step that writes it")
    return "\n".join(line for line in read_text(summary).splitlines() if line.startswith("|"))
