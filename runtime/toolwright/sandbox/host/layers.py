"""What is to be said of the host's own layers around a container."""

from __future__ import annotations

from collections.abc import Iterator

from toolwright.sandbox.host.facts import EngineFacts
from toolwright.sandbox.host.finding import Finding

_CONTROLS = {"MemoryLimit": "memory", "PidsLimit": "pids", "CpuCfsQuota": "CPU"}

CGROUP, SWAP, USERS, MODULE = "cgroup", "swap accounting", "user namespaces", "security module"
LAYERS = (CGROUP, SWAP, USERS, MODULE)
"""Layers that production asks for. Tools can run without, under one wall less."""


def layer_findings(facts: EngineFacts) -> Iterator[Finding]:
    """Yield a finding for each layer; what only production asks for is marked so."""
    yield _cgroup(facts)
    yield _limits(facts)
    yield _swap(facts)
    yield from _security(facts)


def _cgroup(facts: EngineFacts) -> Finding:
    version = str(facts.info.get("CgroupVersion", "1"))
    value = f"version {version}, driver {facts.info.get('CgroupDriver', '?')}"
    return _layer(CGROUP, value, "cgroup version 2 kills and counts more exactly", ok=version == "2")


def _limits(facts: EngineFacts) -> Finding:
    lacking = [name for key, name in _CONTROLS.items() if facts.info.get(key) is False]
    if not lacking:
        return Finding("limits", ", ".join(_CONTROLS.values()))
    advice = "Let the kernel have these controllers; limits could not be in force without"
    return Finding("limits", f"missing: {', '.join(lacking)}", ok=False, advice=advice)


def _swap(facts: EngineFacts) -> Finding:
    ok = facts.info.get("SwapLimit") is not False
    advice = "start the kernel with swapaccount=1; a tool could use swap beyond its memory"
    return _layer(SWAP, "in the kernel" if ok else "missing", advice, ok=ok)


def _security(facts: EngineFacts) -> Iterator[Finding]:
    options = " ".join(str(option) for option in facts.info.get("SecurityOptions") or ())
    seccomp, remapped = "name=seccomp" in options, "name=userns" in options or "name=rootless" in options
    module = next((name for name in ("AppArmor", "SELinux") if f"name={name.lower()}" in options), "")
    yield Finding("seccomp", "in the kernel" if seccomp else "missing", ok=seccomp)
    yield _layer(
        USERS,
        "container users are remapped" if remapped else "container users are not remapped",
        "dockerd --userns-remap=default: root of a container is then nobody on the host",
        ok=remapped,
    )
    yield _layer(MODULE, module or "neither AppArmor nor SELinux", "one more wall around a container", ok=bool(module))


def _layer(name: str, value: str, advice: str, *, ok: bool) -> Finding:
    return Finding(name, value, ok=ok, production_only=True, advice="" if ok else advice)
