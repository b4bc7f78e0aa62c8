"""`toolwright serve`: the gRPC server."""

from __future__ import annotations

from typing import Annotated

import typer

from toolwright.cli.command import Session
from toolwright.cli.environment import Server
from toolwright.cli.exit import ExitStatus
from toolwright.domain.shown import shown


def serve(
    session: Session,
    listen: Annotated[
        str,
        typer.Option("--listen", metavar="ADDRESS", help="HOST:PORT or unix:/PATH.", show_default="127.0.0.1:7433"),
    ] = "",
) -> ExitStatus:
    """Serve gRPC until stopped by Ctrl-C or SIGTERM.

    Before it serves it looks at the host and attacks each layer of the sandbox. If a layer is not in force, or the
    profile is production and the host is not fit for it (see doctor), it says what, runs no tool, and answers health
    checks with NOT_SERVING until it is stopped.

    With --json one document with the address is written as soon as calls are taken.

    Exit status: 0 stopped, 2 bad settings, 3 the services cannot start, or ran no tool.
    """
    session.tell_models()
    with session.environment.serve(session.options, {"listen": listen or None}) as server:
        _announce(session, server)
        server.wait()
        session.screen.note("Stopping: running calls are given time to end; a further signal kills them.")
    return ExitStatus.FAULT if server.refusal else ExitStatus.DONE


def _announce(session: Session, server: Server) -> None:
    screen, check = session.screen, server.check
    if not server.refusal:
        screen.document({"status": "SERVING", "address": server.address})
        if not screen.as_json:
            screen.say(f"Serving gRPC at {shown(server.address)}; Ctrl-C stops it.")
        return
    layers = list(check.broken_layers) if check else []
    host = [finding.name for finding in server.host.unfit] if server.host else []
    screen.document(
        {
            "status": "NOT_SERVING",
            "address": server.address,
            "layers": layers,
            "host": host,
            "reason": server.refusal,
        },
    )
    screen.note(shown(f"toolwright: at {server.address} {server.refusal}."), style="red")
