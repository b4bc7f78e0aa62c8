"""The sections of the settings, each value with its unit and its bounds."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from toolwright.domain.call import Isolation
from toolwright.domain.isolation import IsolationPolicy
from toolwright.domain.limits import MIB, Limits
from toolwright.domain.source import check_tool_name
from toolwright.errors import InvalidInput
from toolwright.sandbox.uids import CALLS
from toolwright.settings.gates import GateSettings
from toolwright.settings.section import Section

_IMAGE = r"^(sha256:[0-9a-f]{64}|[a-z0-9][a-z0-9._-]*(:[0-9]+/[a-z0-9._-]+)?(/[a-z0-9._-]+)*(@sha256:[0-9a-f]{64})?)$"
_RUNTIME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_TENANT = r"^[a-z0-9][a-z0-9._-]{0,63}$"
_MAX_RULES = 1_000
_DEFAULT = Limits()


def _tool_name(name: str) -> str:
    try:
        return check_tool_name(name)
    except InvalidInput as fault:
        raise ValueError(fault.problem) from None


TenantName = Annotated[str, Field(pattern=_TENANT)]
ToolName = Annotated[str, AfterValidator(_tool_name)]


class Profile(StrEnum):
    """Which defaults hold."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"
    """Refuses an outdated or open host; no reflection; bare source is refused; the image must be named by digest."""


class LimitSettings(Section):
    """Ceilings of every call. A request may lower them and never raise them."""

    wall_time_s: Annotated[float, Field(ge=0.05, le=120, allow_inf_nan=False)] = _DEFAULT.wall_time_s
    """Seconds until the call is killed: 0.05 to 120."""
    load_time_s: Annotated[float, Field(ge=0.05, le=120, allow_inf_nan=False)] = _DEFAULT.load_time_s
    """Seconds of these until the source is loaded, its imports included, else it is killed: 0.05 to 120."""
    memory_bytes: Annotated[int, Field(ge=32 * MIB, le=2048 * MIB)] = _DEFAULT.memory_bytes
    """Memory of a call, its files included: 32 MiB to 2 GiB."""
    processes: Annotated[int, Field(ge=1, le=128)] = _DEFAULT.processes
    """Processes and threads of a call: 1 to 128."""
    file_bytes: Annotated[int, Field(ge=4096, le=1024 * MIB)] = _DEFAULT.file_bytes
    """Largest file: 4 KiB to 1 GiB."""
    output_bytes: Annotated[int, Field(ge=1024, le=8 * MIB)] = _DEFAULT.output_bytes
    """Kept bytes of stdout, and of stderr: 1 KiB to 8 MiB."""
    result_bytes: Annotated[int, Field(ge=1024, le=16 * MIB)] = _DEFAULT.result_bytes
    """Largest result as JSON: 1 KiB to 16 MiB."""

    @property
    def limits(self) -> Limits:
        """The same as a domain value."""
        return Limits(**self.model_dump())


class PoolSettings(Section):
    """Containers kept, and calls that may wait for one.

    A call at isolation `call` takes a blank container, which is destroyed after it. A burst of such calls is served at
    once as far as blank ones are ready; what is sustained is what the engine can start and remove, four to six a
    second on two cores, however many containers there may be. Calls at the other levels keep their containers.
    """

    min_ready: Annotated[int, Field(ge=0, le=64)] = 1
    """Containers kept started and unused, whatever the demand: 0 to 64. As calls take them faster than they can be
    replaced, more are kept, in places that are free. One at least where `max_queue` is 0."""
    max_containers: Annotated[int, Field(ge=1, le=256)] = 8
    """Containers at one time: 1 to 256. Fewer where `memory_share` allows no more."""
    idle_s: Annotated[float, Field(ge=1, le=86_400, allow_inf_nan=False)] = 300.0
    """Seconds after which a container that nobody used is removed, except for `min_ready` blank ones: 1 to 86,400."""
    memory_share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.8
    """Part of the memory of the engine's machine that the limits (`sandbox.limits.memory_bytes`) of all containers
    together may make up: up to 1."""
    memory_reserve_bytes: Annotated[int, Field(ge=0, le=1024 * 1024 * MIB)] = 256 * MIB
    """While the engine's machine has less memory available, no container is started: 0 to 1 TiB. Known only where
    the engine is local."""
    max_queue: Annotated[int, Field(ge=0, le=1024)] = 64
    """Calls that may wait for a container: 0 to 1,024. They are served fairly, between tenants and between tools. One
    more is refused at once; where others wait with many calls, the newest of these is refused in its place."""
    queue_timeout_s: Annotated[float, Field(gt=0, le=120, allow_inf_nan=False)] = 30.0
    """Seconds that a call waits at most: up to 120."""

    @model_validator(mode="after")
    def _ready_fit(self) -> Self:
        if self.min_ready > self.max_containers:
            raise ValueError(f"min_ready is {self.min_ready}, more than max_containers ({self.max_containers})")
        return self


