"""Who holds what after things have changed hands."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

from toolwright.llm.offline.tasks.base import TaskScript
from toolwright.llm.offline.tasks.wording import split_options, squeeze

_NAME = r"[A-Z][\w'-]{0,40}"
_SWAP = re.compile(
    rf"\b({_NAME}) and ({_NAME}) (?:[a-z]+ ){{0,2}}(?:swap|trade|switch|exchange)"
    rf"|\b({_NAME}) (?:[a-z]+ ){{0,2}}(?:swaps?|trades?|switch(?:es)?|exchanges?|swapped|traded|switched|exchanged)"
    rf"(?: [a-z]+){{0,3}} with ({_NAME})"
)
_OWNER = re.compile(rf"({_NAME}) (?:[a-z]+ ){{1,8}}\Z")
_MAX_OPTIONS = 26
# Bounds the work on a text that repeats an option thousands of times.
_MAX_MENTIONS = 20


def recognises(question: str) -> bool:
    """Whether people swap things and one person's last one is asked for."""
    body, options = split_options(question)
    return len(options) > 1 and len(_swaps(squeeze(body))) > 1


def read(question: str) -> dict[str, Any] | None:
    """Return `holdings` ([person, item] pairs), `swaps` (pairs of people, in order) and `person`."""
    body, options = split_options(question)
    body = squeeze(body)
    found = _swaps(body)
    if not found or not 1 < len(options) <= _MAX_OPTIONS:
        return None
    holdings = _holdings(body[: found[0].start()], options)
    owners = {person for person, _ in holdings}
    swaps = [[match[1] or match[3], match[2] or match[4]] for match in found]
    asked = {name for name in re.findall(_NAME, body[found[-1].end() :]) if name in owners}
    if len(owners) != len(options) or len(asked) != 1 or any(not owners.issuperset(pair) for pair in swaps):
        return None
    return {"holdings": holdings, "swaps": swaps, "person": asked.pop()}


def answer(question: str) -> str:
    """Return the label of the option, as in `(B)`."""
    asked = read(question)
    if asked is None:
        return ""
    # Followed backwards from the person asked about, where the tool goes forwards with everyone.
    holder = asked["person"]
    for pair in reversed(asked["swaps"]):
        if holder in pair:
            holder = pair[1 - pair.index(holder)]
    item = dict(asked["holdings"])[holder]
    return f"({chr(ord('A') + split_options(question)[1].index(item))})"


def _swaps(body: str) -> list[re.Match[str]]:
    return list(_SWAP.finditer(body))


def _holdings(text: str, options: list[str]) -> list[list[str]]:
    """Return who holds which option at first, in the order of the options; those that cannot be found are left out."""
    owners: dict[str, str] = {}
    # Longest first and blanked out once found: an option may be part of another.
    for option in sorted(options, key=len, reverse=True):
        for match in islice(re.finditer(rf"(?<!\w){re.escape(option)}(?!\w)", text), _MAX_MENTIONS):
            owner = _OWNER.search(text, max(0, match.start() - 160), match.start())
            if owner and owner[1] not in owners.values():
                owners[option] = owner[1]
                text = text[: match.start()] + "#" * len(option) + text[match.end() :]
                break
    return [[owners[option], option] for option in options if option in owners]


_RIGHT = '''\
I keep who holds what in a dictionary and carry out the swaps in their order.

```python
def {function}(holdings: list[list[str]], swaps: list[list[str]], person: str) -> str:
    """Find out what a person holds after a series of swaps.

    Args:
        holdings: a [person, item] pair for each person, as it is at the start.
        swaps: the two people of each swap, in the order in which the swaps happen.
        person: whose item is asked for.

    Returns:
        The item, worded as in `holdings`.
    """
    held = {owner: item for owner, item in holdings}
    for name in [person, *(name for pair in swaps for name in pair)]:
        if name not in held:
            raise ValueError(f"nothing is said of what {name} holds at the start")
    for first, second in swaps:
        held[first], held[second] = held[second], held[first]
    return held[person]
```

The number of people and of swaps does not matter.
'''

SCRIPT = TaskScript(
    kind="tracking_shuffled_objects_five_objects", recognises=recognises, proposals=(_RIGHT,), read=read, answer=answer
)
