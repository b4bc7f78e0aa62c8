"""What searching the registry promises: which tools fit a text, best first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from toolwright.domain.task import Task
from toolwright.domain.tool import ToolState, ToolVersion
from toolwright.registry.terms import join_terms

WEIGHTS = (4.0, 2.0, 1.0, 2.0)
"""What a term counts in each field of `SearchText`."""
OFFERED = (ToolState.ACTIVE, ToolState.VERIFIED)
"""States in which a version is found: of a name without the first, the newest of the second, which waits for approval.
Were it not found, its questions would be taken for new ones, and another tool made of them."""
MAX_SAMPLES = 3


@dataclass(frozen=True, slots=True)
class Hit:
    """A tool, or a task that has no tool yet."""

    name: str
    digest: str
    """Of the version, or of the task."""
    number: int
    """Of the version; 0 for a task."""
    score: float
    """Higher is better. Says nothing beside the score of another search."""


@dataclass(frozen=True, slots=True)
class SearchText:
    """The terms by which an entry is found, a field for each kind of text."""

    name: str
    about: str
    parameters: str
    samples: str

    @classmethod
    def of_tool(cls, version: ToolVersion) -> SearchText:
        """Return what a version is found by."""
        description = version.description
        names = description.parameters.get("properties", {})
        return cls(
            join_terms([version.name.replace("_", " ")]),
            join_terms([description.summary, version.task_description]),
            join_terms([description.signature, *(str(name).replace("_", " ") for name in names)]),
            join_terms(shown.question for shown in version.demonstrations[:MAX_SAMPLES]),
        )

    @classmethod
    def of_task(cls, task: Task) -> SearchText:
        """Return what a task is found by: the maker's examples, never the held-out ones."""
        samples = join_terms(example.question for example in task.training[:MAX_SAMPLES])
        return cls(join_terms([task.name.replace("_", " ")]), join_terms([task.description]), "", samples)

    @property
    def fields(self) -> tuple[str, str, str, str]:
        """The fields, in the order of `WEIGHTS`."""
        return self.name, self.about, self.parameters, self.samples


class SearchIndex(Protocol):
    """Finds entries: the newest version of each name that is active, else that waits for approval; tasks without any.

    It is in step with the registry whoever changed that, another server too: each search sees all that was kept
    before it began. Errors are those of `Store`.
    """

    def revision(self) -> int:
        """Return a number that grows with every change of a tool or task. Costs one row."""

    def find(self, query: str, *, limit: int, tools_only: bool = False) -> Sequence[Hit]:
        """Return the entries that share terms with `query`, best first, `limit` at most."""

    def all(self, *, limit: int, tools_only: bool = False) -> Sequence[Hit]:
        """Return entries by name, `limit` at most."""

    def candidates(self, query: str, *, limit: int) -> Sequence[Hit]:
        """Return all entries if there are no more than `limit`, else what `find` returns."""

    def put_vector(self, digest: str, model: str, vector: bytes) -> None:
        """Keep the embedding that `model` gives the entry with `digest`, replacing an earlier one."""

    def vectors(self, model: str) -> Mapping[str, bytes]:
        """Return the embeddings by `model` of the entries there are now, by digest."""
