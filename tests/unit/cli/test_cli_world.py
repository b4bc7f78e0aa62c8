"""The real world around commands, as far as it needs no engine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolwright.bench.plan import Plan
from toolwright.cli.offline import KINDS
from toolwright.cli.options import Options
from toolwright.cli.world import World, _settings
from toolwright.domain.task import Example
from toolwright.errors import EngineUnavailable, InvalidInput, NotReady, ServerUnavailable
from toolwright.llm.offline.tasks import TASKS
from toolwright.server.models import open_models

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _nothing_set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The person's own settings and keys play no part."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLWRIGHT_CONFIG", "")  # --config sets it; so it is put back after each test
    for name in os.environ:
        if name.startswith(("TOOLWRIGHT_", "OPENAI_")):
            monkeypatch.delenv(name)


def test_without_a_model_the_offline_one_answers_and_says_so() -> None:
    """Nobody has to configure anything to try things out, and nobody takes the scripts for a model."""
    assert _settings(Options(), {}).models.offline is True
    assert "no model is configured: the offline model answers" in World().models_note(Options())
    assert World().models_note(Options(offline=True)) == ""
    assert World().models_note(Options(server="h:1")) == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_API_KEY", "sk-x"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:1/v1"),
        ("TOOLWRIGHT_MODELS__DEFAULT__BASE_URL", "http://127.0.0.1:1/v1"),
        ("TOOLWRIGHT_MODELS__MAKER__API_KEY", "sk-x"),
        ("TOOLWRIGHT_MODELS__USER__TIMEOUT_S", "5"),
        ("TOOLWRIGHT_MODELS__OFFLINE", "false"),
    ],
)
def test_with_anything_of_models_set_the_offline_one_keeps_out(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Whoever gives a key wants a model: what is missing is asked for, never replaced by scripts."""
    monkeypatch.setenv(name, value)
    settings = _settings(Options(), {})
    assert settings.models.offline is False
    assert World().models_note(Options()) == ""
    with open_models(settings) as models, pytest.raises(NotReady, match=r"models\.maker\.model"):
        models.maker.complete([])


def test_a_file_with_nothing_of_models_leaves_the_offline_one(tmp_path: Path) -> None:
    """Other settings, and an empty section, choose no model; a key in the file does."""
    path = tmp_path / "toolwright.toml"
    path.write_text('listen = "127.0.0.1:0"\n[models.default]\n', encoding="utf-8")
    assert _settings(Options(), {}).models.offline is True
    path.write_text('[models.default]\napi_key = "k"\n', encoding="utf-8")
    assert _settings(Options(), {}).models.offline is False


def test_help_names_the_kinds_that_the_offline_model_knows() -> None:
    """The list in the help is that of the scripts."""
    assert sorted(KINDS) == sorted(script.kind for script in TASKS)


def test_a_configured_model_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """One model name is enough to leave the offline model."""
    monkeypatch.setenv("TOOLWRIGHT_MODELS__DEFAULT__MODEL", "m")
    assert _settings(Options(), {}).models.offline is False
    assert _settings(Options(offline=True), {}).models.offline is True


def test_flags_and_changes_of_a_command_come_together() -> None:
    """--runtime of everyone and --memory of `run` meet in one section, and what was not given keeps its default."""
    settings = _settings(
        Options(runtime="runsc"),
        {"isolation": {"default": None}, "sandbox": {"limits": {"memory_bytes": 64 * 1024 * 1024}}},
    )
    assert (settings.sandbox.runtime, settings.sandbox.limits.memory_bytes) == ("runsc", 64 * 1024 * 1024)
    assert settings.isolation.default == "tool"


def test_config_names_the_settings_file(tmp_path: Path) -> None:
    """--config reads that file; one that is not there is bad input."""
    (tmp_path / "c.toml").write_text('[sandbox]\nruntime = "crun"\n', encoding="utf-8")
    assert _settings(Options(config=tmp_path / "c.toml"), {}).sandbox.runtime == "crun"
    with pytest.raises(InvalidInput, match=r"--config: .*no\.toml"):
        _settings(Options(config=tmp_path / "no.toml"), {})


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        (Options(server="h:1", image="x"), "--image"),
        (Options(server="h:1", offline=True), "--offline"),
        (Options(server="h:1", state_dir=Path("s")), "--state-dir"),
    ],
)
def test_settings_of_this_process_are_refused_beside_a_server(options: Options, flag: str) -> None:
    """A flag that could have no effect is bad usage."""
    with pytest.raises(InvalidInput, match=flag), World().services(options, {}, fresh_state=False):
        pass


def test_a_server_that_is_not_there_is_said_to_be_missing() -> None:
    """The first call finds out."""
    connected = World().services(Options(server="127.0.0.1:1"), {}, fresh_state=False)
    with connected as services, pytest.raises(ServerUnavailable):
        list(services.list_tools())


def test_no_engine() -> None:
    """Engine, images and bench all say that none answers."""
    options = Options(docker_host="tcp://127.0.0.1:1")
    world = World()
    with pytest.raises(EngineUnavailable):
        world.engine(options)
    with pytest.raises(EngineUnavailable), world.images(options):
        pass
    with pytest.raises(EngineUnavailable):
        world.bench(options, Plan(), print, peers_pythons=(), peers_image="")


def test_strong_model_is_asked_with_the_examples() -> None:
    """The baseline pays for the examples in its prompt, as the light model does."""
    examples = [Example("1", "Sort the words: b a", "a b")]
    bare = World().strong_use([((), "Sort the words: d c")])
    shown = World().strong_use([(examples, "Sort the words: d c")])
    assert (bare.calls, shown.calls, shown.model) == (1, 1, "offline-strong")
    assert 0 < bare.cost_usd < shown.cost_usd
