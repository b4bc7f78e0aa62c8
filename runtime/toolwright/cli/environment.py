"""What commands need of the rest of Toolwright, as Protocols. `world.py` is the real one; tests have another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from toolwright.attacks.case import Case
from toolwright.attacks.matrix import Tell
from toolwright.attacks.report import Report
from toolwright.bench.plan import Plan
from toolwright.cli.options import Options
from toolwright.client import ExportedTool, ImportedTool, Reverified, ToolDetails
from toolwright.domain.batch import BatchAnswer, BatchCall
from toolwright.domain.call import Isolation
from toolwright.domain.cost_report import CostQuestion, CostReport
from toolwright.domain.events import MakingEvent, SolveEvent
from toolwright.domain.job import Budget
from toolwright.domain.lifecycle import ToolEvent
from toolwright.domain.limits import LimitsRequest
from toolwright.domain.making import MakingDetails, MakingInfo
from toolwright.domain.miss import Miss, MissGroup
from toolwright.domain.outcome import Execution
from toolwright.domain.record import TokenUse
from toolwright.domain.source import ToolSource
from toolwright.domain.task import Example, Task
from toolwright.domain.tool import ToolInfo
from toolwright.images.catalog import ImageInfo
from toolwright.images.prune import Pruned
from toolwright.sandbox.host.check import HostCheck
from toolwright.sandbox.host.facts import EngineFacts
from toolwright.sandbox.selfcheck.check import SelfCheck
from toolwright.settings import Profile


class Services(Protocol):
    """The part of `toolwright.Client` that commands use. Every call raises the typed errors of `toolwright.errors`."""

    def execute(
        self,
        tool: str | ToolSource,
        arguments: Mapping[str, Any] | None = None,
        *,
        arguments_json: str | None = None,
        limits: LimitsRequest | None = None,
        isolation: Isolation | None = None,
        bypass_cache: bool = False,
        timeout_s: float | None = None,
    ) -> Execution:
        """Run a tool or unverified source once."""

    def execute_batch(self, calls: Iterable[BatchCall]) -> Iterator[BatchAnswer]:
        """Run many calls at once; answers come in any order, and `calls` is read as they do."""

    def make(
        self, task: Task, *, attempts: int = 0, budget: Budget | None = None, candidates: int = 0
    ) -> Iterator[MakingEvent]:
        """Make a tool."""

    def follow_making(self, making_id: str) -> Iterator[MakingEvent]:
        """Give the events of a making, from its start to its end."""

    def list_makings(self, *, task: str = "", open_only: bool = False) -> Iterator[MakingInfo]:
        """Yield makings, newest first."""

    def get_making(self, making_id: str) -> MakingDetails:
        """Return a making with its attempts."""

    def cancel_making(self, making_id: str, *, reason: str = "") -> MakingInfo:
        """End a making."""

    def get_tool(self, reference: str) -> ToolDetails:
        """Return a version with its source and record."""

    def list_tools(self) -> Iterator[ToolInfo]:
        """Yield the newest version of each name."""

    def search_tools(self, query: str, *, limit: int = 0) -> list[ToolInfo]:
        """Return the tools that share words with a text, best first."""

    def solve(
        self,
        question: str,
        *,
        tool: str = "",
        among: Sequence[str] = (),
        dispatch_only: bool = False,
        bypass_cache: bool = False,
    ) -> Iterator[SolveEvent]:
        """Answer a question, or only dispatch it, among the tools and tasks of these names if there are any."""

    def miss_groups(self) -> Iterator[MissGroup]:
        """Yield the groups of questions that no tool fitted."""

    def misses(self, group: str) -> tuple[MissGroup, list[Miss]]:
        """Return a group with its questions."""

    def answer_miss(self, miss: str, answer: str, *, actor: str = "") -> tuple[Miss, MissGroup]:
        """Keep a person's answer."""

    def list_tool_events(self, name: str) -> Iterator[ToolEvent]:
        """Yield what happened to a tool, oldest first."""

    def set_alias(
        self, name: str, alias: str, version: int, *, share: float = 0.0, actor: str = "", reason: str = ""
    ) -> ToolInfo | None:
        """Point an alias at a version, or with the version 0 remove it."""

    def rollback_tool(self, name: str, *, actor: str = "", reason: str = "") -> ToolInfo:
        """Point `stable` at what it pointed at before."""

    def approve_tool(self, reference: str, *, actor: str, reason: str = "") -> ToolInfo:
        """Say that a version may be used."""

    def quarantine_tool(self, reference: str, *, reason: str, actor: str = "") -> ToolInfo:
        """Hold a version back."""

    def retire_tool(self, reference: str, *, reason: str, actor: str = "") -> ToolInfo:
        """Take a version out of use for good."""

    def export_tool(self, reference: str) -> ExportedTool:
        """Return a version as a signed file."""

    def import_tool(self, file: bytes, *, trusted_keys: Sequence[str] = (), actor: str = "") -> ImportedTool:
        """Have a signed file verified and kept."""

    def get_costs(self, asked: CostQuestion | None = None) -> CostReport:
        """Tell what models cost."""

    def report(self, execution_id: str, *, correct: bool, answer: str = "", actor: str = "") -> bool:
        """Say whether an answer was right, and return whether that was new."""

    def verify(self, reference: str, *, actor: str = "") -> Reverified:
        """Verify a kept version again."""


