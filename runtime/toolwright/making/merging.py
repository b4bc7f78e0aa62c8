"""Near-equal tools: one that is there already under another name, takes the same arguments and gives the same results.

Then nothing new is kept. The more tools there are that do the same, the more often a dispatcher chooses wrongly.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from toolwright.calling.patience import Patience
from toolwright.domain.call import ExecutionRequest
from toolwright.domain.outcome import Status
from toolwright.domain.source import ToolSource
from toolwright.domain.tool import RegisteredTool, ToolState, ToolVersion
from toolwright.errors import InvalidInput, NotFound, NotReady
from toolwright.execution.base import Executor
from toolwright.registry.base import Store

PURPOSE = "verify"
MAX_SHARED = 48
"""Inputs on which two tools are compared."""
MAX_COMPARED = 8
"""Tools of the same signature that are looked at."""
_PAGE = 100
_SCHEMAS = ("items", "additionalProperties")
_LISTS = ("anyOf", "prefixItems")


class Merger:
    """Finds the tool that a new one would only repeat."""

    def __init__(self, store: Store, executor: Executor) -> None:
        """Look in `store`; run both through `executor`."""
        self._store, self._executor = store, executor

    def same_as(self, version: ToolVersion, heard: Iterable[str], patience: Patience) -> RegisteredTool | None:
        """Return the active tool of another name that does what `version` does; None if there is none.

        A name that has versions of its own keeps them: then there is none.

        Args:
            version: the candidate.
            heard: arguments of calls that were made of it: of all examples, held-out ones too.
            patience: how long this is worth working on.

        Raises:
            ToolwrightError: what `Executor.execute`, `Patience.check` and the store raise.
        """
        if self._has_own(version.name):
            return None
        heard = tuple(heard)
        for number, tool in enumerate(self._alike(version)):
            if number == MAX_COMPARED:
                break
            if self._behave_alike(version, tool, heard, patience):
                return tool
        return None

    def _has_own(self, name: str) -> bool:
        """Whether `name` ever had a version, in use or not: what such a name means is not for a merger to change."""
        try:
            self._store.get_tool(f"{name}@1")
        except NotFound:
            return False
        return True

    def _alike(self, version: ToolVersion) -> Iterator[RegisteredTool]:
        """Yield active tools of other names with the same signature, by name."""
        wanted, after = signature(version), ""
        while page := self._store.list_tools(after=after, limit=_PAGE):
            for tool in page:
                other = tool.version
                if tool.state is ToolState.ACTIVE and other.name != version.name and signature(other) == wanted:
                    yield tool
            after = page[-1].version.name

    def _behave_alike(
        self, version: ToolVersion, tool: RegisteredTool, heard: tuple[str, ...], patience: Patience
    ) -> bool:
        shown = (shown.arguments_json for shown in tool.version.demonstrations + version.demonstrations)
        shared = list(dict.fromkeys([*shown, *heard]))[:MAX_SHARED]
        return bool(shared) and all(
            self._ending(version.source, version.name, arguments, patience)
            == self._ending(tool.version.digest, tool.version.name, arguments, patience)
            for arguments in shared
        )

    def _ending(self, target: ToolSource | str, name: str, arguments: str, patience: Patience) -> tuple[str, ...]:
        """Return what a call comes to: its result as canonical JSON, or its kind of error."""
        patience.check()
        request = ExecutionRequest(target, arguments, purpose=PURPOSE, candidate_for=name)
        try:
            execution = self._executor.execute(
                request, deadline_s=patience.remaining_s, cancellation=patience.cancellation
            )
        except (InvalidInput, NotFound, NotReady):
            return (name, "not run")  # other than whatever the other one comes to
        outcome = execution.outcome
        if outcome.status is Status.INFRASTRUCTURE:
            return (name, "lost")
        if outcome.result_json is not None:
            return ("result", json.dumps(json.loads(outcome.result_json), sort_keys=True))
        return ("error", outcome.status.value, outcome.failure.type if outcome.failure else "")


def signature(version: ToolVersion) -> str:
    """Return what two tools share that can take each other's place in a call: parameters, and the kind of answer."""
    parameters = json.dumps(_bare(version.description.parameters), sort_keys=True)
    return f"{version.answer_kind.value} {parameters}"


def _bare(schema: object) -> object:
    """Return `schema` without its words. A parameter may be called `title`, so only keywords are left out."""
    if not isinstance(schema, Mapping):
        return schema
    bare: dict[str, Any] = {key: value for key, value in schema.items() if key not in {"title", "description"}}
    if "properties" in bare:
        bare["properties"] = {name: _bare(value) for name, value in bare["properties"].items()}
    if "required" in bare:
        bare["required"] = sorted(bare["required"])
    for key in _SCHEMAS:
        if key in bare:
            bare[key] = _bare(bare[key])
    for key in _LISTS:
        if key in bare:
            bare[key] = [_bare(value) for value in bare[key]]
    return bare
