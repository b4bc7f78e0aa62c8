"""Measures what choosing among many tools costs beside the model's own time, in a registry on disk.

dispatch_overhead.py [TOOLS] [QUESTIONS]    prints one JSON document
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolwright.calling.patience import Patience
from toolwright.calling.testing import ModelRequest, Scripted, ScriptedModel, calls
from toolwright.cli.demo_set import DemoSet, load_demo_set
from toolwright.domain.task import Task
from toolwright.domain.tool import Demonstration, Description, ToolVersion
from toolwright.registry.base import Store
from toolwright.registry.open import open_store
from toolwright.registry.testing import sample_record, sample_version
from toolwright.settings import DispatchSettings
from toolwright.solving.choices import Choices
from toolwright.solving.dispatcher import dispatch

_VERBS = [
    "count",
    "convert",
    "find",
    "compare",
    "rank",
    "split",
    "merge",
    "measure",
    "trace",
    "plan",
    "price",
    "route",
    "check",
    "draw",
    "estimate",
]
_THINGS = [
    "river",
    "letter",
    "ship",
    "coin",
    "garden",
    "clock",
    "bridge",
    "invoice",
    "tree",
    "planet",
    "train",
    "market",
    "word",
    "map",
    "lamp",
    "engine",
    "recipe",
    "stone",
    "ticket",
    "signal",
    "island",
    "battery",
    "forest",
    "number",
    "order",
    "table",
    "meeting",
    "sequence",
    "ball",
    "list",
    "time",
    "calendar",
    "colour",
    "animal",
]


def fill(store: Store, tools: int, scenes: DemoSet) -> None:
    """Keep the tools of `scenes`, and generated ones beside them until there are `tools`."""
    for scene in scenes.tasks:
        demonstrations = tuple(Demonstration(e.question, "{}", e.answer) for e in scene.task.training)
        _keep(store, scene.task.name, scene.task.description, demonstrations, scene.task)
    pick = random.Random(1)  # noqa: S311 - data that can be had again
    for number in range(tools - len(scenes.tasks)):
        verb, one, other = pick.choice(_VERBS), pick.choice(_THINGS), pick.choice(_THINGS)
        sample = f"If each {one} has {number} of every {other}, which {one} is to {verb} first? Choose from the list."
        summary = f"{verb.title()} each {one} by its {other}.\n\nArgs:\n    {one}: the {one} as it stands."
        scene_task = scenes.tasks[0].task
        task = replace(scene_task, name=f"{verb}_{one}_{number}")
        _keep(store, task.name, summary, (Demonstration(sample, "{}", "1"),), task)


def measure(tools: int = 1_000, questions: int = 300) -> dict[str, Any]:
    """Return times of dispatching in milliseconds, and how often the right tool was among those offered."""
    scenes = load_demo_set()
    asked = [(scene.task.name, e.question) for scene in scenes.tasks for e in (*scene.task.held_out, *scene.questions)]
    with tempfile.TemporaryDirectory() as directory, closing(open_store(Path(directory) / "registry.db")) as store:
        fill(store, tools, scenes)
        choices = Choices(store, limit=DispatchSettings().candidates)
        started = time.perf_counter()
        choices.offered_for("The first search builds the index.")
        indexing_s = time.perf_counter() - started
        model = _TimedModel()
        times, found = [], 0
        for turn in range(questions):
            name, question = asked[turn % len(asked)]
            started, model.seconds = time.perf_counter(), 0.0
            offer = choices.offered_for(question)
            dispatch(ScriptedModel(model), question, offer.choices, Patience.of(None, None), threshold=50)
            times.append(1000 * (time.perf_counter() - started - model.seconds))
            found += any(choice.name == name for choice in offer.choices)
    times.sort()
    return {
        "tools": tools,
        "questions": questions,
        "p50_ms": statistics.median(times),
        "p99_ms": times[int(0.99 * len(times))],
        "right_among_offered": found / questions,
        "first_index_s": indexing_s,
    }


class _TimedModel:
    """Chooses the first tool, and counts the time that it takes itself."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, request: ModelRequest) -> Scripted:
        started = time.perf_counter()
        name = request.functions[0].parameters["properties"]["tool"]["enum"][0]
        reply = calls("choose_tool", {"tool": name, "confidence": 90, "reason": "It is the first."})
        self.seconds += time.perf_counter() - started
        return reply


def _keep(store: Store, name: str, summary: str, shown: tuple[Demonstration, ...], task: Task) -> None:
    parameters = sample_version().description.parameters
    described = Description(summary, f"{name}(value: str) -> str", parameters)
    version: ToolVersion = replace(sample_version(name), description=described, demonstrations=shown)
    record = replace(sample_record(version, f"v-{name}"), task_digest=task.digest)
    store.admit(version, record, task)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(*map(int, sys.argv[1:])), indent=2) + "\n")
