"""LedgerService: tells what models cost."""

from __future__ import annotations

import grpc

from toolwright.services.base import Accounting
from toolwright.services.convert.costs import question_from_wire, report_to_wire
from toolwright.v1 import ledger_pb2, ledger_pb2_grpc


class LedgerService(ledger_pb2_grpc.LedgerServiceServicer):
    """Converts, asks, converts back."""

    def __init__(self, costs: Accounting) -> None:
        """Serve `costs`."""
        self._costs = costs

    def GetCosts(
        self, request: ledger_pb2.GetCostsRequest, context: grpc.ServicerContext
    ) -> ledger_pb2.GetCostsResponse:
        """Return what the ledger holds."""
        return report_to_wire(self._costs.report(question_from_wire(request)))
