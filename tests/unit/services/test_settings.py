"""Settings: where they come from, what wins, and that a typo stops the service."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolwright.domain.call import Isolation
from toolwright.domain.isolation import IsolationPolicy
from toolwright.domain.limits import Limits
from toolwright.domain.record import Role
from toolwright.errors import InvalidInput
from toolwright.settings import Profile, Settings, load_settings

PINNED = "sha256:" + "a" * 64


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the machine's variables nor its files take part."""
    for name in os.environ:
        if name.upper().startswith(("TOOLWRIGHT_", "OPENAI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def write(path: Path, text: str) -> Path:
    """Write a settings file, with the directories it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_defaults_are_those_of_the_domain(tmp_path: Path) -> None:
    """With nothing set, ceilings are the domain's and the address is a loopback one."""
    settings = load_settings()

    assert settings.listen == "127.0.0.1:7433"
    assert settings.sandbox.limits.limits == Limits()
    assert settings.isolation.policy == IsolationPolicy(Isolation.TOOL)
    assert (settings.sandbox.max_calls, settings.sandbox.max_age_s) == (1000, 900)
    assert settings.state_dir == tmp_path / "home/.local/share/toolwright"
    assert not settings.store_url
    assert settings.source_allowed


def test_sources_in_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Flags win over the environment, that over the file, that over defaults; sections are merged."""
    write(
        tmp_path / "toolwright.toml",
        '[sandbox]\nruntime = "file"\nmax_calls = 5\n[sandbox.limits]\nwall_time_s = 1\nprocesses = 3\n',
    )
    monkeypatch.setenv("TOOLWRIGHT_SANDBOX__RUNTIME", "environment")
    monkeypatch.setenv("TOOLWRIGHT_SANDBOX__LIMITS__WALL_TIME_S", "2")

    settings = load_settings({"sandbox": {"runtime": "flag", "image": None}})

    assert settings.sandbox.runtime == "flag"
    assert settings.sandbox.limits.wall_time_s == 2
    assert settings.sandbox.limits.processes == 3
    assert settings.sandbox.max_calls == 5
    assert settings.sandbox.image == "toolwright-sandbox-python"


def test_file_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The named file, else the one here, else the one in the home directory; one only."""
    write(tmp_path / "home/.config/toolwright/config.toml", 'listen = "127.0.0.1:1"')
    assert load_settings().listen == "127.0.0.1:1"
    write(tmp_path / "toolwright.toml", 'listen = "127.0.0.1:2"')
    assert load_settings().listen == "127.0.0.1:2"
    monkeypatch.setenv("TOOLWRIGHT_CONFIG", str(write(tmp_path / "named.toml", 'listen = "127.0.0.1:3"')))
    assert load_settings().listen == "127.0.0.1:3"


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("TOOLWRIGHT_SANDBX", "1", "TOOLWRIGHT_SANDBX: is no setting"),
        ("TOOLWRIGHT_SANDBOX__RUNTIM", "runc", r"sandbox\.runtim: is no setting \(allowed: .*runtime"),
        (
            "TOOLWRIGHT_SANDBOX__LIMITS__WALL_TIME_S",
            "nan",
            r"sandbox\.limits\.wall_time_s: .*\(allowed: .*0\.05 to 120",
        ),
        (
            "TOOLWRIGHT_SANDBOX__LIMITS__WALL_TIME_S",
            "121",
            r"sandbox\.limits\.wall_time_s: is too large \(allowed: .*0\.05 to 120",
        ),
        ("TOOLWRIGHT_SANDBOX__LIMITS__MEMORY_BYTES", "1", r"sandbox\.limits\.memory_bytes"),
        ("TOOLWRIGHT_SANDBOX__POOL__MIN_READY", "9", r"sandbox\.pool: min_ready is 9, more than max_containers \(8\)"),
        (
            "TOOLWRIGHT_ISOLATION__DEFAULT",
            "none",
            r"isolation\.default: is none of those \(.*`call`, `tool` or `tenant`",
        ),
        ("TOOLWRIGHT_GRPC__WORKERS", "many", r"grpc\.workers: is no whole number \("),
        ("TOOLWRIGHT_MODELS__OFFLINE", "perhaps", r"models\.offline: is neither true nor false"),
        ("TOOLWRIGHT_SANDBOX__IMAGE", "python:latest", r"sandbox\.image: has no valid form .*A tag is refused"),
        ("TOOLWRIGHT_SANDBOX__RUNTIME", "runc;id", r"sandbox\.runtime: has no valid form"),
        ("TOOLWRIGHT_SANDBOX", "{nojson", "environment: .*sandbox"),
        ("TOOLWRIGHT_GRPC__WORKERS", "10", r"grpc\.workers is 10"),
        ("TOOLWRIGHT_GRPC__WORKERS", "83", r"grpc\.workers is 83; .*batch\.max_streams need at least 84"),
        ("TOOLWRIGHT_BATCH__MAX_STREAMS", "0", r"batch\.max_streams: .*1 to 64"),
        ("TOOLWRIGHT_BATCH__IN_FLIGHT", "41", r"batch\.in_flight is 41, .*at most 40 with these sandbox\.pool"),
        ("TOOLWRIGHT_LISTEN", "0.0.0.0:7433", "listen: '0.0.0.0' is not a loopback address"),
        ("TOOLWRIGHT_LISTEN", "[::]:7433", "listen: .* is not a loopback address"),
        ("TOOLWRIGHT_LISTEN", "example.org:7433", "listen: .* is not a loopback address"),
        ("TOOLWRIGHT_LISTEN", "127.0.0.1", "listen: .*neither host:port nor unix"),
        ("TOOLWRIGHT_LISTEN", "127.0.0.1:99999", "listen: .*neither host:port nor unix"),
        ("TOOLWRIGHT_LISTEN", "unix:relative", "listen: .*absolute path"),
        ("TOOLWRIGHT_PROFILE", "production", r"sandbox\.image must be named by digest"),
        ("TOOLWRIGHT_MODELS__DEFAULT__BASE_URL", "ftp://x", r"models\.default\.base_url: has no valid form"),
        ("TOOLWRIGHT_CONFIG", "/nonexistent.toml", "TOOLWRIGHT_CONFIG: there is no file"),
    ],
)
def test_bad_setting_stops_the_service(monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str) -> None:
    """The text names the setting, what is wrong, and what is allowed."""
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInput, match=problem):
        load_settings()


