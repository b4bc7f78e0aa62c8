"""The start-up check itself: each layer is taken away or weakened in turn, and the check has to name it.

Every container here is thrown away, keeps bounds on memory, processes and time, and runs only the check's own code.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.integration.sandbox.golden import unlike
from toolwright.attacks.sabotage import NO_RULES, STAY_ROOT, agent_with
from toolwright.client import Client
from toolwright.domain.limits import MIB
from toolwright.domain.source import ToolSource
from toolwright.errors import NotFound, SandboxUnavailable
from toolwright.registry.testing import sample_task
from toolwright.sandbox.engine import Engine, find_engine
from toolwright.sandbox.owner import owner_label
from toolwright.sandbox.policy import SCRATCH, SandboxPolicy
from toolwright.sandbox.selfcheck.check import check_sandbox
from toolwright.sandbox.selfcheck.facts import GVISOR
from toolwright.server import Server, open_server
from toolwright.server.sandboxes import sandbox_policy
from toolwright.settings import SandboxSettings, Settings
from toolwright.v1 import execution_pb2, execution_pb2_grpc

pytestmark = [pytest.mark.security, pytest.mark.threat("T-OPS-03")]

Options = dict[str, Any]
Change = Callable[[Options], None]


@dataclass(frozen=True, slots=True)
class Weakened(SandboxPolicy):
    """The production policy, but for what `change` does to the options of its containers."""

    change: Change = lambda _options: None

    def container_options(self, uid_base: int, owner: str) -> Options:
        """Return the options, changed."""
        options = SandboxPolicy.container_options(self, uid_base, owner)
        self.change(options)
        return options


def weakened(policy: SandboxPolicy, change: Change) -> Weakened:
    """Return `policy` with `change`."""
    fields = {name: getattr(policy, name) for name in SandboxPolicy.__dataclass_fields__}
    return Weakened(**fields, change=change)


def put(**values: Any) -> Change:
    """Set options."""
    return lambda options: options.update(values)


def without(*names: str) -> Change:
    """Leave options out."""

    def change(options: Options) -> None:
        for name in names:
            del options[name]

    return change


def scratch(old: str, new: str) -> Change:
    """Mount the scratch space in another way."""
    return lambda options: options.update(tmpfs={SCRATCH: options["tmpfs"][SCRATCH].replace(old, new)})


def security(old: str, new: str | None) -> Change:
    """Put `new` in the place of the security option that begins with `old`."""

    def change(options: Options) -> None:
        kept = [one for one in options["security_opt"] if not one.startswith(old)]
        options["security_opt"] = kept + ([new] if new else [])

    return change


def profile(old: str, new: str) -> Change:
    """Change the text of the seccomp profile."""

    def change(options: Options) -> None:
        options["security_opt"] = [one.replace(old, new, 1) for one in options["security_opt"]]

    return change


def sysctl(name: str, value: str | None) -> Change:
    """Set or leave out one kernel setting."""

    def change(options: Options) -> None:
        kept = {key: old for key, old in options["sysctls"].items() if key != name}
        options["sysctls"] = kept | ({name: value} if value is not None else {})

    return change


def ulimit(name: str, value: int | None) -> Change:
    """Set or leave out one resource limit."""

    def change(options: Options) -> None:
        kept = [row for row in options["ulimits"] if row["Name"] != name]
        options["ulimits"] = kept + ([{"Name": name, "Soft": value, "Hard": value}] if value is not None else [])

    return change


def agent(patches: str) -> Change:
    """Run an agent that leaves a step out."""
    return put(entrypoint=agent_with(patches))


SABOTAGE: Mapping[str, tuple[Change, set[str]]] = {
    "network host": (lambda o: (o.update(network_mode="host"), o.pop("hostname"))[0], {"network", "hostname"}),
    "links, hosts and resolvers": (put(extra_hosts={"db": "10.0.0.1"}, dns=["10.0.0.1"]), {"network"}),
    "ports": (put(ports={"80/tcp": None}, publish_all_ports=True), {"network"}),
    "root writable": (put(read_only=False), {"root file system"}),
    "scratch exec": (scratch("noexec", "exec"), {"scratch space"}),
    "scratch suid": (scratch("nosuid", "suid"), {"scratch space"}),
    "scratch dev": (scratch("nodev", "dev"), {"scratch space"}),
    "scratch bytes": (scratch("size=67108864", "size=134217728"), {"scratch space"}),
    "scratch names": (scratch("nr_inodes=4096", "nr_inodes=8192"), {"scratch space"}),
    "scratch mode 1777": (scratch("mode=1731", "mode=1777"), {"scratch space"}),
    "scratch mode 1733": (scratch("mode=1731", "mode=1733"), {"scratch space"}),
    "another tmpfs": (lambda o: o["tmpfs"].update({"/tmp": "rw,size=1m"}), {"scratch space", "root file system"}),
    "cap_add SYS_PTRACE": (lambda o: o["cap_add"].append("SYS_PTRACE"), {"capabilities"}),
    "cap_add CHOWN": (lambda o: o["cap_add"].append("CHOWN"), {"capabilities"}),
    "cap_drop nothing": (without("cap_drop"), {"capabilities"}),
    "cap_drop one": (put(cap_drop=["NET_RAW"]), {"capabilities"}),
    "new privileges, no profile": (
        lambda o: o.update(security_opt=["seccomp=unconfined"]),
        {"no new privileges", "seccomp profile"},
    ),
    "seccomp unconfined": (security("seccomp=", "seccomp=unconfined"), {"seccomp profile"}),
    "seccomp default": (security("seccomp=", None), {"seccomp profile"}),
    "seccomp one rule more": (profile('"names": [', '"names": ["landlock_create_ruleset", '), {"seccomp profile"}),
    "seccomp one rule less": (profile('"getcpu",', ""), {"seccomp profile"}),
    "apparmor unconfined": (lambda o: o["security_opt"].append("apparmor=unconfined"), {"security modules"}),
    "label disable": (lambda o: o["security_opt"].append("label=disable"), {"security modules"}),
    "ipc private": (put(ipc_mode="private"), {"ipc"}),
    "queues": (sysctl("fs.mqueue.queues_max", None), {"ipc"}),
    "shared memory": (sysctl("kernel.shmmni", "4096"), {"ipc"}),
    "semaphores": (sysctl("kernel.sem", None), {"ipc"}),
    "cgroup namespace": (put(cgroupns="host"), {"namespaces"}),
    "pid namespace": (put(pid_mode="host"), {"namespaces", "security modules"}),
    "uts namespace": (lambda o: (o.update(uts_mode="host"), o.pop("hostname"))[0], {"namespaces", "hostname"}),
    "group_add": (put(group_add=["27"]), {"groups"}),
    "device": (put(devices=["/dev/zero:/dev/zero2:r"]), {"host paths"}),
    "device rule": (put(device_cgroup_rules=["c 1:3 r"]), {"host paths"}),
    "bind": (put(volumes={"/var/empty": {"bind": "/host", "mode": "ro"}}), {"host paths"}),
    "volume": (put(volumes=["/data"]), {"host paths"}),
    "memory": (lambda o: o.update(mem_limit=3 * o["mem_limit"], memswap_limit=3 * o["mem_limit"]), {"memory"}),
    "swap": (lambda o: o.update(memswap_limit=2 * o["mem_limit"]), {"memory"}),
    "OOM score": (put(oom_score_adj=0), {"memory"}),
    "processes": (put(pids_limit=256), {"processes"}),
    "CPU": (without("nano_cpus"), {"CPU"}),
    "core files": (ulimit("core", None), {"limits"}),
    "open files": (ulimit("nofile", 4096), {"limits"}),
    "file size": (ulimit("fsize", 512 * MIB), {"limits"}),
    "no ulimits": (without("ulimits"), {"limits"}),
    "log": (put(log_config={"Type": "json-file", "Config": {}}), {"log"}),
    "init": (put(init=True), {"life"}),
    "kept": (put(auto_remove=False), {"life"}),
    "restart": (put(auto_remove=False, restart_policy={"Name": "on-failure", "MaximumRetryCount": 1}), {"life"}),
    "owner": (put(labels={}), {"life"}),
    "health check": (put(healthcheck={"test": ["CMD", "/bin/true"], "interval": 3600 * 10**9}), {"exec"}),
    "hostname": (put(hostname="prod-7"), {"hostname"}),
    "user": (put(user="0:27"), {"user"}),
    "environment": (put(environment={"HTTPS_PROXY": "http://user:secret@proxy"}), {"environment"}),
    "call filter empty": (agent(NO_RULES), {"agent", "call filter"}),
    "call filter none": (
        agent("from toolwright_agent import kernel; kernel.install_filter = lambda _: None\n"),
        {"agent", "call filter", "seccomp profile"},
    ),
    "user kept": (agent(STAY_ROOT), {"agent", "user", "groups", "capabilities", "scratch space", "ipc", "terminal"}),
    "call limits": (
        agent("from toolwright_agent import inheritance; inheritance.limit = lambda *_: None\n"),
        {"agent", "limits"},
    ),
}
"""What is taken away → the layers that have to be named, and no other."""

ATTACKED: Mapping[str, tuple[Change, set[str]]] = {
    "clean-up": (
        agent("from toolwright_agent import relay; relay.Relay._clean_up = lambda *_: True\n"),
        {"agent", "clean-up"},
    ),
    "kill": (
        agent(
            "from toolwright_agent import relay; relay.Relay._obey = lambda *_: None\n"
            "relay.Relay._watch_time = lambda *_: None\n"  # it keeps time itself as well
        ),
        {"agent", "wall clock"},
    ),
    "output cap": (
        agent("from toolwright_agent import relay; relay.Stream.flooded = False\n"),
        {"agent", "output"},
    ),
}
"""The same for what shows in an attack only."""


def test_nothing_taken_away_passes(engine: Engine, policy: SandboxPolicy) -> None:
    """The production policy holds, by every attack; so does the harness with nothing to change."""
    check = check_sandbox(engine, policy)
    assert check.passed, check.explain()
    assert len(check.findings) > 120
    assert check.seconds < 10

    unchanged = check_sandbox(engine, weakened(policy, lambda _options: None), attack=False)
    assert unchanged.passed, unchanged.explain()


@pytest.mark.case("IM-08")
@pytest.mark.parametrize("name", SABOTAGE)
def test_what_is_taken_away_is_named(engine: Engine, policy: SandboxPolicy, name: str) -> None:
    """IM-08: one option less or weaker: the check fails, and names that layer and no other."""
    change, layers = SABOTAGE[name]
    check = check_sandbox(engine, weakened(policy, change), attack=False)
    assert not check.passed
    assert set(check.broken_layers) == layers, check.explain()


@pytest.mark.slow
@pytest.mark.parametrize("name", ATTACKED)
def test_what_only_an_attack_shows_is_named(engine: Engine, policy: SandboxPolicy, name: str) -> None:
    """An agent that leaves out a step is found out by what then goes on."""
    change, layers = ATTACKED[name]
    quick = check_sandbox(engine, weakened(policy, change), attack=False)
    assert set(quick.broken_layers) == {"agent"}, quick.explain()

    whole = check_sandbox(engine, weakened(policy, change))
    assert layers <= set(whole.broken_layers), whole.explain()  # what is left behind may be in others' way


@pytest.mark.case("IM-08")
@pytest.mark.parametrize("name", SABOTAGE)
def test_what_is_taken_away_is_no_golden_container(engine: Engine, policy: SandboxPolicy, name: str) -> None:
    """IM-08: with the same option less or weaker the test of golden options is red too."""
    change, _ = SABOTAGE[name]
    assert _made(engine, weakened(policy, change), policy) != []


@pytest.mark.case("IM-08")
def test_nothing_taken_away_is_a_golden_container(engine: Engine, policy: SandboxPolicy) -> None:
    """IM-08, control: with nothing to change it is green."""
    assert _made(engine, weakened(policy, lambda _options: None), policy) == []


def _made(engine: Engine, weak: SandboxPolicy, policy: SandboxPolicy) -> list[str]:
    """Make a container, which is not started; return what of it is not golden."""
    containers: Any = engine.client.containers  # its types know less than it takes
    container = containers.create(**weak.container_options(65_536, owner_label()))
    try:
        return unlike(engine.client.api.inspect_container(container.id), policy)
    finally:
        container.remove(force=True, v=True)


UNSTARTABLE: Mapping[str, tuple[Change, set[str]]] = {
    "network bridge": (put(network_mode="bridge"), {"network"}),
    "network default": (without("network_mode"), {"network"}),
    "privileged": (put(privileged=True), {"privileges", "kernel settings"}),
    "ipc host": (put(ipc_mode="host"), {"ipc"}),
    "channel": (put(stdin_open=False), {"channel"}),
    "terminal": (put(tty=True), {"terminal"}),
    # The runtime then loads the profile first, and needs more than it allows to give up its own rights.
    "new privileges": (security("no-new-privileges", None), {"no new privileges"}),
    "new privileges false": (security("no-new-privileges", "no-new-privileges:false"), {"no new privileges"}),
    "agent without its user": (put(user="65532:65532"), {"user"}),
}
"""Some engines do not start these at all, and some of these take no call."""


@pytest.mark.parametrize("name", UNSTARTABLE)
def test_what_may_not_start_is_named_too(engine: Engine, policy: SandboxPolicy, name: str) -> None:
    """A container that does not start is looked at all the same."""
    change, layers = UNSTARTABLE[name]
    check = check_sandbox(engine, weakened(policy, change), attack=False)
    assert not check.passed
    assert layers <= set(check.broken_layers), check.explain()


def test_what_cannot_start_for_no_reason_of_ours_is_a_fault(engine: Engine, policy: SandboxPolicy) -> None:
    """Where the options are right there is no layer to name, and nothing to serve."""
    with pytest.raises(SandboxUnavailable, match="did not start"):
        check_sandbox(engine, weakened(policy, put(command=["1", "2", "/nowhere"])), attack=False)


def test_proxies_of_the_user_stay_outside(
    engine: Engine, policy: SandboxPolicy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker's client would put proxies of its configuration, passwords and all, into every container."""
    proxies = {"default": {"httpProxy": "http://user:secret@proxy:3128"}}
    (tmp_path / "config.json").write_text(json.dumps({"proxies": proxies}), encoding="utf-8")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    configured = find_engine(engine.address)
    try:
        let_in = check_sandbox(configured, weakened(policy, put(use_config_proxy=True)), attack=False)
        ours = check_sandbox(configured, policy, attack=False)
    finally:
        configured.client.close()
    assert let_in.broken_layers == ("environment",)
    assert ours.passed, ours.explain()


