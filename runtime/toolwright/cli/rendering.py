"""Values for people: every text that is not ours passes `safe_text` on its way."""

from __future__ import annotations

import math

from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from toolwright.cli.safe_text import joined, json_text, literal, shown, shown_line
from toolwright.domain.limits import MIB
from toolwright.domain.outcome import Execution, Status
from toolwright.domain.tool import ToolInfo

MAX_SHOWN = 4_000
"""Characters of one untrusted text on the screen; --json has all of it."""


def status_text(status: Status) -> Text:
    """Return a status in its colour."""
    styles = {Status.SUCCESS: "bold green", Status.INFRASTRUCTURE: "bold magenta"}
    return Text(status.value, style=styles.get(status, "bold red"))


def execution_lines(execution: Execution, title: str = "") -> list[Text]:
    """Return a call's end: status, result or failure, output, and what it used."""
    outcome, lines = execution.outcome, []
    head = literal(f"{shown_line(title)}: " if title else "")
    lines.append(joined(head, status_text(outcome.status), Text(f"  {used(execution)}", style="dim")))
    if outcome.result_json is not None:
        lines.append(literal(outcome.result_json, limit=MAX_SHOWN))
    if outcome.failure:
        lines.append(literal(f"{outcome.failure.type}: {outcome.failure.message}", style="red", limit=MAX_SHOWN))
        if outcome.failure.traceback:
            lines.append(literal(outcome.failure.traceback.rstrip(), style="dim", limit=MAX_SHOWN))
    for name, output in (("stdout", outcome.stdout), ("stderr", outcome.stderr)):
        if output.total_bytes:
            kept = f", {len(output.kept)} kept" if output.truncated else ""
            lines.append(Text(f"{name} ({output.total_bytes} bytes{kept}):", style="dim"))
            lines.append(literal(output.text.rstrip("\n"), limit=MAX_SHOWN))
    return lines


def used(execution: Execution) -> str:
    """Return in a few words what a call used and where it ran."""
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
    for heading in ("tool", "state", "answers", "signature", "summary"):
        table.add_column(heading, overflow="fold")
    for tool in tools:
        table.add_row(
            literal(tool.reference),
            tool.state.value,
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
