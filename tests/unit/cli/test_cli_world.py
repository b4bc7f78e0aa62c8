"""The real world around commands, as far as it needs no engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolwright.cli.floors import fork_pipe_ms
from toolwright.cli.options import Options
from toolwright.cli.world import World, _settings
from toolwright.domain.task import Example
from toolwright.errors import EngineUnavailable, InvalidInput, ServerUnavailable

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _nothing_set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The person's own settings and keys play no part."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("TOOLWRIGHT_CONFIG", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, "")


def test_without_a_model_the_offline_one_answers() -> None:
    """Nobody has to configure anything to try things out."""
    assert _settings(Options(), {}).models.offline is True


def test_a_configured_model_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """One model name is enough to leave the offline model."""
    monkeypatch.setenv("TOOLWRIGHT_MODELS__DEFAULT__MODEL", "m")
    assert _settings(Options(), {}).models.offline is False
    assert _settings(Options(offline=True), {}).models.offline is True


def test_flags_and_changes_of_a_command_come_together() -> None:
    """--runtime of everyone and --memory of `run` meet in one section, and what was not given keeps its default."""
    settings = _settings(
        Options(runtime="runsc"), {"sandbox": {"isolation": None, "limits": {"memory_bytes": 64 * 1024 * 1024}}}
    )
    assert (settings.sandbox.runtime, settings.sandbox.limits.memory_bytes) == ("runsc", 64 * 1024 * 1024)
    assert settings.sandbox.isolation == "tool"


def test_config_names_the_settings_file(tmp_path: Path) -> None:
    """--config reads that file; one that is not there is bad input."""
    (tmp_path / "c.toml").write_text('[sandbox]\nruntime = "crun"\n', encoding="utf-8")
    assert _settings(Options(config=tmp_path / "c.toml"), {}).sandbox.runtime == "crun"
    with pytest.raises(InvalidInput, match=r"no\.toml"):
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
    """Engine, images and floors all say that none answers."""
    options = Options(docker_host="tcp://127.0.0.1:1")
    world = World()
    with pytest.raises(EngineUnavailable):
        world.engine(options)
    with pytest.raises(EngineUnavailable), world.images(options):
        pass
    with pytest.raises(EngineUnavailable):
        world.floors(options, rounds=3)


def test_strong_model_is_asked_with_the_examples() -> None:
    """The baseline pays for the examples in its prompt, as the light model does."""
    examples = [Example("1", "Sort the words: b a", "a b")]
    bare = World().strong_use([((), "Sort the words: d c")])
    shown = World().strong_use([(examples, "Sort the words: d c")])
    assert (bare.calls, shown.calls, shown.model) == (1, 1, "offline-strong")
    assert 0 < bare.cost_usd < shown.cost_usd


def test_bare_floor_is_measured() -> None:
    """A fork with an answer takes some time, and far less than a second."""
    assert 0 < fork_pipe_ms(5) < 1000
