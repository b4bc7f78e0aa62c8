"""What is made of measurements: spreads, ratios, plans, verdicts, the document."""

from __future__ import annotations

import time

import pytest

from toolwright.bench.blocks import Subject, interleaved, timed
from toolwright.bench.figures import FIGURES, Verdict
from toolwright.bench.load import drive
from toolwright.bench.plan import SECTIONS, Plan, make_plan
from toolwright.bench.queueing import jain
from toolwright.bench.report import Findings, bench_document
from toolwright.bench.spread import Spread, percentile, ratio, rounded
from toolwright.bench.testing import MACHINE, sample_document, spread
from toolwright.bench.work import slowed
from toolwright.errors import InvalidInput

pytestmark = pytest.mark.unit


def test_percentile_takes_a_value_that_was_measured() -> None:
    """Nearest rank, without interpolation."""
    values = [float(n) for n in range(1, 101)]
    assert (percentile(values, 0.99), percentile(values, 0.5), percentile([7.0], 0.99)) == (99.0, 50.0, 7.0)


def test_spread_of_measured_values() -> None:
    """The middle, both ends of the middle eight tenths, and how many there were."""
    found = Spread.of([float(n) for n in range(1, 101)])
    assert (found.p10, found.p50, found.p90, found.count) == (10.0, 50.5, 90.0, 100)


def test_spread_of_few_has_no_p99() -> None:
    """Of 99 values it would be the greatest; the document says null, and the headline keeps its number."""
    assert Spread.of([1.0] * 99).document()["p99"] is None
    assert Spread.of([1.0] * 100).document()["p99"] == 1.0
    document = sample_document()
    document["sections"]["warm"]["subjects"]["tool"] = spread(2.5, 99)
    figures = {figure.name: figure.judged(document["sections"])["verdict"] for figure in FIGURES}
    assert (figures["p99_to_p50"], document["execute_tool"]["p99_ms"]) == ("not measured", 5.0)


def test_numbers_have_four_digits() -> None:
    """No more than a clock knows, for small ones as for large."""
    assert (rounded(0.123456), rounded(1234.56)) == (0.1235, 1235.0)


def test_ratio_is_of_neighbours() -> None:
    """A machine that slows down by ten between two blocks slows both sides of them, and the ratio stays."""
    found = ratio([[2.0, 2.0, 9.0], [20.0]], [[1.0], [10.0, 10.0]])
    assert (found.p10, found.p50, found.p90) == (2.0, 2.0, 2.0)


def test_subjects_take_turns() -> None:
    """Forth and back, so that none is always the first."""
    seen: list[str] = []

    def subject(name: str) -> Subject:
        def run(rounds: int) -> list[float]:
            seen.append(name)
            return [1.0] * rounds

        return Subject(name, run, 2)

    found = interleaved([subject("a"), subject("b")], 3)
    assert "".join(seen) == "abbaab"
    assert found == {"a": [[1.0, 1.0]] * 3, "b": [[1.0, 1.0]] * 3}


def test_timed_takes_the_time_of_each_round() -> None:
    """In milliseconds."""
    times = timed(lambda: time.sleep(0.01))(3)
    assert len(times) == 3
    assert all(10 <= one < 1000 for one in times)


def test_load_makes_as_many_calls_as_were_asked_for() -> None:
    """All callers take from one number."""
    load = drive(lambda caller: caller, 3, calls=20)
    assert len(load.answers) == 20
    assert load.per_second == pytest.approx(20 / load.seconds)


def test_load_lasts_as_long_as_was_asked_for() -> None:
    """Each caller calls again until the time is over."""
    load = drive(lambda _: time.sleep(0.01), 2, seconds=0.1)
    assert 0.1 <= load.seconds < 5
    assert min(len(answers) for answers in load.by_caller) >= 1


