"""One candidate before its judge: all that the gates have found out, so that no call is made twice for nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from toolwright.domain.gates import GatePolicy
from toolwright.domain.limits import Limits, LimitsRequest
from toolwright.domain.outcome import Execution
from toolwright.domain.tool import Description, ToolVersion
from toolwright.execution.arguments import parse_arguments
from toolwright.making.candidate import Candidate
from toolwright.making.mutation import Arguments, Mutator
from toolwright.making.observation import Observation, canonical
from toolwright.making.observed import ObservedExecutor, ObservedModel
from toolwright.making.source_report import READER, SourceReport, reading_of, report_from
from toolwright.making.verdict import Trial
from toolwright.making.verifier import Verifier

_EDGES = 4
"""Of so many probes one is an extreme value, and the others are calls with one change."""
_ENOUGH_CRASHES = 2


class NotReached(Exception):
    """A gate needs what an earlier gate did not come to. Met only where judging goes on after a refusal."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A valid call that was made up."""

    arguments: Arguments
    edge: bool
    """Whether it holds an extreme value; else it is a known call with one change."""
    seen: Observation


@dataclass(slots=True)
class Case:
    """What is known of one candidate so far."""

    candidate: Candidate
    verifier: Verifier
    executor: ObservedExecutor
    model: ObservedModel
    policy: GatePolicy
    seed: int
    first_description: Execution | None = None
    described: Description | None = None
    described_again: Description | None = None
    """From the container of the repetitions."""
    training: tuple[Trial, ...] = ()
    held_out: tuple[Trial, ...] = ()
    draft: ToolVersion | None = None
    """The wrapped tool, without limits of its own yet."""
    limits: LimitsRequest | None = None
    _reports: list[SourceReport | None] = field(default_factory=list)
    _seen: dict[str, Observation] = field(default_factory=dict)
    _probes: tuple[Probe, ...] | None = None

    @property
    def report(self) -> SourceReport | None:
        """What stands in the source; None if it cannot be read. Read when first asked for."""
        if not self._reports:
            self._reports.append(self._read())
        return self._reports[0]

    @property
    def description(self) -> Description:
        """What the sandbox says of the function."""
        if self.described is None:
            raise NotReached("the code was not described")
        return self.described

    @property
    def version(self) -> ToolVersion:
        """The wrapped tool."""
        if self.draft is None:
            raise NotReached("the tool was not wrapped")
        return self.draft

    @property
    def ceilings(self) -> Limits:
        """The most that a call of any tool gets."""
        if self.first_description is None:
            raise NotReached("nothing was run")
        return self.first_description.limits

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All examples that were tried."""
        return self.training + self.held_out

    @property
    def mutator(self) -> Mutator:
        """Makes up calls from those of the training examples; a new one each time, so that it draws the same."""
        return Mutator(self.description.parameters, self.known_calls, self.seed)

    @property
    def known_calls(self) -> tuple[Arguments, ...]:
        """The arguments of the training examples that ran. No others: feedback may show what is made from them."""
        calls = tuple(parse_arguments(trial.ending.arguments_json) for trial in self.training if trial.ending.execution)
        if not calls:
            raise NotReached("no training example ran")
        return calls

    @property
    def probes(self) -> Sequence[Probe]:
        """Valid calls made up from the training calls, and how they ended. Run when first asked for."""
        if self._probes is None:
            count, mutator = self.policy.probes, self.mutator
            edges = [(call, True) for call in mutator.edges(count // _EDGES)]
            mutants = [(call, False) for call in mutator.mutants(count - len(edges))]
            known = {canonical(call) for call in self.known_calls}
            made = [(call, edge) for call, edge in [*mutants, *edges] if canonical(call) not in known]
            self._probes = tuple(self._tried(made))
        return self._probes

    @property
    def probed(self) -> tuple[Observation, ...]:
        """The calls of the examples and the probes, each once, in the order in which they were made."""
        wanted = {_key(trial.ending.arguments_json) for trial in self.trials if trial.ending.execution}
        wanted |= {_key(json.dumps(probe.arguments)) for probe in self._probes or ()}
        return tuple(seen for key, seen in self._seen.items() if key in wanted)

    @property
    def observed(self) -> tuple[Observation, ...]:
        """Each call that was made, once."""
        return tuple(self._seen.values())

    def _read(self) -> SourceReport | None:
        candidate = self.candidate
        if not (arguments := reading_of(candidate.source.code)):
            return None
        report = report_from(self.verifier.call(candidate.task.name, READER, arguments))
        self.executor.usages.pop()  # ours, not the tool's
        return report

    def _tried(self, made: Sequence[tuple[Arguments, bool]]) -> Iterator[Probe]:
        """Run probes; a few crashes are enough to refuse the tool, and may each have taken a whole time limit."""
        crashed = 0
        for call, edge in made:
            seen = self.observe(call)
            yield Probe(call, edge, seen)
            crashed += not seen.succeeded and not seen.refused
            if crashed >= _ENOUGH_CRASHES:
                return

    def note(self, trial: Trial) -> None:
        """Remember the call of `trial`, if there was one."""
        if trial.ending.execution is not None:
            text = trial.ending.arguments_json
            self._seen.setdefault(_key(text), Observation(text, trial.ending.execution))

    def observe(self, arguments: Arguments) -> Observation:
        """Call the function, unless it was called so before."""
        text = json.dumps(arguments)
        if (key := _key(text)) not in self._seen:
            self._seen[key] = self.call(text)
        return self._seen[key]

    def call(self, arguments_json: str, *, replica: int = 0, limits: LimitsRequest | None = None) -> Observation:
        """Call the function, whether or not it was called so before; see `Verifier.call`."""
        candidate = self.candidate
        execution = self.verifier.call(
            candidate.task.name, candidate.source, arguments_json, replica=replica, limits=limits
        )
        return Observation(arguments_json, execution)


def _key(arguments_json: str) -> str:
    # Exact: 3 and 3.0, and other orders of keys, are other calls.
    return json.dumps(parse_arguments(arguments_json or "{}"))
