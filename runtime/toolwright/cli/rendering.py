"""Values for people: every text that is not ours passes `safe_text` on its way."""

from __future__ import annotations

import math

from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from toolwright.cli.safe_text import joined, json_text, literal
from toolwright.cli.screen import Screen
from toolwright.domain.limits import MIB
from toolwright.domain.outcome import Execution, Failure, Status
from toolwright.domain.shown import shown, shown_line
from toolwright.domain.tool import ToolInfo

MAX_SHOWN = 4_000
"""Characters of one untrusted text on the screen; --json has all of it."""

HALF_SHOWN = 2_000
"""Characters shown of the beginning and of the end of what a call wrote."""


def status_text(status: Status) -> Text:
    """Return a status in its colour."""
    styles = {Status.SUCCESS: "bold green", Status.INFRASTRUCTURE: "bold magenta"}
    return Text(status.value, style=styles.get(status, "bold red"))


def show_execution(screen: Screen, execution: Execution, title: str = "") -> None:
    """Show a call's end: the result on stdout, so that it can be piped; verdict, failure and output on stderr."""
    outcome = execution.outcome
    head = literal(f"{shown_line(title)}: " if title else "")
    screen.note(joined(head, status_text(outcome.status), Text(f"  {used(execution)}", style="dim")), style="")
    if outcome.failure:
        for line in failure_lines(outcome.failure):
            screen.note(line, style="")
    for name, output in (("stdout", outcome.stdout), ("stderr", outcome.stderr)):
        if output.total_bytes:
            kept = f", {len(output.kept)} kept" if output.truncated else ""
            screen.note(f"{name} ({output.total_bytes} bytes{kept}):")
            screen.note(literal(head_and_tail(output.text.rstrip("\n"))), style="")
    if outcome.result_json is not None:
        screen.result(outcome.result_json)


def failure_lines(failure: Failure) -> list[Text]:
    """Return why there is no result: the traceback, and the exception once."""
    headline = f"{failure.type}: {failure.message}" if failure.message else failure.type
    trace = failure.traceback.rstrip().removesuffix(headline)
    lines = trace.rstrip().splitlines()
    if lines and lines[-1].partition(":")[0].rpartition(".")[2] == failure.type.rpartition(".")[2]:
        lines.pop()  # the same exception, told a little otherwise
    shown_trace = [literal("\n".join(lines), style="dim", limit=MAX_SHOWN)] if lines else []
    return [*shown_trace, literal(headline, style="red", limit=MAX_SHOWN)]


def head_and_tail(text: str) -> str:
    """Return `text`, of a long one its beginning and its end; --json has all of it."""
    dropped = len(text) - 2 * HALF_SHOWN
    if dropped <= 0:
        return text
    return f"{text[:HALF_SHOWN]}\n… {dropped} characters more, all of them with --json …\n{text[-HALF_SHOWN:]}"


def used(execution: Execution) -> str:
    """Return in a few words what a call used and where it ran."""
    if execution.from_cache:
        return f"known from execution {shown_line(execution.provenance.computed_by)}, nothing ran"
    usage, provenance = execution.outcome.usage, execution.provenance
    memory = usage.peak_memory_bytes / MIB
    where = shown_line(f"{provenance.runtime} {provenance.container_id[:12]}").strip()
    return f"{usage.wall_ms:.1f} ms, CPU {usage.cpu_ms:.1f} ms, {memory:.1f} MiB" + (f", {where}" if where else "")


def code(text: str) -> Syntax:
    """Return Python source with its colours, long lines wrapped."""
    return Syntax(shown(text.rstrip("\n")), "python", theme="ansi_dark", background_color="default", word_wrap=True)


def json_block(value: object) -> Syntax:
    """Return a JSON value, indented."""
    return Syntax(json_text(value, indent=2), "json", theme="ansi_dark", background_color="default", word_wrap=True)


def tools_table(tools: list[ToolInfo]) -> Table:
    """Return one row per tool."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("tool", "state", "aliases", "answers", "signature", "summary"):
        table.add_column(heading, overflow="fold")
    for tool in tools:
        table.add_row(
            literal(tool.reference),
            tool.state.value,
            literal(" ".join(tool.aliases)),
            tool.answer_kind.value,
            literal(shown_line(tool.signature, limit=200)),
            literal(shown_line(tool.summary.strip().partition("\n")[0], limit=120)),
        )
    return table


def dollars(amount: float) -> str:
    """Return an amount of money: cents from a dollar on, three significant digits below."""
    if amount == 0:
        return "$0"
    if abs(amount) >= 1:
        return f"${amount:,.2f}"
    places = max(2, 2 - math.floor(math.log10(abs(amount))))
    return f"${amount:.{places}f}".rstrip("0").rstrip(".")
