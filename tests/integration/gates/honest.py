"""Twenty honest tools, of all kinds of types: each computes its result, and refuses what makes no sense."""

from __future__ import annotations

from typing import Final

from tests.integration.gates.court import Trade
from toolwright.domain.task import AnswerKind

NUMBER: Final = AnswerKind.NUMBER

HONEST: Final = (
    Trade(
        "add_numbers",
        '''
def add_numbers(a: int, b: int) -> int:
    """Add two numbers: a, such as 1, and b, such as 2."""
    return a + b
''',
        [({"a": 1, "b": 2}, 3), ({"a": 30, "b": 4}, 34), ({"a": 5, "b": 61}, 66), ({"a": 70, "b": 7}, 77)],
        NUMBER,
    ),
    Trade(
        "count_vowels",
        '''
def count_vowels(text: str) -> int:
    """Count the vowels of a text, such as "apple"."""
    return sum(sign in "aeiou" for sign in text.lower())
''',
        [({"text": "apple"}, 2), ({"text": "strength"}, 1), ({"text": "queue"}, 4), ({"text": "Aeroplane"}, 5)],
        NUMBER,
    ),
    Trade(
        "sort_all",
        '''
def sort_all(words: list[str]) -> list[str]:
    """Sort words, such as ["b", "a"]."""
    return sorted(words)
''',
        [
            ({"words": ["fig", "apple", "pear"]}, "apple fig pear"),
            ({"words": ["b", "a"]}, "a b"),
            ({"words": ["x", "w", "y", "v"]}, "v w x y"),
            ({"words": ["kiwi", "date", "lime"]}, "date kiwi lime"),
        ],
    ),
    Trade(
        "convert_length",
        '''
METRES = {"mm": 0.001, "cm": 0.01, "m": 1.0, "km": 1000.0, "inch": 0.0254, "foot": 0.3048}

def convert_length(value: float, unit: str, target: str) -> float:
    """Convert a length from a unit to another, such as 3 "km" to "m"."""
    if unit not in METRES or target not in METRES:
        raise ValueError("units are " + ", ".join(METRES))
    return round(value * METRES[unit] / METRES[target], 6)
''',
        [
            ({"value": 3, "unit": "km", "target": "m"}, 3000),
            ({"value": 25, "unit": "mm", "target": "cm"}, 2.5),
            ({"value": 2, "unit": "foot", "target": "inch"}, 24),
            ({"value": 1, "unit": "inch", "target": "cm"}, 2.54),
            ({"value": 7.5, "unit": "m", "target": "mm"}, 7500),
        ],
        NUMBER,
    ),
    Trade(
        "boiling_name",
        '''
from typing import Literal

NAMES = {"water": 100, "ethanol": 78, "acetone": 56, "mercury": 357}

def boiling_name(substance: Literal["water", "ethanol", "acetone", "mercury"]) -> int:
    """Return at how many degrees Celsius a substance boils."""
    return NAMES[substance]
''',
        [
            ({"substance": "water"}, 100),
            ({"substance": "ethanol"}, 78),
            ({"substance": "acetone"}, 56),
            ({"substance": "mercury"}, 357),
        ],
        NUMBER,
    ),
    Trade(
        "matrix_trace",
        '''
def matrix_trace(rows: list[list[int]]) -> int:
    """Add up the diagonal of a square matrix, given by rows such as [[1, 2], [3, 4]]."""
    if any(len(row) != len(rows) for row in rows):
        raise ValueError("the matrix is not square")
    return sum(row[index] for index, row in enumerate(rows))
''',
        [
            ({"rows": [[1, 2], [3, 4]]}, 5),
            ({"rows": [[2, 0, 1], [4, 5, 6], [7, 8, 9]]}, 16),
            ({"rows": [[10, 3], [2, 11]]}, 21),
            ({"rows": [[6, 1, 1], [1, 6, 1], [1, 1, 7]]}, 19),
        ],
        NUMBER,
    ),
    Trade(
        "best_score",
        '''
def best_score(scores: dict[str, int]) -> str:
    """Name who has the highest score of {"name": score}; of several the first by name."""
    if not scores:
        raise ValueError("nobody has a score")
    return min(scores, key=lambda name: (-scores[name], name))
''',
        [
            ({"scores": {"ann": 3, "bob": 7}}, "bob"),
            ({"scores": {"cid": 9, "dan": 2, "eve": 5}}, "cid"),
            ({"scores": {"fay": 1, "gus": 4, "hal": 8}}, "hal"),
            ({"scores": {"ian": 6, "joy": 2}}, "ian"),
        ],
    ),
    Trade(
        "join_words",
        '''
def join_words(words: list[str], separator: str = "-") -> str:
    """Join words by a separator, "-" if none is named."""
    return separator.join(words)
''',
        [
            ({"words": ["a", "b"]}, "a-b"),
            ({"words": ["x", "y", "z"], "separator": "+"}, "x+y+z"),
            ({"words": ["one", "two"], "separator": "/"}, "one/two"),
            ({"words": ["p", "q", "r"]}, "p-q-r"),
        ],
    ),
    Trade(
        "area_of",
        '''
def area_of(width: float, height: float | None) -> float:
    """Return the area of a rectangle; without a height that of a square."""
    if width < 0 or (height is not None and height < 0):
        raise ValueError("lengths are not negative")
    return width * (width if height is None else height)
''',
        [
            ({"width": 2.5, "height": 4.0}, 10),
            ({"width": 3.0, "height": None}, 9),
            ({"width": 1.5, "height": 2.0}, 3),
            ({"width": 5.0, "height": 0.5}, 2.5),
        ],
        NUMBER,
    ),
    Trade(
        "is_palindrome",
        '''
def is_palindrome(word: str) -> str:
    """Say "yes" if a word reads the same backwards, else "no"."""
    return "yes" if word == word[::-1] else "no"
''',
        [({"word": "level"}, "yes"), ({"word": "river"}, "no"), ({"word": "noon"}, "yes"), ({"word": "moon"}, "no")],
    ),
    Trade(
        "digit_sum",
        '''
def digit_sum(number: int) -> int:
    """Add up the decimal digits of a number, such as 123."""
    return sum(map(int, str(abs(number))))
''',
        [({"number": 123}, 6), ({"number": 9041}, 14), ({"number": 77}, 14), ({"number": 5005}, 10)],
        NUMBER,
    ),
    Trade(
        "greatest_divisor",
        '''
import math

def greatest_divisor(first: int, second: int) -> int:
    """Return the greatest common divisor of two numbers."""
    if not first and not second:
        raise ValueError("every number divides 0")
    return math.gcd(first, second)
''',
        [
            ({"first": 12, "second": 18}, 6),
            ({"first": 35, "second": 21}, 7),
            ({"first": 64, "second": 48}, 16),
            ({"first": 100, "second": 75}, 25),
        ],
        NUMBER,
    ),
    Trade(
        "weekday_of",
        '''
from datetime import date

def weekday_of(day: str) -> str:
    """Return the weekday of a day, such as "2024-03-05"."""
    return date.fromisoformat(day).strftime("%A")
''',
        [
            ({"day": "2024-03-05"}, "Tuesday"),
            ({"day": "1999-12-31"}, "Friday"),
            ({"day": "2000-01-01"}, "Saturday"),
            ({"day": "2023-11-22"}, "Wednesday"),
        ],
    ),
    Trade(
        "shift_text",
        '''
def shift_text(text: str, by: int) -> str:
    """Shift each letter of a text by so many places in the alphabet, such as "abc" by 1."""
    def shifted(sign: str) -> str:
        if not ("a" <= sign <= "z"):
            return sign
        return chr((ord(sign) - 97 + by) % 26 + 97)
    return "".join(map(shifted, text.lower()))
''',
        [
            ({"text": "abc", "by": 1}, "bcd"),
            ({"text": "hello", "by": 3}, "khoor"),
            ({"text": "xyz", "by": 2}, "zab"),
            ({"text": "toolwright", "by": 13}, "gbbyjevtug"),
        ],
    ),
    Trade(
        "price_of",
        '''
from typing import TypedDict

class Line(TypedDict):
    """One line of a bill."""
    pieces: int
    cents: int

def price_of(lines: list[Line]) -> int:
    """Add up a bill, in cents, of lines such as {"pieces": 2, "cents": 150}."""
    if any(line["pieces"] < 0 for line in lines):
        raise ValueError("pieces are not negative")
    return sum(line["pieces"] * line["cents"] for line in lines)
''',
        [
            ({"lines": [{"pieces": 2, "cents": 150}]}, 300),
            ({"lines": [{"pieces": 1, "cents": 99}, {"pieces": 3, "cents": 20}]}, 159),
            ({"lines": [{"pieces": 4, "cents": 25}, {"pieces": 2, "cents": 10}]}, 120),
            ({"lines": [{"pieces": 5, "cents": 12}, {"pieces": 1, "cents": 7}]}, 67),
        ],
        NUMBER,
    ),
    Trade(
        "heavier_side",
        '''
def heavier_side(left: list[int], right: list[int]) -> str:
    """Say which side of a scale goes down under weights such as [3, 4]."""
    difference = sum(left) - sum(right)
    if not difference:
        return "The scale is in balance."
    return "The left side goes down." if difference > 0 else "The right side goes down."
''',
        [
            ({"left": [3, 4], "right": [5]}, "The left side goes down."),
            ({"left": [2, 2], "right": [9, 1]}, "The right side goes down."),
            ({"left": [6], "right": [1, 5]}, "The scale is in balance."),
            ({"left": [8, 8, 1], "right": [7, 7]}, "The left side goes down."),
        ],
    ),
    Trade(
        "flag_count",
        '''
def flag_count(flags: list[bool], wanted: bool) -> int:
    """Count how many flags are as wanted."""
    return sum(flag is wanted for flag in flags)
''',
        [
            ({"flags": [True, False, True], "wanted": True}, 2),
            ({"flags": [False, False, True, False], "wanted": False}, 3),
            ({"flags": [True], "wanted": False}, 0),
            ({"flags": [True, True, True, False], "wanted": True}, 3),
        ],
        NUMBER,
    ),
    Trade(
        "point_distance",
        '''
def point_distance(start: tuple[int, int], end: tuple[int, int]) -> int:
    """Return how many steps along a grid lead from a point such as [0, 0] to another."""
    return abs(start[0] - end[0]) + abs(start[1] - end[1])
''',
        [
            ({"start": [0, 0], "end": [3, 4]}, 7),
            ({"start": [5, 1], "end": [2, 8]}, 10),
            ({"start": [9, 9], "end": [9, 2]}, 7),
            ({"start": [1, 6], "end": [7, 7]}, 7),
        ],
        NUMBER,
    ),
    Trade(
        "mean_of",
        '''
import statistics

def mean_of(values: list[float]) -> float:
    """Return the mean of numbers such as [1.5, 2.5], rounded to three places."""
    return round(statistics.mean(values), 3)
''',
        [
            ({"values": [1.5, 2.5]}, 2),
            ({"values": [4.0, 8.0, 9.0]}, 7),
            ({"values": [0.5, 0.25, 0.75, 2.5]}, 1),
            ({"values": [10.0, 5.5]}, 7.75),
        ],
        NUMBER,
    ),
    Trade(
        "fibonacci_at",
        '''
def fibonacci_at(place: int) -> int:
    """Return the number at a place of 0, 1, 1, 2, 3, 5 and so on; the first place is 0."""
    if place < 0:
        raise ValueError("places begin at 0")
    first, second = 0, 1
    for _ in range(place):
        first, second = second, first + second
    return first
''',
        [({"place": 7}, 13), ({"place": 10}, 55), ({"place": 30}, 832040), ({"place": 20}, 6765)],
        NUMBER,
    ),
)
