"""The composition root of the server: settings in, a listening gRPC server out."""

from toolwright.server.main import Server, open_server

__all__ = ["Server", "open_server"]
