"""What is asked about costs, and the answer."""

from __future__ import annotations

from typing import Final

from toolwright.domain.break_even import BreakEven
from toolwright.domain.cost_report import CostQuestion, CostReport, HitRates, ModelPrice
from toolwright.domain.ledger import DEFAULT_POINTS, CostFilter, CostKey, CostSum, Series, SeriesPoint
from toolwright.errors import InvalidInput
from toolwright.services.convert.enums import COST_KEY
from toolwright.services.convert.text import time_from_wire, time_to_wire
from toolwright.v1 import ledger_pb2

_MAX_TEXT: Final = 1_000


def question_to_wire(asked: CostQuestion) -> ledger_pb2.GetCostsRequest:
    """Return a question about costs as a message.

    Raises:
        InvalidInput: a text is no valid Unicode, or a time is out of range.
    """
    within = asked.within
    try:
        return ledger_pb2.GetCostsRequest(
            group_by=map(COST_KEY.to_wire, asked.by),
            since=None if within.since is None else time_to_wire(within.since),
            until=None if within.until is None else time_to_wire(within.until),
            task=within.task,
            tool=within.tool,
            tenant=within.tenant,
            points=asked.points,
            baseline_usd=asked.baseline_usd,
        )
    except (ValueError, OverflowError) as fault:
        raise InvalidInput("costs", str(fault)[:200], "valid Unicode, and times from year 1 to 9999") from None


def question_from_wire(message: ledger_pb2.GetCostsRequest) -> CostQuestion:
    """Return a question about costs.

    Raises:
        InvalidInput: a field is off.
    """
    for field in ("task", "tool", "tenant"):
        if len(getattr(message, field)) > _MAX_TEXT:
            raise InvalidInput(field, "is too long", f"at most {_MAX_TEXT} characters")
    return CostQuestion(
        by=tuple(COST_KEY.from_wire(key, "group_by") for key in message.group_by),
        within=CostFilter(
            since=time_from_wire(message.since) if message.HasField("since") else None,
            until=time_from_wire(message.until) if message.HasField("until") else None,
            task=message.task,
            tool=message.tool,
            tenant=message.tenant,
        ),
        points=message.points or DEFAULT_POINTS,
        baseline_usd=message.baseline_usd if message.HasField("baseline_usd") else None,
    )


def report_to_wire(report: CostReport) -> ledger_pb2.GetCostsResponse:
    """Return an answer about costs as a message."""
    return ledger_pb2.GetCostsResponse(
        rows=map(_sum_to_wire, report.rows),
        rows_left_off=report.rows_left_off,
        total=_sum_to_wire(report.total),
        break_evens=map(_break_even_to_wire, report.break_evens),
        break_evens_left_off=report.break_evens_left_off,
        series=_series_to_wire(report.series),
        hit_rates=_hits_to_wire(report.hit_rates) if report.hit_rates else None,
        prices=map(_price_to_wire, report.prices),
    )


def report_from_wire(message: ledger_pb2.GetCostsResponse, by: tuple[CostKey, ...]) -> CostReport:
    """Return an answer about costs, whose rows are `by` these keys.

    Raises:
        InvalidInput: a number in it is none.
    """
    return CostReport(
        by=by,
        rows=tuple(map(_sum_from_wire, message.rows)),
        rows_left_off=message.rows_left_off,
        total=_sum_from_wire(message.total),
        break_evens=tuple(map(_break_even_from_wire, message.break_evens)),
        break_evens_left_off=message.break_evens_left_off,
        series=_series_from_wire(message.series),
        hit_rates=_hits_from_wire(message.hit_rates) if message.HasField("hit_rates") else None,
        prices=tuple(map(_price_from_wire, message.prices)),
    )


