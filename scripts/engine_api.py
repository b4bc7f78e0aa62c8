"""Speaks to a container engine with the standard library alone, so that it works before anything is installed.

engine_api.py ping ADDRESS     exit 0 it answers, 13 it does but not to this user, 1 it does not
engine_api.py clean ADDRESS    remove the containers and images that bear a label of Toolwright
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import sys
from pathlib import Path
from urllib.parse import quote, urlsplit

LABEL = "org.toolwright."
ANSWER_S = 5.0
REMOVE_S = 60.0
REFUSED = 13
"""Exit status of `ping` where the socket is there and not for this user; as EACCES."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        """Connect to `path`, waiting `timeout` seconds at most for each answer."""
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def connect(address: str, timeout: float) -> http.client.HTTPConnection:
    """Return a connection to an address of the forms that DOCKER_HOST has.

    Raises:
        ValueError: it has another form.
    """
    parts = urlsplit(address)
    if parts.scheme == "unix":
        return UnixConnection(parts.path, timeout)
    if parts.scheme not in {"tcp", "http", "https"} or not parts.hostname:
        message = f"{address}: expected unix:///path or tcp://host:port (for ssh, forward the socket: ssh -L)"
        raise ValueError(message)
    if parts.scheme == "https" or os.environ.get("DOCKER_TLS_VERIFY"):
        certificates = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
        context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
        context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
        return http.client.HTTPSConnection(parts.hostname, parts.port or 2376, timeout=timeout, context=context)
    return http.client.HTTPConnection(parts.hostname, parts.port or 2375, timeout=timeout)


def ask(address: str, method: str, path: str, timeout: float = ANSWER_S) -> tuple[int, bytes]:
    """Return status and body of one request.

    Raises:
        OSError: nothing answers.
        http.client.HTTPException: what answers does not speak HTTP.
        ValueError: the address has no known form.
    """
    connection = connect(address, timeout)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def ping(address: str) -> int:
    """Return the exit status that says whether an engine answers."""
    try:
        status, body = ask(address, "GET", "/_ping")
    except PermissionError:
        return REFUSED
    except (OSError, http.client.HTTPException, ValueError) as error:
        sys.stderr.write(f"{address}: {error}\n")
        return 1
    return 0 if status == http.HTTPStatus.OK and body.strip() == b"OK" else 1


def clean(address: str) -> int:
    """Remove our containers, then our images; say how many."""
    containers = [item["Id"] for item in listed(address, "/containers/json?all=1")]
    for name in containers:
        ask(address, "DELETE", f"/containers/{name}?force=1&v=1", REMOVE_S)
    images = [item["Id"] for item in listed(address, "/images/json")]
    for name in images:
        ask(address, "DELETE", f"/images/{quote(name, safe=':')}?force=1", REMOVE_S)
    left = len(listed(address, "/containers/json?all=1")) + len(listed(address, "/images/json"))
    sys.stderr.write(
        f"toolwright: removed {len(containers)} containers and {len(images)} images; {left} could not be\n"
    )
    return 1 if left else 0


def listed(address: str, path: str) -> list[dict[str, str]]:
    """Return what the engine lists that bears a label of ours."""
    status, body = ask(address, "GET", path, REMOVE_S)
    if status != http.HTTPStatus.OK:
        message = f"the engine answered {status}: {body[:200]!r}"
        raise OSError(message)
    return [item for item in json.loads(body) if any(key.startswith(LABEL) for key in item.get("Labels") or {})]


def main() -> int:
    """Run one command."""
    command, address = sys.argv[1:]
    return {"ping": ping, "clean": clean}[command](address)


if __name__ == "__main__":
    sys.exit(main())
