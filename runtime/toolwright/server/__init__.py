"""The composition root of the server: settings in, a listening gRPC server out."""

from toolwright.server.main import Server, open_server
from toolwright.server.sandboxes import check_sandboxes

__all__ = ["Server", "check_sandboxes", "open_server"]
