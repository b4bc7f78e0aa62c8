"""What both clients promise of costs, over a real socket and a real ledger."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from toolwright.domain.cost_report import CostQuestion, HitRates, ModelPrice
from toolwright.domain.ledger import CostFilter, CostKey, SeriesPoint
from toolwright.domain.record import Role
from toolwright.errors import InvalidInput, StoreUnavailable
from toolwright.llm.prices import Price, PriceList
from toolwright.registry.memory import MemoryStore
from toolwright.registry.testing import sample_task, sample_use
from toolwright.services.costs import MAX_ROWS, CostReports
from toolwright.services.testing import ScriptedMaker, ScriptedSolver, parts, serving
from toolwright.v1 import ledger_pb2, ledger_pb2_grpc

if TYPE_CHECKING:
    from tests.contract.services.conftest import Connect

pytestmark = pytest.mark.contract

PRICES = PriceList(
    {
        "large": Price(30.0, 60.0, as_of="2026-03"),
        "small": Price(2.0, 4.0, as_of="2025-03-31"),
        "toy": Price(1.0, 1.0, as_of="2023-05", illustrative=True),
    }
)


def filled() -> MemoryStore:
    """Return a registry with one tool made, two questions with it, and one by the strong model."""
    store = MemoryStore()
    add = store.ledger.add
    add(sample_use(Role.MAKER, model="large", purpose="making", cost_usd=0.5, at=1.0, tenant="default"))
    for number in (2, 3):
        question = {"request_id": f"r{number}", "at": float(number), "tenant": "default"}
        add(sample_use(Role.DISPATCHER, task="", cost_usd=0.01, **question))
        add(sample_use(Role.USER, tool="add@1", cost_usd=0.03, **question))
    add(sample_use(Role.STRONG, model="mystery", task="sub", request_id="r4", cost_usd=0.0, priced=False, at=4.0))
    add(sample_use(Role.STRONG, model="large", request_id="r5", cost_usd=0.3, at=5.0, prompt_tokens=2**62))
    add(sample_use(Role.STRONG, model="large", request_id="r6", cost_usd=0.3, at=6.0, prompt_tokens=2**62))
    return store


def test_the_whole_answer_arrives(connect: Connect) -> None:
    """Rows by key with exact tokens, the accounts, the curve, hit rates, and prices with their dates."""
    costs = CostReports(
        filled(), PRICES, hit_rates=lambda: HitRates(9, 8, 7, 6), today=lambda: date(2026, 4, 1), price_max_age_days=180
    )
    asked = CostQuestion((CostKey.ROLE, CostKey.TASK), points=500)
    with serving(parts(costs=costs)) as address, connect(address) as client:
        report = client.get_costs(asked)

    assert report == costs.report(asked)
    assert [(row.key, row.calls, row.cost_usd) for row in report.rows] == [
        (("strong", "add"), 2, 0.6),
        (("maker", "add"), 1, 0.5),
        (("user", "add"), 2, 0.06),
        (("dispatcher", "add"), 2, 0.02),
        (("strong", "sub"), 1, 0.0),
    ]
    assert report.total.prompt_tokens == 2**63 + 600
    assert (report.total.unpriced_calls, report.total.unpriced_tokens) == (1, 110)
    (account,) = report.break_evens
    assert (account.task, account.after, account.paid_off) == ("add", 2, True)
    assert report.series.points[-1] == SeriesPoint(6.0, 4, 0.5, 1.18, 1.2)
    assert report.series.left_out_questions == 1
    assert report.hit_rates == HitRates(9, 8, 7, 6)
    known = True
    assert report.prices == (
        ModelPrice("large", known, 30.0, 60.0, "2026-03"),
        ModelPrice("mystery", known=False),
        ModelPrice("small", known, 2.0, 4.0, "2025-03-31", outdated=True),
    )


def test_filters_and_the_baseline_reach_the_ledger(connect: Connect) -> None:
    """Each part of the question has its effect."""
    with serving(parts(store=filled())) as address, connect(address) as client:
        within = CostFilter(since=2.0, until=5.0, task="add", tool="add", tenant="default")
        narrow = client.get_costs(CostQuestion((CostKey.TOOL,), within, points=1, baseline_usd=0.5))
        nothing = client.get_costs(CostQuestion((CostKey.TOOL,), CostFilter(tenant="nobody")))

    assert [(row.key, row.calls) for row in narrow.rows] == [(("add@1",), 4)]
    assert len(narrow.series.points) == 1
    (account,) = narrow.break_evens
    assert (account.strong_usd, account.assumed, account.making_usd) == (0.5, True, 0.0)
    assert (nothing.rows, nothing.total.calls, nothing.break_evens, nothing.hit_rates) == ((), 0, (), None)


def test_an_empty_ledger_is_an_answer(connect: Connect) -> None:
    """Zeros, and no guess."""
    with serving(parts()) as address, connect(address) as client:
        report = client.get_costs()
    assert (report.total.calls, report.total.cost_usd, report.rows, report.series.points) == (0, 0.0, (), ())


def test_many_rows_are_left_off_and_counted(connect: Connect) -> None:
    """A reply stays of a size that any client takes; the total is of all."""
    store = MemoryStore()
    for number in range(MAX_ROWS + 5):
        store.ledger.add(sample_use(task=f"t{number}", cost_usd=float(number)))
    with serving(parts(store=store)) as address, connect(address) as client:
        report = client.get_costs(CostQuestion((CostKey.TASK,)))
    assert (len(report.rows), report.rows_left_off, report.break_evens_left_off) == (MAX_ROWS, 5, 5)
    assert (report.rows[0].key, report.total.calls) == ((f"t{MAX_ROWS + 4}",), MAX_ROWS + 5)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (ledger_pb2.GetCostsRequest(group_by=[99]), "group_by"),  # type: ignore[list-item]
        (ledger_pb2.GetCostsRequest(group_by=[ledger_pb2.COST_KEY_ROLE] * 2), "group_by"),
        (ledger_pb2.GetCostsRequest(points=2_001), "points"),
        (ledger_pb2.GetCostsRequest(points=-1), "points"),
        (ledger_pb2.GetCostsRequest(baseline_usd=-0.5), "baseline_usd"),
        (ledger_pb2.GetCostsRequest(baseline_usd=float("nan")), "baseline_usd"),
        (ledger_pb2.GetCostsRequest(task="a\0b"), "task"),
        (ledger_pb2.GetCostsRequest(tenant="x" * 1_001), "tenant"),
        (ledger_pb2.GetCostsRequest(since=Timestamp(seconds=2**62), tool="\0"), "tool"),
    ],
)
def test_a_bad_field_is_named(request_: ledger_pb2.GetCostsRequest, field: str) -> None:
    """The caller's fault, by the name of the field; never ours."""
    with serving(parts()) as address, grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as caught:
        ledger_pb2_grpc.LedgerServiceStub(channel).GetCosts(request_, timeout=10)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert field in (caught.value.details() or "")


def test_clients_refuse_what_cannot_be_sent(connect: Connect) -> None:
    """Before anything is sent."""
    with serving(parts()) as address, connect(address) as client:
        for within in (CostFilter(task="\ud800"), CostFilter(since=1e30), CostFilter(until=float("nan"))):
            with pytest.raises(InvalidInput):
                client.get_costs(CostQuestion(within=within))


def test_a_registry_that_fails_is_told(connect: Connect) -> None:
    """As the fault that it is."""
    store = MemoryStore()
    given = parts(store=store)
    store.close()
    with serving(given) as address, connect(address) as client, pytest.raises(StoreUnavailable):
        client.get_costs()


def test_each_request_is_a_tenants(connect: Connect) -> None:
    """One tenant for all, as long as callers are not authenticated; handlers say it, never the request."""
    maker, solver = ScriptedMaker(), ScriptedSolver()
    with serving(parts(maker=maker, solver=solver)) as address, connect(address) as client:
        client.make(sample_task())
        client.solve("What is 1 + 2?")
    assert (maker.tenants, solver.tenants) == (["default"], ["default"])
