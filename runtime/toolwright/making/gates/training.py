"""The light model answers the examples that the maker saw, with nothing but the function's own documentation."""

from __future__ import annotations

from typing import Final

from toolwright.calling.card import ToolCard
from toolwright.domain.gates import GateName
from toolwright.errors import InvalidInput
from toolwright.execution.arguments import check_arguments
from toolwright.making import feedback
from toolwright.making.case import Case
from toolwright.making.gates.base import Gate, Ruling, Steps
from toolwright.making.verdict import TRAINING_SHOWN
from toolwright.making.wrapper import wrap


def _judge(case: Case) -> Steps:
    """Try the examples; the calls that were right become the tool's demonstrations."""
    candidate, description = case.candidate, case.description
    task = candidate.task
    card = ToolCard.of_draft(task.name, candidate.source, description, task.answer_kind)
    case.training = yield from case.verifier.try_all(card, task.training[:TRAINING_SHOWN], held_out=False)
    for trial in case.training:
        case.note(trial)
    failed = [trial for trial in case.training if not trial.passed]
    passed = [trial for trial in case.training if trial.passed]
    case.draft = wrap(task, candidate.source, description, passed)
    fitting = sum(_fits(case, shown.arguments_json) for shown in case.draft.demonstrations)
    evidence = {"examples": len(case.training), "right": len(passed), "demonstrations_that_fit": fitting}
    if fitting < len(case.draft.demonstrations):
        return Ruling(evidence, feedback.on_description("its own worked calls do not fit its types"))
    if failed:
        return Ruling(evidence, feedback.on_training(failed), tuple(trial.example.id for trial in failed))
    return Ruling(evidence)


def _fits(case: Case, arguments_json: str) -> bool:
    try:
        check_arguments(case.description.parameters, arguments_json)
    except InvalidInput:
        return False
    return True


GATE: Final = Gate(GateName.TRAINING, _judge)
