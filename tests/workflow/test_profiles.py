"""What jobs ask for, profiles/slurm, and threads that reach what computes."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from demo_score.runtime.cores import cores as available_cores
from places import REPOSITORY
from snakemake.api import ConfigSettings, OutputSettings, ResourceSettings, SnakemakeApi
from snakemake.iocontainers import Wildcards
from snakemake.settings.types import Quietness
from snakemake_executor_plugin_slurm.partitions import get_best_partition, read_partition_file
from snakemake_executor_plugin_slurm.submit_string import get_submit_command
from snakemake_executor_plugin_slurm.utils import set_gres_string

pytestmark = pytest.mark.slow

PROFILE = REPOSITORY / "profiles/slurm"
LOGGER = SimpleNamespace(info=print, warning=print, debug=print)
GUIDE = {"experiment": "aloha", "seed": "10000", "condition": "base", "strategy": "reliable", "step": "300000"}
STATE = {**GUIDE, "experiment": "aloha_cube_state", "step": "001500"}


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Every rule of the workflow, as Snakemake reads it, but those that only gather files."""
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=16),
            config_settings=ConfigSettings(configfiles=[REPOSITORY / "config.yaml"]),
            snakefile=REPOSITORY / "Snakefile",
            workdir=tmp_path_factory.mktemp("workflow"),
        )
        return {rule.name: rule for rule in workflow._workflow.rules if rule.output}


def resources(rule, wildcards: dict[str, str], attempt: int = 1) -> dict:
    return dict(rule.expand_resources(Wildcards(fromdict=wildcards), [], attempt).items())


def test_every_rule_asks_for_memory_and_time_and_for_more_after_a_failure(rules) -> None:
    for name, rule in rules.items():
        first, second = (resources(rule, STATE, attempt) for attempt in (1, 2))
        for what in ("mem_mb", "runtime"):
            assert second[what] == 2 * first[what] > 0, name
        assert first["_cores"] == second["_cores"] >= 1, name


def test_states_need_no_gpu_and_one_thread(rules) -> None:
    for name in ("train_base_policy_aloha_cube_state", "train_final_policy_aloha_cube_state", "evaluate"):
        needs = resources(rules[name], STATE)
        assert (needs["gpu"], needs["_cores"], needs["mem_mb"]) == (0, 1, 4000)


def test_images_need_a_gpu_memory_and_a_thread_for_each_process_that_reads_them(rules) -> None:
    needs = resources(rules["train_base_policy_aloha"], GUIDE)
    assert (needs["gpu"], needs["_cores"], needs["mem_mb"]) == (1, 9, 16000)
    assert needs["runtime"] > 300_000 / 300
    assert resources(rules["collect_rollouts"], GUIDE)["gpu"] == 1
    assert resources(rules["collect_demonstrations"], GUIDE)["mem_mb"] == 16000
    assert "gpu" not in resources(rules["collect_demonstrations"], GUIDE)


def submitted(rule, wildcards: dict[str, str], **changes) -> str:
    """The sbatch command of a job, with the resources that a profile changes."""
    needs = {**resources(rule, wildcards), **changes}
    job = SimpleNamespace(name=rule.name, resources=SimpleNamespace(**needs, get=needs.get), threads=needs["_cores"])
    partition = needs.get("slurm_partition") or get_best_partition(
        read_partition_file(PROFILE / "partitions.yaml"), job, LOGGER
    )
    names = dict.fromkeys(("run_uuid", "slurm_logfile", "comment_str", "account", "workdir"), "")
    return get_submit_command(job, {**names, "partition": f"-p {partition}"}) + set_gres_string(job)


def test_jobs_are_submitted_to_the_partition_that_has_what_they_need(rules) -> None:
    on_cpu = submitted(rules["train_base_policy_aloha_cube_state"], STATE)
    on_gpu = submitted(rules["train_base_policy_aloha"], GUIDE)
    assert {"-p cpu", "--mem 4000", "--cpus-per-task=1"} <= options(on_cpu)
    assert "gpu" not in on_cpu
    assert {"-p gpu", "--mem 16000", "--cpus-per-task=9", "--gpus=1"} <= options(on_gpu)


def options(command: str) -> set[str]:
    return set(re.findall(r"--?[a-z-]+[ =]\S+", command))


def test_recipe_of_the_document_shares_a_gpu(rules) -> None:
    text = (REPOSITORY / "docs/cluster.md").read_text()
    (recipe,) = re.findall(r"```yaml\n(set-resources:\n.*?)```", text, re.DOTALL)
    changes = yaml.safe_load(recipe)["set-resources"]["train_final_policy_aloha"]
    command = submitted(rules["train_final_policy_aloha"], {**GUIDE, "condition": "random"}, **changes)
    assert {"-p gpu", "--gres=shard:1"} <= options(command)
    assert "--gpus" not in command


def dry_run(*arguments: str, folder: Path = REPOSITORY) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm", "--dry-run", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_profile_plans_and_passes_the_linter() -> None:
    for argument in ("--lint", "--forceall"):
        run = dry_run(argument)
        assert run.returncode == 0, run.stderr[-2000:]
        assert "rror" not in run.stdout + run.stderr
    assert re.search(r"^evaluate_checkpoint +18$", run.stdout, re.MULTILINE)  # of six seeds, at three steps


def test_a_user_changes_two_partitions_and_an_account() -> None:
    partitions = yaml.safe_load((PROFILE / "partitions.yaml").read_text())["partitions"]
    assert list(partitions) == ["cpu", "gpu"]
    text = (PROFILE / "profile.yaml").read_text()
    (account,) = re.findall(r"^# (default-resources: .*slurm_account.*)$", text, re.MULTILINE)
    assert yaml.safe_load(account) == {"default-resources": {"slurm_account": "ACCOUNT"}}


def test_groups_and_arrays_are_of_rules_that_exist(rules) -> None:
    profile = yaml.safe_load((PROFILE / "profile.yaml").read_text())
    assert {*profile["groups"], *profile["set-threads"], profile["slurm-array-jobs"]} <= set(rules)
    assert profile["jobs"] == "unlimited"  # with arrays a limit makes the plugin lose jobs


def test_threads_of_a_rule_reach_torch_and_what_computes_below(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(
        "rule:\n    output: 'seen'\n    threads: 1\n"
        '    shell: \'python -c "import torch; print(torch.get_num_threads())" > {output};'
        " echo $OMP_NUM_THREADS $OPENBLAS_NUM_THREADS $MKL_NUM_THREADS >> {output}'\n"
    )
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "snakemake", "--cores", "4"]
    subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True)
    assert (tmp_path / "seen").read_text().split() == ["1"] * 4


@pytest.mark.parametrize(("threads", "cores"), [("2", 2), ("64", 4), ("", 4)])
def test_images_are_read_by_no_more_processes_than_the_rule_has_threads(monkeypatch, threads, cores) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2, 3})
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    assert available_cores() == cores
