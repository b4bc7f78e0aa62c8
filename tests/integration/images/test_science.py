"""The image `science`: NumPy, pandas, SymPy and SciPy do real work in a call, with every layer on."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator
from dataclasses import replace
from time import perf_counter
from typing import Any

import pytest

from toolwright.domain.call import ExecutionRequest, Isolation
from toolwright.domain.isolation import IsolationPolicy
from toolwright.domain.limits import MIB, Limits, LimitsRequest
from toolwright.domain.outcome import Execution, Status
from toolwright.domain.source import ToolSource
from toolwright.errors import SandboxUnavailable
from toolwright.execution.executor import SandboxExecutor
from toolwright.images.build import build_image
from toolwright.images.catalog import ImageInfo, list_images
from toolwright.registry.memory import MemoryStore
from toolwright.sandbox.container import started
from toolwright.sandbox.docker_pool import open_pool
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.owner import owner_label
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.sandbox.pool import PoolSize
from toolwright.sandbox.selfcheck.check import check_sandbox
from toolwright.sandbox.uids import UidRanges

# Building the image takes half a minute on a machine of two cores, if nothing else runs there.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

RunScience = Callable[..., Execution]
"""(code, **limits) → Execution of its function `f`."""

VERSIONS = """
import importlib.metadata, sys
NAMES = ("numpy", "pandas", "scipy", "sympy", "mpmath", "python-dateutil")
def f():
    there = [name in sys.modules for name in ("numpy", "pandas", "scipy.stats", "sympy")]
    return [importlib.metadata.version(name) for name in NAMES], there
"""

NUMPY = """
import numpy as np
def f():
    matrix = np.array([[4.0, 1.0], [2.0, 3.0]])
    wave = np.sin(2 * np.pi * 5 * np.arange(64) / 64)
    generator = np.random.Generator(np.random.PCG64(7))
    square = np.random.default_rng(1).random((300, 300))
    return {
        "solved": np.linalg.solve(matrix, [1.0, 2.0]).round(6).tolist(),
        "eigenvalues": np.linalg.eigvalsh([[2.0, 1.0], [1.0, 2.0]]).round(6).tolist(),
        "inverse": bool(np.allclose(square @ np.linalg.inv(square), np.eye(300))),
        "peak": int(np.abs(np.fft.rfft(wave)).argmax()),
        "drawn": generator.integers(0, 100, 4).tolist(),
        "mean": float(np.arange(1_000_000, dtype=np.float64).mean()),
        "fitted": np.polynomial.Polynomial.fit([0, 1, 2], [1, 3, 5], 1).convert().coef.round(6).tolist(),
    }
"""

PANDAS = """
import io
import json
import pandas as pd
CSV = "day,shop,sold\\n2026-03-28,north,3\\n2026-03-29,north,5\\n2026-03-29,south,7\\n2026-03-30,south,11\\n"
def f():
    sales = pd.read_csv(io.StringIO(CSV), parse_dates=["day"])
    shops = pd.DataFrame({"shop": ["north", "south"], "city": ["Kiel", "Ulm"]})
    joined = sales.merge(shops, on="shop", how="left")
    hours = pd.date_range("2026-03-29", periods=4, freq="h", tz="Europe/Berlin")
    daily = sales.groupby("day")["sold"].sum().resample("D").sum()
    return {
        "by shop": {key: int(value) for key, value in sales.groupby("shop")["sold"].sum().items()},
        "cities": joined["city"].tolist(),
        "table": joined.pivot_table(index="city", values="sold", aggfunc="mean")["sold"].tolist(),
        "hours": [hour.isoformat() for hour in hours],
        "rolling": daily.rolling(2).mean().dropna().tolist(),
        "csv": joined[["city", "sold"]].head(2).to_csv(index=False),
        "json": json.loads(shops.to_json(orient="records")),
    }
"""

SYMPY = """
from sympy import Eq, Function, Matrix, cos, dsolve, exp, integrate, limit, oo, simplify, sin, solve, sqrt, symbols
def f():
    x, y = symbols("x y")
    g = Function("g")
    return {
        "solved": sorted(str(root) for root in solve(x**2 - 5 * x + 6, x)),
        "system": {str(key): str(value) for key, value in solve([x + y - 10, x - y - 4], [x, y]).items()},
        "integral": str(integrate(x * exp(-x), (x, 0, oo))),
        "antiderivative": str(integrate(sin(x) ** 2, x)),
        "simplified": str(simplify(sin(x) ** 2 + cos(x) ** 2)),
        "limit": str(limit(sin(x) / x, x, 0)),
        "determinant": str(Matrix([[x, 1], [1, x]]).det()),
        "equation": str(dsolve(Eq(g(x).diff(x), g(x)))),
        "digits": str(sqrt(2).evalf(30)),
    }
