"""Settings: typed ceilings, read once at start and passed down. A typo stops the service.

Sources, the first that names a value wins: flags ▸ environment (`TOOLWRIGHT_SANDBOX__RUNTIME=runsc`) ▸
TOML file (`TOOLWRIGHT_CONFIG`, else `./toolwright.toml`, else `~/.config/toolwright/config.toml`) ▸
`OPENAI_API_KEY` and `OPENAI_BASE_URL` for the models ▸ defaults.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from toolwright.domain.call import Isolation
from toolwright.domain.limits import MIB, Limits
from toolwright.domain.record import Role
from toolwright.errors import InvalidInput

ENV_PREFIX = "TOOLWRIGHT_"
# Beginnings of names that others read: this module, the command line, the scripts that set up an engine and build
# images, the tests. So no typos.
_ENV_OTHER = tuple(ENV_PREFIX + name for name in ("CONFIG", "SERVER", "ENGINE_", "DEBIAN_", "ETC", "TEST_", "LATM_"))

_IMAGE = r"^(sha256:[0-9a-f]{64}|[a-z0-9][a-z0-9._-]*(:[0-9]+/[a-z0-9._-]+)?(/[a-z0-9._-]+)*(@sha256:[0-9a-f]{64})?)$"
_DEFAULT = Limits()
_LAST_PORT = 65_535
_RUNTIME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class _Section(BaseModel):
    """Read once, never changed; an unknown name is an error. A bad value is named, never shown: it may be a key."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)


class Profile(StrEnum):
    """Which defaults hold."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"
    """No reflection; bare source is refused; the image must be named by digest."""


class LimitSettings(_Section):
    """Ceilings of every call. A request may lower them and never raise them."""

    wall_time_s: Annotated[float, Field(ge=0.05, le=120, allow_inf_nan=False)] = _DEFAULT.wall_time_s
    """Seconds until the call is killed: 0.05 to 120."""
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


class PoolSettings(_Section):
    """Containers kept, and calls that may wait for one."""

    min_ready: Annotated[int, Field(ge=0, le=64)] = 1
    """Containers kept started and unused: 0 to 64."""
    max_containers: Annotated[int, Field(ge=1, le=256)] = 8
    """Containers at one time: 1 to 256."""
    max_queue: Annotated[int, Field(ge=0, le=1024)] = 64
    """Calls that may wait for a container; one more is refused at once: 0 to 1,024."""
    queue_timeout_s: Annotated[float, Field(gt=0, le=120, allow_inf_nan=False)] = 30.0
    """Seconds that a call waits at most: up to 120."""

    @model_validator(mode="after")
    def _ready_fit(self) -> Self:
        if self.min_ready > self.max_containers:
            raise ValueError(f"min_ready is {self.min_ready}, more than max_containers ({self.max_containers})")
        return self


class SandboxSettings(_Section):
    """Where tool code runs."""

    image: Annotated[str, Field(pattern=_IMAGE, max_length=300)] = "toolwright-sandbox-python"
    """Image name, `name@sha256:…` or image id. A tag is refused: it could move. A bare name means the image that
    `toolwright images build` made, and is resolved to its id once, at start."""
    runtime: Annotated[str, Field(pattern=_RUNTIME)] = "runc"
    """OCI runtime that the engine knows: `runc`, `runsc`, `crun`, …. There is no fall-back to another."""
    isolation: Isolation = Isolation.TOOL
    """What a container belongs to: `call`, `tool` or `tenant`."""
    max_calls: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Calls after which a container is thrown away: 1 to 100,000."""
    max_age_s: Annotated[float, Field(ge=1, le=86_400, allow_inf_nan=False)] = 900.0
    """Seconds after which a container is thrown away: 1 to 86,400. Default 15 minutes."""
    pool: PoolSettings = PoolSettings()
    limits: LimitSettings = LimitSettings()

    @property
    def image_pinned(self) -> bool:
        """Whether the image is named by content."""
        return "sha256:" in self.image