def _sum_to_wire(found: CostSum) -> ledger_pb2.CostRow:
    return ledger_pb2.CostRow(
        key=found.key,
        calls=found.calls,
        prompt_tokens=str(found.prompt_tokens),
        completion_tokens=str(found.completion_tokens),
        cost_usd=found.cost_usd,
        seconds=found.seconds,
        unpriced_calls=found.unpriced_calls,
        unpriced_tokens=str(found.unpriced_tokens),
    )


def _sum_from_wire(message: ledger_pb2.CostRow) -> CostSum:
    return CostSum(
        key=tuple(message.key),
        calls=message.calls,
        prompt_tokens=_whole(message.prompt_tokens, "prompt_tokens"),
        completion_tokens=_whole(message.completion_tokens, "completion_tokens"),
        cost_usd=message.cost_usd,
        seconds=message.seconds,
        unpriced_calls=message.unpriced_calls,
        unpriced_tokens=_whole(message.unpriced_tokens, "unpriced_tokens"),
    )


def _whole(text: str, field: str) -> int:
    try:
        return int(text or "0")
    except ValueError:
        raise InvalidInput(field, "is no number", "a whole number in decimal") from None


def _break_even_to_wire(account: BreakEven) -> ledger_pb2.BreakEven:
    return ledger_pb2.BreakEven(
        task=account.task,
        making_usd=account.making_usd,
        questions=account.questions,
        light_usd=account.light_usd,
        strong_usd=account.strong_usd,
        strong_questions=account.strong_questions,
        assumed=account.assumed,
        unpriced_calls=account.unpriced_calls,
        after=account.after,
        paid_off=account.paid_off,
        saved_usd=account.saved_usd,
        unknown=account.unknown,
    )


def _break_even_from_wire(message: ledger_pb2.BreakEven) -> BreakEven:
    return BreakEven(
        task=message.task,
        making_usd=message.making_usd,
        questions=message.questions,
        light_usd=message.light_usd if message.HasField("light_usd") else None,
        strong_usd=message.strong_usd if message.HasField("strong_usd") else None,
        strong_questions=message.strong_questions,
        assumed=message.assumed,
        unpriced_calls=message.unpriced_calls,
    )


def _series_to_wire(series: Series) -> ledger_pb2.CostSeries:
    return ledger_pb2.CostSeries(
        points=[
            ledger_pb2.CostPoint(
                at=time_to_wire(point.at),
                questions=point.questions,
                making_usd=point.making_usd,
                with_tools_usd=point.with_tools_usd,
                strong_usd=point.strong_usd,
            )
            for point in series.points
        ],
        left_out_questions=series.left_out_questions,
        left_out_usd=series.left_out_usd,
    )


def _series_from_wire(message: ledger_pb2.CostSeries) -> Series:
    return Series(
        tuple(
            SeriesPoint(
                time_from_wire(point.at), point.questions, point.making_usd, point.with_tools_usd, point.strong_usd
            )
            for point in message.points
        ),
        message.left_out_questions,
        message.left_out_usd,
    )


def _hits_to_wire(hits: HitRates) -> ledger_pb2.HitRates:
    return ledger_pb2.HitRates(solves=hits.solves, by_tool=hits.by_tool, executions=hits.executions, cached=hits.cached)


def _hits_from_wire(message: ledger_pb2.HitRates) -> HitRates:
    return HitRates(message.solves, message.by_tool, message.executions, message.cached)


def _price_to_wire(price: ModelPrice) -> ledger_pb2.ModelPrice:
    return ledger_pb2.ModelPrice(
        model=price.model,
        known=price.known,
        input_usd=price.input_usd,
        output_usd=price.output_usd,
        as_of=price.as_of,
        illustrative=price.illustrative,
        outdated=price.outdated,
    )


def _price_from_wire(message: ledger_pb2.ModelPrice) -> ModelPrice:
    return ModelPrice(
        message.model,
        message.known,
        message.input_usd,
        message.output_usd,
        message.as_of,
        message.illustrative,
        message.outdated,
    )
