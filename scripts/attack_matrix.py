"""Writes docs/attack-matrix.md from what a run of the tests found (`pytest --attack-results FILE`)."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from toolwright.domain.shown import shown_line

_PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "attack-matrix.md"
_SECTIONS: Final = {
    "RX": "Resource exhaustion",
    "ES": "Escape surface",
    "PR": "Protocol abuse",
    "XL": "Leaks from one call to the next",
    "CO": "Tricks of the code itself",
    "VR": "Cheating the verifier",
    "AP": "Faults of callers",
    "FT": "Faults of operation",
    "IM": "Images and configuration",
}
_NOT_YET: Final = {
    "AP-12, AP-13, AP-15, FT-28": "there is no authentication and no TLS: whoever reaches the address may call",
    "AP-19, AP-29": "there are no quotas and no metrics by tenant",
    "FT-26, FT-27": "the record of calls is a table, not a chain of hashes",
    "IM-04, IM-13": "images have neither a bill of materials nor a signature",
}
_HEAD: Final = """\
What programs that mean harm were let loose on the sandbox and the service, and what came of it. Written by
`make attack-matrix`; the cases that have a column for a runtime can be fired on any machine with
`toolwright doctor --attacks`. PASS: what has to be seen from outside was seen, and where a control is named it showed
that the probe could have seen otherwise. SKIPPED: nothing is proven. KNOWN: fails, with a name and a date.
"""
_ORDER: Final = ("FAIL", "KNOWN", "SKIPPED", "PASS")
_CUT: Final = 240

Tests = Mapping[str, list[dict[str, Any]]]


def main() -> int:
    """Write the page; the arguments are files of results, of runs that each fired a part: a test's last word counts."""
    runs = [json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]]
    by_id: dict[str, list[dict[str, Any]]] = {}
    newest = {test["test"]: test for run in runs for test in run["tests"]}
    for test in newest.values():
        for one in test["ids"]:
            by_id.setdefault(one, []).append(test)
    _PAGE.write_text("\n".join(_page(runs, by_id)) + "\n", encoding="utf-8")
    return 0


def _page(runs: Sequence[Mapping[str, Any]], by_id: Tests) -> Iterator[str]:
    yield "# The attack matrix\n"
    yield _HEAD
    alike: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        alike.setdefault(json.dumps([run["image"], run["versions"]]), []).append(run)
    for group in alike.values():
        yield from _machine(group[0], ", ".join(run["date"] for run in group))
    yield from _counts(by_id)
    yield from _open(by_id)
    for section, title in _SECTIONS.items():
        yield from _section(section, title, by_id)


def _machine(run: Mapping[str, Any], dates: str) -> Iterator[str]:
    yield "| | |\n| --- | --- |"
    for name, value in {"run": dates, "image": run["image"], **run["versions"]}.items():
        yield f"| {name} | `{_cell(value)}` |"
    yield ""


def _counts(by_id: Tests) -> Iterator[str]:
    yield "| section | cases | PASS | SKIPPED | KNOWN | FAIL |\n| --- | --- | --- | --- | --- | --- |"
    whole: Counter[str] = Counter()
    for section, title in _SECTIONS.items():
        worst = Counter(_worst(tests) for one, tests in by_id.items() if one.startswith(f"{section}-"))
        whole += worst
        yield _count_row(f"{section}: {title}", worst)
    yield _count_row("all", whole)
    yield "\nA case counts by the worst of its tests under the host's kernel (`runc`). By runtime:\n"
    yield "| runtime | PASS | SKIPPED | KNOWN | FAIL |\n| --- | --- | --- | --- | --- |"
    for runtime in ("runc", "runsc"):
        found = Counter(test["verdict"] for tests in by_id.values() for test in tests if test["runtime"] == runtime)
        yield f"| {runtime} | {found['PASS']} | {found['SKIPPED']} | {found['KNOWN']} | {found['FAIL']} |"
    yield ""


def _count_row(title: str, found: Counter[str]) -> str:
    return f"| {title} | {found.total()} | {found['PASS']} | {found['SKIPPED']} | {found['KNOWN']} | {found['FAIL']} |"


def _worst(tests: list[dict[str, Any]]) -> str:
    verdicts = {test["verdict"] for test in tests if test["runtime"] != "runsc"}
    return next((one for one in _ORDER if one in verdicts), "SKIPPED")


def _open(by_id: Tests) -> Iterator[str]:
    yield "## Not proven\n"
    for ids, why in _NOT_YET.items():
        yield f"- {ids}: {why}."
    for one, tests in sorted(by_id.items()):
        for test in tests:
            if test["verdict"] != "PASS":
                where = f" under {test['runtime']}" if test["runtime"] else ""
                yield f"- {one}{where}, {test['verdict']}: {_cell(test['detail'])}"
    yield ""


def _section(section: str, title: str, by_id: Tests) -> Iterator[str]:
    yield f"## {section}: {title}\n"
    yield "| case | what happens, and what has to be seen | runc | control | runsc |\n| --- | --- | --- | --- | --- |"
    for one in sorted(name for name in by_id if name.startswith(f"{section}-")):
        yield from _rows(one, by_id[one])
    yield ""


def _rows(case: str, tests: list[dict[str, Any]]) -> Iterator[str]:
    fired = {test["runtime"]: test for test in tests if test["runtime"]}
    if fired:
        host, gvisor = fired.get("runc", {}), fired.get("runsc", {})
        differs = f" *Under runsc: {_cell(gvisor['differs'])}*" if gvisor.get("differs") else ""
        title = _cell((host or gvisor)["title"])
        control = host.get("control", "")
        shown = control if control != "SKIPPED" else ""
        yield f"| {case} | {title}{differs} | {host.get('verdict', '')} | {shown} | {gvisor.get('verdict', '')} |"
    named = Counter((test["title"], test["test"].partition("[")[0]) for test in tests if not test["runtime"])
    for title, test in named:
        mine = [one for one in tests if one["test"].partition("[")[0] == test]
        many = f" ({len(mine)} variants)" if len(mine) > 1 else ""
        yield f"| {case} | {_cell(title)}{many} `{test}` | {_worst(mine)} | | |"


def _cell(text: str) -> str:
    return shown_line(text, limit=_CUT).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.exit(main())
