"""What one call may use at most."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from toolwright.errors import InvalidInput

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Ceilings for one call. Every one is always in force; none can be switched off."""

    wall_time_s: float = 10.0
    """Seconds from the start of the tool's process until it is killed from outside."""
    memory_bytes: int = 256 * MIB
    """Memory of the call, its file system included, in bytes."""
    processes: int = 32
    """Processes and threads of the call together."""
    file_bytes: int = 64 * MIB
    """Largest file, in bytes."""
    output_bytes: int = MIB
    """Kept bytes of stdout, and of stderr; what comes after is counted and dropped."""
    result_bytes: int = 4 * MIB
    """Largest result, in bytes of JSON."""
    load_time_s: float = 5.0
    """Seconds of `wall_time_s` until the source has to be loaded: compiled, and run down to the end of the module."""

    def lowered(self, asked: LimitsRequest) -> Limits:
        """Return these ceilings with each one that `asked` names put down to it.

        Raises:
            InvalidInput: a value is not above 0, or is above the ceiling.
        """
        changes: dict[str, float | int] = {}
        for field in fields(asked):
            value = getattr(asked, field.name)
            if value is None:
                continue
            ceiling = getattr(self, field.name)
            if not 0 < value <= ceiling:  # also false for NaN
                raise InvalidInput(
                    f"limits.{field.name}", f"{value} is outside the allowed range", f"above 0, at most {ceiling}"
                )
            changes[field.name] = value
        return replace(self, **changes)  # type: ignore[arg-type]  # names and types come from the same dataclass

    def capped(self, own: LimitsRequest) -> Limits:
        """Return these ceilings, each lowered to what `own` names where that is lower; never an error."""
        changes = {
            field.name: value
            for field in fields(own)
            if (value := getattr(own, field.name)) is not None and 0 < value < getattr(self, field.name)
        }
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class LimitsRequest:
    """What a caller asks for: each field lowers one ceiling, None leaves it."""

    wall_time_s: float | None = None
    memory_bytes: int | None = None
    output_bytes: int | None = None
    result_bytes: int | None = None
