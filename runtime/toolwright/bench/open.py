"""Settings → what the measuring stands on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from toolwright.bench.ground import Ground, Tell
from toolwright.bench.plan import Plan
from toolwright.bench.run import run_bench
from toolwright.bench.server_process import base_environment
from toolwright.errors import ImageMissing
from toolwright.images.catalog import find_image
from toolwright.images.recipe import load_recipe
from toolwright.sandbox.engine import Engine, find_engine
from toolwright.server.sandboxes import image_id
from toolwright.settings import Settings


def bench_sandboxes(
    settings: Settings, plan: Plan, tell: Tell, *, peers_pythons: Sequence[str] = (), peers_image: str = ""
) -> dict[str, Any]:
    """Measure what `plan` names with these settings, in servers of our own, and return the document.

    Args:
        settings: image, runtime and engine are taken from them; servers read the rest as `toolwright serve` does.
        plan: what, and how often.
        tell: says what is being measured.
        peers_pythons: interpreters whose environments have peers; the first that has one counts.
        peers_image: an image for them.

    Raises:
        EngineUnavailable, ImageMissing, SandboxUnavailable: what is to be measured does not run here.
    """
    engine = find_engine(settings.docker_host or None)
    try:
        image = image_id(engine.client, settings.sandbox.image)
        ground = Ground(
            engine,
            image,
            load_recipe("python").python,
            settings.sandbox.runtime,
            _science(engine),
            {**base_environment(), **_variables(engine, settings, image)},
            tell,
            tuple(peers_pythons),
            peers_image,
        )
        with ground.closing():
            return run_bench(ground, plan)
    finally:
        engine.client.close()


def _science(engine: Engine) -> str | None:
    try:
        return find_image(engine.client, "science").image_id
    except ImageMissing:
        return None


def _variables(engine: Engine, settings: Settings, image: str) -> Mapping[str, str]:
    return {
        "DOCKER_HOST": engine.address,
        "TOOLWRIGHT_DOCKER_HOST": engine.address,
        "TOOLWRIGHT_SANDBOX__IMAGE": image,
        "TOOLWRIGHT_SANDBOX__RUNTIME": settings.sandbox.runtime,
    }
