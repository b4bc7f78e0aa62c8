"""FT: a container engine that fails, lies, is slow or is gone, and images that do not work. No tool runs elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import pytest

from tests.security.kit.engine_proxy import (
    CUT,
    EOF,
    LOST,
    MALFORMED,
    NO_HTTP,
    OTHER_JSON,
    Asked,
    EngineProxy,
    Fault,
    answering,
    proxied,
    refusing,
)
from tests.security.kit.faulty_image import CRASHING, derived, speaking
from tests.security.kit.refused_start import refused_start
from tests.security.kit.server_process import ServerProcess, serving, wait_until
from toolwright.client import Client
from toolwright.domain.outcome import Outcome, Status
from toolwright.domain.source import ToolSource
from toolwright.errors import ImageMissing, SandboxUnavailable, ToolwrightError
from toolwright.sandbox.docker_pool import open_pool
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.frames import PROTOCOL_VERSION
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.sandbox.pool import PoolSize

pytestmark = [pytest.mark.security, pytest.mark.threat("T-OPS-01")]

MARK: Final = ToolSource(
    """
import time
def f(path: str, seconds: float = 0) -> str:
    time.sleep(seconds)
    try:
        with open(path, "w") as file:
            file.write("ran")
    except OSError:
        pass
    return "ran"
""",
    "f",
)
"""In a sandbox it leaves no mark; anywhere else on this machine it would."""

_SOON_S: Final = 2.0
_QUEUE_S: Final = 4.0
_RECOVERED_S: Final = 15.0
"""The longest pause between two starts is ten seconds."""
_EVERY_CALL_ANOTHER: Final = {
    "ISOLATION__DEFAULT": "call",
    "SANDBOX__POOL__MIN_READY": "1",
    "SANDBOX__POOL__MAX_CONTAINERS": "2",
    "SANDBOX__POOL__QUEUE_TIMEOUT_S": str(_QUEUE_S),
    "SANDBOX__POOL__IDLE_S": "1",
}


@dataclass(frozen=True, slots=True)
class Site:
    """A server, the engine that it knows, and the place where a call outside a sandbox would leave its mark."""

    server: ServerProcess
    proxy: EngineProxy
    client: Client
    mark: Path

    def call(self, seconds: float = 0.0) -> Outcome:
        """Run the tool that leaves a mark."""
        return self.client.execute(MARK, {"path": str(self.mark), "seconds": seconds}).outcome

    def refusal(self) -> tuple[ToolwrightError, float]:
        """Call until the sandboxes that were ready are used up; return the first fault and how long it took."""
        for _ in range(4):
            begun = time.monotonic()
            try:
                assert self.call().status is Status.SUCCESS
            except ToolwrightError as fault:
                return fault, time.monotonic() - begun
        raise AssertionError("NOT PROVEN: the calls still succeed")

    def goes_down(self) -> None:
        """Call until health says NOT_SERVING: a container that was nearly ready may still have become so."""

        def is_down() -> bool:
            self.refusal()
            return not self.client.healthy()

        wait_until(is_down, 10.0, "health says NOT_SERVING")

    def recovers(self) -> float:
        """Wait until calls succeed again, then until health says so; return the seconds until the first call."""
        taken_s = wait_until(self._succeeds, _RECOVERED_S, "a call succeeds again")
        wait_until(self.client.healthy, 2.0, "health says SERVING")
        return taken_s

    def _succeeds(self) -> bool:
        try:
            return self.call().status is Status.SUCCESS
        except (SandboxUnavailable, ImageMissing):
            return False

    def settles(self) -> None:
        """Wait until no container is left but the one that is kept ready."""
        wait_until(lambda: len(self.server.containers()) <= 1, _RECOVERED_S, "what was half made is gone")

    def check_nothing_ran(self) -> None:
        """Fail if a tool ran outside a sandbox."""
        assert not self.mark.exists()
        assert psutil.Process(self.server.process.pid).children(recursive=True) == []


@pytest.fixture(scope="module")
def site(engine: Engine, policy: SandboxPolicy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with a container for each call, so that each call needs the engine."""
    place = tmp_path_factory.mktemp("site")
    with (
        proxied(engine.address, place) as proxy,
        serving(
            engine,
            place / "state",
            DOCKER_HOST=proxy.address,
            SANDBOX__IMAGE=policy.image_id,
            **_EVERY_CALL_ANOTHER,
        ) as server,
        server.client() as client,
    ):
        yield Site(server, proxy, client, place / "mark")


def _is_work(asked: Asked) -> bool:
    return not asked.is_ping


