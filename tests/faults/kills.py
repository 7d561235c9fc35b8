"""kill -9 at random moments of every stage, of the whole workflow or of one of its jobs."""

import os
import random
import signal
import time
from collections import Counter

from context import Context, Row
from workspace import ORDER, Job, Workspace, difference, lost

BETWEEN = "between two jobs"


class Kills:
    """Counts and places kills; a round begins with nothing made and ends with everything."""

    def __init__(self, context: Context, wanted: int):
        self.context = context
        self.wanted = wanted
        self.random = random.Random(context.seed)
        self.of_group: Counter[str] = Counter()
        self.of_job: Counter[str] = Counter()
        self.wrong: list[str] = []

    @property
    def done(self) -> int:
        return self.of_group.total() + self.of_job.total()

    def round(self, workspace: Workspace) -> None:
        """Every stage is aimed at in the order in which it comes, those hit least often twice."""
        seldom = sorted(ORDER, key=lambda stage: (self.hits(stage), self.random.random()))[:3]
        aims = [stage for stage in ORDER for _ in range(2 if stage in seldom else 1)]
        before: dict = {}
        for stage in aims:
            if self.done == self.wanted:
                break
            self.unlock(workspace)
            workspace.start()
            if self.strike(workspace, stage):
                after = workspace.stamps()
                self.note(lost(before, after))
                before = after
            if workspace.running.poll() == 0:
                break
        self.finish(workspace, before)

    def hits(self, stage: str) -> int:
        return self.of_group[stage] + self.of_job[stage]

    def strike(self, workspace: Workspace, stage: str) -> bool:
        """Wait for a job of `stage`, then a random part of its time, then kill. False where none came."""
        started = None
        while workspace.running.poll() is None:
            jobs = [job for job in workspace.jobs() if job.stage == stage]
            if jobs and started is None:
                started = time.monotonic()
                delay = self.random.uniform(0, self.context.durations.get(stage, 5))
            if started is not None and (not jobs or time.monotonic() - started >= delay):
                break
            time.sleep(0.02)
        if workspace.running.poll() is not None:
            return False
        self.kill(workspace, sorted(workspace.jobs(), key=lambda job: job.stage != stage))
        return True

    def kill(self, workspace: Workspace, jobs: list[Job]) -> None:
        """The first of the jobs that run, or everything."""
        if not jobs or self.random.random() < 0.5:
            workspace.kill()
            self.of_group[jobs[0].stage if jobs else BETWEEN] += 1
            return
        job = jobs[0]
        os.kill(job.process, signal.SIGKILL)
        self.of_job[job.stage] += 1
        if workspace.wait() == 0:
            self.note(f"the workflow calls itself done though its {job.stage} was killed")

    def unlock(self, workspace: Workspace) -> None:
        if list((workspace.folder / ".snakemake/locks").glob("*")) and workspace.run("--unlock"):
            self.note("snakemake --unlock failed")

    def finish(self, workspace: Workspace, before: dict) -> None:
        self.note("" if workspace.again() == 0 else f"ended with: {workspace.said()[-300:]}")
        made = workspace.stamps(finished_only=False)
        self.note(lost(before, made))
        self.note(difference(made, self.context.expected))

    def note(self, wrong: str) -> None:
        if wrong:
            self.wrong.append(wrong.replace("\n", " "))


def kills(context: Context, wanted: int) -> list[Row]:
    """Rounds of kills until there were `wanted`; one row a stage."""
    counted, rounds = Kills(context, wanted), 0
    while counted.done < wanted and not counted.wrong:
        rounds += 1
        with context.fresh(f"kills{rounds}") as workspace:
            counted.round(workspace)
        context.tell(f"round {rounds}: {counted.done} of {wanted} kills")
    verdict = counted.wrong[0] if counted.wrong else f"same bits in all {rounds} rounds, nothing finished made again"
    missed = [stage for stage in ORDER if not counted.hits(stage)]
    if missed and wanted >= 2 * len(ORDER):
        counted.wrong.append(verdict := f"never hit: {', '.join(missed)}")
    rows = [
        Row(
            f"kill -9: {stage}",
            f"{counted.of_group[stage]} of the whole workflow, {counted.of_job[stage]} of the job alone",
            verdict,
            not counted.wrong,
        )
        for stage in [*ORDER, BETWEEN]
        if counted.hits(stage)
    ]
    total = f"{counted.done} kills (seed {context.seed})"
    return [*rows, Row("kill -9: all", total, verdict, not counted.wrong)]
