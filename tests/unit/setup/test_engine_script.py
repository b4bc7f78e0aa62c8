"""The engine script finds an engine, starts or installs one where it can, and else says in one paragraph what to do."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import Protocol

import pytest

pytestmark = pytest.mark.unit

IPTABLES = 'sys.exit("failed to start daemon: Error initializing network controller: iptables: No chain")'


class Machine(Protocol):
    """As in conftest.py."""

    run: Path
    socket: Path
    home: Path

    def add_command(self, name: str, text: str) -> None: ...
    def dockerd(self, first: str = "") -> str: ...
    def engine(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]: ...
    def started(self) -> list[str]: ...


def paragraph(result: subprocess.CompletedProcess[str]) -> str:
    """Return the last paragraph that was said, which is the one with the way out."""
    return result.stderr.strip().split("\n\n")[-1]


def test_a_running_engine_is_used_as_it_is(machine: Machine) -> None:
    """The first run starts one; the second finds it, says nothing, and starts no other."""
    machine.add_command("dockerd", machine.dockerd())
    first = machine.engine()

    second = machine.engine()

    assert (first.returncode, first.stdout) == (0, f"unix://{machine.socket}\n"), first.stderr
    assert (second.returncode, second.stdout, second.stderr) == (0, first.stdout, "")
    assert len(machine.started()) == 1


def test_an_engine_that_is_named_is_used(machine: Machine) -> None:
    """DOCKER_HOST is taken as it is."""
    machine.add_command("dockerd", machine.dockerd())
    address = machine.engine().stdout.strip()

    result = machine.engine(DOCKER_HOST=address, TOOLWRIGHT_ENGINE_RUN=str(machine.home))

    assert (result.returncode, result.stdout.strip()) == (0, address)


@pytest.mark.parametrize("address", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1", "nonsense"])
def test_a_named_engine_that_is_gone_is_not_replaced(machine: Machine, address: str) -> None:
    """With DOCKER_HOST set, no other engine is started, found or installed."""
    machine.add_command("dockerd", machine.dockerd())

    result = machine.engine(DOCKER_HOST=address)

    assert (result.returncode, result.stdout) == (3, "")
    assert f"DOCKER_HOST is {address}" in paragraph(result)
    assert machine.started() == []


def test_without_engine_and_apt_one_paragraph_says_what_to_do(machine: Machine) -> None:
    """Neither installed nor installable: exit status 3, one paragraph, nothing on stdout."""
    result = machine.engine()

    assert (result.returncode, result.stdout) == (3, "")
    assert "not Debian or Ubuntu" in paragraph(result)
    assert "DOCKER_HOST" in paragraph(result)
    assert "\n" not in paragraph(result)


def test_looking_only_changes_nothing(machine: Machine) -> None:
    """`--find` starts nothing."""
    machine.add_command("dockerd", machine.dockerd())

    result = machine.engine("--find")

    assert (result.returncode, result.stdout) == (3, "")
    assert machine.started() == []


def test_debians_engine_is_installed_and_started(machine: Machine) -> None:
    """Where apt is there and no engine, it says so, installs docker.io without questions, and starts it."""
    (machine.home / "etc" / "debian_version").write_text("12.11\n", encoding="utf-8")
    (machine.home / "hidden").write_text(machine.dockerd(), encoding="utf-8")
    machine.add_command(
        "apt-get",
        f"""#!/bin/sh
echo "$DEBIAN_FRONTEND: $*" >>{machine.home}/apt
case "$*" in *install*docker.io*) cat {machine.home}/hidden >{machine.home}/bin/dockerd
    chmod +x {machine.home}/bin/dockerd ;; esac
