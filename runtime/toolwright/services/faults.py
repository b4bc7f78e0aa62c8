"""Which status a caller gets for a fault, and what of it only the log is told."""

from __future__ import annotations

import secrets
from typing import Final

import grpc
from google.rpc import status_pb2  # type: ignore[import-untyped]  # it ships stubs, but no py.typed marker

from toolwright.errors import ServiceFault, ToolwrightError
from toolwright.services import status
from toolwright.services.log import service_log

_TOLD_CHARS: Final = 2_000


class Faults:
    """Turns faults into statuses.

    A fault of our tree becomes its status. Where it is not the caller's, its words are for the log: they tell of
    paths, addresses and ids of this machine. Any other is our bug: it is logged with its traceback, and the caller
    gets INTERNAL with the log's id and nothing else.
    """

    def __init__(self, *, plain: frozenset[str] = frozenset(), candid: bool = False) -> None:
        """Tell callers what is theirs to know.

        Args:
            plain: texts of faults of ours that callers may read as they are.
            candid: they may read all of them: for a server of the caller's own.
        """
        self._plain = plain
        self._candid = candid
        self._log = service_log("toolwright.services")

    def status(self, fault: Exception, method: str) -> status_pb2.Status:
        """Return the status of `fault`, raised in a call of `method`; log what the caller is not told."""
        if isinstance(fault, ToolwrightError) and status.code_of(fault) is not grpc.StatusCode.INTERNAL:
            return self._told(fault, method)
        log_id = secrets.token_hex(8)
        self._log.error("unexpected fault", method=method, log_id=log_id, exc_info=fault)
        return status.internal_status(log_id)

    def _told(self, fault: ToolwrightError, method: str) -> status_pb2.Status:
        ours = isinstance(fault, ServiceFault) and str(fault) not in self._plain
        if not ours or self._candid:
            return status.to_status(fault)
        log_id = secrets.token_hex(8)
        self._log.warning("fault", method=method, reason=fault.reason, text=str(fault)[:_TOLD_CHARS], log_id=log_id)
        return status.veiled(fault, log_id)
