"""AuditService: specified, not served yet."""

from __future__ import annotations

import grpc

from toolwright.services.calls import not_served
from toolwright.v1 import audit_pb2, audit_pb2_grpc


class AuditService(audit_pb2_grpc.AuditServiceServicer):
    """Answers every call with UNIMPLEMENTED and its reason."""

    def ListExecutions(
        self, request: audit_pb2.ListExecutionsRequest, context: grpc.ServicerContext
    ) -> audit_pb2.ListExecutionsResponse:
        """Not served yet."""
        not_served("ListExecutions")

    def GetExecution(
        self, request: audit_pb2.GetExecutionRequest, context: grpc.ServicerContext
    ) -> audit_pb2.GetExecutionResponse:
        """Not served yet."""
        not_served("GetExecution")

    def GetImageReport(
        self, request: audit_pb2.GetImageReportRequest, context: grpc.ServicerContext
    ) -> audit_pb2.GetImageReportResponse:
        """Not served yet."""
        not_served("GetImageReport")

    def GetCheckpoint(
        self, request: audit_pb2.GetCheckpointRequest, context: grpc.ServicerContext
    ) -> audit_pb2.GetCheckpointResponse:
        """Not served yet."""
        not_served("GetCheckpoint")

    def VerifyLog(
        self, request: audit_pb2.VerifyLogRequest, context: grpc.ServicerContext
    ) -> audit_pb2.VerifyLogResponse:
        """Not served yet."""
        not_served("VerifyLog")