""",
    )

    result = machine.engine()

    assert (result.returncode, result.stdout) == (0, f"unix://{machine.socket}\n"), result.stderr
    assert "no container engine is installed: installing docker.io" in result.stderr
    calls = (machine.home / "apt").read_text(encoding="utf-8").splitlines()
    assert all(line.startswith("noninteractive: ") for line in calls)
    assert "install -y --no-install-recommends docker.io" in calls[-1]


def test_an_installation_that_fails_is_said(machine: Machine) -> None:
    """When apt cannot bring the engine, its words and a paragraph are what is left."""
    (machine.home / "etc" / "debian_version").write_text("12.11\n", encoding="utf-8")
    machine.add_command("apt-get", '#!/bin/sh\necho "E: Unable to locate package docker.io"\nexit 100\n')

    result = machine.engine()

    assert (result.returncode, result.stdout) == (3, "")
    assert "E: Unable to locate package" in result.stderr
    assert "could not be installed" in paragraph(result)


@pytest.mark.parametrize("pid", ["999999", str(os.getpid()), "", "rubbish"])
def test_what_a_killed_engine_left_does_not_stop_it(machine: Machine, pid: str) -> None:
    """A pid file of nobody, or of a process that is no engine, and a dead socket are cleared away."""
    machine.add_command("dockerd", machine.dockerd("assert not os.path.exists(run + '/docker.pid')"))
    (machine.run / "docker.pid").write_text(pid, encoding="utf-8")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(machine.socket))

    result = machine.engine()

    assert (result.returncode, result.stdout) == (0, f"unix://{machine.socket}\n"), result.stderr
    assert "which a killed engine left" in result.stderr


@pytest.mark.parametrize("pid", ["999999", str(os.getpid())])
def test_what_a_killed_containerd_left_does_not_stop_it(machine: Machine, pid: str) -> None:
    """A containerd's pid file that names another process would make dockerd wait for nothing."""
    machine.add_command("dockerd", machine.dockerd())
    left = machine.run / "docker" / "containerd"
    left.mkdir(parents=True)
    (left / "containerd.pid").write_text(pid, encoding="utf-8")
    (left / "containerd.toml").write_text("kept", encoding="utf-8")

    result = machine.engine()

    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in left.iterdir()) == ["containerd.toml"]


def test_an_engine_that_ends_at_once_is_not_waited_for(machine: Machine) -> None:
    """A start that fails ends the script then and there, with the last lines of the log."""
    machine.add_command("dockerd", machine.dockerd('sys.exit("failed to start daemon: no space left on device")'))

    result = machine.engine(TOOLWRIGHT_ENGINE_WAIT_S="50")

    assert (result.returncode, result.stdout) == (3, "")
    assert "no space left on device" in result.stderr
    assert "dockerd.log" in paragraph(result)
    assert len(machine.started()) == 1


def test_an_engine_that_never_answers_is_given_up(machine: Machine) -> None:
    """The wait has an end."""
    machine.add_command("dockerd", machine.dockerd("import time; print('still starting', flush=True); time.sleep(20)"))

    result = machine.engine(TOOLWRIGHT_ENGINE_WAIT_S="1")

    assert (result.returncode, result.stdout) == (3, "")
    assert "still starting" in result.stderr
    assert "within 1 s" in paragraph(result)


def test_where_no_network_can_be_set_up_the_engine_runs_without(machine: Machine) -> None:
    """Sandboxes have no network, so an engine without one does."""
    machine.add_command("dockerd", machine.dockerd(f'if "--ip6tables=false" not in sys.argv: {IPTABLES}'))

    result = machine.engine()

    assert (result.returncode, result.stdout) == (0, f"unix://{machine.socket}\n"), result.stderr
    assert "cannot set up a network" in result.stderr
    assert len(machine.started()) == 2


def test_without_root_it_says_which_command_needs_it(machine: Machine) -> None:
    """An engine that is installed and not running, and no way to become root."""
    machine.add_command("dockerd", machine.dockerd())
    machine.add_command("sudo", "#!/bin/sh\nexit 1\n")
    machine.add_command("id", '#!/bin/sh\n[ "$1" = -u ] && echo 1000 || echo someone\n')

    result = machine.engine()

    assert (result.returncode, result.stdout) == (3, "")
    assert "sudo systemctl start docker" in paragraph(result)
    assert machine.started() == []