class EndpointSettings(_Section):
    """An OpenAI-compatible endpoint and a model behind it."""

    base_url: Annotated[str, Field(pattern=r"^https?://\S+$")] = "https://api.openai.com/v1"
    """Up to and with `/v1`."""
    api_key: SecretStr = SecretStr("")
    """Never logged. Default: `OPENAI_API_KEY`. May stay empty for an endpoint that asks for none."""
    model: str = ""
    """Name of the model as the endpoint knows it. Empty: not configured."""
    timeout_s: Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)] = 60.0
    """Seconds for one exchange: up to 600."""
    max_retries: Annotated[int, Field(ge=0, le=10)] = 3
    """Further tries after no answer, 429 or 5xx: 0 to 10."""
    temperature: Annotated[float | None, Field(ge=0, le=2, allow_inf_nan=False)] = None
    """0 to 2. Default: left to the endpoint; some models take no other than their own."""


class RoleSettings(_Section):
    """What one role has of its own; each absent value is that of `models.default`."""

    base_url: Annotated[str | None, Field(pattern=r"^https?://\S+$")] = None
    api_key: SecretStr | None = None
    model: str | None = None
    timeout_s: Annotated[float | None, Field(gt=0, le=600, allow_inf_nan=False)] = None
    max_retries: Annotated[int | None, Field(ge=0, le=10)] = None
    temperature: Annotated[float | None, Field(ge=0, le=2, allow_inf_nan=False)] = None


class ModelSettings(_Section):
    """The language models. Making needs `maker` and `user`, solving needs `user` and `dispatcher`; calls need none."""

    offline: bool = False
    """Answer from the scripts that come with the package instead of a model. For trying out and for tests: what it
    answers says nothing about any model."""
    default: EndpointSettings = EndpointSettings()
    """Shared by all roles."""
    maker: RoleSettings = RoleSettings()
    """Strong and dear: writes tools."""
    user: RoleSettings = RoleSettings()
    """Light and cheap: turns questions into calls."""
    dispatcher: RoleSettings = RoleSettings()
    """Light and cheap: chooses the tool."""

    def endpoint(self, role: Role) -> EndpointSettings:
        """Return the endpoint of `role`: its own values over the shared ones."""
        own: RoleSettings = getattr(self, role.value)
        changes = {name: value for name in RoleSettings.model_fields if (value := getattr(own, name)) is not None}
        return self.default.model_copy(update=changes)


class MakingSettings(_Section):
    """How tools are made."""

    attempts: Annotated[int, Field(ge=1, le=10)] = 5
    """Proposals that the maker may make where a request does not say: 1 to 10."""
    max_running: Annotated[int, Field(ge=1, le=64)] = 4
    """Makings at one time; one more is refused: 1 to 64."""


class GrpcSettings(_Section):
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
    """`development` or `production`."""
    listen: str = "127.0.0.1:7433"
    """Address for gRPC, `host:port` or `unix:/path`. Loopback only, as long as callers are not authenticated.
    Port 0 lets the system choose one."""
    state_dir: Path = Path("~/.local/share/toolwright")
    """Directory of all that is kept. `~` is the home directory."""
    store_url: str = ""
    """SQLAlchemy URL of the registry. Default: SQLite, `registry.db` in `state_dir`."""
    docker_host: str = ""
    """Address of the engine. Default: `DOCKER_HOST`, then the usual sockets."""
    prices_file: Path | None = None
    """Price list of models. Default: the one that comes with the package."""
    allow_source: bool | None = None
    """Whether ExecuteTool takes source that was never verified. Default: yes in development, no in production."""
    sandbox: SandboxSettings = SandboxSettings()
    models: ModelSettings = ModelSettings()
    making: MakingSettings = MakingSettings()
    grpc: GrpcSettings = GrpcSettings()

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
        pool, workers = self.sandbox.pool, self.grpc.workers
        if workers < (needed := pool.max_containers + pool.max_queue + 4):
            raise ValueError(
                f"grpc.workers is {workers}; sandbox.pool.max_containers and max_queue need at least {needed}"
            )
        if self.profile is Profile.PRODUCTION and not self.sandbox.image_pinned:
            raise ValueError("sandbox.image must be named by digest (name@sha256:… or an image id) in production")
        return self

    @property
    def source_allowed(self) -> bool:
        """Whether ExecuteTool takes bare source, with the profile's default."""
        return self.profile is Profile.DEVELOPMENT if self.allow_source is None else self.allow_source

    @property
    def registry_url(self) -> str:
        """`store_url`, or that of the SQLite file in `state_dir`."""
        return self.store_url or f"sqlite:///{self.state_dir / 'registry.db'}"

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
        file = InitSettingsSource(settings_cls, _read_file(_config_file(os.environ)))
        openai = InitSettingsSource(settings_cls, _openai_environment(os.environ))
        return init_settings, env_settings, file, openai


