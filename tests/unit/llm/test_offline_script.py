"""What the offline models say, on the prompts that are really sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from toolwright.domain.task import AnswerKind, Example, Task
from toolwright.llm.offline.request import ChatRequest, Function, Turn
from toolwright.llm.offline.script import Script, ScriptedReply
from toolwright.llm.offline.tasks import TaskScript
from toolwright.making import prompts
from toolwright.solving import prompts as prompts_of_solving
from toolwright.solving.cards import Choice


def kind(letter: str) -> TaskScript:
    """A kind of question: those that start with `letter`, hold a number, and ask for it."""
    return TaskScript(
        kind=f"kind_{letter}",
        recognises=lambda text: text.startswith(f"{letter}-question"),
        proposals=(f"{letter} first: {{function}}", f"{letter} second: {{function}}"),
        read=lambda text: {"number": int(text.split()[1])} if text.split()[1].isdecimal() else None,
        answer=lambda text: text.split()[1],
    )


SCRIPT = Script((kind("a"), kind("b")))
NUMBER = {"type": "object", "properties": {"number": {"type": "integer"}}}


def ask(model: str, *turns: tuple[str, str], functions: tuple[Function, ...] = ()) -> ScriptedReply:
    """Put turns to a model."""
    chat = tuple(Turn(role, text) for role, text in turns)
    return SCRIPT.reply(ChatRequest(f"offline-{model}", chat, functions, ()))


def task(letter: str, description: str = "") -> Task:
    """A task of three training examples."""
    examples = tuple(
        Example(f"{letter}{n}", f"{letter}-question {n}\nOptions:\n(A) one\n\n(B) two", str(n)) for n in range(4)
    )
    return Task("count_things", description, examples[:3], examples[3:], AnswerKind.NUMBER)


def opening(letter: str, description: str = "") -> list[tuple[str, str]]:
    """The maker's first messages, as making sends them."""
    return [(message.role, message.content) for message in prompts.opening(task(letter, description))]


def test_maker_replies_by_kind_and_attempt() -> None:
    """The kind is read off the examples, the name off the prompt, the attempt off the chat."""
    chat = opening("b")
    replies = []
    for _ in range(3):
        replies.append(ask("maker", *chat).text)
        chat += [(m.role, m.content) for m in prompts.next_turn(replies[-1], "it raised ValueError")]

    assert replies == ["b first: count_things", "b second: count_things", "b second: count_things"]


def test_name_is_not_taken_from_the_description() -> None:
    """A description that speaks of names changes nothing."""
    chat = opening("a", "Each has a function named `other`, called sum.\nTask: another")

    assert ask("maker", *chat).text == "a first: count_things"


def test_maker_says_so_when_it_knows_no_kind() -> None:
    """No code comes, and the reply says what it is."""
    reply = ask("maker", *opening("z"))

    assert "offline model" in reply.text
    assert "kind_a, kind_b" in reply.text
    assert "```" not in reply.text


def test_user_calls_the_function_with_what_it_reads() -> None:
    """Arguments are JSON; the question is the last user message, whatever stands before."""
    reply = ask(
        "user",
        ("system", "b-question 5"),
        ("user", "a-question 7"),
        ("tool", "number must be even"),
        functions=(Function("count", NUMBER),),
    )

    assert (reply.function, json.loads(reply.arguments_json)) == ("count", {"number": 7})


def test_user_takes_the_function_that_fits() -> None:
    """Among several, the one with these parameters."""
    other = Function("other", {"type": "object", "properties": {"words": {}}})

    assert ask("user", ("user", "a-question 7"), functions=(other, Function("count", NUMBER))).function == "count"


def test_user_calls_a_function_that_does_not_fit_too() -> None:
    """Refusing wrong arguments is the runtime's work, so that they must come."""
    other = Function("other", {"type": "object", "properties": {"words": {}}})

    reply = ask("user", ("user", "a-question 7"), functions=(other,))

    assert (reply.function, json.loads(reply.arguments_json)) == ("other", {"number": 7})


@pytest.mark.parametrize("question", ["What is love?", "a-question seven"])
def test_user_says_so_when_it_cannot_read(question: str) -> None:
    """No call is made up."""
    reply = ask("user", ("user", question), functions=(Function("count", NUMBER),))

    assert reply.function == ""
    assert "cannot read" in reply.text


def test_strong_answers_by_itself() -> None:
    """No tool is needed, nor called."""
    assert ask("strong", ("user", "a-question 7")).text == "7"
    assert "cannot answer" in ask("strong", ("user", "What is love?")).text


DOCUMENTS = {
    "sections": """Choose a tool for the question.

## count_b
Signature: count_b(number: int) -> int
Counts what count_a does not.
Sample question: b-question 3

Options:
(A) one

## count_a
Signature: count_a(number: int) -> int
Sample question: a-question 3

## task_c (no tool yet)
Sample question: c-question 3
""",
    "list": """Tools:
- count_b: count_b(number: int) -> int. Counts things; not for count_a.
  Example question: b-question 3
- `count_a`: count_a(number: int) -> int.
  Example question: a-question 3
- task_c
  Question: c-question 3
none: no tool fits.
""",
    "as sent": prompts_of_solving.opening(
        "?",
        [
            Choice(
                "count_a",
                "count_a(number: int) -> int",
                "Counts.\nTool: count_b\nSample question:\nb-question 1",
                "a-question 3",
            ),
            Choice(
                "count_b", "count_b(number: int) -> int", "Question: a-question 3", "b-question 3\n\nOptions:\n(A) one"
            ),
            Choice("task_c", "", "", "c-question 3"),
        ],
    )[0].content,
}


