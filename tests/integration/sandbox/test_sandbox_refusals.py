"""What cannot be had is refused before any tool runs, with what to do about it; there is no fall-back."""

from __future__ import annotations

import gc
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.sandbox.conftest import OpenPool, Start
from tests.integration.sandbox.helpers import call, eventually, run
from toolwright.domain.outcome import Status
from toolwright.errors import EngineUnavailable, ImageMissing, SandboxUnavailable
from toolwright.images.recipe import images_root
from toolwright.sandbox.base import Cancellation
from toolwright.sandbox.docker_pool import open_pool
from toolwright.sandbox.engine import Engine, find_engine
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.sandbox.pool import PoolSize

pytestmark = pytest.mark.integration

NOWHERE = "sha256:" + "0" * 64
AGENT = images_root() / "agent" / "toolwright_agent"


def sandboxes(engine: Engine, image: str) -> list[Any]:
    """Return the containers of an image, in whatever state."""
    return engine.client.containers.list(all=True, filters={"ancestor": image}, ignore_removed=True)


def test_a_missing_image_is_named_with_the_way_to_make_it(small_pool: OpenPool) -> None:
    """At the opening of the pool, before anyone calls."""
    with pytest.raises(ImageMissing, match=r"toolwright images build"):
        small_pool(image_id=NOWHERE)


def test_an_image_that_goes_missing_later_is_named_as_well(start: Start) -> None:
    """Removed behind a running server's back."""
    with pytest.raises(ImageMissing, match=NOWHERE):
        start(image_id=NOWHERE)


def test_an_unknown_runtime_is_refused(small_pool: OpenPool) -> None:
    """No weaker one takes its place."""
    with pytest.raises(SandboxUnavailable, match=r"no runtime 'kata'.*no fall-back"):
        small_pool(runtime="kata")


@pytest.mark.parametrize("key", ["MemoryLimit", "PidsLimit", "CpuCfsQuota", "SecurityOptions"])
def test_an_engine_that_cannot_enforce_a_limit_is_refused(engine: Engine, policy: SandboxPolicy, key: str) -> None:
    """Each limit is asked for by name before a pool opens."""
    weak = replace(engine, info={**engine.info, key: None})
    with pytest.raises(SandboxUnavailable, match="cannot enforce"):
        open_pool(weak, policy, PoolSize())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the engine's client drops its socket
def test_an_engine_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The address that was asked for is the only one that is tried."""
    with pytest.raises(EngineUnavailable, match=r"nobody\.sock.*DOCKER_HOST.*never run outside a sandbox"):
        find_engine(f"unix://{tmp_path}/nobody.sock")
    gc.collect()  # here and now, so that no other test hears of that socket


def test_a_seccomp_profile_that_is_none_starts_nothing(start: Start, engine: Engine, policy: SandboxPolicy) -> None:
    """The engine refuses it; a container without a filter is never started instead."""
    before = {one.id for one in sandboxes(engine, policy.image_id)}
    with pytest.raises(SandboxUnavailable):
        start(seccomp_profile="{ no profile")
    assert {one.id for one in sandboxes(engine, policy.image_id)} <= before


# --- images that are not what they should be ----------------------------------------------------


Derive = Callable[[str, str], str]


@pytest.fixture
def derive(engine: Engine, policy: SandboxPolicy) -> Iterator[Derive]:
    """Make an image whose agent differs from ours in one file."""
    made: list[str] = []

    def build(name: str, text: str) -> str:
        files = {path.name: path.read_text(encoding="utf-8") for path in AGENT.glob("*.py")} | {name: text}
        entrypoint = ["/usr/bin/python3.13", "-I", "-S", "-B", "-X", "utf8", "/other/toolwright_agent"]
        recipe = (
            f"FROM {policy.image_id}\nCOPY *.py /other/toolwright_agent/\nCOPY start.json /other/\n"
            f"ENTRYPOINT {json.dumps(entrypoint)}\n"
        )
        files["start.json"] = '{"preload": [], "reseed": []}'
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w") as archive:
            for path, content in {"Dockerfile": recipe, **files}.items():
                entry = tarfile.TarInfo(path)
                entry.size, entry.mode = len(content.encode()), 0o644
                archive.addfile(entry, io.BytesIO(content.encode()))
        context.seek(0)
        image, _ = engine.client.images.build(fileobj=context, custom_context=True, rm=True, forcerm=True)
        made.append(str(image.id))
        return str(image.id)

    yield build
    for image_id in made:
        engine.client.images.remove(image_id, force=True)


SPEAK = """
import sys, time
sys.path.insert(0, "/other")
from toolwright_agent.frames import FrameType, pack
sys.stdout.buffer.write({frame})
sys.stdout.flush()
time.sleep(60)
"""
AGENTS = {
    "another protocol": ("__init__.py", "PROTOCOL_VERSION = 2\n", "protocol version 2"),
    "no agent": ("__main__.py", "raise SystemExit('not today')\n", "not today"),
    "chatter": ("__main__.py", SPEAK.format(frame="b'Welcome! ' * 9"), "no frame header"),
    "an empty hello": ("__main__.py", SPEAK.format(frame="pack(1, FrameType.HELLO, 0, b'{}')"), "rebuild the image"),
    "a hello that is no JSON": (
        "__main__.py",
        SPEAK.format(frame="pack(1, FrameType.HELLO, 0, b'hi')"),
        "hello is no JSON",
    ),
    "no hello first": ("__main__.py", SPEAK.format(frame="pack(1, FrameType.STARTED, 7)"), "no hello"),
    "more than a hello": ("__main__.py", SPEAK.format(frame="2 * pack(1, FrameType.HELLO, 0, b'{}')"), "no hello"),
}


@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_that_does_not_speak_our_protocol_is_refused(
    derive: Derive, start: Start, engine: Engine, name: str
) -> None:
    """At its hello, with the reason; its container is gone."""
    file, text, reason = AGENTS[name]
    image = derive(file, text)
    with pytest.raises(SandboxUnavailable, match=reason):
        start(image_id=image)
    eventually(lambda: not sandboxes(engine, image))


def test_a_pool_of_a_broken_image_tells_callers_why(derive: Derive, small_pool: OpenPool) -> None:
    """Each caller hears the reason at once, not that the pool is overloaded."""
    image = derive("__init__.py", "PROTOCOL_VERSION = 2\n")
    pool = small_pool(image_id=image)
    with pytest.raises(SandboxUnavailable, match="protocol version 2"):
        run(pool, call())


def test_the_same_image_rebuilt_as_it_was_is_accepted(derive: Derive, start: Start) -> None:
    """The control for the refusals above: a derived image is no worse for being derived."""
    image = derive("__init__.py", '"""The same."""\n\nPROTOCOL_VERSION = 1\n')

    assert start(image_id=image).run(call(), Cancellation()).status is Status.SUCCESS
