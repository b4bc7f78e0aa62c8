"""Settings → engine, image and policy → a pool that has shown that it works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final

import docker
import requests
from docker.errors import DockerException, ImageNotFound

from toolwright.domain.call import ToolCall
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Status
from toolwright.domain.source import ToolSource
from toolwright.errors import EngineUnavailable, ImageMissing, InvalidInput, NotFound, SandboxUnavailable
from toolwright.images.catalog import find_image
from toolwright.images.recipe import images_root
from toolwright.sandbox.base import Cancellation, SandboxKey, SandboxPool
from toolwright.sandbox.docker_pool import open_pool
from toolwright.sandbox.engine import find_engine
from toolwright.sandbox.policy import SandboxPolicy, load_seccomp_profile
from toolwright.sandbox.pool import PoolSize
from toolwright.settings import SandboxSettings, Settings

_OURS: Final = "toolwright-sandbox-"
_SPARE_PROCESSES: Final = 32
"""For the agent, beside those of a call, so that a fork bomb does not keep it from killing."""

_PROOF: Final = ToolSource('def ready() -> str:\n    """Answer."""\n    return "ready"\n', "ready")
_PROOF_TENANT: Final = "toolwright-start"
_PROOF_WAIT_S: Final = 60.0


@contextmanager
def sandbox_pool(settings: Settings) -> Iterator[SandboxPool]:
    """Find the engine and the image, and keep a pool of sandboxes as the settings ask.

    Raises:
        EngineUnavailable, ImageMissing: as they say.
        SandboxUnavailable: the engine lacks the runtime or cannot enforce a limit.
        InvalidInput: the image has no usable name.
    """
    engine = find_engine(settings.docker_host or None)
    with closing(engine.client):
        policy = sandbox_policy(settings.sandbox, image_id(engine.client, settings.sandbox.image))
        size = settings.sandbox.pool
        pool_size = PoolSize(ready=size.min_ready, most=size.max_containers, queue=size.max_queue)
        with closing(open_pool(engine, policy, pool_size, settings.sandbox.isolation)) as pool:
            yield pool


def sandbox_policy(settings: SandboxSettings, image: str) -> SandboxPolicy:
    """Return the policy that the settings ask for, with the image `image` (`sha256:…`)."""
    limits = settings.limits.limits
    return SandboxPolicy(
        image_id=image,
        seccomp_profile=load_seccomp_profile(images_root()),
        runtime=settings.runtime,
        limits=limits,
        container_processes=limits.processes + _SPARE_PROCESSES,
        max_calls=settings.max_calls,
        max_age_s=settings.max_age_s,
    )


def image_id(client: docker.DockerClient, name: str) -> str:
    """Return the id of the image that `name` means now; from here on nothing else is run.

    Args:
        client: a connected client.
        name: of a recipe of ours (`python`, `toolwright-sandbox-python`), or an image named by content.

    Raises:
        ImageMissing: it is not in the engine.
        InvalidInput: the name is neither.
        EngineUnavailable: the engine does not answer.
    """
    if "sha256:" not in name:
        try:
            return find_image(client, name.removeprefix(_OURS)).image_id
        except NotFound as fault:
            limit = "an image of ours, name@sha256:… or an image id"
            raise InvalidInput("sandbox.image", f"{name!r} is none of ours ({fault})", limit) from None
    try:
        return str(client.images.get(name).id)
    except ImageNotFound:
        raise ImageMissing(f"the sandbox image {name} is not in the engine; load it, or build one") from None
    except (DockerException, requests.RequestException) as fault:
        raise EngineUnavailable(f"the engine does not tell about the image {name}: {fault}") from fault


def prove(pool: SandboxPool, limits: Limits) -> None:
    """Run one good call, so that what is called healthy has worked once.

    Raises:
        SandboxUnavailable: the call did not give its result.
        Overloaded: no sandbox came up in time.
    """
    call = ToolCall(_PROOF, limits=limits)
    key = SandboxKey(_PROOF_TENANT, _PROOF.digest)
    cancellation = Cancellation()
    with pool.lease(key, timeout_s=_PROOF_WAIT_S, cancellation=cancellation) as lease:
        outcome = lease.sandbox.run(call, cancellation)
    if outcome.status is not Status.SUCCESS or outcome.result_json != '"ready"':
        why = f": {outcome.failure.message}" if outcome.failure else ""
        raise SandboxUnavailable(f"a first call in the sandbox ended with {outcome.status}{why}; nothing is served")