def test_batches_get_as_many_places_as_there_are_containers() -> None:
    """Unless the settings say otherwise, and never so many that others find the queue full."""
    assert load_settings().batch_in_flight == 8
    assert load_settings({"sandbox": {"pool": {"max_containers": 3}}}).batch_in_flight == 3
    assert load_settings({"batch": {"in_flight": 5}}).batch_in_flight == 5


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:7433", "[::1]:7433", "127.9.9.9:1", "unix:/run/t.sock"])
def test_loopback_addresses_are_taken(address: str) -> None:
    """All ways to name this machine alone."""
    assert load_settings({"listen": address}).listen == address


@pytest.mark.parametrize(
    "image",
    [PINNED, f"registry.example:5000/a/b@{PINNED}", "toolwright-sandbox-python", "toolwright-sandbox-science"],
)
def test_images_by_content_or_by_recipe_are_taken(image: str) -> None:
    """Names that cannot move."""
    assert load_settings({"sandbox": {"image": image}}).sandbox.image == image


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('defualt = "call"', r"^isolation\.defualt: is no setting \(allowed: default, tenants, tools\)"),
        ('default = "Call"', r"^isolation\.default: is none of those"),
        ('[isolation.tool]\na = "call"', r"^isolation\.tool: is no setting \(allowed: default, tenants, tools\)"),
        ('[isolation.tools]\nparse_csv = "cal"', r"^isolation\.tools\.parse_csv: is none of those \(.*`call`, `tool`"),
        ("[isolation.tools]\nparse_csv = 1", r"^isolation\.tools\.parse_csv: is none of those"),
        ('[isolation.tools]\nParse-CSV = "call"', r"^isolation\.tools\.Parse-CSV: 'Parse-CSV' is not a usable name"),
        ('[isolation.tools]\n"parse_csv@1" = "call"', r"^isolation\.tools\.parse_csv@1: .* is not a usable name"),
        (f'[isolation.tools]\n{"a" * 65} = "call"', r"^isolation\.tools\.a{65}: .* is not a usable name"),
        ('[isolation.tenants]\n"" = "call"', r"^isolation\.tenants\.: has no valid form"),
        ('[isolation.tenants]\nACME = "call"', r"^isolation\.tenants\.ACME: has no valid form \(.*1 to 64 of a-z"),
        (f'[isolation.tenants]\n{"a" * 65} = "call"', r"^isolation\.tenants\.a{65}: has no valid form"),
        ('[isolation.tenants]\nacme = "strict"', r"^isolation\.tenants\.acme: is none of those"),
        (
            "[isolation.tenants]\n" + "\n".join(f't{number} = "call"' for number in range(1_001)),
            r"^isolation\.tenants: has too many entries \(.*at most 1,000",
        ),
    ],
)
def test_a_bad_rule_of_isolation_is_named(tmp_path: Path, text: str, problem: str) -> None:
    """A rule that cannot hold stops the service: a typo must not leave a tool less apart than its operator thinks."""
    write(tmp_path / "toolwright.toml", text if text.startswith("[") else f"[isolation]\n{text}\n")
    with pytest.raises(InvalidInput, match=problem):
        load_settings()