"""

SCIPY = """
import numpy as np
from scipy import integrate, interpolate, linalg, optimize, signal, sparse, stats
def f():
    best = optimize.minimize(lambda v: (v[0] - 1) ** 2 + (v[1] + 2) ** 2, [0.0, 0.0])
    plan = optimize.linprog([-1, -2], A_ub=[[1, 1]], b_ub=[4], bounds=[(0, 3), (0, 3)])
    grid = sparse.diags([[-1.0] * 99, [2.0] * 100, [-1.0] * 99], [-1, 0, 1]).tocsc()
    solution = sparse.linalg.spsolve(grid, np.ones(100))
    sos = signal.butter(4, 0.1, output="sos")
    noisy = np.sin(np.linspace(0, 12, 400)) + np.where(np.arange(400) % 2, 0.5, -0.5)
    return {
        "minimum": best.x.round(3).tolist(),
        "plan": plan.x.round(6).tolist(),
        "root": round(optimize.brentq(lambda v: v**3 - 8, 0, 5), 6),
        "sparse": round(float(np.abs(grid @ solution - 1).max()), 9),
        "p": round(float(stats.ttest_ind([1, 2, 3, 4], [11, 12, 13, 14]).pvalue), 6),
        "normal": round(float(stats.norm.ppf(0.975)), 6),
        "filtered": bool(np.abs(np.diff(signal.sosfiltfilt(sos, noisy))).max() < 0.2),
        "area": round(integrate.quad(np.sin, 0, np.pi)[0], 9),
        "between": float(interpolate.interp1d([0, 1, 2], [0, 10, 40])(1.5)),
        "logarithm": linalg.expm(np.zeros((2, 2))).tolist(),
    }
"""

EXPECTED: dict[str, tuple[str, dict[str, Any]]] = {
    "numpy": (
        NUMPY,
        {
            "solved": [0.1, 0.6],
            "eigenvalues": [1.0, 3.0],
            "inverse": True,
            "peak": 5,
            "drawn": [94, 62, 68, 89],
            "mean": 499999.5,
            "fitted": [1.0, 2.0],
        },
    ),
    "pandas": (
        PANDAS,
        {
            "by shop": {"north": 8, "south": 18},
            "cities": ["Kiel", "Kiel", "Ulm", "Ulm"],
            "table": [4.0, 9.0],
            # The night in which clocks go from 2 to 3.
            "hours": [f"2026-03-29T0{hour}:00:00+0{zone}:00" for hour, zone in ((0, 1), (1, 1), (3, 2), (4, 2))],
            "rolling": [7.5, 11.5],
            "csv": "city,sold\nKiel,3\nKiel,5\n",
            "json": [{"shop": "north", "city": "Kiel"}, {"shop": "south", "city": "Ulm"}],
        },
    ),
    "sympy": (
        SYMPY,
        {
            "solved": ["2", "3"],
            "system": {"x": "7", "y": "3"},
            "integral": "1",
            "antiderivative": "x/2 - sin(x)*cos(x)/2",
            "simplified": "1",
            "limit": "1",
            "determinant": "x**2 - 1",
            "equation": "Eq(g(x), C1*exp(x))",
            "digits": "1.41421356237309504880168872421",
        },
    ),
    "scipy": (
        SCIPY,
        {
            "minimum": [1.0, -2.0],
            "plan": [1.0, 3.0],
            "root": 2.0,
            "sparse": 0.0,
            "p": 3.4e-05,
            "normal": 1.959964,
            "filtered": True,
            "area": 2.0,
            "between": 25.0,
            "logarithm": [[1.0, 0.0], [0.0, 1.0]],
        },
    ),
}

# Parts that are not imported ahead: their Python and their shared libraries are loaded behind the filter of the call.
LATE = """
import sys
def f():
    before = {"scipy.cluster.vq", "scipy.io", "scipy.odr"} & set(sys.modules)
    import numpy as np, scipy.cluster.hierarchy, scipy.cluster.vq, scipy.io, scipy.odr, tempfile
    centres = scipy.cluster.vq.kmeans(np.array([[0.0], [0.1], [9.0]]), np.array([[0.0], [9.0]]))[0]
    scipy.io.savemat("kept.mat", {"a": np.eye(2)})
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
    return sorted(before), centres.round(2).tolist(), scipy.io.loadmat("kept.mat")["a"].tolist()
