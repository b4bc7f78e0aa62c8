"""Settings of models: roles over defaults, endpoints to fall back on, and where keys go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from toolwright.domain.record import Role
from toolwright.errors import InvalidInput
from toolwright.server.models import open_models
from toolwright.settings import ModelSettings, load_settings

pytestmark = pytest.mark.unit

DEFAULT = {"base_url": "https://one.example/v1", "api_key": "key-one", "model": "big", "temperature": 0.1}


def endpoints(role: Role = Role.USER, **settings: Any) -> list[tuple[str, str, str]]:
    """Address, key and model of all endpoints of a role."""
    models = ModelSettings.model_validate({"default": DEFAULT, **settings})
    return [(e.base_url, e.api_key.get_secret_value(), e.model) for e in models.endpoints(role)]


def test_without_fallbacks_there_is_one_endpoint() -> None:
    """The role's own."""
    assert endpoints(user={"model": "small"}) == [("https://one.example/v1", "key-one", "small")]


def test_a_key_goes_to_its_own_address_alone() -> None:
    """Another model there gets it, another address does not; its own is sent there."""
    fallback = [
        {"model": "other"},
        {"base_url": "https://two.example/v1"},
        {"base_url": "https://two.example/v1", "api_key": "key-two", "model": "theirs"},
        {"base_url": "https://one.example/v1", "model": "same"},
    ]
    assert endpoints(user={"model": "small", "fallback": fallback}) == [
        ("https://one.example/v1", "key-one", "small"),
        ("https://one.example/v1", "key-one", "other"),
        ("https://two.example/v1", "", "small"),
        ("https://two.example/v1", "key-two", "theirs"),
        ("https://one.example/v1", "key-one", "same"),
    ]


def test_roles_share_fallbacks_or_have_their_own() -> None:
    """An empty list of a role's own means none."""
    shared = {**DEFAULT, "fallback": [{"model": "spare"}]}
    assert len(endpoints(default=shared)) == 2
    assert len(endpoints(default=shared, user={"fallback": []})) == 1
    assert endpoints(Role.MAKER, default=shared, maker={"model": "maker"})[1][2] == "spare"


def test_fallbacks_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As JSON, like any list."""
    monkeypatch.setenv("TOOLWRIGHT_MODELS__USER__FALLBACK", '[{"model": "spare"}]')
    assert load_settings({"models": {"default": DEFAULT}}).models.endpoints(Role.USER)[1].model == "spare"


@pytest.mark.parametrize(
    "bad",
    [
        {"reasoning_effort": "Very high!"},
        {"max_completion_tokens": 0},
        {"fallback": [{"fallback": []}]},
        {"fallback": [{}] * 9},
    ],
)
def test_bad_values_are_refused(bad: dict[str, Any]) -> None:
    """A fallback has none of its own, and there are at most eight."""
    with pytest.raises(ValidationError):
        ModelSettings.model_validate({"user": bad})


def test_recording_and_replaying_exclude_each_other() -> None:
    """What is replayed was recorded before."""
    with pytest.raises(InvalidInput, match="record and replay"):
        load_settings({"models": {"record": "a", "replay": "b"}})


def test_recording_says_nothing_of_which_models_answer(tmp_path: Path) -> None:
    """Where none is configured, the offline one is recorded."""
    assert not ModelSettings(record=tmp_path / "a").configured
    assert ModelSettings.model_validate({"record": tmp_path / "a", "user": {"model": "m"}}).configured


def test_a_file_that_cannot_be_replayed_stops_the_start(tmp_path: Path) -> None:
    """Not the first request."""
    settings = load_settings({"models": {"replay": tmp_path / "missing"}})
    with pytest.raises(InvalidInput, match="cannot be read"), open_models(settings):
        pass