def test_rules_of_isolation_come_from_all_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tables in the file, entries in the environment, and a flag over the default; together they are the policy."""
    write(
        tmp_path / "toolwright.toml",
        '[isolation]\ndefault = "tenant"\n[isolation.tenants]\nacme = "tool"\n[isolation.tools]\nparse_csv = "call"\n',
    )
    monkeypatch.setenv("TOOLWRIGHT_ISOLATION__TOOLS__SORT_WORDS", "tool")

    policy = load_settings({"isolation": {"default": "tool"}}).isolation.policy

    assert policy == IsolationPolicy(
        Isolation.TOOL,
        {"acme": Isolation.TOOL},
        {"parse_csv": Isolation.CALL, "sort_words": Isolation.TOOL},
    )


def test_broken_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The text has the file's name and the line."""
    write(tmp_path / "toolwright.toml", "listen = \n")
    with pytest.raises(InvalidInput, match=r"toolwright\.toml: is no TOML: .*line 1"):
        load_settings()


def test_typo_in_the_file_is_named(tmp_path: Path) -> None:
    """The text has the path of the setting."""
    write(tmp_path / "toolwright.toml", "[sandbox.limits]\nwall_time = 1\n")
    with pytest.raises(InvalidInput, match=r"sandbox\.limits\.wall_time: is no setting \(allowed: wall_time_s"):
        load_settings()


def test_a_refused_value_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be a key that stands in the wrong place."""
    monkeypatch.setenv("TOOLWRIGHT_MODELS__DEFAULT__TIMEOUT_S", "sk-secret")
    with pytest.raises(InvalidInput) as caught:
        load_settings()
    assert "sk-secret" not in str(caught.value)


def test_production_narrows_the_defaults() -> None:
    """Bare source is refused there unless the operator says otherwise."""
    production = {"profile": "production", "sandbox": {"image": PINNED}}
    assert load_settings(production).profile is Profile.PRODUCTION
    assert not load_settings(production).source_allowed
    assert load_settings(production | {"allow_source": True}).source_allowed


def test_roles_inherit_and_override(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role has its own values over the shared ones; the key falls back to the environment's."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    settings = load_settings(
        {
            "models": {
                "default": {"base_url": "http://127.0.0.1:1/v1", "model": "small", "timeout_s": 5},
                "maker": {"model": "big", "temperature": 0.5},
            }
        }
    )
    maker, user = settings.models.endpoint(Role.MAKER), settings.models.endpoint(Role.USER)

    assert (maker.model, maker.temperature, maker.timeout_s) == ("big", 0.5, 5)
    assert (user.model, user.temperature, user.base_url) == ("small", None, "http://127.0.0.1:1/v1")
    assert user.api_key.get_secret_value() == "sk-environment"


def test_own_key_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """OPENAI_API_KEY is the last resort."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    monkeypatch.setenv("TOOLWRIGHT_MODELS__DEFAULT__API_KEY", "sk-own")
    assert load_settings().models.endpoint(Role.USER).api_key.get_secret_value() == "sk-own"


def test_keys_are_in_no_text() -> None:
    """Printing settings, as logs and errors do, shows no key."""
    settings = load_settings({"models": {"maker": {"api_key": "sk-secret"}}})
    assert "sk-secret" not in f"{settings} {settings!r} {settings.model_dump_json()}"


def test_settings_cannot_be_changed() -> None:
    """They are read once."""
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.listen = "127.0.0.1:1"


def test_variables_of_others_are_no_typos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts and tests have variables of the same prefix."""
    for name in ("TOOLWRIGHT_SERVER", "TOOLWRIGHT_ENGINE_DATA", "TOOLWRIGHT_TEST_POSTGRES"):
        monkeypatch.setenv(name, "x")
    assert isinstance(load_settings(), Settings)