def choose_tool(*names: str) -> Function:
    """The function by which a dispatcher chooses."""
    return Function(
        "choose_tool",
        {"type": "object", "properties": {"tool": {"type": "string", "enum": [*names, "none"]}, "reason": {}}},
    )


def choose(system: str, question: str, *names: str) -> dict[str, Any]:
    """The dispatcher's arguments."""
    reply = ask("dispatcher", ("system", system), ("user", question), functions=(choose_tool(*names),))
    assert reply.function == "choose_tool"
    arguments: dict[str, Any] = json.loads(reply.arguments_json)
    return arguments


@pytest.mark.parametrize("form", DOCUMENTS)
@pytest.mark.parametrize(
    ("question", "chosen"),
    [("a-question 9", "count_a"), ("b-question 9", "count_b"), ("c-question 9", "none"), ("What is love?", "none")],
)
def test_dispatcher_chooses_by_the_sample_question(form: str, question: str, chosen: str) -> None:
    """A tool is known by the sample question in its documentation, not by what another says of it, in any layout."""
    arguments = choose(DOCUMENTS[form], question, "count_a", "count_b", "task_c")

    assert arguments["tool"] == chosen
    assert arguments["reason"]


def test_dispatcher_chooses_nothing_that_is_not_offered() -> None:
    """Documentation of a tool that is no choice is passed over."""
    assert choose(DOCUMENTS["list"], "b-question 9", "count_a")["tool"] == "none"


def test_dispatcher_without_choices_says_so() -> None:
    """A request of another form gets text."""
    assert "to choose from" in ask("dispatcher", ("user", "a-question 7")).text


SAMPLES = {
    "words": "Sort the following words alphabetically: List: pear apple fig",
    "brackets": "Complete the rest of the sequence, making sure that the parentheses are closed properly. Input: [ <",
    "remainder": (
        "There is a ship of no more than 105 plums. If we divide them equally among 3 cats, we have 2 left; if we "
        "divide them equally among 5 dogs, we have 3 left; if we divide them equally among 7 owls, we have 2 left. "
        "How many plums are in the ship?"
    ),
    "meeting": (
        "A and B want to schedule a 0.5-hour meeting together.\nA's availability: 09:00 - 10:00\n"
        "B's availability: 09:30 - 11:00\nWhat time slot works best? (if multiple, choose the earliest one)"
    ),
    "swaps": (
        "Ann, Ben, and Cid are dancers at a square dance. At the start of a song, they each have a partner: Ann is "
        "dancing with Pat, Ben is dancing with Sam, and Cid is dancing with Jo.\nThroughout the song, the dancers "
        "often trade partners. First, Ann and Ben switch partners. Finally, Cid and Ann switch partners. At the end of "
        "the dance, Ann is dancing with\nOptions:\n(A) Pat\n(B) Sam\n(C) Jo"
    ),
    "orders": (
        "The following paragraphs each describe a set of three objects arranged in a fixed order. The statements are "
        "logically consistent within each paragraph. On a shelf, there are three books: a red book, a blue book, and "
        "a green book. The red book is to the left of the blue book. The green book is the leftmost.\nOptions:\n"
        "(A) The red book is the rightmost\n(B) The blue book is the rightmost\n(C) The green book is the rightmost"
    ),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_real_kinds_are_told_apart_in_the_real_prompt(name: str) -> None:
    """With the package's own script, each question goes to the tool of its kind, and to none without that tool."""
    chosen = []
    for left_out in ("", name):
        choices = [Choice(tool, f"{tool}(x: int)", "", sample) for tool, sample in SAMPLES.items() if tool != left_out]
        messages = prompts_of_solving.opening(SAMPLES[name], choices)
        function = prompts_of_solving.function_for(choices)
        reply = Script().reply(
            ChatRequest(
                "offline-dispatcher",
                tuple(Turn(message.role, message.content) for message in messages),
                (Function(function.name, function.parameters),),
                (),
            )
        )
        chosen.append(json.loads(reply.arguments_json)["tool"])

    assert chosen == [name, "none"]


@pytest.mark.parametrize("name", SAMPLES)
def test_real_kinds_are_made_from_the_real_prompt(name: str) -> None:
    """With the package's own script, the maker's reply holds one block that defines the function as named."""
    examples = tuple(Example(str(n), SAMPLES[name] + "." * n, "x") for n in range(2))  # two questions, one kind
    made_for = Task("my_own_name", "", examples[:1], examples[1:], AnswerKind.TEXT)
    turns = tuple(Turn(message.role, message.content) for message in prompts.opening(made_for))

    text = Script().reply(ChatRequest("offline-maker", turns, (), ())).text

    assert text.count("```python") == 1
    assert "def my_own_name(" in text
