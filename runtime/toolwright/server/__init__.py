"""The composition root of the server: settings in, a listening gRPC server out."""

from toolwright.server.main import Server, open_server
from toolwright.server.sandboxes import attack_sandboxes, check_sandboxes

__all__ = ["Server", "attack_sandboxes", "check_sandboxes", "open_server"]
