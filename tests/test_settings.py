"""Settings: composed, resolved and checked."""

from pathlib import Path

import pytest
import yaml
from conftest import one_line_error
from demo_score import settings as settings_files
from demo_score.command_line import read_settings, settings_parser
from demo_score.policies import make_policy
from demo_score.settings import CONFIGS, compose_settings, digest, load, save, to_yaml
from omegaconf import OmegaConf

EXPERIMENT = min((CONFIGS / "experiment").glob("*.yaml")).stem


def leaves(values: dict, prefix: str = "") -> dict[str, object]:
    """Dotted keys and values of nested mappings."""
    flat = {}
    for key, value in values.items():
        flat |= leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + str(key): value}
    return flat


def plain(path: str) -> dict:
    return OmegaConf.to_container(OmegaConf.load(CONFIGS / path))


def test_missing_seed_says_what_to_type() -> None:
    with one_line_error("missing", "seed=VALUE"):
        compose_settings([])


def test_every_missing_setting_is_named(tmp_path) -> None:
    (tmp_path / "mine.yaml").write_text("a:\n  b: ???\nc: ???\nd: 1\n")
    with one_line_error("a.b=VALUE c=VALUE"):
        compose_settings([], tmp_path, "mine")


def test_unknown_key_is_reported() -> None:
    with one_line_error("training.learning_rate"):
        compose_settings(["seed=0", "training.learning_rate=1"])


@pytest.mark.parametrize(("group", "existing"), [("policy", "act_state"), ("env", "aloha_cube_state")])
def test_unknown_choice_lists_those_that_exist(group, existing) -> None:
    with one_line_error("no_such", existing):
        compose_settings(["seed=0", f"{group}=no_such"])


def test_unknown_policy_name_lists_those_that_exist() -> None:
    with one_line_error("policy.name=no_such", "act"):
        make_policy(compose_settings(["seed=0", "policy.name=no_such"])[0])


@pytest.mark.parametrize("override", ["seed", "seed=[1", "=1", "policy=1", "training.lr={a:"])
def test_override_that_cannot_be_read_is_reported(override) -> None:
    with one_line_error():
        compose_settings(["seed=0", override])


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
    settings, _ = compose_settings([f"experiment={EXPERIMENT}", "seed=7", "+datasets_file=a b/list.txt"])
    save(settings, tmp_path / "settings.yaml")
    again, _ = compose_settings([], tmp_path, "settings")
    assert again == settings
    assert to_yaml(again) == to_yaml(settings) == (tmp_path / "settings.yaml").read_text()
    assert load(tmp_path / "settings.yaml") == settings


def test_stored_settings_can_be_overridden(tmp_path) -> None:
    settings, _ = compose_settings(["seed=7"])
    save(settings, tmp_path / "settings.yaml")
    changed, _ = compose_settings(["env.episode_length=3"], tmp_path, "settings")
    assert changed.env.episode_length == 3
    changed.env.episode_length = settings.env.episode_length
    assert changed == settings


def test_cfg_prints_the_settings_and_stops(capsys) -> None:
    arguments = settings_parser("").parse_args(["seed=3", "--cfg", "job"])
    with pytest.raises(SystemExit) as caught:
        read_settings(arguments)
    assert not caught.value.code
    assert OmegaConf.create(capsys.readouterr().out) == compose_settings(["seed=3"])[0]


def test_experiment_comes_before_policy_and_policy_before_default() -> None:
    settings, _ = compose_settings([f"experiment={EXPERIMENT}", "seed=0"])
    flat = leaves(OmegaConf.to_container(settings))
    experiment = leaves(plain(f"experiment/{EXPERIMENT}.yaml"))
    policy = leaves(plain("policy/act_state.yaml"))
    assert experiment.items() <= flat.items()
    shared = {key for key, value in policy.items() if key not in experiment and "shapes" not in key}
    assert "training.grad_clip_norm" in shared
    assert all(flat[key] == policy[key] for key in shared)
    assert flat["training.log_freq"] == plain("default.yaml")["training"]["log_freq"]


def test_default_experiment_is_resolved() -> None:
    settings, _ = compose_settings([f"experiment={EXPERIMENT}", "seed=12"])
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
    settings, _ = compose_settings(["env=aloha_state", "seed=0"])
    assert settings.policy.input_shapes["observation.environment_state"] == [14]


def test_results_folder_names_env_policy_and_job() -> None:
    _, run_dir = compose_settings(["seed=0", "hydra.job.name=trial"])
    assert run_dir.name.endswith("_aloha_act_trial")
    assert compose_settings(["seed=0"])[1].name.endswith("_aloha_act_default")
    assert compose_settings(["seed=0", "hydra.run.dir=some/where"])[1] == Path("some/where")


def test_settings_file_of_another_tree(tmp_path) -> None:
    (tmp_path / "mine.yaml").write_text("a: 1\nb: ${a}\n")
    assert compose_settings(["a=2"], tmp_path, "mine")[0] == {"a": 2, "b": 2}


def test_digest_tells_texts_and_their_borders_apart() -> None:
    assert digest("ab", "c") == digest("ab", "c")
    assert len({digest("ab", "c"), digest("a", "bc"), digest("abc"), digest("ab", "c", "")}) == 4


def test_settings_are_written_whole_or_not_at_all(tmp_path, monkeypatch) -> None:
    save(compose_settings(["seed=1"])[0], tmp_path / "settings.yaml")
    before = (tmp_path / "settings.yaml").read_text()
    monkeypatch.setattr(settings_files, "to_yaml", lambda settings: "half \ud800")  # cannot be encoded
    with pytest.raises(UnicodeEncodeError):
        save(compose_settings(["seed=2"])[0], tmp_path / "settings.yaml")
    assert (tmp_path / "settings.yaml").read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["settings.yaml"]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.log_freq=0", ("training.log_freq", "minimum of 1")),
        ("eval.batch_size=0", ("eval.batch_size", "minimum of 1")),
        ("seed=abc", ("seed", "'abc' is not of type 'integer'")),
        ("training.lr=-1", ("training.lr", "0")),
        ("training.start_fraction=1.5", ("training.start_fraction", "maximum of 1")),
    ],
)
def test_values_of_the_wrong_kind_or_range_are_named(override, words) -> None:
    with one_line_error(*words):
        compose_settings(["seed=1", override])
