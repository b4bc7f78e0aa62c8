"""IM: the image and the live container of a server, as the engine shows them: files, options, and no secret."""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import docker
import pytest
from docker.errors import DockerException, ImageNotFound

from tests.integration.sandbox.golden import GOLDEN_CONFIG, GOLDEN_ULIMITS, unlike
from tests.security.kit.server_process import ServerProcess, serving
from toolwright.attacks.observer import Observer
from toolwright.domain.source import ToolSource
from toolwright.images.catalog import list_images
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import LABEL_OWNER, LABEL_ROLE, SandboxPolicy

pytestmark = [pytest.mark.security, pytest.mark.threat("T-IMG-01", "T-IMG-02", "T-IMG-03")]

Inspected = dict[str, Any]


@dataclass(frozen=True)
class Live:
    """A server whose environment is full of secrets, and its container after a call with one more."""

    server: ServerProcess
    container: Inspected
    processes: list[int]
    """Host's numbers of the agent and its zygote."""
    canaries: tuple[str, ...]


@pytest.fixture(scope="module")
def live(
    engine: Engine, policy: SandboxPolicy, observer: Observer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    """A server with secrets all around it, and what the engine says of its one container."""
    planted = tuple(f"CANARY-{place}-{secrets.token_hex(8)}" for place in ("key", "environment", "proxy", "argument"))
    state = tmp_path_factory.mktemp("state") / "server"
    settings = {
        "SANDBOX__IMAGE": policy.image_id,
        "SANDBOX__POOL__MAX_CONTAINERS": "1",
        "MODELS__DEFAULT__API_KEY": planted[0],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOME_PASSWORD", planted[1])
        patch.setenv("HTTPS_PROXY", f"http://user:{planted[2]}@127.0.0.1:9")
        patch.setenv("NO_PROXY", "*")
        with serving(engine, state, **settings) as server, server.client() as client:
            source = ToolSource("def f(secret):\n    return len(secret)\n", "f")
            ran = client.execute(source, {"secret": planted[3]}).provenance
            processes = [one.host_pid for one in observer.processes(ran.container_id)]
            yield Live(server, observer.inspect(ran.container_id), processes, planted)


def _layers(engine: Engine, image: str) -> list[tarfile.TarInfo]:
    """Return every file of every layer, as the image is stored."""
    archive = io.BytesIO(b"".join(engine.client.images.get(image).save()))
    found: list[tarfile.TarInfo] = []
    with tarfile.open(fileobj=archive) as outer:
        for path in json.loads(_read(outer, "manifest.json"))[0]["Layers"]:
            with tarfile.open(fileobj=io.BytesIO(_read(outer, path))) as layer:
                found += layer.getmembers()
    return found


def _read(archive: tarfile.TarFile, path: str) -> bytes:
    member = archive.extractfile(path)
    assert member is not None
    return member.read()


def _powerful(members: list[tarfile.TarInfo]) -> list[str]:
    """Return those with a mode that gives rights, devices, and those with attributes, such as capabilities."""
    return [
        one.name
        for one in members
        if (not one.issym() and one.mode & 0o7022)
        or one.isdev()
        or any("xattr" in name.lower() for name in one.pax_headers)
    ]


@pytest.mark.case("IM-01")
def test_im_01_layers_as_stored(engine: Engine, policy: SandboxPolicy) -> None:
    """IM-01: no layer holds a setuid, setgid, world-writable or device file, nor one with capabilities."""
    members = _layers(engine, policy.image_id)

    assert len(members) > 1_000, "NOT PROVEN: hardly a file was seen"
    assert _powerful(members) == []


_CAPABILITY: Final = "SCHILY.xattr.security.capability"


@pytest.mark.case("IM-01")
def test_im_01_control(tmp_path: Path) -> None:
    """IM-01, control: such files are seen in an archive that has them."""
    odd = {"su": (0o4755, {}), "wall": (0o2755, {}), "open": (0o666, {}), "ping": (0o755, {_CAPABILITY: "x"})}
    with tarfile.open(tmp_path / "layer.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        for name, (mode, headers) in {**odd, "fine": (0o755, {})}.items():
            member = tarfile.TarInfo(name)
            member.mode, member.pax_headers = mode, headers
            tar.addfile(member)
        disk = tarfile.TarInfo("disk")
        disk.type = tarfile.BLKTYPE
        tar.addfile(disk)
    with tarfile.open(tmp_path / "layer.tar") as tar:
        assert _powerful(tar.getmembers()) == [*odd, "disk"]


@pytest.mark.case("IM-03")
def test_im_03_a_tag_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """IM-03: an image named by a tag stops the server before it starts; a tag could move."""
    monkeypatch.setenv("TOOLWRIGHT_SANDBOX__IMAGE", "registry:5000/tools/python:3.13")
    command = [str(Path(sys.executable).with_name("toolwright")), "serve", "--json", "--state-dir", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert ended.returncode == 2
    assert "A tag is refused" in json.loads(ended.stdout)["error"]["message"]


@pytest.mark.case("IM-03")
def test_im_03_production_takes_a_digest_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """IM-03: in production a bare name is refused too: only content names an image."""
    monkeypatch.setenv("TOOLWRIGHT_PROFILE", "production")
    monkeypatch.setenv("TOOLWRIGHT_SANDBOX__IMAGE", "toolwright-sandbox-python")
    command = [str(Path(sys.executable).with_name("toolwright")), "serve", "--json", "--state-dir", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert ended.returncode == 2
    assert "must be named by digest" in json.loads(ended.stdout)["error"]["message"]


Change = Callable[[bytearray], None]
_REPOSITORY: Final = "toolwright-tampered"


def _small_image(change: Change | None = None, *, consistent: bool = False) -> tuple[bytes, str]:
    """Return an archive of a small image with labels like ours, and its name; `change` its layer after the fact.

    With `consistent` the configuration names the changed layer, as somebody would who knows what is checked.
    """
    layer_file = io.BytesIO()
    with tarfile.open(fileobj=layer_file, mode="w") as tar:
        member = tarfile.TarInfo("agent.py")
        member.size = 512
        tar.addfile(member, io.BytesIO(b"#" * 512))
    layer = bytearray(layer_file.getvalue())
    digest = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    if change:
        change(layer)
    named = f"sha256:{hashlib.sha256(layer).hexdigest()}" if consistent else digest
    labels = {
        "org.toolwright.image": "tiny",
        "org.toolwright.recipe-digest": "0" * 64,
        "org.toolwright.content-digest": digest,
        "org.toolwright.packages": "[]",
        "org.toolwright.packages-locked": "true",
        "org.toolwright.agent.protocol": "1",
    }
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Labels": labels},
            "rootfs": {"type": "layers", "diff_ids": [named]},
        }
    ).encode()
    name = f"{_REPOSITORY}:{secrets.token_hex(6)}"
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as tar:
        for path, content in (("config.json", config), ("manifest.json", manifest), ("layer.tar", bytes(layer))):
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return output.getvalue(), name


def _flip(layer: bytearray) -> None:
    layer[600] ^= 1


def _loaded(client: docker.DockerClient, archive: bytes, name: str) -> bool:
    """Load an image; return whether it is now listed as one of ours. It is removed again."""
    client.images.load(archive)
    try:
        return any(info.reference == name for info in list_images(client))
    finally:
        client.images.remove(name, force=True)


@pytest.mark.case("IM-05")
def test_im_05_a_changed_layer(engine: Engine) -> None:
    """IM-05: an image with one byte of a layer changed is refused by the engine; with its digest changed too, by us."""
    good, name = _small_image()
    assert _loaded(engine.client, good, name), "NOT PROVEN: the unchanged image is not seen as one of ours"

    torn, torn_name = _small_image(_flip)
    with pytest.raises((DockerException, ImageNotFound)):
        _loaded(engine.client, torn, torn_name)

    forged, forged_name = _small_image(_flip, consistent=True)
    assert not _loaded(engine.client, forged, forged_name)


def _of(path: str) -> Callable[[Inspected], Any]:
    """Return what reads `HostConfig.X` from what the engine says."""

    def read(seen: Inspected) -> Any:
        for part in path.split("."):
            seen = seen[part]
        return seen

    return read


def _is(path: str, *allowed: Any) -> Callable[[Inspected], bool]:
    return lambda seen: _of(path)(seen) in allowed


def _options(seen: Inspected) -> list[str]:
    return seen["HostConfig"]["SecurityOpt"] or []


CIS: Final[dict[str, tuple[str, Callable[[Inspected], bool]]]] = {
    "5.2 AppArmor, or a profile of our own": (
        "SELinux (5.3) or AppArmor where the host has it; here at least nothing switches it off",
        lambda seen: "apparmor=unconfined" not in _options(seen),
    ),
    "5.3 SELinux": (
        "not switched off",
        lambda seen: "label=disable" not in _options(seen),
    ),
    "5.4 capabilities": (
        "all dropped but the three that PID 1 needs to give calls users of their own and to kill them",
        lambda seen: (
            seen["HostConfig"]["CapDrop"] == ["ALL"]
            and set(seen["HostConfig"]["CapAdd"]) == {"SETUID", "SETGID", "KILL"}
        ),
    ),
    "5.5 privileged": ("never", lambda seen: seen["HostConfig"]["Privileged"] is False),
    "5.6 host directories": (
        "none is mounted",
        lambda seen: not seen["Mounts"] and not seen["HostConfig"]["Binds"],
    ),
    "5.7 sshd": (
        "one program of ours is run",
        lambda seen: seen["Path"].startswith("/usr/bin/python3") and "toolwright_agent" in " ".join(seen["Args"]),
    ),
    "5.8, 5.9, 5.14 ports and their interfaces": (
        "none is mapped",
        lambda seen: not seen["HostConfig"]["PortBindings"] and not seen["HostConfig"]["PublishAllPorts"],
    ),
    "5.10 host's network": ("no network at all", _is("HostConfig.NetworkMode", "none")),
    "5.11 memory": ("limited", lambda seen: 0 < seen["HostConfig"]["Memory"] <= 2**31),
    "5.12 CPU": ("limited", lambda seen: 0 < seen["HostConfig"]["NanoCpus"] <= 10**9),
    "5.13 root file system": ("read-only", lambda seen: seen["HostConfig"]["ReadonlyRootfs"] is True),
    "5.15 restarts": ("none", _is("HostConfig.RestartPolicy.Name", "no", "")),
    "5.16 host's processes": ("another name space", _is("HostConfig.PidMode", "")),
    "5.17 host's IPC": ("none at all", _is("HostConfig.IpcMode", "none")),
    "5.18 devices": ("none of the host's", lambda seen: not seen["HostConfig"]["Devices"]),
    "5.19 ulimits": (
        "set, soft and hard alike",
        lambda seen: (
            {one["Name"]: one["Soft"] for one in seen["HostConfig"]["Ulimits"] or []} == GOLDEN_ULIMITS
            and all(one["Soft"] == one["Hard"] for one in seen["HostConfig"]["Ulimits"])
        ),
    ),
    "5.20 mount propagation": ("nothing is mounted that could", lambda seen: not seen["Mounts"]),
    "5.21 host's UTS": ("another name space", _is("HostConfig.UTSMode", "")),
    "5.22 seccomp": (
        "on, with a profile of our own",
        lambda seen: any(one.startswith("seccomp={") for one in _options(seen)),
    ),
    "5.23, 5.24 docker exec": ("nobody ever does: no privileged one, none as root", lambda seen: not seen["ExecIDs"]),
    "5.25 cgroup": ("under the engine's own", _is("HostConfig.CgroupParent", "")),
    "5.26 no new privileges": ("set", lambda seen: "no-new-privileges:true" in _options(seen)),
    "5.28 image": (
        "run by its id, so the newest of a name is never guessed at",
        lambda seen: seen["Config"]["Image"].startswith("sha256:"),
    ),
    "5.29 processes": ("limited", lambda seen: 0 < (seen["HostConfig"]["PidsLimit"] or 0) <= 256),
    "5.30 default bridge": ("not on it", lambda seen: "bridge" not in seen["NetworkSettings"]["Networks"]),
    "5.31 host's users": ("never shared on request", _is("HostConfig.UsernsMode", "")),
    "5.32 docker.sock": ("not in it", lambda seen: "docker.sock" not in json.dumps(seen["Mounts"])),
}
"""Rows of CIS Docker Benchmark 1.6, part 5, with what holds here. Left out, as they do not apply: 5.1 (swarm mode: not
used by us), 5.27 (health checks: they would be a `docker exec` in a used container; the server proves each container
by its calls instead)."""


@pytest.mark.case("IM-06")
@pytest.mark.parametrize("row", CIS)
def test_im_06_cis_docker_benchmark(live: Live, row: str) -> None:
    """IM-06: each row of part 5 of the CIS Docker Benchmark that applies holds for a live container."""
    reason, holds = CIS[row]

    assert holds(live.container), reason


@pytest.mark.case("IM-06")
def test_im_06_control(engine: Engine, policy: SandboxPolicy) -> None:
    """IM-06, control: a container with Docker's defaults fails most of the rows, so they can fail."""
    container = engine.client.containers.create(policy.image_id, labels={LABEL_ROLE: "test"})
    try:
        container.reload()
        failed = [row for row, (_, holds) in CIS.items() if not holds(container.attrs)]
    finally:
        container.remove(force=True)

    rows = {row.split()[0] for row in failed}
    assert {"5.4", "5.10", "5.11", "5.12", "5.13", "5.17", "5.22", "5.26"} <= rows


@pytest.mark.case("IM-06")
def test_im_06_a_servers_container_is_golden(live: Live, policy: SandboxPolicy) -> None:
    """IM-06: a live container of a server has the golden options, and nothing where nothing was decided on."""
    assert unlike(live.container, policy) == []


@pytest.mark.case("IM-10")
def test_im_10_no_secret_in_container_or_image(live: Live, engine: Engine, policy: SandboxPolicy) -> None:
    """IM-10: environment, labels, history and arguments of image and container hold no secret of the server's."""
    image = engine.client.images.get(policy.image_id)
    told = json.dumps([live.container, image.attrs, image.history()])

    assert [canary for canary in live.canaries if canary in told] == []
    assert sorted(name.partition("=")[0] for name in live.container["Config"]["Env"]) == sorted(
        name.partition("=")[0] for name in GOLDEN_CONFIG["Env"]
    )
    own = {name for name in live.container["Config"]["Labels"] if name not in image.attrs["Config"]["Labels"]}
    assert own == {LABEL_OWNER, LABEL_ROLE}


@pytest.mark.case("IM-10")
def test_im_10_no_secret_in_the_processes(live: Live) -> None:
    """IM-10: the agent and its zygote have no secret in environment or arguments, as the kernel has them."""
    assert len(live.processes) == 2
    for pid in live.processes:
        for name in ("environ", "cmdline"):
            raw = Path(f"/proc/{pid}/{name}").read_bytes()
            assert raw or name == "environ", "NOT PROVEN: the process cannot be looked at"
            assert [canary for canary in live.canaries if canary.encode() in raw] == []


@pytest.mark.case("IM-10")
def test_im_10_control(live: Live) -> None:
    """IM-10, control: the server's own process has the secrets, so they were there to be leaked."""
    own = Path(f"/proc/{live.server.process.pid}/environ").read_bytes()

    assert [canary for canary in live.canaries[:3] if canary.encode() not in own] == []
