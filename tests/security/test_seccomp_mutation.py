"""IM-07: each filter, with one thing allowed that it denies. The sweep has to see it, or nobody would.

A mutant is swept where nothing but the filter under test stands in the way: the other filter is gone and the tool is
root with capabilities, else the kernel would deny most of it as well and a hole would not show.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest

from tests.security.kit.profiles import allowed, allowing, also, with_argument, with_default
from tests.security.kit.sweep import GOLDEN, NAMESPACES, Answers, Golden, differences, names, sweep
from toolwright.attacks.sabotage import NO_RULES, STAY_ROOT, Sabotaged, agent_with
from toolwright.sandbox.container import started
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.owner import owner_label
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.sandbox.uids import UidRanges
from toolwright_agent.callfilter import RULES

pytestmark = [pytest.mark.security, pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.case("IM-07")]

Record = Callable[[str, object], None]
SCORE: Final = 0.95
SURVIVORS: Final[dict[str, dict[str, str]]] = json.loads(
    (GOLDEN / "seccomp-survivors.json").read_text(encoding="utf-8")
)
"""Filter → mutant → why no sweep can see it."""
_POWERS: Final = ("SYS_ADMIN", "SYS_PTRACE", "SYS_TTY_CONFIG", "SYSLOG", "IPC_LOCK")
"""Capabilities with which the sweep's arguments do nothing.

SYS_BOOT and SYS_PACCT are none of them: given zeros, kexec_load and acct would undo what an operator has set up.
"""
_NAMESPACE_BITS = 0x7E020080


@dataclass(frozen=True, slots=True)
class Bare(SandboxPolicy):
    """The production policy with one filter and nothing beside it, and a tool with powers."""

    patches: str = ""
    """Lines that change the agent."""
    confined: bool = True
    """Whether the container has its profile."""

    def container_options(self, uid_base: int, owner: str) -> dict[str, Any]:
        """Return the options, weakened."""
        options = SandboxPolicy.container_options(self, uid_base, owner)
        profile = f"seccomp={self.seccomp_profile}" if self.confined else "seccomp=unconfined"
        options["security_opt"] = ["no-new-privileges:true", profile]
        options["cap_add"] = [*options["cap_add"], *_POWERS]
        options["entrypoint"] = agent_with(self.patches + STAY_ROOT)
        return options


@dataclass(frozen=True, slots=True)
class Survey:
    """What the sweep saw of some mutants."""

    mutants: int
    """How many there were that open something."""
    survivors: list[str]
    empty: list[str]
    """Those of a call that engine or kernel do not know."""


@dataclass(frozen=True, slots=True)
class Bench:
    """Sweeps mutants of one filter."""

    engine: Engine
    bare: Bare

    @contextmanager
    def sandbox(self, **changes: Any) -> Iterator[Sabotaged]:
        """Start a sandbox with a changed filter."""
        uid_base = UidRanges(remapped=self.engine.remaps_users).take()
        with started(self.engine, replace(self.bare, **changes), uid_base=uid_base, owner=owner_label()) as sandbox:
            yield Sabotaged(sandbox)

    def answers(self, calls: set[str], **changes: Any) -> Answers:
        """Return what `calls` answer there, and what the probes do."""
        numbers = [number for number, name in names().items() if name in calls]
        with self.sandbox(**changes) as sandbox:
            return sweep(sandbox.run, numbers)

    def survey(self, mutants: dict[str, dict[str, Any]]) -> Survey:
        """Return which answer everything as the filter itself does.

        A mutant's name begins with that of the call that it is about. The probes are made with each.
        """
        base = self.answers({_call(mutant) for mutant in mutants})
        assert all("-" not in base[call] for call in map(_call, mutants) if call in base and call not in _HALF)

        def survives(mutant: str) -> bool:
            seen = self.answers({_call(mutant)}, **mutants[mutant])
            return all(base[name] == answer for name, answer in seen.items())

        with ThreadPoolExecutor(2) as threads:
            alive = [mutant for mutant, one in zip(mutants, threads.map(survives, mutants), strict=True) if one]
        # ENOSYS before and after: engine or kernel do not know the call, so the mutant opens nothing here.
        empty = [mutant for mutant in alive if base.get(mutant) == "ENOSYS ENOSYS"]
        return Survey(len(mutants) - len(empty), [mutant for mutant in alive if mutant not in empty], empty)


_HALF = {"clone", "ioctl", "madvise", "mmap", "prctl", "prlimit64", "setpriority", "socketpair"}
"""Allowed with some arguments."""


def _call(mutant: str) -> str:
    return mutant.partition(":")[0]


def judge(kind: str, survey: Survey, record: Record) -> None:
    """Say the score, and fail if it is low or if a mutant survives that nobody has looked at."""
    caught = survey.mutants - len(survey.survivors)
    score = caught / survey.mutants
    text = f"{kind}: {caught} of {survey.mutants} mutants caught ({score:.1%}); not seen: {survey.survivors}"
    print(f"{text}; unknown to engine or kernel: {survey.empty}")  # noqa: T201 - the score is what this test is for
    record("mutation score", text)
    assert score >= SCORE, text
    assert set(survey.survivors) <= set(SURVIVORS.get(kind, {})), text


@pytest.fixture(scope="module")
def profile(engine: Engine, policy: SandboxPolicy) -> Bench:
    """The container's profile alone."""
    return Bench(engine, Bare(policy.image_id, policy.seccomp_profile, patches=NO_RULES))