class SandboxSettings(Section):
    """Where tool code runs."""

    image: Annotated[str, Field(pattern=_IMAGE, max_length=300)] = "toolwright-sandbox-python"
    """Image name, `name@sha256:…` or image id. A tag is refused: it could move. A bare name (`python`, `science`)
    means the image that `toolwright images build` made, and is resolved to its id once, at start."""
    runtime: Annotated[str, Field(pattern=_RUNTIME)] = "runc"
    """OCI runtime that the engine knows: `runc`, `runsc`, `crun`, …. There is no fall-back to another."""
    max_calls: Annotated[int, Field(ge=1, le=CALLS)] = 1000
    """Calls after which a container is thrown away: 1 to 2,045, as each has a user id of its own."""
    max_age_s: Annotated[float, Field(ge=1, le=86_400, allow_inf_nan=False)] = 900.0
    """Seconds after which a container is thrown away: 1 to 86,400. Default 15 minutes."""
    pool: PoolSettings = PoolSettings()
    limits: LimitSettings = LimitSettings()

    @property
    def image_pinned(self) -> bool:
        """Whether the image is named by content."""
        return "sha256:" in self.image


class IsolationSettings(Section):
    """How far calls share containers: the operator's word, never a caller's.

    `call` (a fresh container for each call, destroyed after it) is stricter than `tool` (one for each tenant's each
    tool), and that stricter than `tenant` (a tenant's tools share). Of the default and the rules that apply to a call
    the strictest holds, so a rule that is weaker than the default changes nothing. A request may ask for a stricter
    level; one that asks for a weaker is refused.
    """

    default: Isolation = Isolation.TOOL
    """For every call: `call`, `tool` or `tenant`."""
    tenants: dict[TenantName, Isolation] = Field(default={}, max_length=_MAX_RULES)
    """Levels (`call`, `tool` or `tenant`) by tenant, such as `acme = "call"`; at most 1,000. A name has 1 to 64 of
    a-z, 0-9, `.`, `_` and `-`, and begins with a letter or digit. As long as callers are not authenticated, all of them
    are the tenant `default`."""
    tools: dict[ToolName, Isolation] = Field(default={}, max_length=_MAX_RULES)
    """Levels (`call`, `tool` or `tenant`) by name of a tool, without version, such as `parse_csv = "call"`; at most
    1,000. A name is one that a tool may have. Bare source has no name: where such a rule has to hold for all code, let
    `allow_source` be false."""

    @property
    def policy(self) -> IsolationPolicy:
        """The same as a domain value."""
        return IsolationPolicy(self.default, self.tenants, self.tools)


class MakingSettings(Section):
    """How tools are made."""

    attempts: Annotated[int, Field(ge=1, le=10)] = 5
    """Proposals that the maker may make where a request does not say: 1 to 10."""
    candidates: Annotated[int, Field(ge=1, le=8)] = 1
    """Proposals asked for at a time, of which the best that passes is kept, where a request does not say: 1 to 8. Each
    counts as an attempt."""
    max_tokens: Annotated[int, Field(ge=0, le=10**12)] = 0
    """Tokens, sent and received, that all exchanges of one making may take. A request may ask for less. 0: no bound."""
    max_cost_usd: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] = 20.0
    """US dollars by the price list that they may cost. A request may ask for less. 0: no bound."""
    max_seconds: Annotated[float, Field(ge=0, le=7 * 86_400, allow_inf_nan=False)] = 7200.0
    """Seconds that one making may be worked on. A request may ask for less. 0: no bound."""
    max_running: Annotated[int, Field(ge=1, le=64)] = 4
    """Makings that one server works on at one time; others wait: 1 to 64."""
    max_queue: Annotated[int, Field(ge=0, le=10_000)] = 16
    """Makings that may wait; one more is refused: 0 to 10,000."""
    lease_s: Annotated[float, Field(ge=1, le=3600, allow_inf_nan=False)] = 30.0
    """Seconds after which another server takes up what a killed one had been making: 1 to 3,600. Has to be longer than
    the clocks of servers that share a registry differ."""
    merge: bool = True
    """Whether a tool that does the same as one that is there under another name is merged with that: nothing new is
    kept, and the task's name becomes a synonym."""
    verify_s: Annotated[float, Field(ge=1, le=3600, allow_inf_nan=False)] = 300.0
    """Seconds that the calls of one attempt may run in all, before it is refused: 1 to 3,600."""
    gates: GateSettings = GateSettings()


class BatchSettings(Section):
    """Bounds of ExecuteBatch, so that loops of thousands of calls leave room for all others."""

    max_streams: Annotated[int, Field(ge=1, le=64)] = 8
    """Batches at one time; one more is refused: 1 to 64. Each takes one of `grpc.workers`."""
    in_flight: Annotated[int | None, Field(ge=1, le=256)] = None
    """Calls of all batches together that run or wait for a container at one time, shared out evenly: 1 to 256. One
    batch has at most twice as many without an answer; what is beyond waits at its client. Default:
    `sandbox.pool.max_containers`."""


class GrpcSettings(Section):
    """Bounds of the gRPC server."""

    max_message_bytes: Annotated[int, Field(ge=64 * 1024, le=64 * MIB)] = 4 * MIB
    """Largest request: 64 KiB to 64 MiB."""
    max_metadata_bytes: Annotated[int, Field(ge=1024, le=64 * 1024)] = 8 * 1024
    """Headers of a request: 1 KiB to 64 KiB."""
    max_concurrent_streams: Annotated[int, Field(ge=1, le=1024)] = 64
    """Calls in flight on one connection; more wait at the client: 1 to 1,024."""
    workers: Annotated[int, Field(ge=4, le=2048)] = 128
    """Threads, so calls in flight in all; one more is refused at once: 4 to 2,048. Must leave room beside the pool's
    containers and queue, else health checks are refused under load."""
    drain_s: Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)] = 30.0
    """Seconds that running calls are given at shutdown, before they are killed: up to 600."""
