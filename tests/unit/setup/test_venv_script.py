"""The environment is made once, from the hash lock, with a Python that is new enough."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"

# Stands for an interpreter: `-m venv` puts a copy of itself into .venv, `-m pip` writes down what it was asked.
PYTHON = """#!/bin/sh
home={home}
case "$*" in
    *version_info\\ *) [ -e $home/old ] && exit 1; exit 0 ;;
    *import\\ venv*) [ -e $home/no-venv ] && exit 1; exit 0 ;;
    *print*version_info*) echo python3.11-venv ;;
    --version) echo Python 3.11.99 ;;
    "-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python && echo made >>$home/calls ;;
    "-m pip --version") exit 0 ;;
    "-m pip install"*) echo "$*" >>$home/calls; [ -e $home/offline ] && echo "no route to PyPI" && exit 1; exit 0 ;;
esac
exit 0
"""


@dataclass
class Checkout:
    """A copy of the scripts with a lock of its own and an interpreter that only pretends."""

    home: Path
    environment: dict[str, str]

    def run(self) -> subprocess.CompletedProcess[str]:
        """Run scripts/venv.sh."""
        return subprocess.run(
            ["/bin/bash", str(self.home / "checkout" / "scripts" / "venv.sh")],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def calls(self) -> list[str]:
        """Return what was asked of the interpreter."""
        path = self.home / "calls"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def add_command(self, name: str, text: str) -> None:
        """Put a program on the path."""
        path = self.home / "bin" / name
        path.unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A fresh clone on a machine whose python3 is new enough."""
    top = tmp_path / "checkout"
    shutil.copytree(SCRIPTS, top / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("requirements-dev.lock", "pyproject.toml"):
        (top / name).write_text(f"# {name}\n", encoding="utf-8")
    (tmp_path / "bin").mkdir()
    (tmp_path / "etc").mkdir()
    for name in ("cat", "cp", "dirname", "env", "find", "flock", "id", "mkdir", "rm", "sha256sum", "tail"):
        (tmp_path / "bin" / name).symlink_to(f"/usr/bin/{name}")
    environment = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path), "TOOLWRIGHT_ETC": str(tmp_path / "etc")}
    made = Checkout(tmp_path, environment)
    made.add_command("python3", PYTHON.format(home=tmp_path))
    made.add_command("sudo", '#!/bin/sh\n[ "$1" = -n ] && shift\nexec "$@"\n')
    return made


def test_the_first_run_installs_by_hash_and_the_second_does_nothing(checkout: Checkout) -> None:
    """Wheels only, each with its hash; Toolwright itself without dependencies or isolation."""
    first = checkout.run()
    calls = checkout.calls()

    second = checkout.run()

    assert first.returncode == 0, first.stderr
    assert calls[0] == "made"
    assert "--require-hashes --only-binary :all: -r requirements-dev.lock" in calls[1]
    assert "--no-deps --no-build-isolation --editable ." in calls[2]
    assert (second.returncode, second.stderr, checkout.calls()) == (0, "", calls)


def test_a_new_lock_is_installed_into_the_same_environment(checkout: Checkout) -> None:
    """A changed lock brings the environment up to date and does not make it anew."""
    checkout.run()
    (checkout.home / "checkout" / "requirements-dev.lock").write_text("# newer\n", encoding="utf-8")

    result = checkout.run()

    assert result.returncode == 0
    assert checkout.calls().count("made") == 1
    assert len(checkout.calls()) == 5


def test_an_installation_that_fails_is_tried_again(checkout: Checkout) -> None:
    """The error shows pip's words; what was half done does not count as done."""
    (checkout.home / "offline").touch()
    failed = checkout.run()
    (checkout.home / "offline").unlink()

    again = checkout.run()

    assert failed.returncode == 3
    assert "no route to PyPI" in failed.stderr
    assert "PyPI or your mirror" in failed.stderr
    assert again.returncode == 0


def test_an_old_python_is_not_used(checkout: Checkout) -> None:
    """Python before 3.11 is named, with what to install."""
    (checkout.home / "old").touch()

    result = checkout.run()

    assert result.returncode == 3
    assert "Python 3.11 or newer, and finds Python 3.11.99" in result.stderr
    assert checkout.calls() == []


def test_a_newer_python_of_another_name_is_found(checkout: Checkout) -> None:
    """Where python3 is too old, python3.12 beside it is used."""
    checkout.add_command("python3.12", PYTHON.format(home=checkout.home))
    checkout.add_command("python3", "#!/bin/sh\nexit 1\n")

    result = checkout.run()

    assert result.returncode == 0, result.stderr
    assert checkout.calls()[0] == "made"


def test_a_missing_venv_module_is_installed(checkout: Checkout) -> None:
    """Debian keeps it in a package of its own."""
    (checkout.home / "etc" / "debian_version").write_text("12.11\n", encoding="utf-8")
    (checkout.home / "no-venv").touch()
    checkout.add_command("apt-get", f'#!/bin/sh\necho "$*" >>{checkout.home}/apt\nrm -f {checkout.home}/no-venv\n')

    result = checkout.run()

    assert result.returncode == 0, result.stderr
    assert "python3.11-venv" in (checkout.home / "apt").read_text(encoding="utf-8")


def test_a_missing_venv_module_is_said_where_apt_is_not(checkout: Checkout) -> None:
    """Elsewhere the text names the package."""
    (checkout.home / "no-venv").touch()

    result = checkout.run()

    assert result.returncode == 3
    assert "apt-get install python3.11-venv" in result.stderr