@pytest.fixture(scope="module")
def call_filter(engine: Engine, policy: SandboxPolicy) -> Bench:
    """The filter of each call alone."""
    return Bench(engine, Bare(policy.image_id, policy.seccomp_profile, confined=False))


def test_im_07_profile(profile: Bench, record_property: Record) -> None:
    """IM-07: of the container's profile with one more call allowed, 95 % or more are seen."""
    text = profile.bare.seccomp_profile
    denied = set(names().values()) - set(allowed(text)) - {"uprobe", "uretprobe"}
    mutants = {name: {"seccomp_profile": allowing(text, name)} for name in sorted(denied)}

    judge("profile", profile.survey(mutants), record_property)


def test_im_07_arguments_of_the_profile(profile: Bench, record_property: Record) -> None:
    """IM-07: of the profile with a weaker condition on an argument, or a weaker default, each is seen."""
    text = profile.bare.seccomp_profile
    mutants = {
        f"clone: any {name}": with_argument(text, "clone", value=_NAMESPACE_BITS & ~flag)
        for name, flag in NAMESPACES.items()
    }
    mutants |= {
        f"{name}: any": allowing(text, name) for name in ("clone", "socketpair", "clone3", "mmap", "setpriority")
    }
    mutants |= {
        "socketpair: internet as well": also(text, "socketpair", value=2),
        "socketpair: netlink as well": also(text, "socketpair", value=16),
        "ptrace: default allows": with_default(text, "SCMP_ACT_ALLOW"),
        "ptrace: default logs": with_default(text, "SCMP_ACT_LOG"),
    }

    survey = profile.survey({name: {"seccomp_profile": mutant} for name, mutant in mutants.items()})

    judge("arguments of the profile", survey, record_property)


def _rules(change: str) -> dict[str, str]:
    """Return the change of a sandbox whose call filter has rules made by `change` from each `rule`."""
    made = f"callfilter.RULES = tuple({change} for rule in callfilter.RULES)\n"
    return {"patches": "from dataclasses import replace\nfrom toolwright_agent import callfilter\n" + made}


def test_im_07_call_filter(call_filter: Bench, record_property: Record) -> None:
    """IM-07: of the filter of each call with one name less in its rules, 95 % or more are seen."""
    denied = [name for rule in RULES for name in rule.names if name in names().values()]
    mutants = {
        name: _rules(f"replace(rule, names=tuple(one for one in rule.names if one != {name!r}))") for name in denied
    }

    judge("call filter", call_filter.survey(mutants), record_property)


def test_im_07_arguments_of_the_call_filter(call_filter: Bench, record_property: Record) -> None:
    """IM-07: of the filter of each call with a weaker condition, or without a gate, each is seen."""
    only = "replace(rule, {}) if rule.names == ({!r},) else rule"
    patch = "from toolwright_agent import callfilter\ncallfilter.{} = {}\n"
    mutants = {
        f"clone: any {name}": _rules(only.format(f"if_bits={_NAMESPACE_BITS & ~flag}", "clone"))
        for name, flag in NAMESPACES.items()
    }
    mutants |= {
        "socketpair: internet": _rules(only.format("unless=2", "socketpair")),
        "socketpair: netlink": _rules(only.format("unless=16", "socketpair")),
        "mmap: any": _rules(only.format("names=()", "mmap")),
        "clone: a child of the zygote's": _rules(only.format(f"if_bits={_NAMESPACE_BITS}", "clone")),
        "prctl: merged memory": _rules(only.format("only=(4,)", "prctl")),
        "madvise: any": _rules(only.format("names=()", "madvise")),
        "ioctl: the first of the network's": _rules(only.format("between=(0x8901, 0x89FF)", "ioctl")),
        "ioctl: the last of the network's": _rules(only.format("between=(0x8900, 0x89FE)", "ioctl")),
        "clone3: EPERM": _rules(only.format("error=1", "clone3")),
        "ptrace: no rules": {"patches": NO_RULES},
        "ptrace: 32-bit gate": {"patches": patch.format("_KILL_PROCESS", "callfilter._ALLOW")},
    }

    judge("arguments of the call filter", call_filter.survey(mutants), record_property)


def test_im_07_the_sweep_is_that_of_the_golden_file(profile: Bench) -> None:
    """IM-07: what the mutants are compared with denies what the golden file says that production denies."""
    golden = Golden.of("runc").read()
    text = profile.bare.seccomp_profile
    denied = set(names().values()) - set(allowed(text)) - {"uprobe", "uretprobe"} - _HALF

    base = profile.answers(denied)

    assert differences({name: golden[name] for name in denied}, {name: base[name] for name in denied}) == {}
