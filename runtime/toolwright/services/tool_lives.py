"""The calls of ToolService that change what becomes of versions, and take them elsewhere."""

from __future__ import annotations

from typing import Final

import grpc

from toolwright.domain.lifecycle import Alias
from toolwright.domain.source import check_tool_name
from toolwright.domain.tool import RegisteredTool
from toolwright.errors import InvalidInput
from toolwright.lifecycle.porter import Porter
from toolwright.lifecycle.steward import Steward
from toolwright.registry.base import Store
from toolwright.registry.tool_file import MAX_FILE_BYTES
from toolwright.services.calls import scope_of
from toolwright.services.convert.execution import reference_from_wire
from toolwright.services.convert.lifecycle import event_to_wire
from toolwright.services.convert.tools import tool_to_wire
from toolwright.services.paging import events_after, events_token, page_size
from toolwright.v1 import tools_pb2, tools_pb2_grpc

_NO_ALIAS: Final = 0


class ToolLives(tools_pb2_grpc.ToolServiceServicer):
    """Converts, calls steward or porter, converts back."""

    _store: Store
    _steward: Steward
    _porter: Porter

    def SetAlias(self, request: tools_pb2.SetAliasRequest, context: grpc.ServicerContext) -> tools_pb2.SetAliasResponse:
        """Point an alias at a version, or remove it."""
        if request.version < _NO_ALIAS:
            raise InvalidInput("version", f"is {request.version}", "1 or more; 0 removes the alias")
        alias = Alias(request.name, request.alias, request.version, request.share)
        tool = self._steward.set_alias(alias, actor=request.actor, reason=request.reason)
        return tools_pb2.SetAliasResponse(tool=None if tool is None else _to_wire(tool))

    def RollbackTool(
        self, request: tools_pb2.RollbackToolRequest, context: grpc.ServicerContext
    ) -> tools_pb2.RollbackToolResponse:
        """Point `stable` at what it pointed at before."""
        tool = self._steward.rollback(request.name, actor=request.actor, reason=request.reason)
        return tools_pb2.RollbackToolResponse(tool=_to_wire(tool))

    def ApproveTool(
        self, request: tools_pb2.ApproveToolRequest, context: grpc.ServicerContext
    ) -> tools_pb2.ApproveToolResponse:
        """Keep one person's approval."""
        reference = reference_from_wire(request.tool)
        tool = self._steward.approve(reference, actor=request.actor, reason=request.reason)
        return tools_pb2.ApproveToolResponse(tool=_to_wire(tool))

    def QuarantineTool(
        self, request: tools_pb2.QuarantineToolRequest, context: grpc.ServicerContext
    ) -> tools_pb2.QuarantineToolResponse:
        """Hold a version back."""
        reference = reference_from_wire(request.tool)
        tool = self._steward.quarantine(reference, actor=request.actor, reason=request.reason)
        return tools_pb2.QuarantineToolResponse(tool=_to_wire(tool))

    def RetireTool(
        self, request: tools_pb2.RetireToolRequest, context: grpc.ServicerContext
    ) -> tools_pb2.RetireToolResponse:
        """Take a version out of use for good."""
        reference = reference_from_wire(request.tool)
        tool = self._steward.retire(reference, actor=request.actor, reason=request.reason)
        return tools_pb2.RetireToolResponse(tool=_to_wire(tool))

    def ListToolEvents(
        self, request: tools_pb2.ListToolEventsRequest, context: grpc.ServicerContext
    ) -> tools_pb2.ListToolEventsResponse:
        """Return what happened to a tool, a page at a time."""
        name = check_tool_name(request.name)
        size, after = page_size(request.page_size), events_after(request.page_token)
        found = self._store.lifecycle.events(name, after=after, limit=size + 1)
        page = found[:size]
        return tools_pb2.ListToolEventsResponse(
            events=map(event_to_wire, page),
            next_page_token=events_token(page[-1].event_id) if len(found) > size else "",
        )

    def ExportTool(
        self, request: tools_pb2.ExportToolRequest, context: grpc.ServicerContext
    ) -> tools_pb2.ExportToolResponse:
        """Return a version as a signed file."""
        exported = self._porter.export_tool(reference_from_wire(request.tool))
        return tools_pb2.ExportToolResponse(
            file=exported.file, tool=_to_wire(exported.tool), public_key=exported.public_key
        )

    def ImportTool(
        self, request: tools_pb2.ImportToolRequest, context: grpc.ServicerContext
    ) -> tools_pb2.ImportToolResponse:
        """Verify and keep what is in a signed file."""
        if len(request.file) > MAX_FILE_BYTES:
            raise InvalidInput("file", f"has {len(request.file)} bytes", f"at most {MAX_FILE_BYTES} bytes")
        with scope_of(context) as scope:
            imported = self._porter.import_tool(
                request.file,
                trusted_keys=tuple(request.trusted_keys),
                actor=request.actor,
                cancellation=scope.cancellation,
                deadline_s=scope.deadline_s,
            )
        return tools_pb2.ImportToolResponse(
            tool=_to_wire(imported.tool), digest=imported.digest, key_id=imported.key_id
        )


def _to_wire(tool: RegisteredTool) -> tools_pb2.Tool:
    return tool_to_wire(tool.info)
