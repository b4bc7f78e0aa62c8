"""A wrapped tool: verified source with all that a light model needs to call it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

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
class Dependency:
    """A tool that another one is made from."""

    name: str
    """By which the code imports it."""
    digest: str
    """Of the version, for ever."""


@dataclass(frozen=True, slots=True)
class ToolVersion:
    """An immutable version of a tool. Its digest names it."""

    name: str
    source: ToolSource
    description: Description
    answer_kind: AnswerKind
    demonstrations: tuple[Demonstration, ...]
    task_description: str = ""
    dependencies: tuple[Dependency, ...] = ()
    """Tools that the code may import. A digest covers those below it, so none can come to contain itself."""

    def __post_init__(self) -> None:
        """Refuse names that could be mistaken for something else, and parts that no dependency names.

        Raises:
            InvalidInput: a name.
            ValueError: the source carries other parts than `dependencies` names. A caller's bug.
        """
        check_tool_name(self.name)
        if self.source.modules and self.dependencies != dependencies_of(self.source):
            raise ValueError(f"the version of {self.name!r} does not name the tools that its source is made from")

    @property
    def digest(self) -> str:
        """`sha256:` over a canonical JSON of everything that defines the version."""
        content = {
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
        if self.dependencies:
            content["dependencies"] = [[part.name, part.digest] for part in self.dependencies]
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
    dependencies: tuple[Dependency, ...] = ()

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
            dependencies=version.dependencies,
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a version is in its life, without its content."""

    reference: str
    """`name@number`."""
    digest: str
    state: ToolState


def dependencies_of(source: ToolSource) -> tuple[Dependency, ...]:
    """Return what a version made of `source` depends on."""
    return tuple(Dependency(part.name, part.tool_digest) for part in source.modules)