# --- an engine that does not do as it should ----------------------------------------------------------


def test_the_mark_is_seen_outside_a_sandbox(tmp_path: Path) -> None:
    """The probe of this module: the tool's code leaves its mark when a process of this machine runs it."""
    program = MARK.code + f"\nf({str(tmp_path / 'mark')!r})\n"
    subprocess.run([sys.executable, "-I", "-c", program], check=True, timeout=20)

    assert (tmp_path / "mark").read_text() == "ran"


@pytest.mark.case("FT-06")
@pytest.mark.parametrize(
    "fault",
    [
        refusing("no space left on device"),
        EOF,
        pytest.param(OTHER_JSON, marks=pytest.mark.slow),
        pytest.param(MALFORMED, marks=pytest.mark.slow),
        pytest.param(CUT, marks=pytest.mark.slow),
        pytest.param(NO_HTTP, marks=pytest.mark.slow),
    ],
    ids=["500", "no answer", "other JSON", "no JSON", "cut off", "no HTTP"],
)
def test_ft_06_an_engine_that_fails(site: Site, fault: Fault) -> None:
    """FT-06: whatever the engine answers, callers get UNAVAILABLE soon, no tool runs elsewhere, and it comes back."""
    recorded = site.server.executions()
    with site.proxy.failing(fault, when=_is_work):
        refusal, seconds = site.refusal()
        answered = site.server.executions() - recorded
        site.goes_down()
        again, _ = site.refusal()
    site.recovers()

    assert type(refusal) is type(again) is SandboxUnavailable
    assert seconds < _SOON_S
    assert answered <= 3, "only what had a sandbox is on record"
    site.check_nothing_ran()
    site.settles()


@pytest.mark.case("FT-06")
@pytest.mark.slow
def test_ft_06_a_slow_engine(site: Site) -> None:
    """FT-06: an engine that takes longer than calls may wait is UNAVAILABLE, and no reason to say "busy"."""
    with site.proxy.failing(Fault(None, delay_s=_QUEUE_S + 3), when=_is_work):
        refusal, seconds = site.refusal()
    site.recovers()

    assert type(refusal) is SandboxUnavailable
    assert seconds < _QUEUE_S + _SOON_S
    site.check_nothing_ran()
    site.settles()


@pytest.mark.slow
@pytest.mark.case("FT-06")
@pytest.mark.timeout(200)
def test_ft_06_an_engine_that_takes_thirty_seconds(site: Site) -> None:
    """FT-06: an engine that answers after its time is up keeps no caller longer than the queue does."""
    with site.proxy.failing(Fault(None, delay_s=31.0), when=_is_work):
        refusals = [site.refusal() for _ in range(3)]
        time.sleep(31)  # the first start gives up
        late, _ = site.refusal()
    wait_until(lambda: site.recovers() < _RECOVERED_S, 60.0, "it recovers")

    assert [type(refusal) for refusal, _ in refusals] == [SandboxUnavailable] * 3
    assert max(seconds for _, seconds in refusals) < _QUEUE_S + _SOON_S
    assert type(late) is SandboxUnavailable
    site.check_nothing_ran()
    site.settles()


@pytest.mark.case("FT-06")
def test_ft_06_socket_missing(site: Site) -> None:
    """FT-06: while the engine's socket is not there calls are UNAVAILABLE at once; one that ran is INFRASTRUCTURE."""
    site.recovers()
    recorded = site.server.executions()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(site.call, 8.0)
        wait_until(lambda: site.server.executions() > recorded, 5.0, "the call is sent")
        site.proxy.vanish()
        begun = time.monotonic()
        try:
            lost = running.result(10)
            lost_s = time.monotonic() - begun
            refusal, seconds = site.refusal()
            site.goes_down()
        finally:
            site.proxy.appear()
    site.recovers()

    assert (lost.status, lost.failure and lost.failure.type) == (Status.INFRASTRUCTURE, "SandboxLost")
    assert lost_s < _SOON_S
    assert type(refusal) is SandboxUnavailable
    assert seconds < _SOON_S
    site.check_nothing_ran()
    site.settles()


@pytest.mark.case("FT-06")
@pytest.mark.slow
def test_ft_06_starts_are_put_off(site: Site) -> None:
    """FT-06: while starts fail, hundreds of calls are refused at once and the engine is asked a few times only."""
    with site.proxy.failing(refusing("cannot allocate memory"), when=_is_work):
        site.refusal()
        begun = time.monotonic()
        refused = 0
        while time.monotonic() - begun < 2:
            site.refusal()
            refused += 1
        asked = site.proxy.made_since(begun)
    site.recovers()

    assert refused > 100
    assert asked <= 8, "at a quarter, a half, one and two seconds, two at a time"


