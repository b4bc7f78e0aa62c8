"""ToolService: makes, keeps and shows tools."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import grpc

from toolwright.domain.lifecycle import Origin
from toolwright.domain.task import check_question
from toolwright.domain.tool import RegisteredTool, ToolState
from toolwright.errors import InvalidInput
from toolwright.lifecycle.porter import Porter
from toolwright.lifecycle.steward import Steward, named_actor
from toolwright.registry.base import Store
from toolwright.services.base import TENANT, Reporting, Reverifying, ToolMaking
from toolwright.services.calls import not_served, scope_of
from toolwright.services.convert.execution import reference_from_wire, source_from_wire, source_to_wire
from toolwright.services.convert.text import wire_text
from toolwright.services.convert.tools import task_from_wire, tool_to_wire, verification_to_wire
from toolwright.services.makings import MakingCalls
from toolwright.services.paging import page_size, tools_after, tools_token
from toolwright.services.tool_lives import ToolLives
from toolwright.v1 import tools_pb2

DEFAULT_FOUND: Final = 5
MAX_FOUND: Final = 100
MAX_DEPENDANTS: Final = 1_000


class ToolService(MakingCalls, ToolLives):
    """Converts, calls maker or store, converts back."""

    def __init__(  # noqa: PLR0913 - what the calls stand on, each by name
        self,
        store: Store,
        maker: ToolMaking,
        *,
        steward: Steward,
        porter: Porter,
        reporting: Reporting | None = None,
        reverifying: Reverifying | None = None,
    ) -> None:
        """Serve `store` and `maker`, `steward` and `porter`.

        Without `reporting` or `reverifying`, the calls that need them are not served.
        """
        self._reporting, self._reverifying = reporting, reverifying
        self._store = store
        self._maker = maker
        self._steward, self._porter = steward, porter

    def RegisterTool(
        self, request: tools_pb2.RegisterToolRequest, context: grpc.ServicerContext
    ) -> tools_pb2.RegisterToolResponse:
        """Take a person's code through the same checks."""
        for field in ("task", "source"):
            if not request.HasField(field):
                raise InvalidInput(field, "is not set", "a task with examples, and the source")
        task, source = task_from_wire(request.task), source_from_wire(request.source)
        origin = Origin(named_actor(request.actor))
        with scope_of(context) as scope:
            registered = self._maker.register(
                task,
                source,
                cancellation=scope.cancellation,
                deadline_s=scope.deadline_s,
                tenant=TENANT,
                origin=origin,
            )
        return tools_pb2.RegisterToolResponse(tool=tool_to_wire(registered.info))

    def GetTool(self, request: tools_pb2.GetToolRequest, context: grpc.ServicerContext) -> tools_pb2.GetToolResponse:
        """Return one version with its source and verification record."""
        registered = self._store.get_tool(reference_from_wire(request.tool))
        users = self._store.dependencies.dependants(registered.version.digest)
        return tools_pb2.GetToolResponse(
            tool=self._with_aliases(registered)[0],
            source=source_to_wire(registered.version.source),
            verification=verification_to_wire(self._store.get_verification(registered.verification_id)),
            synonyms=self._store.synonyms.of(registered.version.name),
            dependants=[user.reference for user in users if user.state is not ToolState.RETIRED][:MAX_DEPENDANTS],
        )

    def ListTools(
        self, request: tools_pb2.ListToolsRequest, context: grpc.ServicerContext
    ) -> tools_pb2.ListToolsResponse:
        """Return the newest version of each name, a page at a time."""
        size, after = page_size(request.page_size), tools_after(request.page_token)
        found = self._store.list_tools(after=after, limit=size + 1)  # one more shows whether there is a next page
        page = found[:size]
        return tools_pb2.ListToolsResponse(
            tools=self._with_aliases(*page),
            next_page_token=tools_token(page[-1].version.name) if len(found) > size else "",
        )

    def _with_aliases(self, *tools: RegisteredTool) -> list[tools_pb2.Tool]:
        aliases: dict[tuple[str, int], dict[str, float]] = {}
        for alias in self._store.lifecycle.aliases(*(tool.version.name for tool in tools)):
            aliases.setdefault((alias.name, alias.number), {})[alias.alias] = alias.share
        pointing = (aliases.get((tool.version.name, tool.number), {}) for tool in tools)
        return [tool_to_wire(replace(tool.info, aliases=here)) for tool, here in zip(tools, pointing, strict=True)]

    def SearchTools(
        self, request: tools_pb2.SearchToolsRequest, context: grpc.ServicerContext
    ) -> tools_pb2.SearchToolsResponse:
        """Return the tools that share words with the query, best first."""
        check_question(request.query, "query")
        if not 0 <= request.limit <= MAX_FOUND:
            raise InvalidInput("limit", f"{request.limit} is outside the allowed range", f"1 to {MAX_FOUND}")
        hits = self._store.search.find(request.query, limit=request.limit or DEFAULT_FOUND, tools_only=True)
        return tools_pb2.SearchToolsResponse(
            tools=[tool_to_wire(self._store.get_tool(hit.digest).info) for hit in hits]
        )

    def ReportOutcome(
        self, request: tools_pb2.ReportOutcomeRequest, context: grpc.ServicerContext
    ) -> tools_pb2.ReportOutcomeResponse:
        """Keep whether an answer was right."""
        if self._reporting is None:
            not_served("ReportOutcome")
        if not request.execution_id:
            raise InvalidInput("execution_id", "is empty", "the id that came with the answer")
        new = self._reporting.report(
            request.execution_id, correct=request.correct, answer=request.answer, actor=request.actor
        )
        return tools_pb2.ReportOutcomeResponse(recorded=new)

    def VerifyTool(
        self, request: tools_pb2.VerifyToolRequest, context: grpc.ServicerContext
    ) -> tools_pb2.VerifyToolResponse:
        """Verify a kept version again."""
        if self._reverifying is None:
            not_served("VerifyTool")
        reference, actor = reference_from_wire(request.tool), named_actor(request.actor)
        with scope_of(context) as scope:
            verdict = self._reverifying.verify(
                reference, actor=actor, cancellation=scope.cancellation, deadline_s=scope.deadline_s
            )
        return tools_pb2.VerifyToolResponse(
            passed=verdict.passed, tool=tool_to_wire(verdict.tool.info), reason=wire_text(verdict.reason)
        )