class Images(Protocol):
    """Sandbox images in an engine."""

    def build(self, name: str, *, progress: Callable[[str], None], force: bool, relock: bool) -> ImageInfo:
        """Build an image, unless it is there."""

    def find(self, name: str) -> ImageInfo:
        """Return the image that would be run.

        Raises:
            ImageMissing: it is not there.
        """

    def list(self) -> Sequence[ImageInfo]:
        """Return all images of ours."""

    def prune(self) -> Pruned:
        """Remove those of older recipes."""


class Server(Protocol):
    """A running server."""

    @property
    def address(self) -> str:
        """What it listens on."""

    @property
    def check(self) -> SelfCheck | None:
        """What its start-up check found."""

    @property
    def host(self) -> HostCheck | None:
        """What is to be said of its host."""

    @property
    def refusal(self) -> str:
        """Why it runs no tool; empty if it does."""

    def wait(self) -> None:
        """Wait until it has stopped."""


class Environment(Protocol):
    """The world around a command."""

    def services(
        self, options: Options, changes: Mapping[str, Any], *, fresh_state: bool
    ) -> AbstractContextManager[Services]:
        """Connect to the server that `options` name, or start the services in this process.

        Args:
            options: the shared flags.
            changes: further settings for services in this process, in the form of `settings.load_settings`.
            fresh_state: start from an empty registry that is thrown away, unless a state directory is named.

        Raises:
            InvalidInput: a setting.
            ServerUnavailable: no server answers at the address.
            EngineUnavailable, ImageMissing, SandboxUnavailable, StoreUnavailable: the services cannot start here.
        """

    def models_note(self, options: Options) -> str:
        """Return what has to be said of the models before the work begins; empty if they were chosen.

        Raises:
            InvalidInput: a setting.
        """

    def serve(self, options: Options, changes: Mapping[str, Any]) -> AbstractContextManager[Server]:
        """Start a server; leaving the context stops it. Raises as `services`."""

    def images(self, options: Options) -> AbstractContextManager[Images]:
        """Connect to the engine's images.

        Raises:
            EngineUnavailable: no engine answers.
        """

    def engine(self, options: Options) -> EngineFacts:
        """Ask the engine about itself.

        Raises:
            EngineUnavailable: none answers.
        """

    def profile(self, options: Options) -> Profile:
        """Return the profile that the settings name.

        Raises:
            InvalidInput: a setting.
        """

    def accepted_risks(self, options: Options) -> Sequence[str]:
        """Return what the settings accept of what production would refuse.

        Raises:
            InvalidInput: a setting.
        """

    def check(self, options: Options) -> SelfCheck:
        """Check each layer of the sandbox, as a server does before it serves.

        Raises:
            EngineUnavailable, ImageMissing, SandboxUnavailable: no container starts.
        """

    def attack(self, options: Options, cases: Sequence[Case], seed: int, tell: Tell) -> Report:
        """Fire attacks at sandboxes: under the runtime that is named, else under every one that cases know.

        Raises:
            EngineUnavailable, ImageMissing, SandboxUnavailable: no container starts.
        """

    def bench(
        self,
        options: Options,
        plan: Plan,
        tell: Callable[[str], None],
        *,
        peers_pythons: Sequence[str],
        peers_image: str,
    ) -> dict[str, Any]:
        """Measure what `plan` names, in servers of their own, and return the document; `tell` says what goes on.

        Raises:
            EngineUnavailable, ImageMissing, SandboxUnavailable: what is to be measured does not run here.
        """

    def strong_use(self, asked: Sequence[tuple[Sequence[Example], str]]) -> TokenUse:
        """Ask the offline strong model each question, with examples before it, and return what that cost.

        Raises:
            ModelError: it gave no reply.
        """
