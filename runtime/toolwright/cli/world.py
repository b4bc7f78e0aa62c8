"""The real world around commands: servers, engines, images, models. It decides where the services run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import docker

from toolwright.attacks.case import Case
from toolwright.attacks.matrix import Tell
from toolwright.attacks.report import Report
from toolwright.bench.open import bench_sandboxes
from toolwright.bench.plan import Plan
from toolwright.cli.environment import Images, Server, Services
from toolwright.cli.offline import REPLAYED, UNCONFIGURED
from toolwright.cli.options import Options
from toolwright.client import Client
from toolwright.domain.record import Role, TokenUse
from toolwright.domain.task import Example
from toolwright.errors import InvalidInput
from toolwright.images.build import build_image
from toolwright.images.catalog import ImageInfo, find_image, list_images
from toolwright.images.prune import Pruned, prune_images
from toolwright.llm.base import Message
from toolwright.llm.endpoint import Endpoint
from toolwright.llm.offline import OfflineModelServer
from toolwright.llm.openai_model import OpenAIModel
from toolwright.llm.prices import load_prices
from toolwright.sandbox.engine import Engine, find_engine
from toolwright.sandbox.host.facts import EngineFacts, engine_facts
from toolwright.sandbox.selfcheck.check import SelfCheck
from toolwright.server import attack_sandboxes, check_sandboxes, open_server
from toolwright.settings import Profile, Settings, load_settings

_STRONG = "offline-strong"
_HERE_ONLY = {
    "config": "--config",
    "state_dir": "--state-dir",
    "runtime": "--runtime",
    "image": "--image",
    "offline": "--offline",
    "docker_host": "--docker-host",
    "record": "--record",
    "replay": "--replay",
}


class World:
    """The `Environment` of the installed command."""

    @contextmanager
    def services(self, options: Options, changes: Mapping[str, Any], *, fresh_state: bool) -> Iterator[Services]:
        """Connect to the named server, or start the same services in this process; see `Environment.services`."""
        with ExitStack() as stack:
            if options.server:
                _refuse_flags_of_this_process(options)
                address = options.server
            else:
                settings = _settings(options, changes)
                if fresh_state and not {"state_dir", "store_url"} & settings.model_fields_set:
                    directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="toolwright-"))
                    settings = settings.model_copy(update={"state_dir": Path(directory)})
                address = stack.enter_context(open_server(settings)).address
            yield stack.enter_context(Client(address))

    @contextmanager
    def serve(self, options: Options, changes: Mapping[str, Any]) -> Iterator[Server]:
        """Start a server at its configured address; see `Environment.serve`."""
        settings = _settings(options, changes)
        with open_server(settings, address=settings.listen) as server:
            yield server

    def models_note(self, options: Options) -> str:
        """Say who answers if no model was chosen; see `Environment.models_note`."""
        if options.server or options.offline:
            return ""
        models = _read(options, {}).models
        if models.replay:
            return REPLAYED.format(name=models.replay.name)
        return "" if models.configured else UNCONFIGURED

    @contextmanager
    def images(self, options: Options) -> Iterator[Images]:
        """Connect to the engine's images; see `Environment.images`."""
        with _engine(_settings(options, {})) as engine:
            yield _EngineImages(engine.client)

    def engine(self, options: Options) -> EngineFacts:
        """Ask the engine about itself; see `Environment.engine`."""
        settings = _settings(options, {})
        with _engine(settings) as engine:
            return engine_facts(engine, settings.sandbox.runtime)

    def profile(self, options: Options) -> Profile:
        """Return the profile; see `Environment.profile`."""
        return _settings(options, {}).profile

    def accepted_risks(self, options: Options) -> Sequence[str]:
        """Return what the settings accept; see `Environment.accepted_risks`."""
        return _settings(options, {}).accepted_risks

    def check(self, options: Options) -> SelfCheck:
        """Check each layer; see `Environment.check`."""
        return check_sandboxes(_settings(options, {}))

    def attack(self, options: Options, cases: Sequence[Case], seed: int, tell: Tell) -> Report:
        """Fire attacks; see `Environment.attack`."""
        return attack_sandboxes(_settings(options, {}), cases, seed, tell, everywhere=not options.runtime)

    def bench(
        self,
        options: Options,
        plan: Plan,
        tell: Callable[[str], None],
        *,
        peers_pythons: Sequence[str],
        peers_image: str,
    ) -> dict[str, Any]:
        """Measure; see `Environment.bench`."""
        settings = _settings(options, {})
        return bench_sandboxes(settings, plan, tell, peers_pythons=peers_pythons, peers_image=peers_image)

    def strong_use(self, asked: Sequence[tuple[Sequence[Example], str]]) -> TokenUse:
        """Ask the offline strong model; see `Environment.strong_use`."""
        prices, prompt_tokens, completion_tokens = load_prices(), 0, 0
        with OfflineModelServer() as server:
            model = OpenAIModel(Endpoint(server.base_url), _STRONG)
            try:
                for examples, question in asked:
                    reply = model.complete([*_few_shots(examples), Message("user", question)])
                    prompt_tokens += reply.prompt_tokens
                    completion_tokens += reply.completion_tokens
            finally:
                model.close()
        cost = prices.cost(_STRONG, prompt_tokens, completion_tokens)
        return TokenUse(Role.USER, _STRONG, len(asked), prompt_tokens, completion_tokens, cost)


@dataclass(frozen=True, slots=True)
class _EngineImages:
    """The images of one engine."""

    client: docker.DockerClient

    def build(self, name: str, *, progress: Callable[[str], None], force: bool, relock: bool) -> ImageInfo:
        return build_image(self.client, name, progress=progress, force=force, relock=relock)

    def find(self, name: str) -> ImageInfo:
        return find_image(self.client, name)

    def list(self) -> Sequence[ImageInfo]:
        return list_images(self.client)

    def prune(self) -> Pruned:
        return prune_images(self.client)


def _settings(options: Options, changes: Mapping[str, Any]) -> Settings:
    settings = _read(options, changes)
    if settings.models.configured or settings.models.replay:
        return settings
    # Nothing of models is configured: the offline one answers, and `models_note` says so first.
    return settings.model_copy(update={"models": settings.models.model_copy(update={"offline": True})})


def _read(options: Options, changes: Mapping[str, Any]) -> Settings:
    if options.config is not None:
        if not options.config.expanduser().is_file():
            raise InvalidInput("--config", f"there is no file {str(options.config)!r}")
        os.environ["TOOLWRIGHT_CONFIG"] = str(options.config)
    return load_settings(_merged(options.settings(), changes))


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return `one` with what `other` names over it, section by section; None names nothing."""
    merged = dict(one)
    for name, value in other.items():
        if isinstance(value, Mapping):
            merged[name] = _merged(merged.get(name) or {}, value)
        elif value is not None:
            merged[name] = value
    return merged


@contextmanager
def _engine(settings: Settings) -> Iterator[Engine]:
    engine = find_engine(settings.docker_host or None)
    try:
        yield engine
    finally:
        engine.client.close()


def _refuse_flags_of_this_process(options: Options) -> None:
    for field in fields(options):
        if field.name in _HERE_ONLY and getattr(options, field.name):
            raise InvalidInput(
                _HERE_ONLY[field.name],
                "cannot be asked of a running server; its own settings decide",
                "without --server and TOOLWRIGHT_SERVER",
            )


def _few_shots(examples: Sequence[Example]) -> Iterator[Message]:
    yield Message("system", "Answer the question. Reply with the answer alone, in the form of the examples.")
    for example in examples:
        yield Message("user", example.question)
        yield Message("assistant", example.answer)
