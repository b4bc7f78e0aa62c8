"""Near-equal tools: merged, not multiplied; and what is not near enough stays apart."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.making.addition import Bench, adding, addition, bench, block
from toolwright.calling.testing import StandIn, failed, says
from toolwright.domain.events import Made
from toolwright.domain.outcome import Status
from toolwright.domain.tool import ToolState
from toolwright.errors import NotFound
from toolwright.making.merging import signature
from toolwright.registry.testing import sample_version

FIRST, SECOND = block("# good\ndef add_numbers(a, b): ..."), block("# other\ndef sum_up(a, b): ...")


def both(second: StandIn, **options: Any) -> tuple[Bench, Made]:
    """Make a tool for two tasks, the second one `second`; return how the second ended."""
    at = bench(says(FIRST), says(SECOND), other=second)
    at = Bench(at.maker, stand_ins=at.stand_ins, **options)
    assert isinstance(at.make()[-1], Made)
    made = at.make(addition("sum_up", 41))[-1]
    assert isinstance(made, Made)
    return at, made


def test_a_tool_that_does_the_same_is_not_kept_again() -> None:
    """Other code, other words, the same results on what both were shown and asked: the name is a synonym."""
    worded = adding()
    worded.description["summary"] = "Sums up."  # type: ignore[index]  # a dict, as `of` makes it
    at, made = both(worded)
    assert made.merged
    assert made.tool.reference == "add_numbers@1"
    assert at.store.get_tool("sum_up").reference == "add_numbers@1"
    assert at.store.synonyms.of("add_numbers") == ["sum_up"]
    assert [tool.version.name for tool in at.store.list_tools()] == ["add_numbers"]
    making = at.store.list_makings("sum_up")[0]
    assert making.tool_digest == made.tool.digest
    (attempt,) = at.store.list_attempts(making.making_id)
    assert attempt.accepted
    assert "does what add_numbers@1 does" in attempt.verdict
    assert at.store.get_task("sum_up") == addition("sum_up", 41)


def test_a_synonym_shares_the_account_of_its_tool() -> None:
    """What the second making cost is the one tool's; when the name gets a tool of its own, it is that one's again."""
    at, _ = both(adding())
    (account,) = at.store.ledger.by_task()
    assert account.task == "add_numbers"
    at.maker.replies = lambda _: says(block("# two\ndef sum_up(a, b): ..."))
    at.stand_ins["# two"] = StandIn.of(lambda a, b: a + b, a="integer", b="number")
    at.make(addition("sum_up", 61))
    assert [account.task for account in at.store.ledger.by_task()] == ["add_numbers", "sum_up"]


def test_held_out_questions_count_too() -> None:
    """A tool that the other one's examples do not tell apart, but its own hidden ones do, is another tool."""
    at = bench(says(FIRST), says(SECOND), other=adding(), good=adding(lambda a, b: a + b if a < 140 else -1))
    assert isinstance(at.make()[-1], Made)
    made = at.make(addition("sum_up", 41))[-1]
    assert isinstance(made, Made)
    assert not made.merged


def differing(a: int, b: int) -> int:
    """Right for its own examples, wrong for those of the first tool."""
    return a + b if a > 10 else 0


@pytest.mark.parametrize(
    "second",
    [
        adding(differing),
        adding(lambda a, b: float(a + b)),
        adding(lambda a, b: a + b if a > 10 else failed(Status.TOOL_ERROR, "ValueError")),
        StandIn.of(lambda a, b: a + b, a="integer", b="number"),
    ],
    ids=["another result", "another type", "an error", "another signature"],
)
def test_what_differs_stays_apart(second: StandIn) -> None:
    """In a result, in its type, in an error, or in what it takes."""
    at, made = both(second)
    assert not made.merged
    assert made.tool.reference == "sum_up@1"
    assert at.store.synonyms.of("add_numbers") == []


def test_merging_can_be_switched_off() -> None:
    """Then each name has a tool of its own."""
    _, made = both(adding(), merge=False)
    assert not made.merged
    assert made.tool.reference == "sum_up@1"


def test_a_name_with_a_tool_keeps_it() -> None:
    """A new version of a name is admitted as such, whatever other tools do."""
    at = Bench(bench(says(FIRST), says(SECOND), says(FIRST)).maker, stand_ins={"# other": adding()}, merge=False)
    assert isinstance(at.make()[-1], Made)
    assert isinstance(at.make(addition("sum_up", 41))[-1], Made)
    merging = Bench(at.maker, store=at.store)
    made = merging.make(addition("sum_up", 51))[-1]
    assert isinstance(made, Made)
    assert not made.merged
    assert made.tool.reference == "sum_up@2"


def test_a_name_whose_tool_was_held_back_keeps_it() -> None:
    """What is made anew for it is its next version, even where another tool does the same: no name changes meaning."""
    at = Bench(bench(says(FIRST), says(SECOND), says(FIRST)).maker, stand_ins={"# other": adding()}, merge=False)
    assert isinstance(at.make()[-1], Made)
    assert isinstance(at.make(addition("sum_up", 41))[-1], Made)
    at.store.lifecycle.change_state(
        at.store.get_tool("sum_up").version.digest, ToolState.QUARANTINED, actor="policy", reason="wrong"
    )
    made = Bench(at.maker, store=at.store).make(addition("sum_up", 51))[-1]
    assert isinstance(made, Made)
    assert (made.merged, made.tool.reference) == (False, "sum_up@2")


def test_a_synonym_can_get_a_tool_of_its_own() -> None:
    """When other examples need another tool, the name is taken back."""
    at, _ = both(adding())
    at.maker.replies = lambda _: says(block("# two\ndef sum_up(a, b): ..."))
    at.stand_ins["# two"] = StandIn.of(lambda a, b: a + b, a="integer", b="number")
    made = at.make(addition("sum_up", 61))[-1]
    assert isinstance(made, Made)
    assert made.tool.reference == "sum_up@1"
    assert at.store.synonyms.of("add_numbers") == []


def test_a_signature_has_no_words() -> None:
    """Titles and descriptions say nothing of what fits; a parameter may have such a name."""

    def of(schema: dict[str, Any]) -> str:
        version = sample_version()
        description = type(version.description)("", "", {"type": "object", "properties": schema})
        return signature(sample_version(description=description))

    plain = {"title": {"type": "array", "items": {"type": "string"}}}
    worded = {"title": {"type": "array", "items": {"type": "string", "description": "A word."}, "title": "Title"}}
    assert of(plain) == of(worded)
    assert of(plain) != of({"name": plain["title"]})
    assert of(plain) != of({"title": {"type": "array"}})


def test_nothing_is_merged_with_what_is_not_there() -> None:
    """The first tool of all is kept."""
    at = bench(says(FIRST))
    made = at.make()[-1]
    assert isinstance(made, Made)
    assert not made.merged
    with pytest.raises(NotFound):
        at.store.synonyms.remove("add_numbers")