"""

RANDOM = """
import random
import numpy as np
import scipy.stats
import sympy.core.random
def f():
    return [random.random(), np.random.random(), float(scipy.stats.norm.rvs()), sympy.core.random.random()]
"""

THREADS = """
import os
import numpy as np
import scipy.linalg
def f():
    square = np.random.default_rng(1).random((400, 400))
    scipy.linalg.svd(square), np.linalg.svd(square)
    return len(os.listdir("/proc/self/task"))
"""

LAYERS = """
import ctypes, errno, os, socket
import numpy, scipy.linalg
def f():
    found = {}
    for name, attack in {
        "socket": lambda: socket.socket(),
        "exec": lambda: os.execv("/usr/bin/python3.13", ["python"]),
        "write": lambda: open(numpy.__file__, "a"),
        "preload": lambda: open("/usr/lib/toolwright/start.json", "a"),
    }.items():
        try:
            attack()
            found[name] = "done"
        except OSError as fault:
            found[name] = errno.errorcode[fault.errno]
    with open(numpy.linalg._umath_linalg.__file__, "rb") as library, open("own.so", "wb") as copy:
        copy.write(library.read())
    try:
        ctypes.CDLL("./own.so")
        found["noexec"] = "done"
    except OSError as fault:
        found["noexec"] = str(fault).rpartition(": ")[2]
    return found
"""

SMALL = "def f(words):\n    return sorted(words)\n"
IMPORTING = f"import numpy as np\nimport pandas as pd\n{SMALL}"
WORDS = json.dumps({"words": ["quilt", "anvil", "ferret", "tulip", "kettle", "walnut", "ember", "otter", "dew"]})


@pytest.fixture(scope="module")
def image(engine: Engine) -> ImageInfo:
    """The image of this checkout."""
    return build_image(engine.client, "science", progress=lambda _: None)


@pytest.fixture(scope="module")
def science_policy(policy: SandboxPolicy, image: ImageInfo) -> SandboxPolicy:
    """The production policy with this image."""
    return replace(policy, image_id=image.image_id)


@pytest.fixture(scope="module")
def science(engine: Engine, science_policy: SandboxPolicy) -> Iterator[SandboxExecutor]:
    """Runs calls in containers of this image."""
    pool = open_pool(engine, science_policy, PoolSize(ready=1, most=2))
    yield SandboxExecutor(pool, MemoryStore(), Limits(), isolation=IsolationPolicy(Isolation.TENANT))
    pool.close()


@pytest.fixture(scope="module")
def run_science(science: SandboxExecutor) -> RunScience:
    """Run a source text in this image."""

    def run(code: str, **limits: Any) -> Execution:
        request = ExecutionRequest(ToolSource(code, "f"), "{}", LimitsRequest(**limits), tenant="tests")
        return science.execute(request)

    return run


def result_of(execution: Execution) -> Any:
    """Return the result, or fail with what the tool said."""
    outcome = execution.outcome
    assert outcome.status is Status.SUCCESS, outcome.failure
    return json.loads(outcome.result_json or "null")


def test_the_libraries_are_those_of_the_lock(run_science: RunScience, image: ImageInfo) -> None:
    """A call finds them imported, in the versions whose files the image names by hash."""
    versions, imported = result_of(run_science(VERSIONS))

    locked = {package.name: package.version for package in image.packages}
    assert versions == [locked[name] for name in ("numpy", "pandas", "scipy", "sympy", "mpmath", "python-dateutil")]
    assert imported == [True] * 4
    assert image.packages_locked


@pytest.mark.parametrize("library", EXPECTED)
def test_real_work_goes_well(run_science: RunScience, library: str) -> None:
    """What people use the library for gives the right answers."""
    code, expected = EXPECTED[library]

    assert result_of(run_science(code)) == expected


def test_parts_that_come_late_load_behind_the_filter(run_science: RunScience) -> None:
    """Native code of the image can be loaded in the call itself; a call's files are where they always are."""
    assert result_of(run_science(LATE)) == [[], [[0.05], [9.0]], [[1.0, 0.0], [0.0, 1.0]]]


