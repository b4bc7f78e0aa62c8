"""The part of `Client` that is about lives of tools."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from toolwright.client import lives, messages
from toolwright.client.connection_sync import Connection
from toolwright.client.values import ExportedTool, ImportedTool
from toolwright.domain.lifecycle import ToolEvent
from toolwright.domain.tool import ToolInfo
from toolwright.services.convert.lifecycle import event_from_wire
from toolwright.services.convert.tools import tool_from_wire
from toolwright.v1 import tools_pb2


class ClientLives(Connection):
    """States, approvals, aliases, history, export and import.

    Methods raise `NotFound`, `NotReady` (the version is in a state that does not allow it), `InvalidInput`,
    `StoreUnavailable`, `StoreCorrupt` and `ServerUnavailable`; `import_tool` also raises `PermissionDenied` and what
    `register` does. `actor` says who acts; the server does not check that.
    """

    def set_alias(  # noqa: PLR0913 - the fields of the request
        self,
        name: str,
        alias: str,
        version: int,
        *,
        share: float = 0.0,
        actor: str = "",
        reason: str = "",
        timeout_s: float | None = None,
    ) -> ToolInfo | None:
        """Point `name@alias` at an active version, and return that; with the version 0 remove it, and return None."""
        request = lives.alias_request(name, alias, version, share, actor, reason)
        reply = self._unary(lambda left: self._tools.SetAlias(request, timeout=left), timeout_s)
        return messages.read(tool_from_wire, reply.tool) if reply.HasField("tool") else None

    def rollback_tool(
        self, name: str, *, actor: str = "", reason: str = "", timeout_s: float | None = None
    ) -> ToolInfo:
        """Point `name@stable` at what it pointed at before, and return that."""
        request = tools_pb2.RollbackToolRequest(name=name, actor=actor, reason=reason)
        reply = self._unary(lambda left: self._tools.RollbackTool(request, timeout=left), timeout_s)
        return messages.read(tool_from_wire, reply.tool)

    def approve_tool(self, reference: str, *, actor: str, reason: str = "", timeout_s: float | None = None) -> ToolInfo:
        """Say for `actor` that a version may be used, and return it as it is then."""
        request = tools_pb2.ApproveToolRequest(tool=reference, actor=actor, reason=reason)
        reply = self._unary(lambda left: self._tools.ApproveTool(request, timeout=left), timeout_s)
        return messages.read(tool_from_wire, reply.tool)

    def quarantine_tool(
        self, reference: str, *, reason: str, actor: str = "", timeout_s: float | None = None
    ) -> ToolInfo:
        """Hold a version back until it is verified again or approved, and return it."""
        request = tools_pb2.QuarantineToolRequest(tool=reference, actor=actor, reason=reason)
        reply = self._unary(lambda left: self._tools.QuarantineTool(request, timeout=left), timeout_s)
        return messages.read(tool_from_wire, reply.tool)

    def retire_tool(self, reference: str, *, reason: str, actor: str = "", timeout_s: float | None = None) -> ToolInfo:
        """Take a version out of use for good, and return it."""
        request = tools_pb2.RetireToolRequest(tool=reference, actor=actor, reason=reason)
        reply = self._unary(lambda left: self._tools.RetireTool(request, timeout=left), timeout_s)
        return messages.read(tool_from_wire, reply.tool)

    def list_tool_events(self, name: str, *, timeout_s: float | None = None) -> Iterator[ToolEvent]:
        """Give what happened to a tool, oldest first. Pages are asked for as they are needed."""

        def ask(token: str, left: float) -> tools_pb2.ListToolEventsResponse:
            request = tools_pb2.ListToolEventsRequest(name=name, page_token=token)
            return self._tools.ListToolEvents(request, timeout=left)

        for page in self._pages(ask, timeout_s):
            for event in page.events:
                yield messages.read(event_from_wire, event)

    def export_tool(self, reference: str, *, timeout_s: float | None = None) -> ExportedTool:
        """Return a version as a signed file."""
        request = tools_pb2.ExportToolRequest(tool=reference)
        reply = self._unary(lambda left: self._tools.ExportTool(request, timeout=left), timeout_s)
        return ExportedTool(messages.read(tool_from_wire, reply.tool), reply.file, reply.public_key)

    def import_tool(
        self, file: bytes, *, trusted_keys: Sequence[str] = (), actor: str = "", timeout_s: float | None = None
    ) -> ImportedTool:
        """Have a signed file verified and kept."""
        request = tools_pb2.ImportToolRequest(file=file, trusted_keys=trusted_keys, actor=actor)
        reply = self._unary(lambda left: self._tools.ImportTool(request, timeout=left), messages.long(timeout_s))
        return ImportedTool(messages.read(tool_from_wire, reply.tool), reply.digest, reply.key_id)
