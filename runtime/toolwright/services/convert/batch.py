"""What is said of one call of a batch that has no end to tell."""

from __future__ import annotations

from google.rpc import (  # type: ignore[import-untyped]  # it ships stubs, but no py.typed marker
    error_details_pb2,
    status_pb2,
)

from toolwright.errors import ToolwrightError
from toolwright.services.status import code_from_wire, from_details
from toolwright.v1 import execution_pb2


def batch_error_to_wire(status: status_pb2.Status) -> execution_pb2.BatchError:
    """Return what would be the status error of a single call, as a message."""
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Is(info.DESCRIPTOR):
            detail.Unpack(info)
    return execution_pb2.BatchError(
        code=status.code, message=status.message, reason=info.reason, details=status.details
    )


def fault_from_wire(error: execution_pb2.BatchError) -> ToolwrightError:
    """Return the fault that a single call would have raised."""
    return from_details(code_from_wire(error.code), error.message, status_pb2.Status(details=error.details))
