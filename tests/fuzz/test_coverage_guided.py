"""Coverage-guided fuzzing: each target for a while, and broken ones, which it has to find out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.fuzz import seeded, streams
from tests.fuzz.chance import SEED
from tests.fuzz.protocol import METHODS
from tests.unit.sandbox.fake_agent_stream import good_call
from toolwright.sandbox.frames import FrameType, pack
from toolwright.v1 import execution_pb2

pytestmark = [pytest.mark.unit, pytest.mark.slow]

ROOT: Final = Path(__file__).resolve().parents[2]
SECONDS: Final = int(os.environ.get("TOOLWRIGHT_FUZZ_SECONDS", "60"))
_FIND_S: Final = 60
_START_S: Final = 60
_BOUNDS: Final = ("-timeout=5", "-rss_limit_mb=512", "-max_len=4096", "-print_final_stats=1")
"""Seconds for one input; memory of the whole process, Python and services included."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the fuzzer."""

    status: int
    words: str
    seconds: float

    def figure(self, name: str) -> int:
        """Return a figure of libFuzzer's last words."""
        found = re.search(rf"stat::{name}:\s+(\d+)", self.words)
        assert found, f"NOT PROVEN: the fuzzer gave no {name}:\n{self.words[-2_000:]}"
        return int(found[1])


def fuzz(fuzzer: Path, target: str, place: Path, *corpora: Path, seconds: int) -> Run:
    """Fuzz `target` from `corpora`; what is new goes to `place`."""
    new = place / "new"
    new.mkdir()
    options = [
        *_BOUNDS,
        f"-seed={SEED}",
        f"-max_total_time={seconds}",
        f"-artifact_prefix={place}/",
        str(new),
        *map(str, corpora),
    ]
    # Not with coverage.py, which would follow each line as well.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    begun = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.driver", f"tests.fuzz.{target}", *options],
        cwd=ROOT,
        env=environment | {"PYTHONPATH": str(fuzzer), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds + _START_S,
        check=False,
    )
    return Run(ended.returncode, ended.stdout + ended.stderr, time.monotonic() - begun)


@pytest.mark.case("PR-42", "AP-22")
@pytest.mark.timeout(SECONDS + 2 * _START_S)
@pytest.mark.parametrize(
    ("target", "least"), [("streams", 10_000), ("json_rules", 20_000), ("agent_frames", 50_000), ("requests", 10_000)]
)
def test_a_target_stands(fuzzer: Path, tmp_path: Path, target: str, least: int) -> None:
    """PR-42, AP-22: no fault, no hang, no memory beyond its bound, in inputs that follow the code's branches."""
    corpus = ROOT / "tests" / "fuzz" / "corpus" / target

    run = fuzz(fuzzer, target, tmp_path, corpus, seconds=SECONDS)

    found = [file.read_bytes() for file in tmp_path.iterdir() if file.is_file()]
    assert (run.status, found) == (0, []), run.words[-4_000:]
    assert run.figure("number_of_executed_units") > least


_REQUEST: Final = execution_pb2.ExecuteToolRequest(tool="add", arguments_json='{"a": 1}')
_METHOD: Final = next(number for number, method in enumerate(METHODS) if method.name == "ExecuteTool")
SOUND: Final[dict[str, tuple[streams.Target, bytes]]] = {
    "stream": (seeded.stream, bytes(4) + good_call(streams.CALL_ID)),
    "agent_stream": (seeded.agent_stream, bytes(2) + 2 * pack(FrameType.KILL, 1)),
    "json_text": (seeded.json_text, b'\0{"key":[1,"text"]}'),
    "request": (seeded.request, bytes([_METHOD]) + _REQUEST.SerializeToString()),
}
"""Targets with a fault, and an input each that does not show it."""


@pytest.mark.timeout(_FIND_S + 2 * _START_S)
@pytest.mark.parametrize("name", SOUND)
def test_a_fault_that_was_put_in_is_found(fuzzer: Path, tmp_path: Path, name: str) -> None:
    """Control: from one sound input the same harness comes to one that a broken reader fails on, in time."""
    target, sound = SOUND[name]
    target(sound)
    corpus = tmp_path / "sound"
    corpus.mkdir()
    (corpus / "input").write_bytes(sound)

    run = fuzz(fuzzer, f"seeded:{name}", tmp_path, corpus, seconds=_FIND_S)

    assert "Uncaught Python exception" in run.words, f"not found within {_FIND_S} s: {run.words[-2_000:]}"
    assert run.status != 0
    (crash,) = tmp_path.glob("crash-*")
    with pytest.raises((AssertionError, ValueError)):
        target(crash.read_bytes())
