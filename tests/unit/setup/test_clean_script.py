"""Cleaning takes what can be made again, and nothing that a person made."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"


def test_cleaning_keeps_registries(tmp_path: Path) -> None:
    """The environment and caches go; a registry in the checkout, under any name, stays."""
    shutil.copytree(SCRIPTS, tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".venv/bin", "build", ".mypy_cache", "runtime/__pycache__", ".toolwright", "state"):
        (tmp_path / name).mkdir(parents=True)
    for name in (".toolwright", "state"):
        (tmp_path / name / "registry.db").write_text("tools", encoding="utf-8")

    ended = subprocess.run(
        ["bash", str(tmp_path / "scripts" / "clean.sh")],
        # No engine answers there, so none is cleaned.
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "DOCKER_HOST": f"unix://{tmp_path}/none.sock"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ended.returncode == 0, ended.stderr
    assert not any((tmp_path / name).exists() for name in (".venv", "build", ".mypy_cache", "runtime/__pycache__"))
    assert all((tmp_path / name / "registry.db").exists() for name in (".toolwright", "state"))
    assert "--state-dir" in ended.stderr