@pytest.mark.case("FT-06")
def test_ft_06_no_engine_at_start(tmp_path: Path) -> None:
    """FT-06: without an engine a server does not start, and says how to get one."""
    refused = refused_start(tmp_path / "state", DOCKER_HOST=f"unix://{tmp_path}/nonesuch.sock")

    assert (refused.status, refused.reason) == (3, "ENGINE_UNAVAILABLE")
    assert "DOCKER_HOST" in refused.message
    assert "never run outside a sandbox" in refused.message


@pytest.mark.case("FT-06")
@pytest.mark.parametrize("answer", [OTHER_JSON, EOF], ids=["other JSON", "no answer"])
def test_ft_06_an_engine_that_talks_nonsense_at_start(engine: Engine, tmp_path: Path, answer: Fault) -> None:
    """FT-06: what is no engine at all is refused in a sentence, with no traceback."""
    with proxied(engine.address, tmp_path) as proxy, proxy.failing(answer):
        refused = refused_start(tmp_path / "state", DOCKER_HOST=proxy.address)

    assert (refused.status, refused.reason) == (3, "ENGINE_UNAVAILABLE")
    assert "Traceback" not in refused.told


# --- containers that are half made --------------------------------------------------------------------


def _path(method: str, ending: str) -> Callable[[Asked], bool]:
    return lambda asked: asked.method == method and asked.path.partition("?")[0].endswith(ending)


def _removes(asked: Asked) -> bool:
    return asked.method == "DELETE"


_HALF_MADE: Final[dict[str, Callable[[Asked], Fault | None]]] = {
    "made, and nobody hears of it": lambda asked: LOST if asked.makes else None,
    "made, then not to be found": lambda asked: (
        EOF if _path("GET", "/json")(asked) and "/containers/" in asked.path else None
    ),
    "no stream": lambda asked: refusing("too many open files") if _path("POST", "/attach")(asked) else None,
    "not started": lambda asked: (
        refusing("cgroups: cannot allocate memory") if _path("POST", "/start")(asked) else None
    ),
    "started, and nobody hears of it": lambda asked: LOST if _path("POST", "/start")(asked) else None,
    "not started, not removed": lambda asked: (
        refusing("too many open files") if _path("POST", "/start")(asked) or _removes(asked) else None
    ),
    "not removed": lambda asked: EOF if _removes(asked) or asked.makes else None,
}


_QUICK: Final = ("made, and nobody hears of it", "no stream", "not started, not removed")


@pytest.mark.case("FT-10")
@pytest.mark.parametrize(
    "name", [name if name in _QUICK else pytest.param(name, marks=pytest.mark.slow) for name in _HALF_MADE]
)
def test_ft_10_a_start_that_fails_half_way(site: Site, name: str) -> None:
    """FT-10: wherever a start breaks off, the caller gets UNAVAILABLE, and soon no half-made container is left."""
    site.recovers()
    site.proxy.rule = _HALF_MADE[name]
    try:
        refusal, _ = site.refusal()
    finally:
        site.proxy.rule = lambda _: None
    site.recovers()

    assert type(refusal) is SandboxUnavailable
    site.settles()
    wait_until(
        lambda: {one.status for one in site.server._owned()} <= {"running"},  # what is being made just now
        _RECOVERED_S,
        "no container is half made",
    )
    site.check_nothing_ran()


# --- images and runtimes ------------------------------------------------------------------------------


@pytest.mark.case("FT-07")
@pytest.mark.parametrize("image", ["sha256:" + "0" * 64, "toolwright-sandbox-python@sha256:" + "0" * 64])
def test_ft_07_image_missing_at_start(engine: Engine, tmp_path: Path, image: str) -> None:
    """FT-07: without exactly the image that was named a server does not start, fetches none, and says what to do."""
    with proxied(engine.address, tmp_path) as proxy:
        refused = refused_start(tmp_path / "state", DOCKER_HOST=proxy.address, SANDBOX__IMAGE=image)
        fetched = [one.path for one in proxy.asked if one.path.startswith("/images/create")]

    assert (refused.status, refused.reason) == (3, "IMAGE_MISSING")
    assert "build one" in refused.message
    assert image in refused.message
    assert (fetched, proxy.made_since(0.0)) == ([], 0)


