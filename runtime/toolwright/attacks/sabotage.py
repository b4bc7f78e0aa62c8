"""Sandboxes with chosen layers switched off: a probe that is denied in ours has to succeed in one of these.

Each is thrown away after its test, keeps the limits on memory, processes and CPU, and (but for one layer
that says otherwise) has no network.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Flag, auto
from typing import Any

from toolwright.domain.call import ToolCall
from toolwright.domain.limits import Limits
from toolwright.domain.outcome import Outcome
from toolwright.domain.source import ToolSource
from toolwright.sandbox.base import Cancellation
from toolwright.sandbox.container import DockerSandbox, started
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.owner import owner_label
from toolwright.sandbox.policy import SandboxPolicy
from toolwright.sandbox.uids import UidRanges


class Layer(Flag):
    """A layer of the sandbox that can be taken away."""

    NOTHING = 0
    PROFILE = auto()
    """The container's seccomp profile."""
    CALL_FILTER = auto()
    """The rules of the second filter, over each call."""
    USER = auto()
    """The user of its own: the tool stays root in the container."""
    CAPABILITIES = auto()
    """The capabilities withheld that do most (`_CAPABILITIES`). A tool has them only if it also stays root."""
    READ_ONLY = auto()
    """The read-only root."""
    NETWORK = auto()
    """No network: the host's instead."""
    NO_EXEC = auto()
    """That nothing in the scratch space can be run."""
    MACHINE = auto()
    """Capabilities over the machine itself: its clock, modules, devices, log. With it only calls are made whose
    arguments change nothing."""


FILTERS = Layer.PROFILE | Layer.CALL_FILTER
POWERS = FILTERS | Layer.USER | Layer.CAPABILITIES

_CAPABILITIES = ("SYS_ADMIN", "SYS_PTRACE", "SYS_NICE", "IPC_LOCK")
_OVER_THE_MACHINE = (
    *("SYS_BOOT", "SYS_MODULE", "SYS_TIME", "SYS_RAWIO", "SYS_PACCT", "SYS_TTY_CONFIG", "SYS_CHROOT"),
    *("SYSLOG", "MKNOD", "NET_RAW", "DAC_READ_SEARCH"),
)
_START = "import sys; sys.path.insert(0, '/usr/lib/toolwright')\n"
NO_RULES = "from toolwright_agent import callfilter; callfilter.RULES = ()\n"
STAY_ROOT = """
import os
from toolwright_agent import child
def stay(rights):
    os.mkdir(rights.home, 0o700)
    os.chdir(rights.home)
os.setgroups = lambda _: None
child._become = stay
child._verify = lambda uid: None
"""
_GO = "from toolwright_agent.__main__ import main; sys.exit(main())\n"


def agent_with(patches: str) -> list[str]:
    """Return an entrypoint that runs the agent after `patches`, lines of Python that change its modules."""
    return ["/usr/bin/python3.13", "-I", "-S", "-B", "-X", "utf8", "-c", _START + patches + _GO]


@dataclass(frozen=True, slots=True)
class SabotagedPolicy(SandboxPolicy):
    """The production policy without some layers."""

    without: Layer = Layer.NOTHING

    def container_options(self, uid_base: int, owner: str) -> dict[str, Any]:
        """Return the production options, weakened."""
        options = SandboxPolicy.container_options(self, uid_base, owner)
        security = list(options["security_opt"])
        if Layer.PROFILE in self.without:
            security = [one for one in security if not one.startswith("seccomp=")] + ["seccomp=unconfined"]
        options["security_opt"] = security
        if Layer.CAPABILITIES in self.without:
            options["cap_add"] = [*options["cap_add"], *_CAPABILITIES]
        if Layer.MACHINE in self.without:
            options["cap_add"] = [*options["cap_add"], *_OVER_THE_MACHINE]
        if Layer.NO_EXEC in self.without:
            options["tmpfs"] = {path: text.replace("noexec", "exec") for path, text in options["tmpfs"].items()}
        if Layer.READ_ONLY in self.without:
            options["read_only"] = False
        if Layer.NETWORK in self.without:
            options["network_mode"] = "host"
            del options["hostname"]
        patches = (NO_RULES if Layer.CALL_FILTER in self.without else "") + (
            STAY_ROOT if Layer.USER in self.without else ""
        )
        if patches:
            options["entrypoint"] = agent_with(patches)
        return options


class Sabotaged:
    """One weakened sandbox."""

    def __init__(self, sandbox: DockerSandbox) -> None:
        """Run calls in `sandbox`."""
        self.container_id = sandbox.info.container_id
        self._sandbox = sandbox

    def run(self, code: str, *, arguments_json: str = "{}", limits: Limits | None = None) -> Outcome:
        """Run the function `f` of `code`, without a registry, a queue or a record."""
        call = ToolCall(ToolSource(code, "f"), arguments_json, limits or Limits())
        return self._sandbox.run(call, Cancellation())


@contextmanager
def sabotaged(
    engine: Engine, policy: SandboxPolicy, without: Layer = Layer.NOTHING, **changes: Any
) -> Iterator[Sabotaged]:
    """Start a sandbox without some layers, or with other bounds (`changes`), and destroy it at the end."""
    weak = SabotagedPolicy(**{**_fields(policy), **changes}, without=without)
    uid_base = UidRanges(remapped=engine.remaps_users).take()
    with started(engine, weak, uid_base=uid_base, owner=owner_label()) as sandbox:
        yield Sabotaged(sandbox)


def _fields(policy: SandboxPolicy) -> dict[str, Any]:
    return {name: getattr(policy, name) for name in SandboxPolicy.__dataclass_fields__}
