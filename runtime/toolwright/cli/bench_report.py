"""What `toolwright bench` shows to people: the same document as its JSON, as tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.table import Table

from toolwright.bench.spread import P99_NEEDS

_STYLES: Final = {"aim": "bold green", "must": "green", "missed": "bold red", "not measured": "dim"}
_Found = Mapping[str, Any]
_EXACT: Final = 1e-6
"""So that 1/(1/15) is no less than 15."""
_NO_TENTHS: Final = 1_000
"""From 1/100 on nobody asks for tenths."""


def report(document: _Found) -> Iterator[RenderableType]:
    """Yield the parts of the report; a section that was not measured has none but its reason."""
    sections = document["sections"]
    for name, parts in _PARTS.items():
        if name in sections:
            yield from parts(sections[name])
            yield ""
    yield _figures(document["figures"])
    yield ""
    for name, why in document["failed"].items():
        yield f"FAILED: {name}: {why}"
    reasons: dict[str, list[str]] = {}
    for name, why in document["skipped"].items():
        reasons.setdefault(why, []).append(name)
    for why, names in reasons.items():
        yield f"Not measured: {', '.join(names)}: {why}"
    yield machine_words(document["machine"])
    yield f"Took {document['took_s']:.0f} s. Floors and ours from one run: compare the ratios, not times of two runs."


def bound(value: float, unit: str) -> str:
    """Return a bound, or what was measured, as people read it: a small ratio as 1/n, never with an n above its own."""
    if unit != "ratio":
        return f"{value:.4g} {unit}"
    if value >= 1:
        return f"{value:.2f}"
    tenths = math.floor(10 / value + _EXACT)
    return f"1/{tenths / 10:g}" if tenths < _NO_TENTHS else f"1/{tenths // 10}"


def tail(one: _Found) -> float | None:
    """Return the p99 of a spread; None of too few values to have one, also in a run that was kept from before."""
    return one["p99"] if one["count"] >= P99_NEEDS else None


def machine_words(machine: _Found) -> str:
    """Return one sentence about the machine."""
    load = f"load {machine['load_average']:.1f} before and {machine['load_average_at_the_end']:.1f} after"
    return (
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory_bytes'] / 2**30:.0f} GiB, {load}, kernel "
        f"{machine['kernel']}, engine {machine['engine']}, {machine['runtime']} {machine['runtime_version']}, Python "
        f"{machine['python']}."
    )


def _figures(figures: Sequence[_Found]) -> Table:
    table = _table("figures to hold", "must", "aim", "measured", "")
    for figure in figures:
        unit, measured = figure["unit"], figure["measured"]
        table.add_row(
            figure["what"],
            bound(figure["must"], unit),
            bound(figure["aim"], unit),
            "–" if measured is None else bound(measured, unit),
            figure["verdict"],
            style=_STYLES[figure["verdict"]],
        )
    return table


def _subjects(title: str, subjects: _Found) -> Table:
    table = _table(title, "p50 ms", "p90", "p99", "p10–p90", "n")
    for name, one in subjects.items():
        table.add_row(*_row(name, one))
    return table


def _row(name: str, one: _Found) -> tuple[str, ...]:
    times = (_time(value) for value in (one["p50"], one["p90"], tail(one)))
    return (name, *times, f"{one['p10']:.4g}–{one['p90']:.4g}", str(one["count"]))


def _time(value: float | None, unit: str = "") -> str:
    return "–" if value is None else f"{value:.4g}{unit}"


def _floors(found: _Found) -> Iterator[RenderableType]:
    yield _subjects("floors", found["subjects"])
    if again := found.get("at_the_end"):
        yield _subjects("floors, at the end", again)


def _warm(found: _Found) -> Iterator[RenderableType]:
    yield _subjects("in turns", found["subjects"])
    yield ""
    ratios = _table("ratio", "median of blocks", "p10–p90")
    for name, one in found["ratios"].items():
        spread = f"{bound(one['p10'], 'ratio')}–{bound(one['p90'], 'ratio')}"
        ratios.add_row(name.replace("_", " "), bound(one["p50"], "ratio"), spread)
    yield ratios
    yield ""
    stages = _table("where the time goes, ms", *next(iter(found["stages"].values())))
    for name, one in found["stages"].items():
        stages.add_row(name, *(f"{value:.3g}" for value in one.values()))
    yield stages


def _cold(found: _Found) -> Iterator[RenderableType]:
    names = ("empty_pool", "never_seen", "never_seen_in_warm_container")
    yield _subjects("cold", {name.replace("_", " "): found[name] for name in names if found[name]})


def _rate(found: _Found) -> Iterator[RenderableType]:
    table = _table("calls a second", "callers", "median", "least–most", "p50 ms", "p99 ms")
    for name, points in found["senders"].items():
        for point in points:
            spread, latency = f"{point['least']:.0f}–{point['most']:.0f}", point["latency_ms"]
            rate, times = (
                f"{point['calls_per_second']:.0f}",
                (_time(value) for value in (latency["p50"], tail(latency))),
            )
            table.add_row(name, str(point["callers"]), rate, spread, *times)
    yield table
    forks = found["forks_per_second_all_cores"]
    yield f"Bare forks on all cores: {forks['p50']:.0f} a second."


def _fresh(found: _Found) -> Iterator[RenderableType]:
    yield _subjects("a container a call", {"burst": found["burst"], "sustained": found["sustained"]})
    yield f"Sustained: {found['sustained_per_second']:.3g} calls a second; {found['kept_ready']} kept ready."


def _cpu(found: _Found) -> Iterator[RenderableType]:
    by_callers = found["by_callers"]
    table = _table(f"{found['unit']}, callers", *by_callers)
    for name in next(iter(by_callers.values())):
        table.add_row(name, *(f"{one[name]:.3g}" for one in by_callers.values()))
    yield table


def _memory(found: _Found) -> Iterator[RenderableType]:
    containers = found["container"]
    table = _table("idle container, MiB", *containers)
    for name in next(iter(containers.values())):
        table.add_row(name.removesuffix("_mib").replace("_", " "), *(f"{one[name]:.1f}" for one in containers.values()))
    yield table
    server = found["server"]
    grown = f"{server['rss_before_mib']:.1f} → {server['rss_after_mib']:.1f} MiB ({server['growth_percent']:+.1f} %)"
    yield f"Server over {server['calls']:,} calls: {grown}"


def _kill(found: _Found) -> Iterator[RenderableType]:
    tools = found["tools"]
    rows = {f"{name.replace('_', ' ')}, tree gone": one["tree_gone"] for name, one in tools.items()}
    rows |= {f"{name.replace('_', ' ')}, verdict": one["verdict"] for name, one in tools.items()}
    yield _subjects("after the time limit", rows)


def _queue(found: _Found) -> Iterator[RenderableType]:
    table = _table(
        f"{found['callers']} callers, {found['places']} places", "served", "refused", "told when", "wait p50", "p99"
    )
    for name, one in (("the crowd", found), ("another caller", found["quiet_caller"])):
        spread = one["wait_ms"]
        waits = (_time(value, " ms") for value in ((spread["p50"], tail(spread)) if spread else (None, None)))
        counts = (str(one[key]) for key in ("served", "refused", "refused_with_retry_time"))
        table.add_row(name, *counts, *waits)
    yield table
    shares = f"the least served had {found['served_least']}, the most {found['served_most']}"
    yield f"Fairness (Jain): {found['fairness']:.2f}; {shares}."


def _payloads(found: _Found) -> Iterator[RenderableType]:
    for way in ("arguments", "result"):
        yield _subjects(way, {f"{one['bytes']:,} bytes": one["latency_ms"] for one in found[way]})


def _gvisor(found: _Found) -> Iterator[RenderableType]:
    yield _subjects("gVisor", found["subjects"])
    rates = ", ".join(f"{name} {rate:.3g}" for name, rate in found["calls_per_second"].items())
    yield f"runsc to runc: {found['ratio']['p50']:.3g}; calls a second, {found['callers']} callers: {rates}."


def _peers(found: _Found) -> Iterator[RenderableType]:
    peers = found["peers"]
    yield _subjects("peers", {name: one["warm"] for name, one in peers.items() if one["state"] == "measured"})
    for name, one in peers.items():
        if one["state"] != "measured":
            yield f"{name}: {one['state']} {one.get('why', '')}".rstrip()


def _demo(found: _Found) -> Iterator[RenderableType]:
    yield f"`toolwright demo` took {found['seconds']:.1f} s."


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(columns[0])
    for name in columns[1:]:
        table.add_column(name.removesuffix("_ms").replace("_", " "), justify="right")
    return table


_PARTS: Final = {
    "floors": _floors,
    "warm": _warm,
    "cold": _cold,
    "rate": _rate,
    "fresh": _fresh,
    "cpu": _cpu,
    "memory": _memory,
    "kill": _kill,
    "queue": _queue,
    "payloads": _payloads,
    "gvisor": _gvisor,
    "peers": _peers,
    "demo": _demo,
}