def test_every_layer_holds_beside_the_libraries(run_science: RunScience) -> None:
    """No socket, no program, no change of the image, no native code from the scratch space."""
    assert result_of(run_science(LAYERS)) == {
        "socket": "EPERM",
        "exec": "EPERM",
        "write": "EACCES",
        "preload": "EACCES",
        "noexec": "failed to map segment from shared object",
    }


def test_no_two_calls_draw_the_same(run_science: RunScience) -> None:
    """Each generator that a library keeps is seeded anew for each call, though all are forked from one process."""
    draws = [result_of(run_science(RANDOM)) for _ in range(3)]

    assert [len(set(values)) for values in zip(*draws, strict=True)] == [3, 3, 3, 3]


def test_a_call_is_born_with_one_thread_and_stays_so(run_science: RunScience) -> None:
    """Linear algebra of both libraries starts no threads of its own."""
    assert result_of(run_science(THREADS)) == 1


def test_a_lowered_memory_limit_counts_what_the_call_adds(run_science: RunScience) -> None:
    """What the libraries hold is not taken from the call; beyond its own limit it gets nothing."""
    code = "import numpy as np\ndef f():\n    return float(np.ones({} // 8).sum())"
    small, large = (run_science(code.format(size), memory_bytes=32 * MIB) for size in (16 * MIB, 64 * MIB))

    assert result_of(small) == 16 * MIB / 8
    assert large.outcome.status is Status.TOOL_ERROR
    assert large.outcome.failure is not None
    assert large.outcome.failure.type == "MemoryError"


def test_too_little_memory_for_the_libraries_is_said(engine: Engine, science_policy: SandboxPolicy) -> None:
    """A container that cannot hold them does not start, and the reason is in the error."""
    starved = replace(science_policy, limits=Limits(memory_bytes=48 * MIB))

    with (
        pytest.raises(SandboxUnavailable, match="memory limit may be too low"),
        started(engine, starved, uid_base=UidRanges(remapped=engine.remaps_users).take(), owner=owner_label()),
    ):
        pass


def test_it_says_what_it_is(engine: Engine, image: ImageInfo) -> None:
    """The list of images has it; wheels stand among its packages with their tags and digests."""
    wheels = {package.name: package for package in image.packages if package.architecture.count("-") == 2}

    assert set(wheels) == {"mpmath", "numpy", "pandas", "python-dateutil", "scipy", "sympy", "tzdata"}
    assert wheels["sympy"].architecture == "py3-none-any"
    assert image in list_images(engine.client)
    assert image.size_bytes < 300_000_000


@pytest.mark.slow
def test_the_start_up_check_passes(engine: Engine, science_policy: SandboxPolicy) -> None:
    """Each layer is attacked as a server would before it serves this image."""
    check = check_sandbox(engine, science_policy)

    assert check.broken_layers == ()
    assert check.passed


@pytest.mark.slow
def test_built_anew_it_is_the_same_image(engine: Engine, image: ImageInfo) -> None:
    """Another build, from the same packages and wheels, gives the same files and the same id."""
    again = build_image(engine.client, "science", progress=lambda _: None, force=True)

    assert (again.content_digest, again.image_id) == (image.content_digest, image.image_id)


@pytest.mark.slow
def test_a_warm_call_pays_little_for_the_libraries(science: SandboxExecutor, executor: SandboxExecutor) -> None:
    """A call that imports NumPy and pandas takes at most three times what a small one takes in the small image."""
    small, importing = (ExecutionRequest(ToolSource(code, "f"), WORDS, tenant="tests") for code in (SMALL, IMPORTING))
    taken: dict[str, list[float]] = {"small": [], "importing": []}

    for number in range(120):
        # In turn, so that a busy moment of the machine meets both.
        for name, runner, request in (("small", executor, small), ("importing", science, importing)):
            begun = perf_counter()
            outcome = runner.execute(request).outcome
            if number >= 20:
                taken[name].append(perf_counter() - begun)
            assert outcome.status is Status.SUCCESS

    assert statistics.median(taken["importing"]) < 3 * statistics.median(taken["small"])
