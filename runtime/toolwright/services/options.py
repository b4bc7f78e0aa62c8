"""gRPC channel options of both sides, each with its reason."""

from __future__ import annotations

from typing import Final

from toolwright.domain.limits import MIB
from toolwright.settings import GrpcSettings

Option = tuple[str, int]

MAX_RESPONSE_BYTES: Final = 64 * MIB
"""Above the largest result with both outputs that settings allow."""

KEEPALIVE_S: Final = 10
"""A connection with calls that was silent for so long, in seconds, is asked whether the other side is there."""

KEEPALIVE_ANSWER_S: Final = 5
"""Seconds for the answer, after which the connection's calls end."""

MAX_TRAILER_BYTES: Final = 16 * 1024
"""Status errors with their details stay far below."""


def server_options(settings: GrpcSettings) -> list[Option]:
    """Return the options of a server."""
    return [
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", MAX_RESPONSE_BYTES),
        # Above the first, refused with a chance that grows; above the second, always.
        ("grpc.max_metadata_size", settings.max_metadata_bytes),
        ("grpc.absolute_max_metadata_size", 2 * settings.max_metadata_bytes),
        ("grpc.max_concurrent_streams", settings.max_concurrent_streams),
        # A second server on the same port would take half of the calls unseen.
        ("grpc.so_reuseport", 0),
        # Only identity: a compressed request could unpack to far more than its size.
        ("grpc.compression_enabled_algorithms_bitset", 1),
        # A connection that only pings is closed instead of kept for ever.
        ("grpc.http2.max_ping_strikes", 2),
        ("grpc.max_connection_idle_ms", 30 * 60 * 1000),
        # A client that cannot be reached any more does not keep its call's sandbox until the call's own end.
        ("grpc.keepalive_time_ms", KEEPALIVE_S * 1000),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_ANSWER_S * 1000),
        ("grpc.http2.ping_timeout_ms", KEEPALIVE_ANSWER_S * 1000),  # else a lost ping is noticed after a minute
        # A unary call sends nothing while it runs: the pings of our clients are no flood.
        ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_S * 1000 // 2),
        ("grpc.http2.max_pings_without_data", 0),
    ]


def client_options() -> list[Option]:
    """Return the options of a client."""
    return [
        ("grpc.max_receive_message_length", MAX_RESPONSE_BYTES),
        ("grpc.max_send_message_length", MAX_RESPONSE_BYTES),
        ("grpc.max_metadata_size", MAX_TRAILER_BYTES),
        ("grpc.absolute_max_metadata_size", 2 * MAX_TRAILER_BYTES),
        # A server is local or near: look again soon after it was not there.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2000),
        # A server that cannot be reached any more is noticed before the call's deadline.
        ("grpc.keepalive_time_ms", KEEPALIVE_S * 1000),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_ANSWER_S * 1000),
        ("grpc.http2.ping_timeout_ms", KEEPALIVE_ANSWER_S * 1000),  # else a lost ping is noticed after a minute
        ("grpc.http2.max_pings_without_data", 0),
        # A proxy from the environment must not come between a client and its own machine.
        ("grpc.enable_http_proxy", 0),
    ]
