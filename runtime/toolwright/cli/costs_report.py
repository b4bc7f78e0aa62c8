"""What the ledger holds, for people and as a JSON document."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from toolwright.cli.cost_curve import curve_of
from toolwright.cli.curve_text import curve_plot
from toolwright.cli.offline import NOTE, PREFIX
from toolwright.cli.rendering import dollars
from toolwright.cli.safe_text import literal
from toolwright.cli.screen import Screen
from toolwright.domain.break_even import BreakEven
from toolwright.domain.cost_report import CostReport, HitRates, ModelPrice
from toolwright.domain.ledger import CostKey, CostSum
from toolwright.domain.shown import shown_line

_NAME_WIDTH = 60


def show_costs(screen: Screen, report: CostReport) -> None:
    """Show all of it to people."""
    if not report.total.calls:
        screen.say("Nothing in the ledger: no model was asked, or the filters leave nothing.")
        return
    screen.say(_sums_table(report))
    _left_off(screen, report.rows_left_off)
    if report.break_evens:
        screen.say()
        screen.say(_break_even_table(report.break_evens))
        _left_off(screen, report.break_evens_left_off)
        _say_unknown(screen, report.break_evens)
    _show_curve(screen, report)
    screen.say()
    if report.hit_rates:
        screen.say(_hits_words(report.hit_rates))
    _show_prices(screen, report)


def costs_document(report: CostReport, picture: Path | None) -> dict[str, Any]:
    """Return the document of `costs --json`."""
    curve = curve_of(report)
    return {
        "by": list(report.by),
        "rows": [_sum_document(row, report.by) for row in report.rows],
        "rows_left_off": report.rows_left_off,
        "total": _sum_document(report.total, ()),
        "break_even": [_account_document(account) for account in report.break_evens],
        "break_even_left_off": report.break_evens_left_off,
        "curve": {
            **asdict(report.series),
            "break_even_questions": curve.break_even if curve else None,
        },
        "hit_rates": _hits_document(report.hit_rates) if report.hit_rates else None,
        "prices": [asdict(price) for price in report.prices],
        "picture": str(picture) if picture else None,
        "model_note": NOTE if _offline(report) else "",
    }


def _sums_table(report: CostReport) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", show_footer=bool(report.by))
    unpriced = bool(report.total.unpriced_calls)
    headings = [
        ("calls", f"{report.total.calls:,}"),
        ("tokens sent", f"{report.total.prompt_tokens:,}"),
        ("received", f"{report.total.completion_tokens:,}"),
        ("cost", _at_least(report.total.cost_usd, report.total.unpriced_calls)),
    ]
    for number, key in enumerate(report.by):
        table.add_column(key.value, footer="" if number else "total")
    for heading, total in headings:
        table.add_column(heading, justify="right", footer=total)
    if unpriced:
        table.add_column("tokens without a price", justify="right", footer=f"{report.total.unpriced_tokens:,}")
    for row in report.rows if report.by else (report.total,):
        cells = [literal(shown_line(value, limit=_NAME_WIDTH) or "–") for value in row.key]
        figures = [f"{row.calls:,}", f"{row.prompt_tokens:,}", f"{row.completion_tokens:,}"]
        figures.append(_at_least(row.cost_usd, row.unpriced_calls))
        if unpriced:
            figures.append(f"{row.unpriced_tokens:,}" if row.unpriced_calls else "")
        table.add_row(*cells, *figures)
    return table


def _break_even_table(accounts: tuple[BreakEven, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("task")
    for heading in ("making", "questions", "each with the tool", "each by the strong model", "pays off at", "saved"):
        table.add_column(heading, justify="right")
    table.add_column("paid off")
    for account in accounts:
        table.add_row(
            literal(shown_line(account.task, limit=_NAME_WIDTH)),
            _at_least(account.making_usd, account.unpriced_calls),
            f"{account.questions:,}",
            "–" if account.light_usd is None else _at_least(account.light_usd, account.unpriced_calls),
            _amount(account.strong_usd) + (" (assumed)" if account.assumed else ""),
            f"{account.after:,}" if account.after else ("–" if account.unknown else "never"),
            _amount(account.saved_usd),
            {True: "yes", False: "not yet" if account.after else "no", None: "?"}[account.paid_off],
        )
    return table


def _say_unknown(screen: Screen, accounts: tuple[BreakEven, ...]) -> None:
    reasons: dict[str, list[str]] = {}
    for account in accounts:
        if account.unknown:
            reasons.setdefault(account.unknown, []).append(account.task)
    for reason, tasks in reasons.items():
        screen.say(literal(f"{', '.join(tasks)}: {reason}.", limit=1_000), style="yellow")
    if any(account.strong_usd is None for account in accounts):
        screen.say("--baseline-usd USD sets by hand what the strong model takes for a question.", style="yellow")


def _show_curve(screen: Screen, report: CostReport) -> None:
    curve, series = curve_of(report), report.series
    if curve:
        screen.say()
        screen.say(curve_plot(curve))
    if curve and report.total.unpriced_calls:
        screen.say("The curve is too low: not all that was asked has a price.", style="bold yellow")
    if curve and series.left_out_questions:
        screen.say(
            f"The curve leaves out questions of kinds ({series.left_out_questions:,}, {dollars(series.left_out_usd)}) "
            "for which it is not known what the strong model takes.",
            style="yellow",
        )


def _show_prices(screen: Screen, report: CostReport) -> None:
    known = [price for price in report.prices if price.known]
    if known:
        screen.say(literal(f"Prices: {', '.join(map(_price_words, known))}.", limit=2_000))
    outdated = [price.model for price in known if price.outdated]
    if outdated:
        screen.say(
            literal(f"Noted long ago, look them up anew: {', '.join(outdated)}.", limit=2_000), style="bold yellow"
        )
    unknown = [price.model for price in report.prices if not price.known]
    if unknown:
        screen.say(
            literal(f"No price is known of: {', '.join(unknown)}. `prices_file` can name one.", limit=2_000),
            style="bold yellow",
        )
    if _offline(report):
        screen.say(NOTE, style="yellow")


def _price_words(price: ModelPrice) -> str:
    note = "illustrative, " if price.illustrative else ""
    return f"{price.model} ({note}{f'as of {price.as_of}' if price.as_of else 'no date'})"


def _hits_words(hits: HitRates) -> str:
    by_tool, cached = _percent(hits.by_tool, hits.solves), _percent(hits.cached, hits.executions)
    return (
        f"An existing tool answered {hits.by_tool:,} of {hits.solves:,} questions ({by_tool}); {hits.cached:,} of "
        f"{hits.executions:,} calls were answered from the cache of exact results ({cached})."
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "none"


def _hits_document(hits: HitRates) -> dict[str, Any]:
    return {
        **asdict(hits),
        "by_tool_rate": hits.by_tool / hits.solves if hits.solves else None,
        "cached_rate": hits.cached / hits.executions if hits.executions else None,
    }


def _left_off(screen: Screen, rows: int) -> None:
    if rows:
        screen.say(f"… and {rows:,} rows more, each cheaper; filters narrow it down.", style="dim")


def _at_least(usd: float, unpriced_calls: int) -> str:
    """Return an amount, marked where exchanges of unknown price belong to it too."""
    return f"≥ {dollars(usd)}" if unpriced_calls else dollars(usd)


def _amount(usd: float | None) -> str:
    return "–" if usd is None else dollars(usd)


def _offline(report: CostReport) -> bool:
    return any(price.model.startswith(PREFIX) for price in report.prices)


def _sum_document(row: CostSum, by: tuple[CostKey, ...]) -> dict[str, Any]:
    figures = asdict(row)
    del figures["key"]
    return {**{key.value: value for key, value in zip(by, row.key, strict=True)}, **figures}


def _account_document(account: BreakEven) -> dict[str, Any]:
    return {
        **asdict(account),
        "break_even_questions": account.after,
        "paid_off": account.paid_off,
        "saved_usd": account.saved_usd,
        "unknown": account.unknown,
    }