def test_load_tells_what_a_call_raised() -> None:
    """A load in which calls fail is none."""
    with pytest.raises(ZeroDivisionError):
        drive(lambda _: 1 // 0, 2, calls=4)


def test_fairness() -> None:
    """1 where all have the same, 1 ÷ callers where one has it all, 1 where nobody has anything."""
    assert [jain([3, 3, 3]), jain([9, 0, 0]), jain([0, 0])] == pytest.approx([1, 1 / 3, 1])


def test_plan_of_everything() -> None:
    """All sections, in their order; a quick run leaves the slow ones out and says so."""
    assert make_plan(quick=False, only=()).sections == tuple(SECTIONS)
    quick = make_plan(quick=True, only=())
    assert {"demo", "gvisor"} & set(quick.sections) == set()
    assert quick.left_out["demo"] == "left out of a quick run"


def test_plan_of_some() -> None:
    """In the order of a run, whatever the order asked for; a slow section can be had quickly too."""
    plan = make_plan(quick=True, only=["demo", "floors", "demo"])
    assert plan.sections == ("floors", "demo")
    assert plan.left_out["warm"] == "not asked for"


def test_plan_refuses_a_section_that_there_is_not() -> None:
    """It names those that there are."""
    with pytest.raises(InvalidInput, match=r"no section 'warn' \(allowed: of floors, warm"):
        make_plan(quick=False, only=["warn"])


def test_plan_spreads_its_numbers_over_blocks() -> None:
    """Never less than one of each."""
    plan = make_plan(quick=False, only=(), calls=1000, rounds=3)
    assert (plan.blocks, plan.calls_a_block, plan.engine_rounds) == (10, 100, 1)


@pytest.mark.parametrize(
    ("name", "measured", "verdict"),
    [
        ("warm_to_fork_pipe", 2.5, Verdict.AIM),
        ("warm_to_fork_pipe", 5.0, Verdict.MUST),
        ("warm_to_fork_pipe", 5.1, Verdict.MISSED),
        ("warm_to_fork_pipe", None, Verdict.NOT_MEASURED),
        ("calls_per_second", 400.0, Verdict.AIM),
        ("calls_per_second", 399.0, Verdict.MUST),
        ("calls_per_second", 199.0, Verdict.MISSED),
        ("warm_to_docker_exec", 0.03, Verdict.AIM),
    ],
)
def test_verdicts(name: str, measured: float | None, verdict: Verdict) -> None:
    """At the bound is reached; more is better for some, less for most."""
    figure = next(one for one in FIGURES if one.name == name)
    assert figure.verdict(measured) is verdict


def test_every_figure_finds_its_measurement() -> None:
    """A path that leads nowhere would say "not measured" for ever."""
    document = sample_document()
    assert [one["name"] for one in document["figures"] if one["measured"] is None] == []
    assert {one["name"] for one in document["figures"] if one["verdict"] != "aim"} == {"demo"}


def test_growth_counts_after_ten_thousand_calls_alone() -> None:
    """A short run shows its growth, and no verdict on it."""
    document = sample_document()
    document["sections"]["memory"]["server"]["calls"] = 9_999
    growth = next(one for one in FIGURES if one.name == "server_growth")
    assert growth.judged(document["sections"])["verdict"] == "not measured"


def test_document_keeps_its_names() -> None:
    """Programs read these."""
    document = sample_document()
    assert document["floor"] == {
        "fork_pipe_ms": 1.0,
        "python_start_ms": 15.0,
        "docker_exec_ms": 80.0,
        "docker_run_ms": 400.0,
        "docker_run_hardened_ms": 410.0,
    }
    assert document["execute_tool"] == {
        "p50_ms": 2.5,
        "p90_ms": 3.0,
        "p99_ms": 5.0,
        "calls_per_second": 420.0,
        "concurrency": 8,
        "calls": 100,
    }
    assert document["cold"] == {"p50_ms": 300.0, "calls": 10}
    assert document["ratios"] == {
        "p50_to_fork_pipe": 2.5,
        "p50_to_docker_exec": 2.5 / 80,
        "p50_to_docker_run": 2.5 / 400,
        "p99_to_p50": 2.0,
        "cold_to_docker_run": 0.75,
    }
    assert document["machine"] == MACHINE


def test_document_of_nothing_measured() -> None:
    """What was not measured is null, never a number."""
    document = bench_document(Findings(), MACHINE, Plan(), 1.0)
    assert (document["floor"], document["execute_tool"], document["cold"]) == (None, None, None)
    assert set(document["ratios"].values()) == {None}
    assert {one["verdict"] for one in document["figures"]} == {"not measured"}


def test_slowed_work_gives_the_same_answer_later() -> None:
    """The seeded slowdown is a tool like the other, but for its time."""
    module: dict[str, object] = {}
    exec(compile(slowed(20.0).code, "<slowed>", "exec"), module)  # noqa: S102 - a constant of ours
    sort_words = module["sort_words"]
    started = time.process_time()
    assert callable(sort_words)
    assert sort_words(words=["b", "a"]) == ["a", "b"]
    assert time.process_time() - started >= 0.02
