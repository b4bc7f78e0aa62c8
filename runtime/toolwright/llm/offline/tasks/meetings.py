"""The earliest time at which people can meet."""

from __future__ import annotations

import re
from typing import Any

from toolwright.llm.offline.tasks.base import TaskScript
from toolwright.llm.offline.tasks.wording import NUMBER_WORDS

NO_SLOT = "No time slot works."

_DAY = 24 * 60
_TIME = r"([01]?\d|2[0-4])[:.h]([0-5]\d)"
_RANGE = re.compile(rf"(?<!\d){_TIME}\s*(?:-|\u2013|\u2014|to|until|till)\s*{_TIME}(?!\d)")
_MEETING = re.compile(r"\b(?:meet\w*|slot|appointment|session|call|together)\b", re.IGNORECASE)
# Other calendars, questions or lengths, which would be read wrongly.
_OTHERWISE = re.compile(r"\b(?:busy|booked|unavailable|occupied|latest|last slot|quarters?)\b", re.IGNORECASE)
_AVAILABLE = re.compile(r"\b(?:availab\w*|free|open)\b", re.IGNORECASE)
_WORD = "|".join(NUMBER_WORDS)
_HOURS = re.compile(
    rf"(?<![\w.])(\d{{1,2}}(?:\.\d{{1,2}})?|an|{_WORD})(\s+and\s+a\s+half)?[\s-]*(?:hours?|h)\b(\s+and\s+a\s+half)?",
    re.IGNORECASE,
)
_HALF_HOUR = re.compile(r"\bhalf[\s-]+(?:an?[\s-]+)?hour\b", re.IGNORECASE)
_MINUTES = re.compile(r"(?<![\w.])(\d{1,3})[\s-]*min(?:ute)?s?\b", re.IGNORECASE)


def recognises(question: str) -> bool:
    """Whether a meeting is wanted within times that people are free."""
    return bool(_MEETING.search(question)) and bool(_RANGE.search(question)) and read(question) is not None


_TWO_PEOPLE = 2


def read(question: str) -> dict[str, Any] | None:
    """Return `duration_minutes` and `calendars`: for each person the free [start, end] pairs."""
    duration = _duration(_RANGE.sub(" ", question))
    calendars = _calendars(question)
    if duration is None or len(calendars) < _TWO_PEOPLE or _OTHERWISE.search(question):
        return None
    return {"duration_minutes": duration, "calendars": calendars}


def answer(question: str) -> str:
    """Return `HH:MM - HH:MM` or the sentence that there is no slot."""
    asked = read(question)
    if asked is None:
        return ""
    # A minute each, common to all: slower than the tool's way, and so simple that it checks it.
    common = set(range(_DAY))
    for calendar in asked["calendars"]:
        common &= {minute for start, end in calendar for minute in range(_minute(start), _minute(end))}
    length = asked["duration_minutes"]
    for start in sorted(common):
        if common.issuperset(range(start, start + length)):
            return f"{_clock(start)} - {_clock(start + length)}"
    return NO_SLOT


def _duration(text: str) -> int | None:
    """Return the minutes a meeting takes; None if the text names no length of at most a day."""
    text, halves = _HALF_HOUR.subn(" ", text)
    total = 30 * min(halves, 1)
    if minutes := _MINUTES.search(text):
        total += int(minutes[1])
    if hours := _HOURS.search(text):
        total += _hours(hours[1].lower()) + (30 if hours[2] or hours[3] else 0)
    return total if 0 < total <= _DAY else None


def _hours(number: str) -> int:
    """Return in minutes what `1.5`, `two` or `an` hours are."""
    if number[0].isdecimal():
        return round(float(number) * 60)
    return 60 if number == "an" else 60 * NUMBER_WORDS.get(number, 0)


def _calendars(question: str) -> list[list[list[str]]]:
    """Return each person's free times: a line each, or a sentence each where all stand in one line."""
    for separator in (r"\n", r"[;\n]|\.\s"):
        parts = [part for part in re.split(separator, question) if _names_times(part)]
        if len(parts) > 1:
            return [[_pair(match) for match in _RANGE.finditer(part)] for part in parts]
    return []


def _names_times(part: str) -> bool:
    """Whether a part of the text is someone's calendar; one such as `Kim is free: never` is empty."""
    return bool(_RANGE.search(part)) or bool(_AVAILABLE.search(part) and re.search(r":|\bnever\b", part))


def _pair(match: re.Match[str]) -> list[str]:
    return [f"{int(match[1]):02}:{match[2]}", f"{int(match[3]):02}:{match[4]}"]


def _minute(clock: str) -> int:
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


_WRONG = '''\
I go through the free times of the first person in order and take the first one from whose start everybody
else is free for long enough.

```python
def {function}(duration_minutes: int, calendars: list[list[list[str]]]) -> str:
    """Find the earliest time slot in which all people are free.

    Args:
        duration_minutes: length of the meeting.
        calendars: for each person the free times as [start, end], each "HH:MM".
    """

    def minute(clock: str) -> int:
        hours, minutes = clock.split(":")
        return int(hours) * 60 + int(minutes)

    for start, _ in calendars[0]:
        begin = minute(start)
        end = begin + duration_minutes
        if all(any(minute(a) <= begin and end <= minute(b) for a, b in calendar) for calendar in calendars):
            return f"{start} - {end // 60:02}:{end % 60:02}"
    return "No time slot works."
```
'''

_RIGHT = '''\
The common time may begin inside the first person's free time, when another person becomes free. So I build
the intersection of all calendars, person by person, and take its first interval that is long enough.

```python
def {function}(duration_minutes: int, calendars: list[list[list[str]]]) -> str:
    """Find the earliest time slot in which all people are free.

    Args:
        duration_minutes: length of the meeting.
        calendars: for each person the free times as [start, end], each "HH:MM".

    Returns:
        "HH:MM - HH:MM", or "No time slot works."
    """

    def minute(clock: str) -> int:
        hours, minutes = clock.split(":")
        return int(hours) * 60 + int(minutes)

    def clock(minute: int) -> str:
        return f"{minute // 60:02}:{minute % 60:02}"

    def merged(calendar: list[list[str]]) -> list[tuple[int, int]]:
        spans: list[tuple[int, int]] = []
        for start, end in sorted((minute(a), minute(b)) for a, b in calendar):
            if spans and start <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            else:
                spans.append((start, end))
        return spans

    common = [(0, 24 * 60)]
    for calendar in calendars:
        free = merged(calendar)
        common = [(max(a, c), min(b, d)) for a, b in common for c, d in free if max(a, c) < min(b, d)]
    for start, end in common:
        if end - start >= duration_minutes:
            return f"{clock(start)} - {clock(start + duration_minutes)}"
    return "No time slot works."
```
'''

SCRIPT = TaskScript(
    kind="schedule_meeting", recognises=recognises, proposals=(_WRONG, _RIGHT), read=read, answer=answer
)
