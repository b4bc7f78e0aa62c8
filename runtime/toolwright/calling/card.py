"""A tool as a light model sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolwright.domain.source import ToolSource
from toolwright.domain.task import AnswerKind
from toolwright.domain.tool import Demonstration, Description, RegisteredTool, ToolVersion


@dataclass(frozen=True, slots=True)
class ToolCard:
    """All that a light model is shown of a tool, and what its calls run."""

    name: str
    description: Description
    answer_kind: AnswerKind
    demonstrations: tuple[Demonstration, ...]
    target: str | ToolSource
    """What the executor is asked to run: a reference, or source that is not registered yet."""
    reference: str
    """What events call the tool."""
    digest: str = ""
    """Of the kept version; empty for a tool that is not kept."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """JSON Schema of the arguments."""
        return self.description.parameters

    @classmethod
    def of_draft(cls, name: str, source: ToolSource, description: Description, kind: AnswerKind) -> ToolCard:
        """Return the card of code that has nothing but its own documentation."""
        return cls(name, description, kind, (), source, name)

    @classmethod
    def of_version(cls, version: ToolVersion) -> ToolCard:
        """Return the card of a wrapped tool that is not kept yet; it runs from its source."""
        return cls(
            version.name,
            version.description,
            version.answer_kind,
            version.demonstrations,
            version.source,
            version.name,
        )

    @classmethod
    def of_registered(cls, tool: RegisteredTool) -> ToolCard:
        """Return the card of a kept tool; it shows the same as `of_version` and runs by reference."""
        version = tool.version
        return cls(
            version.name,
            version.description,
            version.answer_kind,
            version.demonstrations,
            tool.reference,
            tool.reference,
            version.digest,
        )
