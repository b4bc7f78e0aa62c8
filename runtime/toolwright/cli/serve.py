"""`toolwright serve`: the gRPC server."""

from __future__ import annotations

from typing import Annotated

import typer

from toolwright.cli.command import Session
from toolwright.cli.exit import ExitStatus
from toolwright.cli.safe_text import shown


def serve(
    session: Session,
    listen: Annotated[
        str,
        typer.Option("--listen", metavar="ADDRESS", help="HOST:PORT or unix:/PATH.", show_default="127.0.0.1:7433"),
    ] = "",
) -> ExitStatus:
    """Serve gRPC until stopped by Ctrl-C or SIGTERM.

    With --json one document with the address is written as soon as calls are taken.

    Exit status: 0 stopped, 2 bad settings, 3 the services cannot start.
    """
    session.tell_models()
    with session.environment.serve(session.options, {"listen": listen or None}) as server:
        session.screen.document({"status": "SERVING", "address": server.address})
        if not session.screen.as_json:
            session.screen.say(f"Serving gRPC at {shown(server.address)}; Ctrl-C stops it.")
        server.wait()
        session.screen.note("Stopping: running calls are given time to end; a further signal kills them.")
    return ExitStatus.DONE