def load_settings(flags: Mapping[str, Any] | None = None) -> Settings:
    """Read all sources and return the settings.

    Args:
        flags: what the command line gave, nested like the sections; None values are left out.

    Raises:
        InvalidInput: names the setting, what is wrong with it, and what is allowed.
    """
    _refuse_unknown_environment(os.environ)
    try:
        return Settings(**_without_none(flags or {}))
    except ValidationError as fault:
        first = fault.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"])) or "settings"
        if first["type"] == "extra_forbidden":
            raise InvalidInput(field, "is no setting", _known_names(first["loc"][:-1])) from None
        problem = first["msg"].removeprefix("Value error, ")
        if first["type"] == "string_pattern_mismatch":
            problem = "has no valid form"
        raise InvalidInput(field, problem, _meaning(first["loc"])) from None
    except SettingsError as fault:
        raise InvalidInput("environment", f"{fault}: {fault.__cause__ or ''}".rstrip(": ")) from None


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


def _config_file(environment: Mapping[str, str]) -> Path | None:
    if named := environment.get("TOOLWRIGHT_CONFIG"):
        path = Path(named).expanduser()
        if not path.is_file():
            raise InvalidInput("TOOLWRIGHT_CONFIG", f"there is no file {named!r}")
        return path
    places = Path("toolwright.toml"), Path("~/.config/toolwright/config.toml").expanduser()
    return next((path for path in places if path.is_file()), None)


def _read_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise InvalidInput(str(path), f"cannot be read: {fault.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise InvalidInput(str(path), f"is no TOML: {fault}") from None


def _openai_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    names = {"api_key": "OPENAI_API_KEY", "base_url": "OPENAI_BASE_URL"}
    default = {field: value for field, name in names.items() if (value := environment.get(name))}
    return {"models": {"default": default}} if default else {}


def _refuse_unknown_environment(environment: Mapping[str, str]) -> None:
    """The library reads only names that it knows, so a typo would go unseen."""
    for name in sorted(environment):
        upper = name.upper()
        top = upper.removeprefix(ENV_PREFIX).split("__")[0].lower()
        if upper.startswith(ENV_PREFIX) and not upper.startswith(_ENV_OTHER) and top not in Settings.model_fields:
            raise InvalidInput(name, "is no setting", ENV_PREFIX + " followed by " + _known_names(()))


def _known_names(path: tuple[int | str, ...]) -> str:
    section = _section(path)
    return ", ".join(section.model_fields) if section else ""


def _meaning(path: tuple[int | str, ...]) -> str:
    """Return what the setting's own documentation says: it holds the bounds and the unit."""
    section = _section(path[:-1])
    field = section.model_fields.get(str(path[-1])) if section and path else None
    return " ".join((field.description or "").split()).rstrip(".") if field else ""


def _section(path: tuple[int | str, ...]) -> type[BaseModel] | None:
    section: type[BaseModel] = Settings
    for name in path:
        field = section.model_fields.get(str(name))
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return None
        section = field.annotation
    return section


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _without_none(value) if isinstance(value, Mapping) else value
        for name, value in values.items()
        if value is not None
    }