@pytest.mark.case("FT-07")
def test_ft_07_image_removed_while_serving(site: Site) -> None:
    """FT-07: an image that goes away is FAILED_PRECONDITION with the remedy, nothing is fetched, and it comes back."""
    missing = answering(404, json.dumps({"message": "No such image: sha256:0000"}).encode())
    with site.proxy.failing(missing, when=lambda asked: asked.makes):
        refusal, _ = site.refusal()
    site.recovers()

    assert type(refusal) is ImageMissing
    assert "toolwright images build" in str(refusal)
    assert [one.path for one in site.proxy.asked if one.path.startswith("/images/create")] == []
    site.check_nothing_ran()


@pytest.mark.case("FT-08")
def test_ft_08_runtime_not_installed(engine: Engine, policy: SandboxPolicy, tmp_path: Path) -> None:
    """FT-08: a runtime that the engine does not have is refused by name; no container is made under another one."""
    with proxied(engine.address, tmp_path) as proxy:
        refused = refused_start(
            tmp_path / "state", DOCKER_HOST=proxy.address, SANDBOX__IMAGE=policy.image_id, SANDBOX__RUNTIME="kata"
        )

    assert (refused.status, refused.reason) == (3, "SANDBOX_UNAVAILABLE")
    assert "has no runtime 'kata', only" in refused.message
    assert "no fall-back" in refused.message
    assert proxy.made_since(0.0) == 0


@pytest.mark.case("FT-19")
@pytest.mark.slow
def test_ft_19_an_agent_that_breaks_at_once(engine: Engine, policy: SandboxPolicy, site: Site) -> None:
    """FT-19: while each new container dies at once, starts are put off, the server idles, and says NOT_SERVING."""
    process = psutil.Process(site.server.process.pid)
    with derived(engine, policy.image_id, CRASHING) as broken:
        swap = Fault(None, instead=(policy.image_id.encode(), broken.encode()))
        with site.proxy.failing(swap, when=lambda asked: asked.makes):
            refusal, _ = site.refusal()
            site.goes_down()
            begun, used = time.monotonic(), sum(process.cpu_times()[:2])
            time.sleep(3)
            used, seconds = sum(process.cpu_times()[:2]) - used, time.monotonic() - begun
            asked = site.proxy.made_since(begun)
            again, waited = site.refusal()
        site.recovers()

    assert type(refusal) is type(again) is SandboxUnavailable
    assert waited < _SOON_S
    assert 1 <= asked <= 8
    assert used / seconds < 0.2
    site.settles()
    assert "the agent broke at once" in Path(site.server.state_dir.parent / "state.log").read_text()


@pytest.mark.slow
@pytest.mark.case("FT-19")
def test_ft_19_an_agent_that_breaks_from_the_start(engine: Engine, policy: SandboxPolicy, tmp_path: Path) -> None:
    """FT-19: a server whose first container dies at once does not start, and shows the agent's last words."""
    with derived(engine, policy.image_id, CRASHING) as broken:
        refused = refused_start(tmp_path / "state", SANDBOX__IMAGE=broken)

    assert refused.status == 3
    assert refused.reason == "SANDBOX_UNAVAILABLE"
    assert "the agent broke at once" in refused.message


@pytest.mark.case("FT-23")
@pytest.mark.parametrize("protocol", [pytest.param(PROTOCOL_VERSION - 1, marks=pytest.mark.slow), PROTOCOL_VERSION + 1])
def test_ft_23_an_agent_of_another_protocol(
    engine: Engine, policy: SandboxPolicy, tmp_path: Path, protocol: int
) -> None:
    """FT-23: an image whose agent is older or newer is refused at the handshake, with what to do."""
    with derived(engine, policy.image_id, speaking(protocol)) as other:
        refused = refused_start(tmp_path / "state", SANDBOX__IMAGE=other)
        left = engine.client.containers.list(all=True, filters={"ancestor": other}, ignore_removed=True)

    assert (refused.status, refused.reason) == (3, "SANDBOX_UNAVAILABLE")
    assert f"protocol version {protocol}, not {PROTOCOL_VERSION}; rebuild the image" in refused.message
    assert left == []


@pytest.mark.case("FT-23")
def test_ft_23_the_agent_of_our_protocol_is_taken(engine: Engine, policy: SandboxPolicy) -> None:
    """FT-23: the same derived image whose agent speaks our protocol starts, so it is the version that was refused."""
    with derived(engine, policy.image_id, speaking(PROTOCOL_VERSION)) as same:
        pool = open_pool(engine, SandboxPolicy(same, policy.seccomp_profile), PoolSize(ready=1, most=1))
        try:
            wait_until(lambda: pool.counts()["blank"] == 1, 10.0, "a container starts")
        finally:
            pool.close()
