"""Settings: composed, resolved and checked."""

from pathlib import Path

import pytest
import yaml
from conftest import one_line_error
from demo_score.command_line import read_settings, settings_parser
from demo_score.config import settings as settings_files
from demo_score.config.settings import CONFIGS, compose_settings, environment_of, leaves, load, save, to_yaml
from demo_score.policies import make_policy
from omegaconf import OmegaConf

CHOICES = ["env=aloha_cube_state", "policy=act_state"]
SMALL = [*CHOICES, "experiment=small_act"]


def plain(path: str) -> dict:
    return OmegaConf.to_container(OmegaConf.load(CONFIGS / path))


def test_missing_seed_says_what_to_type() -> None:
    with one_line_error("missing", "seed=VALUE"):
        compose_settings(CHOICES)


def test_every_missing_setting_is_named(tmp_path) -> None:
    (tmp_path / "mine.yaml").write_text("a:\n  b: ???\nc: ???\nd: 1\n")
    with one_line_error("a.b=VALUE c=VALUE"):
        compose_settings([], tmp_path, "mine")
    (tmp_path / "my_experiment.yaml").write_text("defaults:\n- /env: aloha_state\n- /policy: mine\n")
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy/mine.yaml").write_text("policy: {name: mine}\n")
    with one_line_error("seed=VALUE training.batch_size=VALUE training.eval_freq=VALUE training.lr=VALUE"):
        compose_settings([], tmp_path, "my_experiment")


def test_missing_settings_of_an_environment_are_named() -> None:
    with one_line_error("missing settings: give env.action_dim=VALUE env.state_dim=VALUE"):
        environment_of(compose_settings(["env=recorded"], complete=False)[0])


def test_unknown_key_is_reported() -> None:
    with one_line_error("training.learning_rate"):
        compose_settings([*CHOICES, "seed=0", "training.learning_rate=1"])


@pytest.mark.parametrize(("group", "existing"), [("policy", "act_state"), ("env", "aloha_cube_state")])
def test_unknown_choice_lists_those_that_exist(group, existing) -> None:
    with one_line_error("no_such", existing):
        compose_settings([*CHOICES, "seed=0", f"{group}=no_such"])


def test_unknown_policy_name_lists_those_that_exist() -> None:
    with one_line_error("policy.name=no_such", "act"):
        make_policy(compose_settings([*CHOICES, "seed=0", "policy.name=no_such"])[0])


@pytest.mark.parametrize("key", ["training.lr", "training", "policy.dim_model", "env.task", "env", "policy", "seed"])
def test_what_is_read_cannot_be_removed(key: str) -> None:
    choices = ["env=aloha_cube_state", "policy=act_state", "experiment=small_act", "seed=0"]
    with one_line_error(f"~{key}", f"give {key}="):
        compose_settings([*choices, f"~{key}"])


def test_what_was_added_can_be_removed() -> None:
    settings = compose_settings([*CHOICES, "seed=0", "+policy.mine={a: 1, b: 2}", "~policy.mine.a"])[0]
    assert settings.policy.mine == {"b": 2}


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("seed", ["seed: cannot be read", "KEY=VALUE"]),
        ("seed=[1", ["seed=[1: cannot be read", "[A,B]"]),
        ("'seed=1'", ["'seed=1': cannot be read", "quotes"]),
        ("training.lr={a:", ["training.lr={a:: cannot be read"]),
        ("=1", ["=1: names no setting", "KEY=VALUE"]),
        ("policy=1", ["Got int: env, policy and experiment take names"]),
        ("seed=1,2", ["seed=1,2", "key=[value1,value2]"]),
        ("hydra.run.dir=null", ["hydra.run.dir=null", "not Optional"]),
        ("+a=${a}", ["${KEY}", "circle"]),
    ],
)
def test_override_that_cannot_be_read_is_reported(override, words) -> None:
    with one_line_error(*words):
        compose_settings([*CHOICES, "seed=0", override])


def test_a_results_folder_without_a_name_is_reported() -> None:
    for empty in ("hydra.run.dir=", "hydra.run.dir=''"):
        with one_line_error("hydra.run.dir", "no folder"):
            compose_settings([*CHOICES, "seed=1", empty])


def test_missing_settings_file_is_reported(tmp_path) -> None:
    with one_line_error(tmp_path, "mine.yaml", "--config-name"):
        compose_settings([], tmp_path, "mine")
    with one_line_error(tmp_path / "gone.yaml"):
        load(tmp_path / "gone.yaml")


def test_settings_file_that_is_not_yaml_is_reported(tmp_path) -> None:
    (tmp_path / "mine.yaml").write_text("a: [1\nb: {")
    with one_line_error("mine.yaml"):
        compose_settings([], tmp_path, "mine")
    with one_line_error("mine.yaml"):
        load(tmp_path / "mine.yaml")


def test_stored_settings_compose_to_themselves(tmp_path) -> None:
    settings, _ = compose_settings([*SMALL, "seed=7", "+datasets_file=a b/list.txt"])
    save(settings, tmp_path / "settings.yaml")
    again, _ = compose_settings([], tmp_path, "settings")
    assert again == settings
    assert to_yaml(again) == to_yaml(settings) == (tmp_path / "settings.yaml").read_text()
    assert load(tmp_path / "settings.yaml") == settings


