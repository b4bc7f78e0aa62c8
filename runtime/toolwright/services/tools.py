"""ToolService: makes, keeps and shows tools."""

from __future__ import annotations

from typing import Final

import grpc

from toolwright.domain.tool import ToolState
from toolwright.errors import InvalidInput
from toolwright.registry.base import Store
from toolwright.services.base import TENANT, ToolMaking
from toolwright.services.calls import not_served, scope_of
from toolwright.services.convert.execution import reference_from_wire, source_from_wire, source_to_wire
from toolwright.services.convert.tools import task_from_wire, tool_to_wire, verification_to_wire
from toolwright.services.makings import MakingCalls
from toolwright.services.paging import page_size, tools_after, tools_token
from toolwright.v1 import tools_pb2, tools_pb2_grpc

MAX_DEPENDANTS: Final = 1_000


class ToolService(MakingCalls, tools_pb2_grpc.ToolServiceServicer):
    """Converts, calls maker or store, converts back."""

    def __init__(self, store: Store, maker: ToolMaking) -> None:
        """Serve `store` and `maker`."""
        self._store = store
        self._maker = maker

    def RegisterTool(
        self, request: tools_pb2.RegisterToolRequest, context: grpc.ServicerContext
    ) -> tools_pb2.RegisterToolResponse:
        """Take a person's code through the same checks."""
        for field in ("task", "source"):
            if not request.HasField(field):
                raise InvalidInput(field, "is not set", "a task with examples, and the source")
        task, source = task_from_wire(request.task), source_from_wire(request.source)
        with scope_of(context) as scope:
            registered = self._maker.register(
                task, source, cancellation=scope.cancellation, deadline_s=scope.deadline_s, tenant=TENANT
            )
        return tools_pb2.RegisterToolResponse(tool=tool_to_wire(registered.info))

    def GetTool(self, request: tools_pb2.GetToolRequest, context: grpc.ServicerContext) -> tools_pb2.GetToolResponse:
        """Return one version with its source and verification record."""
        registered = self._store.get_tool(reference_from_wire(request.tool))
        users = self._store.dependencies.dependants(registered.version.digest)
        return tools_pb2.GetToolResponse(
            tool=tool_to_wire(registered.info),
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
            tools=[tool_to_wire(registered.info) for registered in page],
            next_page_token=tools_token(page[-1].version.name) if len(found) > size else "",
        )

    def SearchTools(
        self, request: tools_pb2.SearchToolsRequest, context: grpc.ServicerContext
    ) -> tools_pb2.SearchToolsResponse:
        """Not served yet."""
        not_served("SearchTools")

    def SetAlias(self, request: tools_pb2.SetAliasRequest, context: grpc.ServicerContext) -> tools_pb2.SetAliasResponse:
        """Not served yet."""
        not_served("SetAlias")

    def QuarantineTool(
        self, request: tools_pb2.QuarantineToolRequest, context: grpc.ServicerContext
    ) -> tools_pb2.QuarantineToolResponse:
        """Not served yet."""
        not_served("QuarantineTool")

    def RetireTool(
        self, request: tools_pb2.RetireToolRequest, context: grpc.ServicerContext
    ) -> tools_pb2.RetireToolResponse:
        """Not served yet."""
        not_served("RetireTool")

    def ReportOutcome(
        self, request: tools_pb2.ReportOutcomeRequest, context: grpc.ServicerContext
    ) -> tools_pb2.ReportOutcomeResponse:
        """Not served yet."""
        not_served("ReportOutcome")
