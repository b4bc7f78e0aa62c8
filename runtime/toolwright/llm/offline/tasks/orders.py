"""Which statement follows from clues about the order of objects (logical deduction)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import permutations
from typing import Any

from toolwright.llm.offline.tasks.base import TaskScript
from toolwright.llm.offline.tasks.clues import Statement, named, position, statement
from toolwright.llm.offline.tasks.wording import split_list, split_options, squeeze

_MIN_OBJECTS, _MAX_OBJECTS = 3, 7
_OBJECTS = re.compile(r":\s*([^:.;?!]{5,1000})[.;]")
_SENTENCE = re.compile(r"[^.;?!]+[.;?!]?")


def recognises(question: str) -> bool:
    """Whether an order of objects is described and statements on it are offered."""
    asked = read(question)
    return asked is not None and len(asked["clues"]) > 1


def read(question: str) -> dict[str, Any] | None:
    """Return `objects`, `clues` and `options`; the latter two are lists of `clues.Statement`."""
    body, texts = split_options(question)
    body = squeeze(body)
    listed = _OBJECTS.search(body)
    if listed is None or not 1 < len(texts) <= _MAX_OBJECTS * _MAX_OBJECTS:
        return None
    objects = split_list(listed[1])
    if not _MIN_OBJECTS <= len(set(objects)) == len(objects) <= _MAX_OBJECTS:
        return None
    sentences = _SENTENCE.findall(body[listed.end() :])
    clues = [statement(sentence, objects) for sentence in sentences if named(sentence, objects)[0]]
    options = _options(texts, sentences, objects)
    if not clues or None in clues or None in options:
        return None
    return {"objects": objects, "clues": clues, "options": options}


def answer(question: str) -> str:
    """Return the label of the one option that holds in every order the clues allow, as in `(B)`."""
    asked = read(question)
    if asked is None:
        return ""
    orders = [order for order in permutations(asked["objects"]) if all(_holds(clue, order) for clue in asked["clues"])]
    sure = [
        index
        for index, option in enumerate(asked["options"])
        if orders and all(_holds(option, order) for order in orders)
    ]
    return f"({chr(ord('A') + sure[0])})" if len(sure) == 1 else ""


def _options(texts: Sequence[str], sentences: Sequence[str], objects: Sequence[str]) -> list[Statement | None]:
    """Return the options as statements: each a sentence, or a bare object where the question names the place."""
    bare = [_bare_object(text, objects) for text in texts]
    if None not in bare:
        asked = [sentence for sentence in sentences if sentence.endswith("?")]
        place = position(asked[-1], len(objects)) if asked else None
        return [None if place is None else Statement(subject=name or "", position=place, before=None) for name in bare]
    return [statement(text, objects) for text in texts]


def _bare_object(text: str, objects: Sequence[str]) -> str | None:
    """Return the object if `text` names one and says nothing about it."""
    names, rest = named(text, objects)
    return names[0] if len(names) == 1 and rest.lower().split()[:-1] in ([], ["the"]) else None


def _holds(said: Statement, order: Sequence[str]) -> bool:
    place = said["position"]
    if place is not None:
        return order[place - 1 if place > 0 else place] == said["subject"]
    return order.index(said["subject"]) < order.index(said["before"] or "")


_RIGHT = '''\
The clues and the options have the same form: an object is at a position, or somewhere before another one.
I build the orders from the first place on, placing only what the clues allow there, and keep the options
that hold in every complete order.

```python
from collections.abc import Iterator
from typing import TypedDict


class Statement(TypedDict):
    """The subject is at `position`, or somewhere `before` another object; the other of the two is null."""

    subject: str
    position: int | None
    before: str | None


def {function}(objects: list[str], clues: list[Statement], options: list[Statement]) -> str:
    """Find the option that follows from clues about the order of objects.

    Write all clues for one direction (for example left to right, oldest to newest, cheapest to most
    expensive, first to last): "b is to the right of a" says that a is before b.

    Args:
        objects: all objects, in any order.
        clues: what is known. Positions count from 1; from the end they count -1, -2, and so on.
        options: the statements to choose from, in the order of their letters A, B, C and so on.

    Returns:
        The label of the option, such as "(B)".
    """

    def place(position: int) -> int:
        return position - 1 if position > 0 else len(objects) + position

    fixed = [(clue["subject"], place(clue["position"])) for clue in clues if clue["position"] is not None]
    pairs = [(clue["subject"], clue["before"]) for clue in clues if clue["before"] is not None]

    def fits(name: str, placed: list[str]) -> bool:
        index = len(placed)
        return (
            name not in placed
            and all(first in placed for first, second in pairs if second == name)
            and all((subject == name) == (at == index) for subject, at in fixed if subject == name or at == index)
        )

    def orders(placed: list[str]) -> Iterator[list[str]]:
        if len(placed) == len(objects):
            yield placed
            return
        for name in objects:
            if fits(name, placed):
                yield from orders(placed + [name])

    def holds(option: Statement, order: list[str]) -> bool:
        at = order.index(option["subject"])
        if option["position"] is not None:
            return at == place(option["position"])
        return at < order.index(option["before"])

    certain: list[int] | None = None
    for order in orders([]):
        candidates = range(len(options)) if certain is None else certain
        certain = [index for index in candidates if holds(options[index], order)]
        if not certain:
            break
    if certain is None:
        raise ValueError("no order fits all clues")
    if len(certain) != 1:
        raise ValueError(f"{len(certain)} options follow from the clues")
    return f"({chr(ord('A') + certain[0])})"
```
'''

SCRIPT = TaskScript(
    kind="logical_deduction_five_objects", recognises=recognises, proposals=(_RIGHT,), read=read, answer=answer
)