def test_stored_settings_can_be_overridden(tmp_path) -> None:
    settings, _ = compose_settings([*CHOICES, "seed=7"])
    save(settings, tmp_path / "settings.yaml")
    changed, _ = compose_settings(["env.episode_length=3"], tmp_path, "settings")
    assert changed.env.episode_length == 3
    changed.env.episode_length = settings.env.episode_length
    assert changed == settings


def test_cfg_prints_the_settings_and_stops(capsys) -> None:
    arguments = settings_parser("").parse_args([*CHOICES, "seed=3", "--cfg", "job"])
    with pytest.raises(SystemExit) as caught:
        read_settings(arguments)
    assert not caught.value.code
    assert OmegaConf.create(capsys.readouterr().out) == compose_settings([*CHOICES, "seed=3"])[0]


def test_experiment_comes_before_policy_and_policy_before_default() -> None:
    settings, _ = compose_settings([*SMALL, "seed=0"])
    flat = dict(leaves(OmegaConf.to_container(settings)))
    experiment = dict(leaves(plain("experiment/small_act.yaml")))
    policy = dict(leaves(plain("policy/act_state.yaml")))
    assert experiment.items() <= flat.items()
    shared = {key for key, value in policy.items() if key not in experiment and "shapes" not in key}
    assert "training.grad_clip_norm" in shared
    assert all(flat[key] == policy[key] for key in shared)
    assert flat["training.log_freq"] == plain("default.yaml")["training"]["log_freq"]


def test_default_experiment_is_resolved() -> None:
    settings, _ = compose_settings([*SMALL, "seed=12"])
    text = to_yaml(settings)
    assert "${" not in text and "???" not in text and "hydra" not in text
    values = yaml.safe_load(text)
    assert values["seed"] == 12
    assert values["device"] == "cpu"
    assert values["env"] == {
        "name": "aloha",
        "task": "AlohaTransferCube-v0",
        "obs_type": "environment_state_agent_pos",
        "state_dim": 14,
        "environment_state_dim": 7,
        "action_dim": 14,
        "fps": 50,
        "episode_length": 400,
    }
    assert values["policy"]["input_shapes"] == {"observation.state": [14], "observation.environment_state": [7]}
    assert values["policy"]["output_shapes"] == {"action": [14]}
    assert settings.policy.chunk_size == 100 and settings.training.weight_decay == 1e-4
    assert all(isinstance(settings.training[key], float) for key in ("lr", "weight_decay", "start_fraction"))


def test_sizes_follow_the_environment() -> None:
    settings, _ = compose_settings(["env=aloha_state", "policy=act_state", "seed=0"])
    assert settings.policy.input_shapes["observation.environment_state"] == [14]


def test_results_folder_names_env_policy_and_job() -> None:
    _, run_dir = compose_settings([*CHOICES, "seed=0", "hydra.job.name=trial"])
    assert run_dir.name.endswith("_aloha_act_trial")
    assert compose_settings([*CHOICES, "seed=0"])[1].name.endswith("_aloha_act_default")
    assert compose_settings([*CHOICES, "seed=0", "hydra.run.dir=some/where"])[1] == Path("some/where")


def test_settings_that_are_not_complete_say_what_they_lack(tmp_path) -> None:
    (tmp_path / "mine.yaml").write_text("seed: 1\n")
    with one_line_error("device is required; add it"):
        compose_settings([], tmp_path, "mine")


@pytest.mark.parametrize("override", ["+my_setting=value", "+training.mine=3", "+mine={a: 1}"])
def test_new_settings_can_be_added_and_fed_back(tmp_path, override) -> None:
    settings, _ = compose_settings([*CHOICES, "seed=1", override])
    save(settings, tmp_path / "settings.yaml")
    assert compose_settings([], tmp_path, "settings")[0] == settings


def test_cfg_shows_what_is_missing(capsys) -> None:
    with pytest.raises(SystemExit):
        read_settings(settings_parser("").parse_args([*CHOICES, "--cfg", "job"]))
    assert yaml.safe_load(capsys.readouterr().out)["seed"] == "???"


def test_help_lists_the_tree(capsys) -> None:
    with pytest.raises(SystemExit):
        settings_parser("").parse_args(["--help"])
    text = capsys.readouterr().out
    for group in ("env", "policy", "experiment"):
        for path in (CONFIGS / group).glob("*.yaml"):
            assert path.stem in text
    assert "eval_freq: ???" in text


@pytest.mark.parametrize("text", ["첫 번째 실험", "it's für mich", "plain words", "a,b"])
def test_text_of_any_language_is_a_value(text) -> None:
    quoted = f"'{text}'" if "," in text else text
    assert compose_settings([*CHOICES, "seed=1", f"wandb.notes={quoted}"])[0].wandb.notes == text


def test_job_name_reaches_weights_and_biases() -> None:
    assert compose_settings([*CHOICES, "seed=1", "hydra.job.name=trial"])[0].wandb.name == "trial"


def test_settings_are_written_whole_or_not_at_all(tmp_path, monkeypatch) -> None:
    save(compose_settings([*CHOICES, "seed=1"])[0], tmp_path / "settings.yaml")
    before = (tmp_path / "settings.yaml").read_text()
    monkeypatch.setattr(settings_files, "to_yaml", lambda settings: "half \ud800")  # cannot be encoded
    with pytest.raises(UnicodeEncodeError):
        save(compose_settings([*CHOICES, "seed=2"])[0], tmp_path / "settings.yaml")
    assert (tmp_path / "settings.yaml").read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["settings.yaml"]
