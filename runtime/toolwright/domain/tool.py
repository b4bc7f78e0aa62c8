"""A wrapped tool: verified source with all that a light model needs to call it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from toolwright.domain.limits import LimitsRequest
from toolwright.domain.source import ToolSource, check_tool_name
from toolwright.domain.task import AnswerKind


class ToolState(StrEnum):
    """Where a version is in its life."""

    DRAFT = "draft"
    VERIFIED = "verified"
    ACTIVE = "active"
    QUARANTINED = "quarantined"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Description:
    """What the sandbox found out about a function. Comes from hostile code: data, never a promise."""

    summary: str
    """Docstring."""
    signature: str
    parameters: Mapping[str, Any]
    """JSON Schema of the keyword arguments: an object schema, `additionalProperties` false."""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A question, the call that answers it, and the answer."""

    question: str
    arguments_json: str
    answer: str


@dataclass(frozen=True, slots=True)
class ToolVersion:
    """An immutable version of a tool. Its digest names it."""

    name: str
    source: ToolSource
    description: Description
    answer_kind: AnswerKind
    demonstrations: tuple[Demonstration, ...]
    task_description: str = ""
    limits: LimitsRequest | None = None
    """The tool's own limits, measured when it was verified; None for the ceilings of all calls."""
    image_digest: str = ""
    """`sha256:` of the image that it was verified in; empty for versions from before this was kept."""

    def __post_init__(self) -> None:
        """Refuse names that could be mistaken for something else."""
        check_tool_name(self.name)

    @property
    def digest(self) -> str:
        """`sha256:` over a canonical JSON of everything that defines the version."""
        content: dict[str, Any] = {
            "format": "toolwright.tool.v1",
            "name": self.name,
            "function": self.source.function,
            "code": self.source.code,
            "summary": self.description.summary,
            "signature": self.description.signature,
            "parameters": self.description.parameters,
            "answer_kind": self.answer_kind.value,
            "task_description": self.task_description,
            "demonstrations": [[d.question, d.arguments_json, d.answer] for d in self.demonstrations],
        }
        # Only where set: the digests of versions that were kept before stay what they are.
        if self.limits is not None:
            content["limits"] = asdict(self.limits)
        if self.image_digest:
            content["image_digest"] = self.image_digest
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ToolInfo:
    """All of a registered version but its source: what clients list and models are shown."""

    name: str
    number: int
    digest: str
    state: ToolState
    function: str
    summary: str
    signature: str
    parameters: Mapping[str, Any]
    answer_kind: AnswerKind
    demonstrations: tuple[Demonstration, ...]
    verification_id: str
    created_at: float
    limits: LimitsRequest | None = None
    image_digest: str = ""

    @property
    def reference(self) -> str:
        """`name@number`."""
        return f"{self.name}@{self.number}"


@dataclass(frozen=True, slots=True)
class RegisteredTool:
    """A version as the registry keeps it."""

    version: ToolVersion
    number: int
    """1 for a name's first version, then 2, …"""
    state: ToolState
    verification_id: str
    created_at: float
    """Seconds since 1970, UTC."""

    @property
    def reference(self) -> str:
        """`name@number`."""
        return f"{self.version.name}@{self.number}"

    @property
    def info(self) -> ToolInfo:
        """The same without the source."""
        version = self.version
        return ToolInfo(
            name=version.name,
            number=self.number,
            digest=version.digest,
            state=self.state,
            function=version.source.function,
            summary=version.description.summary,
            signature=version.description.signature,
            parameters=version.description.parameters,
            answer_kind=version.answer_kind,
            demonstrations=version.demonstrations,
            verification_id=self.verification_id,
            created_at=self.created_at,
            limits=version.limits,
            image_digest=version.image_digest,
        )
