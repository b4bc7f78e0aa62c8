"""Writes docs/benchmarks.md and its picture from what `toolwright bench --json` found.

benchmark_page.py RUN.json…    keep the runs in docs/benchmarks.json and write the page: what the first did not measure
                               is taken from the next
benchmark_page.py              write the page from docs/benchmarks.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.benchmark_plot import benchmark_svg
from toolwright.bench.figures import FIGURES
from toolwright.bench.plan import SECTIONS
from toolwright.cli.bench_report import bound, tail

DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
KEPT: Final = DOCS / "benchmarks.json"
PAGE: Final = DOCS / "benchmarks.md"
PICTURE: Final = DOCS / "benchmarks.svg"

_Found = Mapping[str, Any]

_HEAD: Final = """# Benchmarks

<!-- Written by scripts/benchmark_page.py from docs/benchmarks.json; a test holds it to that. -->

What a call costs, and what the cheapest ways to run the same work cost on the same machine, measured in one run by
`toolwright bench`. The work is the same everywhere: sort ten words, answer as JSON. **The ratios are what counts**:
milliseconds say as much of the machine as of the program. To measure yours, in some minutes or in one:

```console
.venv/bin/toolwright bench
.venv/bin/toolwright bench --quick
```

Words used here. *p50*: half of all calls were quicker (the median); *p99*: all but one in a hundred were, told where
there were a hundred. *p10–p90*: where the middle eight tenths lie. A *floor* is a cheaper way to do the same with less:
no isolation, or none of ours. *Warm*: a container is there already. Floors and ours are measured in turns, block by
block, and a ratio is the median of the blocks' ratios, so that a machine that slows down in between slows both.
"""

_NAMES: Final = {
    "fork_pipe": "fork and pipe: no isolation at all",
    "python_start": "a Python's start (`python -I -S`)",
    "docker_exec": "`docker exec`",
    "docker_run": "`docker run`",
    "docker_run_hardened": "`docker run`, hardened",
    "grpc_empty": "an empty gRPC call to the server",
    "tenant": "ours, isolation `tenant`",
    "tool": "ours, isolation `tool` (the default)",
    "call": "ours, isolation `call`, pool filled",
    "science": "ours, a tool that imports NumPy and pandas",
    "science_table": "ours, one that makes an array and a table with them",
}
_VERDICTS: Final = {
    "aim": "aim reached",
    "must": "must reached",
    "missed": "**missed**",
    "not measured": "not measured",
}
_SENDERS: Final = {
    "unary": "*unary*: so many callers in threads, each of which calls again as soon as it is answered.",
    "batch": (
        "*batch*: one caller and one stream with so many calls in flight; the server runs as many of them at once as "
        "`batch.in_flight` says."
    ),
}
_TWO: Final = 2
_OURS: Final = ("tenant", "tool", "call", "science")


def merged(runs: Sequence[_Found]) -> dict[str, Any]:
    """Return the first run with the sections that only later ones have; says of each which run it is from."""
    whole = dict(runs[0])
    sections, skipped, failed = (dict(whole[key]) for key in ("sections", "skipped", "failed"))
    borrowed: dict[str, Any] = dict(whole.get("borrowed", {}))
    for run in runs[1:]:
        for name, found in run["sections"].items():
            if name not in sections:
                sections[name] = found
                skipped.pop(name, None)
                failed.pop(name, None)
                borrowed[name] = {"measured_at": run["measured_at"], "machine": run["machine"]}
    figures = [figure.judged(sections) for figure in FIGURES]
    ordered = {name: sections[name] for name in SECTIONS if name in sections}
    left = {"skipped": skipped, "failed": failed}
    return {**whole, "sections": ordered, **left, "borrowed": borrowed, "figures": figures}


def page(document: _Found) -> str:
    """Return the text of the page."""
    parts = [_HEAD, *_figures(document), *_machine(document), *_picture(document)]
    for name, write in _SECTIONS.items():
        if name in document["sections"]:
            parts += write(document["sections"][name])
            if borrowed := document.get("borrowed", {}).get(name):
                parts.append(f"From another run, at {borrowed['measured_at']}.\n")
    parts += _missing(document)
    return "\n".join(parts).rstrip("\n") + "\n"


def picture(document: _Found) -> str:
    """Return the SVG beside the page."""
    sections = document["sections"]
    subjects = sections.get("warm", {}).get("subjects", {})
    plain = [(_NAMES[name].replace("`", ""), name in _OURS, one) for name, one in subjects.items()]
    return benchmark_svg(sections.get("rate"), sorted(plain, key=lambda row: float(row[2]["p50"])))


def _figures(document: _Found) -> Iterator[str]:
    yield "## The figures to hold\n"
    rows = []
    for one in document["figures"]:
        unit, measured = one["unit"], one["measured"]
        shown = "–" if measured is None else bound(measured, unit)
        bounds = (bound(one["must"], unit), bound(one["aim"], unit))
        rows.append((one["what"], *bounds, shown, _VERDICTS[one["verdict"]]))
    yield _table(("what", "must", "aim", "measured", ""), rows)


def _machine(document: _Found) -> Iterator[str]:
    machine = document["machine"]
    yield "## Where and when\n"
    quick = " (a quick run)" if document["quick"] else ""
    facts = {
        "measured": f"{document['measured_at']}, in {document['took_s']:.0f} s{quick}",
        "processor": f"{machine['cores']} cores, {machine['processor']}, {machine['architecture']}",
        "memory": f"{machine['memory_bytes'] / 2**30:.0f} GiB",
        "load average": f"{machine['load_average']:.2f} before, {machine['load_average_at_the_end']:.2f} after",
        "kernel": f"{machine['kernel']}, cgroups version {machine['cgroup_version']}",
        "engine": f"Docker {machine['engine']}, containerd {machine['containerd']}, {machine['storage']}",
        "runtime": f"{machine['runtime']} {machine['runtime_version']}",
        "Python, gRPC": f"{machine['python']}, {machine['grpc']}",
    }
    yield _table(("", ""), list(facts.items()))


def _picture(document: _Found) -> Iterator[str]:
    if {"rate", "warm"} & document["sections"].keys():
        yield "![Calls a second against callers, and how long a call takes beside its floors](benchmarks.svg)\n"


def _warm(found: _Found) -> Iterator[str]:
    yield "## A warm call, beside its floors\n"
    yield "Real gRPC, the server in a process of its own, one caller. Milliseconds.\n"
    yield _spreads("what", {_NAMES[name]: one for name, one in found["subjects"].items()})
    yield "Ratios:\n"
    rows = []
    for name, one in found["ratios"].items():
        ours, _, floor = name.partition("_to_")
        spread = f"{bound(one['p10'], 'ratio')} – {bound(one['p90'], 'ratio')}"
        rows.append((_NAMES[ours], _NAMES[floor], bound(one["p50"], "ratio"), spread))
    yield _table(("of", "to", "median of blocks", "p10 – p90"), rows)
    yield f"p99 to p50 of the default: {found['p99_to_p50']:.2f}.\n"
    if found["pool_empty"]:
        yield f"{found['pool_empty']} of the calls with isolation `call` found no container ready.\n"
    for why in found["left_out"].values():
        yield f"Not measured: {why}.\n"
    yield "## Where the time of a warm call goes\n"
    yield "Medians in milliseconds, from the reply's own `timing`; the rest is gRPC's and the client's.\n"
    stages = found["stages"]
    columns = list(next(iter(stages.values())))
    heads = [name.removesuffix("_ms").replace("_", " ") for name in columns]
    yield _table(
        ("", *heads), [(_NAMES[name], *(_number(one[key]) for key in columns)) for name, one in stages.items()]
    )


def _rate(found: _Found) -> Iterator[str]:
    yield "## Calls a second\n"
    forks = found["forks_per_second_all_cores"]["p50"]
    price = found.get("forks_to_calls")
    priced = f" In turns with them, a call of four callers costs as much as {price:.2f} bare forks." if price else ""
    yield (
        f"{' '.join(_SENDERS[name] for name in found['senders'])} Bare forks on all cores: {forks:.0f} a second."
        f"{priced}\n"
    )
    rows = [
        (
            name,
            str(point["callers"]),
            f"{point['calls_per_second']:.0f}",
            f"{point['least']:.0f} – {point['most']:.0f}",
            *_times(point["latency_ms"]),
        )
        for name, points in found["senders"].items()
        for point in points
    ]
    yield _table(("", "callers", "calls a second", "least – most", "p50 ms", "p90 ms", "p99 ms"), rows)


def _cold(found: _Found) -> Iterator[str]:
    yield "## First calls\n"
    rows = {
        "no container is there (without gRPC)": found["empty_pool"],
        "source never seen, a container ready": found["never_seen"],
        "source never seen, in a tenant's warm container": found["never_seen_in_warm_container"],
    }
    yield _spreads("milliseconds", {name: one for name, one in rows.items() if one})


def _fresh(found: _Found) -> Iterator[str]:
    yield "## A container for each call\n"
    yield (
        f"Isolation `call` with {found['kept_ready']} containers kept ready: so many calls at once are served from "
        f"them (a burst). Without a pause it goes as fast as the engine starts containers, "
        f"{found['sustained_per_second']:.3g} a second here. Milliseconds.\n"
    )
    yield _spreads("", {"burst": found["burst"], "without a pause": found["sustained"]})


def _cpu(found: _Found) -> Iterator[str]:
    yield "## Processor time by process\n"
    yield "Seconds of 1,000 calls. Sandboxes: the agents and the calls themselves.\n"
    by_callers = found["by_callers"]
    heads = [f"{callers} caller{'s' if callers != '1' else ''}" for callers in by_callers]
    names = [name for name in next(iter(by_callers.values())) if name not in {"calls", "calls_per_second"}]
    yield _table(("", *heads), [(name, *(_number(one[name]) for one in by_callers.values())) for name in names])


def _memory(found: _Found) -> Iterator[str]:
    yield "## Memory\n"
    yield (
        "An idle warm container in MiB. Pages that its processes share among themselves count once; files' pages do "
        "not.\n"
    )
    containers = found["container"]
    names = {
        "anonymous_mib": "of its processes",
        "kernel_mib": "of the kernel for it",
        "shim_private_mib": "of the engine's shim",
        "whole_mib": "together",
        "processes_private_mib": "(private to single processes)",
    }
    one_of = next(iter(containers.values()))
    rows = [(text, *(_number(one[key]) for one in containers.values())) for key, text in names.items() if key in one_of]
    yield _table(("", *containers), rows)
    server = found["server"]
    yield (
        f"The server, settled: {server['rss_before_mib']:.1f} MiB; {server['calls']:,} calls later "
        f"{server['rss_after_mib']:.1f} MiB ({server['growth_percent']:+.1f} %).\n"
    )


def _kill(found: _Found) -> Iterator[str]:
    yield "## The end of a call that does not end\n"
    yield f"Milliseconds after a time limit of {found['limit_ms']:.0f} ms, as the host's process table shows it.\n"
    rows = {}
    for name, one in found["tools"].items():
        rows[f"{name.replace('_', ' ')}: the whole tree is gone"] = one["tree_gone"]
        rows[f"{name.replace('_', ' ')}: the caller has the verdict"] = one["verdict"]
    yield _spreads("", rows)


def _queue(found: _Found) -> Iterator[str]:
    yield "## More callers than places\n"
    yield (
        f"{found['callers']} impatient callers for {found['places']} places (containers and queue), for "
        f"{found['seconds']:.0f} s, and one that calls another tool now and then. Whoever is refused is told when to "
        "come back (`RetryInfo`).\n"
    )
    rows = []
    for name, one in (("the crowd", found), ("the other caller", found["quiet_caller"])):
        median, _, late = _times(one["wait_ms"]) if one["wait_ms"] else "–––"
        rows.append(
            (name, *(f"{one[key]:,}" for key in ("served", "refused", "refused_with_retry_time")), median, late)
        )
    yield _table(("", "served", "refused", "told when", "wait p50, ms", "p99"), rows)
    yield (
        f"Fairness among the crowd (Jain's index, 1 is even): {found['fairness']:.2f}; the least served had "
        f"{found['served_least']} calls, the most {found['served_most']}.\n"
    )


def _payloads(found: _Found) -> Iterator[str]:
    yield "## Payloads\n"
    rows = []
    for way, title in (("arguments", "arguments"), ("result", "result")):
        rows += [
            (title, f"{one['bytes']:,}", *_times(one["latency_ms"]), _number(one["mib_per_second"]))
            for one in found[way]
        ]
    yield _table(("", "bytes", "p50 ms", "p90 ms", "p99 ms", "MiB a second"), rows)


def _gvisor(found: _Found) -> Iterator[str]:
    yield "## gVisor\n"
    yield "In the sandbox alone, without a server, in turns. Milliseconds.\n"
    yield _spreads("", found["subjects"])
    rates = ", ".join(f"{name} {rate:.3g}" for name, rate in found["calls_per_second"].items())
    yield f"`runsc` to `runc`: {found['ratio']['p50']:.2f}. Calls a second, {found['callers']} callers: {rates}.\n"


def _peers(found: _Found) -> Iterator[str]:
    yield "## Other sandboxes on the same engine\n"
    yield "The same work and a local image, set-up off. Milliseconds.\n"
    rows = []
    for name, one in found["peers"].items():
        if one["state"] == "measured":
            rows.append(
                (f"{name} {one['version']}", _number(one["cold_ms"]), *_times(one["warm"]), str(one["warm"]["count"]))
            )
        else:
            rows.append((name, one["state"], "", "", "", ""))
    yield _table(("", "first call", "p50", "p90", "p99", "calls"), rows)


def _missing(document: _Found) -> Iterator[str]:
    missing = {**document["skipped"], **document["failed"]}
    if missing:
        yield "## Not measured\n"
        yield from (f"- {name} ({SECTIONS[name]}): {why}" for name, why in missing.items())


def _floors(found: _Found) -> Iterator[str]:
    yield "## The floors, before and after\n"
    yield "How far the machine itself moved during the run. Milliseconds, p50 (p10 – p90).\n"
    after = found.get("at_the_end", {})
    rows = [(_NAMES[name], _middle(one), _middle(after.get(name))) for name, one in found["subjects"].items()]
    yield _table(("", "at the start", "at the end"), rows)


def _middle(one: _Found | None) -> str:
    return f"{_number(one['p50'])} ({_number(one['p10'])} – {_number(one['p90'])})" if one else "–"


def _spreads(head: str, subjects: _Found) -> str:
    rows = [(name, *_times(one), _number(one["p10"]), f"{one['count']:,}") for name, one in subjects.items()]
    return _table((head, "p50", "p90", "p99", "p10", "n"), rows)


def _times(one: _Found) -> tuple[str, str, str]:
    """Return p50, p90 and p99."""
    return _number(one["p50"]), _number(one["p90"]), _number(tail(one))


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - where commas help


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [_row(heads), _row(["---"] + ["---:" if len(heads) > _TWO else "---"] * (len(heads) - 1)), *map(_row, rows)]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


_SECTIONS: Final = {
    "warm": _warm,
    "rate": _rate,
    "cold": _cold,
    "fresh": _fresh,
    "cpu": _cpu,
    "memory": _memory,
    "kill": _kill,
    "queue": _queue,
    "payloads": _payloads,
    "gvisor": _gvisor,
    "peers": _peers,
    "floors": _floors,
}


def main() -> int:
    """Write the page; with files, keep them first."""
    if sys.argv[1:]:
        runs = [json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]]
        KEPT.write_text(json.dumps(merged(runs), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    document = json.loads(KEPT.read_text(encoding="utf-8"))
    PAGE.write_text(page(document), encoding="utf-8")
    PICTURE.write_text(picture(document), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
