"""The settings reference says what the settings are."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from toolwright.settings import load_settings

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _nothing_set_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The settings of whoever runs the tests play no part."""
    for name in os.environ:
        if name.startswith(("TOOLWRIGHT_", "OPENAI_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def test_reference_is_current() -> None:
    """Every name, default, bound and variable; a setting added or changed without it fails here."""
    checked = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "settings_doc.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stderr


def test_example_file_is_taken(tmp_path: Path) -> None:
    """No name in it is made up."""
    (text,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "toolwright.toml").write_text(text, encoding="utf-8")
    assert load_settings().sandbox.runtime == "runsc"


@pytest.mark.parametrize(
    ("variable", "value"), [("TOOLWRIGHT_SANDBOX__LIMITS__WALL_TIME_S", "3"), ("TOOLWRIGHT_LISTEN", "127.0.0.1:0")]
)
def test_variables_are_named_as_they_are_read(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """The form of the names in the page is the one that counts."""
    assert f"`{variable}`" in PAGE
    before = load_settings()
    monkeypatch.setenv(variable, value)
    assert load_settings() != before
