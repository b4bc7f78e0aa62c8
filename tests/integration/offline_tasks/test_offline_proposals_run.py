"""The offline maker's proposals do what they are for: wrong ones fail where the loop looks, the last is right."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

import pytest

from toolwright.domain.answers import answer_from_result, infer_kind, same_answer
from toolwright.domain.call import ExecutionRequest
from toolwright.domain.outcome import Outcome, Status
from toolwright.domain.source import ToolSource
from toolwright.domain.task import Example
from toolwright.execution.base import Executor
from toolwright.llm.offline.tasks import TASKS, TaskScript

CRASHES = {"dyck_languages"}
CAUGHT_BY_HELD_OUT = {"schedule_meeting", "word_sorting"}

Split = tuple[tuple[Example, ...], tuple[Example, ...], tuple[Example, ...]]


@pytest.fixture(params=["demo", "public"])
def examples(request: pytest.FixtureRequest) -> Mapping[str, Split]:
    """Both sources of examples."""
    found: Mapping[str, Split] = request.getfixturevalue(f"{request.param}_examples")
    return found


def run(
    executor: Executor, script: TaskScript, attempt: int, asked: Iterable[Example]
) -> list[tuple[Example, Outcome]]:
    """Call the proposal of `attempt` with each question's arguments, in the sandbox."""
    reply = script.proposal(attempt, "tool_under_another_name")
    code = re.search(r"^```python\n(.*?)^```$", reply, re.DOTALL | re.MULTILINE)
    assert code
    source = ToolSource(code[1], "tool_under_another_name")
    outcomes = []
    for example in asked:
        request = ExecutionRequest(source, json.dumps(script.read(example.question)))
        outcomes.append((example, executor.execute(request).outcome))
    return outcomes


def right(example: Example, outcome: Outcome) -> bool:
    """Whether the call ended with the example's answer."""
    if outcome.result_json is None:
        return False
    kind = infer_kind([example])
    given = answer_from_result(kind, outcome.result_json, example.question)
    return same_answer(kind, example.answer, given, example.question)


@pytest.mark.parametrize("script", TASKS, ids=lambda script: str(script.kind))
def test_the_last_proposal_is_right(executor: Executor, examples: Mapping[str, Split], script: TaskScript) -> None:
    """It answers training and held-out examples, and the first of the questions that remain."""
    training, held_out, remaining = examples[script.kind]
    for example, outcome in run(executor, script, len(script.proposals) - 1, training + held_out + remaining[:10]):
        assert right(example, outcome), f"{example.id}: {outcome.status} {outcome.failure}"


@pytest.mark.parametrize("script", [s for s in TASKS if s.kind in CAUGHT_BY_HELD_OUT], ids=lambda s: str(s.kind))
def test_only_held_out_examples_catch_it(executor: Executor, examples: Mapping[str, Split], script: TaskScript) -> None:
    """The first proposal is right on all that the maker was shown, and wrong, without an error, on what it was not."""
    training, held_out, _ = examples[script.kind]

    assert all(right(*ended) for ended in run(executor, script, 0, training))

    unseen = run(executor, script, 0, held_out)
    assert {outcome.status for _, outcome in unseen} == {Status.SUCCESS}
    assert not all(right(*ended) for ended in unseen)


@pytest.mark.parametrize("script", [s for s in TASKS if s.kind in CRASHES], ids=lambda s: str(s.kind))
def test_training_examples_crash_it(executor: Executor, examples: Mapping[str, Split], script: TaskScript) -> None:
    """The first proposal raises on what the maker was shown."""
    raised = [outcome for _, outcome in run(executor, script, 0, examples[script.kind][0]) if outcome.failure]

    assert raised
    assert {(outcome.status, outcome.failure.type) for outcome in raised if outcome.failure} == {
        (Status.TOOL_ERROR, "KeyError")
    }


def test_every_other_script_starts_right() -> None:
    """No wrong proposal is without its test here."""
    assert {script.kind for script in TASKS if len(script.proposals) > 1} == CRASHES | CAUGHT_BY_HELD_OUT