# --- the server ---------------------------------------------------------------------------------


@contextmanager
def served(directory: Path, change: Change, address: str | None = None) -> Iterator[Server]:
    """Start a server whose containers are weakened by `change`."""

    def policy_of(settings: SandboxSettings, image: str) -> SandboxPolicy:
        return weakened(sandbox_policy(settings, image), change)

    with open_server(Settings(state_dir=directory), address=address, policy_of=policy_of) as server:
        yield server


def health(address: str) -> int:
    """Return what the server answers to a health check."""
    with grpc.insecure_channel(address) as channel:
        check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]  # made at run time
        return int(check(health_pb2.HealthCheckRequest(), timeout=5).status)


def test_server_without_a_layer_serves_nothing(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without `network_mode` it stays NOT_SERVING, names the network in each refusal, and says so once in its log."""
    source = ToolSource("def f():\n    return 1\n", "f")
    with served(tmp_path, without("network_mode"), "127.0.0.1:0") as server, Client(server.address) as client:
        assert server.check is not None
        assert "network" in server.check.broken_layers
        assert health(server.address) == health_pb2.HealthCheckResponse.NOT_SERVING
        assert not client.healthy()
        refused: Mapping[str, Callable[[], object]] = {
            "ExecuteTool": lambda: client.execute(source, {}),
            "MakeTool": lambda: list(client.make(sample_task())),
            "RegisterTool": lambda: client.register(sample_task(), source),
            "Solve": lambda: list(client.solve("What is 1 + 2?")),
        }
        for name, call in refused.items():
            with pytest.raises(SandboxUnavailable, match=r"not in force: network\b"):
                pytest.fail(f"{name} returned {call()!r}")
        assert list(client.list_tools()) == []
        with pytest.raises(NotFound):
            client.get_tool("nonesuch")
    told = [one.getMessage() for one in caplog.records if (one.name, one.levelname) == ("toolwright.server", "ERROR")]
    assert len(told) == 1
    assert json.loads(told[0])["layers"] == list(server.check.broken_layers)


def test_refusal_is_unavailable_on_the_wire(engine: Engine, tmp_path: Path) -> None:
    """The status is UNAVAILABLE, with the layer's name in its text."""
    with (
        served(tmp_path, put(read_only=False), "127.0.0.1:0") as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = execution_pb2_grpc.ExecutionServiceStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            stub.ExecuteTool(execution_pb2.ExecuteToolRequest(arguments_json="{}"), timeout=5)
    fault: Any = refused.value
    assert fault.code() is grpc.StatusCode.UNAVAILABLE
    assert "root file system" in fault.details()


def test_own_server_without_a_layer_runs_nothing(engine: Engine, tmp_path: Path) -> None:
    """A server of the caller's own refuses the first call, and each one after it."""
    source = ToolSource("def f():\n    return 1\n", "f")
    with served(tmp_path, put(read_only=False)) as server, Client(server.address) as client:
        for _ in range(2):
            with pytest.raises(SandboxUnavailable, match="root file system"):
                client.execute(source, {})
        assert list(client.list_tools()) == []


# --- gVisor ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gvisor(engine: Engine, policy: SandboxPolicy) -> SandboxPolicy:
    """The production policy under gVisor."""
    if GVISOR not in engine.runtimes:
        pytest.skip(f"NOT PROVEN under {GVISOR}: the engine has no such runtime")
    return replace(policy, runtime=GVISOR)


def test_gvisor_gives_its_own_answers(engine: Engine, gvisor: SandboxPolicy) -> None:
    """Every option and every answer is as written down for it."""
    check = check_sandbox(engine, gvisor, attack=False)
    assert check.passed, check.explain()
    assert len(check.findings) > 105


@pytest.mark.slow
def test_gvisor_without_cgroups_is_refused(engine: Engine, gvisor: SandboxPolicy) -> None:
    """Where it sets no limits in the host's kernel those layers are named; all else withstands."""
    arguments = engine.info["Runtimes"][GVISOR].get("runtimeArgs") or []
    check = check_sandbox(engine, gvisor)
    unlimited = {"memory", "processes", "CPU"} if "--ignore-cgroups" in arguments else set()
    assert set(check.broken_layers) == unlimited, check.explain()
    assert {finding.check for finding in check.broken} <= {"limit in the kernel", "twice the processors: result"}


@pytest.mark.parametrize("name", ["call filter empty", "user kept", "network host", "scratch mode 1777", "call limits"])
def test_what_is_taken_away_is_named_under_gvisor(engine: Engine, gvisor: SandboxPolicy, name: str) -> None:
    """The layers that gVisor shares with runc are tried in the same way."""
    change, layers = SABOTAGE[name]
    check = check_sandbox(engine, weakened(gvisor, change), attack=False)
    assert layers <= set(check.broken_layers) | {"ipc"}, check.explain()
