"""Twins that calculate."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.twins.twin import Twin

TWINS: Final = (
    Twin(
        "decimal contexts",
        """
from decimal import Decimal, Inexact, ROUND_HALF_EVEN, ROUND_UP, getcontext, localcontext
def f():
    with localcontext() as context:
        context.prec = 50
        root = str(Decimal(2).sqrt())
    cents = [str(Decimal(text).quantize(Decimal("0.01"), ROUND_HALF_EVEN)) for text in ("2.675", "2.665")]
    with localcontext(prec=3, rounding=ROUND_UP) as context:
        context.traps[Inexact] = False
        third = str(Decimal(1) / 3)
        inexact = bool(context.flags[Inexact])
    return [root, cents, third, inexact, getcontext().prec, str(sum(map(Decimal, ["0.1"] * 10)))]
""",
        ["1.4142135623730950488016887242096980785696718753769", ["2.68", "2.66"], "0.334", True, 28, "1.0"],
    ),
    Twin(
        "fractions and exact sums",
        """
from fractions import Fraction
import cmath, math
def f():
    harmonic = sum(Fraction(1, n) for n in range(1, 31))
    return [str(harmonic), str(Fraction("3.125").limit_denominator(10)), math.fsum([0.1] * 10), math.comb(60, 30),
            math.isqrt(10**40), math.gcd(2**40, 6**20), round(math.dist((0, 0), (3, 4)), 9), math.perm(10, 3),
            [round(cmath.sqrt(-4).imag, 9), round(math.erf(0.5), 9)], math.nextafter(1.0, 2.0) > 1]
""",
        [
            "9304682830147/2329089562800",
            "25/8",
            1.0,
            118264581564861424,
            10**20,
            2**20,
            5.0,
            720,
            [2.0, 0.520499878],
            True,
        ],
    ),
    Twin(
        "statistics",
        """
import statistics as st
def f(values):
    line = st.linear_regression([1, 2, 3, 4], [3, 5, 7, 9])
    return [st.mean(values), st.median(values), st.mode(values), round(st.stdev(values), 6), st.quantiles(values, n=4),
            [line.slope, line.intercept], round(st.NormalDist(100, 15).cdf(130), 6), st.fmean([1, 2], weights=[3, 1]),
            round(st.correlation([1, 2, 3], [1, 2, 4]), 6)]
""",
        [5, 4.5, 4, 2.13809, [4.0, 4.5, 6.5], [2.0, 1.0], 0.97725, 1.25, 0.981981],
        {"values": [2, 4, 4, 4, 5, 5, 7, 9]},
    ),
    Twin(
        "random numbers from a seed, and fresh ones",
        """
import os, random
def f():
    known = random.Random(42)
    deck = list(range(10))
    known.shuffle(deck)
    unseeded = {random.random() for _ in range(100)}
    return [deck, known.randint(1, 10**6), round(known.gauss(0, 1), 9), known.choices("abc", k=5),
            len(unseeded), len(set(os.urandom(16) for _ in range(10))), random.SystemRandom().randrange(1)]
""",
        [[7, 3, 2, 8, 5, 6, 9, 4, 0, 1], 619177, -0.216958684, ["a", "b", "a", "a", "b"], 100, 10, 0],
    ),
    Twin(
        "big integers",
        """
import sys
def f():
    power = 2**10_000
    text = str(10**3_999 + 7)
    fib, following = 0, 1
    for _ in range(5_000):
        fib, following = following, fib + following
    return [power.bit_length(), sum(map(int, str(power))), len(text), int(text) % 1_000_003, fib % 10**9,
            pow(3, 10**18, 10**9 + 7), 10**399, sys.get_int_max_str_digits()]
""",
        [10_001, 13_561, 4_000, 711_047, 382_863_125, 246_336_683, 10**399, 4_300],
    ),
    Twin(
        "primes by sieve",
        """
def f(below):
    sieve = bytearray([1]) * below
    sieve[:2] = b"\\0\\0"
    for n in range(2, int(below**0.5) + 1):
        if sieve[n]:
            sieve[n * n :: n] = bytes(len(range(n * n, below, n)))
    primes = [n for n in range(below) if sieve[n]]
    return [len(primes), primes[-1], sum(primes)]
""",
        [78498, 999983, 37550402023],
        {"below": 1_000_000},
    ),
    Twin(
        "heaps, bisection, arrays and counters",
        """
import array, bisect, collections, heapq, itertools, operator, functools
def f():
    heap = [5, 1, 4]
    heapq.heapify(heap)
    heapq.heappush(heap, 0)
    grid = array.array("d", [0.5, 1.5, 2.5])
    grid.extend([3.5])
    ring = collections.deque(range(5), maxlen=3)
    ring.rotate(1)
    cached = functools.lru_cache(lambda n: n if n < 2 else cached(n - 1) + cached(n - 2))
    return [[heapq.heappop(heap) for _ in range(4)], heapq.nlargest(2, [3, 9, 4]), bisect.bisect([1, 3, 3, 7], 3),
            grid.tolist(), array.array("i", grid.tobytes()[:8]).itemsize, list(ring),
            collections.Counter("mississippi").most_common(2), cached(80),
            [list(group) for _, group in itertools.groupby([1, 1, 2, 3, 3])],
            functools.reduce(operator.xor, itertools.accumulate(range(10)))]
""",
        [
            [0, 1, 4, 5],
            [9, 4],
            3,
            [0.5, 1.5, 2.5, 3.5],
            4,
            [4, 2, 3],
            [["i", 4], ["s", 4]],
            23416728348467685,
            [[1, 1], [2], [3, 3]],
            1,
        ],
    ),
)
