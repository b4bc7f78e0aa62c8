"""All settings together."""

from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from toolwright.settings.cache import CacheSettings
from toolwright.settings.dispatch import DispatchSettings
from toolwright.settings.feedback import FeedbackSettings
from toolwright.settings.ledger import LedgerSettings
from toolwright.settings.models import ModelSettings
from toolwright.settings.sections import (
    BatchSettings,
    GrpcSettings,
    IsolationSettings,
    MakingSettings,
    Profile,
    SandboxSettings,
)
from toolwright.settings.solving import SolvingSettings
from toolwright.settings.sources import config_file, openai_environment, read_file
from toolwright.settings.trust import TrustSettings

ENV_PREFIX: Final = "TOOLWRIGHT_"
_LAST_PORT: Final = 65_535


class Settings(BaseSettings):
    """All settings of a Toolwright process. Make it with `load_settings`."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        nested_model_default_partial_update=True,
    )

    profile: Profile = Profile.DEVELOPMENT
    """`development` or `production`. In production nothing is served while the engine, the kernel or the runtime is
    older than its floor or a layer of the host is missing (development logs a warning), there is no reflection, bare
    source is refused, and the image must be named by digest."""
    listen: str = "127.0.0.1:7433"
    """Address for gRPC, `host:port` or `unix:/path`. Loopback only, as long as callers are not authenticated.
    Port 0 lets the system choose one."""
    state_dir: Path = Path("~/.local/share/toolwright")
    """Directory of all that is kept. `~` is the home directory."""
    store_url: str = ""
    """SQLAlchemy URL of the registry. Default: SQLite, `registry.db` in `state_dir`."""
    store_durability: Literal["process", "power"] = "process"
    """What a record outlives that was written before the reply, with SQLite: the server's `process` being killed, or a
    `power` failure as well, which forces each write to the disk (half a millisecond a call instead of a tenth, on an
    ordinary disk). PostgreSQL has settings of its own."""
    docker_host: str = ""
    """Address of the engine. Default: `DOCKER_HOST`, then the usual sockets."""
    prices_file: Path | None = None
    """Price list of models. Default: the one that comes with the package."""
    accepted_risks: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    """What `toolwright doctor` finds against the host and production serves in spite of, as a list: an advisory that
    your distribution has fixed in its own version, such as `CVE-2026-31431`, or the name of a finding that you can do
    without: `cgroup`, `swap accounting`, `user namespaces`, `security module`. Each is logged at start."""
    allow_source: bool | None = None
    """Whether ExecuteTool takes source that was never verified. Default: yes in development, no in production."""
    sandbox: SandboxSettings = SandboxSettings()
    isolation: IsolationSettings = IsolationSettings()
    models: ModelSettings = ModelSettings()
    making: MakingSettings = MakingSettings()
    solving: SolvingSettings = SolvingSettings()
    dispatch: DispatchSettings = DispatchSettings()
    batch: BatchSettings = BatchSettings()
    ledger: LedgerSettings = LedgerSettings()
    grpc: GrpcSettings = GrpcSettings()
    feedback: FeedbackSettings = FeedbackSettings()
    cache: CacheSettings = CacheSettings()
    trust: TrustSettings = TrustSettings()

    @field_validator("listen")
    @classmethod
    def _loopback(cls, address: str) -> str:
        check_listen(address)
        return address

    @field_validator("state_dir", "prices_file")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path and path.expanduser().absolute()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        pool, workers, batch = self.sandbox.pool, self.grpc.workers, self.batch
        if workers < (needed := pool.max_containers + pool.max_queue + batch.max_streams + 4):
            raise ValueError(
                f"grpc.workers is {workers}; sandbox.pool.max_containers and max_queue and batch.max_streams "
                f"need at least {needed}"
            )
        if self.batch_in_flight > (most := pool.max_containers + pool.max_queue // 2):
            raise ValueError(
                f"batch.in_flight is {batch.in_flight}, which would leave other callers no place in the queue: "
                f"at most {most} with these sandbox.pool.max_containers and max_queue"
            )
        if self.profile is Profile.PRODUCTION and not self.sandbox.image_pinned:
            raise ValueError("sandbox.image must be named by digest (name@sha256:… or an image id) in production")
        return self

    @property
    def source_allowed(self) -> bool:
        """Whether ExecuteTool takes bare source, with the profile's default."""
        return self.profile is Profile.DEVELOPMENT if self.allow_source is None else self.allow_source

    @property
    def batch_in_flight(self) -> int:
        """`batch.in_flight`, or as many as there may be containers."""
        return self.batch.in_flight or self.sandbox.pool.max_containers

    @property
    def signing_key(self) -> Path:
        """`trust.signing_key_file`, or the file in `state_dir`."""
        return self.trust.signing_key_file or self.state_dir / "signing.key"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - part of the hook; no `.env` files are read
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - part of the hook; no secret directories
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources."""
        file = InitSettingsSource(settings_cls, read_file(config_file(os.environ)))
        openai = InitSettingsSource(settings_cls, openai_environment(os.environ))
        return init_settings, env_settings, file, openai


def check_listen(address: str) -> None:
    """Check that `address` can be listened on safely.

    Raises:
        ValueError: it has no valid form, or others than this machine could reach it.
    """
    if address.startswith("unix:"):
        if not address.removeprefix("unix:").startswith("/"):
            raise ValueError(f"{address!r} needs an absolute path after unix:")
        return
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > _LAST_PORT:
        raise ValueError(f"{address!r} is neither host:port nor unix:/path")
    try:
        loopback = host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ValueError(
            f"{host!r} is not a loopback address. Callers are not authenticated yet, so whoever reaches the port could "
            "run code; listen on 127.0.0.1, [::1] or unix:/path, and let a proxy that authenticates stand before it"
        )
