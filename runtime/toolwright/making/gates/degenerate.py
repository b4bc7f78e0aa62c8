"""Tools that only look like tools: one result for all, a table of what was shown, arguments without effect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from toolwright.domain.gates import GateName
from toolwright.domain.task import Example
from toolwright.making import feedback
from toolwright.making.case import Case, Probe
from toolwright.making.gates.base import Ruling, gate
from toolwright.making.mutation import Arguments
from toolwright.making.span import leaves

LONG_ANSWER: Final = 12
"""Characters; a shorter answer may stand in an honest tool: a unit, an option's letter, a name."""
SHORTEST_QUESTION: Final = 20
FEWEST_CHANGED: Final = 12
"""Calls with one change on which it can be said that nearly all end alike."""
ALIKE: Final = 0.95
ALIKE_WITH_COPIES: Final = 0.7
"""Share of them that may not end in one fall-back; lower where answers stand in the source as well."""
COMMON: Final = 0.25
"""A result that so many examples have is no fall-back: most questions may have that answer."""


def _judge(case: Case) -> Ruling:
    """Look at what stands in the source, at all results, and at calls with one change."""
    if case.report is None:
        return Ruling({"source": "not read"}, feedback.on_degenerate("its source could not be read: simplify it"))
    questions, answers = _copies(case, case.report.texts)
    probes = case.probes
    results = {seen.key for seen in case.observed if seen.succeeded}
    changed = [probe for probe in probes if not probe.edge]
    fallback, alike = _fallback(case, changed)
    evidence: dict[str, str | int | float] = {
        "questions_in_source": questions,
        "answers_in_source": answers,
        "different_results": len(results),
        "changed_calls": len(changed),
        "most_alike": alike,
        "seed": case.seed,
    }
    if questions:
        return Ruling(evidence, feedback.on_degenerate("its source holds the text of questions"))
    if len(results) < 2:  # noqa: PLR2004 - one result for everything
        return Ruling(evidence, feedback.on_degenerate("it returns the same for all arguments"))
    share = ALIKE_WITH_COPIES if answers > 1 else ALIKE
    if fallback and len(changed) >= FEWEST_CHANGED and alike >= share * len(changed):
        return Ruling(evidence, feedback.on_shown_only(alike, len(changed)))
    dead, unsure = _without_effect(case, probes)
    evidence |= {"without_effect": " ".join(dead), "too_few_values": " ".join(unsure)}
    return Ruling(evidence, feedback.on_no_effect(dead) if dead else "")


def _copies(case: Case, texts: Sequence[str]) -> tuple[int, int]:
    """Return how many questions, and how many long answers, stand in the source outside docstrings."""
    folded = [text.casefold() for text in texts]
    whole = set(folded)
    examples = case.candidate.task.training + case.candidate.task.held_out
    asked = {_folded(example.question) for example in examples}
    # What a light model copies out of a question is the question's text too.
    for call in case.known_calls:
        asked |= {_folded(value) for _, value in leaves(call) if isinstance(value, str)}
    asked = {question for question in asked if len(question) >= SHORTEST_QUESTION}
    questions = sum(any(question in text for text in folded) for question in asked)
    answers = {_folded(example.answer) for example in examples}
    return questions, sum(len(answer) >= LONG_ANSWER and answer in whole for answer in answers)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _fallback(case: Case, changed: Sequence[Probe]) -> tuple[bool, int]:
    """Return whether the commonest end of `changed` could be a fall-back, and how many have it."""
    if not changed:
        return False, 0
    (key, alike), *_ = Counter(probe.seen.key for probe in changed).most_common(1)
    examples: list[Example] = [trial.example for trial in case.trials]
    with_it = sum(seen.key == key for seen in case.observed[: len(examples)])
    return with_it < COMMON * len(examples), alike


def _without_effect(case: Case, probes: Sequence[Probe]) -> tuple[list[str], list[str]]:
    """Return the parameters that change nothing, and those of which too few values are known to say so."""
    bases: list[Arguments] = [*case.known_calls, *(probe.arguments for probe in probes if probe.seen.succeeded)]
    ends = {name: _effect(case, name, bases) for name in case.description.parameters["properties"]}
    dead = [name for name, tried in ends.items() if tried is not None and tried >= case.policy.variations]
    unsure = [name for name, tried in ends.items() if tried is not None and tried < case.policy.variations]
    return dead, unsure


def _effect(case: Case, name: str, bases: Sequence[Arguments]) -> int | None:
    """Return after how many variations of the argument `name` none had an effect; None if one had."""
    tried = 0
    for call, base in case.mutator.variations(name, bases, case.policy.variations):
        if case.observe(call).key != case.observe(base).key:
            return None
        tried += 1
    return tried


GATE: Final = gate(GateName.DEGENERATE, _judge)
