"""Twins that work with NumPy, pandas, SymPy and SciPy, in the image that has them."""

from __future__ import annotations

from typing import Final

from toolwright.attacks.twins.twin import Twin

_IMAGE: Final = "science"

TWINS: Final = (
    Twin(
        "NumPy: arrays and linear algebra",
        """
import numpy as np
def f(size):
    grid = np.arange(12.0).reshape(3, 4)
    square = np.random.default_rng(1).random((size, size))
    return [grid.sum(axis=0).tolist(), (grid[:, 1:3] @ [1, 2]).tolist(),
            float(np.linalg.det([[1, 2], [3, 4]]).round(9)),
            np.linalg.eigvalsh([[2.0, 1.0], [1.0, 2.0]]).round(9).tolist(), float(np.einsum("ij,ij->", grid, grid)),
            bool(np.allclose(square @ np.linalg.inv(square), np.eye(size))), float(np.percentile([1, 2, 3, 4], 75))]
""",
        [[12.0, 15.0, 18.0, 21.0], [5.0, 17.0, 29.0], -2.0, [1.0, 3.0], 506.0, True, 3.25],
        {"size": 300},
        image=_IMAGE,
    ),
    Twin(
        "NumPy: transforms, random numbers, files",
        """
import numpy as np
def f():
    wave = np.sin(2 * np.pi * 5 * np.arange(64) / 64)
    np.savez_compressed("kept.npz", wave=wave)
    mapped = np.memmap("mapped", dtype="f4", mode="w+", shape=(1_000, 100))
    mapped[:] = 2
    mapped.flush()
    drawn = [np.random.Generator(np.random.PCG64(7)).integers(0, 100, 4).tolist() for _ in range(2)]
    return [int(np.abs(np.fft.rfft(wave)).argmax()), bool((np.load("kept.npz")["wave"] == wave).all()),
            float(np.fromfile("mapped", dtype="f4").sum()), drawn[0] == drawn[1], np.isnan(np.float64("nan")).item()]
""",
        [5, True, 200_000.0, True, True],
        image=_IMAGE,
    ),
    Twin(
        "pandas: tables, groups, joins",
        """
import io
import pandas as pd
CSV = "day,shop,sold\\n2026-03-28,north,3\\n2026-03-29,north,5\\n2026-03-29,south,7\\n2026-03-30,south,11\\n"
def f():
    sales = pd.read_csv(io.StringIO(CSV), parse_dates=["day"])
    towns = pd.DataFrame({"shop": ["north", "south"], "town": ["Kiel", "Ulm"]})
    joined = sales.merge(towns, on="shop")
    table = joined.pivot_table(index="day", columns="town", values="sold", aggfunc="sum", fill_value=0)
    return [sales.groupby("shop")["sold"].sum().to_dict(), table.to_numpy().tolist(), joined["town"].unique().tolist(),
            sales.set_index("day")["sold"].resample("2D").sum().tolist(), sales["sold"].describe()["mean"].item()]
""",
        [{"north": 8, "south": 18}, [[3, 0], [5, 7], [0, 11]], ["Kiel", "Ulm"], [15, 11], 6.5],
        image=_IMAGE,
    ),
    Twin(
        "pandas: a table through files and a database",
        """
import sqlite3
import pandas as pd
def f(rows):
    table = pd.DataFrame({"n": range(rows), "name": [f"row {n}" for n in range(rows)]})
    table.to_csv("table.csv.gz", index=False)
    table.to_json("table.json", orient="records")
    with sqlite3.connect("table.db") as db:
        table.to_sql("kept", db, index=False)
        back = pd.read_sql("select * from kept where n % 2 = 0", db)
    return [pd.read_csv("table.csv.gz").equals(table), pd.read_json("table.json").shape, len(back),
            pd.Timestamp("2026-03-29 01:30", tz="Europe/Berlin").utcoffset().total_seconds()]
""",
        [True, [5_000, 2], 2_500, 3_600.0],
        {"rows": 5_000},
        image=_IMAGE,
    ),
    Twin(
        "SymPy: equations, integrals, exact numbers",
        """
import sympy as sp
def f():
    x, y = sp.symbols("x y")
    return [[str(root) for root in sp.solve(x**2 - 5 * x + 6, x)], str(sp.integrate(x * sp.exp(x), x)),
            str(sp.factor(x**3 - y**3)), str(sp.limit(sp.sin(x) / x, x, 0)), str(sp.N(sp.pi, 40)),
            str(sp.Matrix([[1, 2], [3, 4]]).inv()), str(sp.factorint(600851475143)), str(sp.diff(sp.tan(x), x))]
""",
        [
            ["2", "3"],
            "(x - 1)*exp(x)",
            "(x - y)*(x**2 + x*y + y**2)",
            "1",
            "3.141592653589793238462643383279502884197",
            "Matrix([[-2, 1], [3/2, -1/2]])",
            "{71: 1, 839: 1, 1471: 1, 6857: 1}",
            "tan(x)**2 + 1",
        ],
        image=_IMAGE,
    ),
    Twin(
        "SciPy: optimisation, integration, roots",
        """
import numpy as np
from scipy import integrate, optimize
def f():
    lowest = optimize.minimize(lambda p: (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2, [-1.2, 1.0])
    line, _ = optimize.curve_fit(lambda x, a, b: a * x + b, np.arange(5.0), 2 * np.arange(5.0) + 1)
    orbit = integrate.solve_ivp(lambda t, y: [y[1], -y[0]], (0, np.pi), [0, 1], rtol=1e-9, atol=1e-9)
    plan = optimize.linprog([-1, -2], A_ub=[[1, 1]], b_ub=[4])
    return [lowest.x.round(3).tolist(), line.round(6).tolist(), round(integrate.quad(np.exp, 0, 1)[0], 9),
            bool(abs(orbit.y[0][-1]) < 1e-6), round(optimize.brentq(np.cos, 1, 2), 9), plan.x.round(6).tolist()]
""",
        [[1.0, 1.0], [2.0, 1.0], 1.718281828, True, 1.570796327, [0.0, 4.0]],
        image=_IMAGE,
    ),
    Twin(
        "SciPy: statistics, signals, sparse matrices",
        """
import numpy as np
from scipy import interpolate, signal, sparse, special, stats
def f():
    flat = sparse.diags([[-1.0] * 99, [2.0] * 100, [-1.0] * 99], [-1, 0, 1], format="csc")
    solved = sparse.linalg.spsolve(flat, np.ones(100))
    smooth = interpolate.CubicSpline([0, 1, 2, 3], [0, 1, 8, 27])
    test = stats.ttest_ind([1, 2, 3, 4], [2, 3, 4, 5])
    return [round(float(solved.max()), 6), float(smooth(1.5).round(6)), round(float(test.statistic), 6),
            round(float(stats.norm.ppf(0.975)), 6), signal.find_peaks([0, 2, 0, 3, 0])[0].tolist(),
            int(special.comb(10, 3, exact=True)), round(float(special.gamma(5.5)), 6)]
""",
        [1275.0, 3.375, -1.095445, 1.959964, [1, 3], 120, 52.342778],
        image=_IMAGE,
    ),
)
