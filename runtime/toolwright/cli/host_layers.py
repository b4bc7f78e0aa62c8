"""What is to be said of an engine and the machine under it: versions against their floors, and the host's layers."""

from __future__ import annotations

from collections.abc import Mapping

from toolwright.cli.diagnosis import Finding
from toolwright.cli.environment import EngineFacts
from toolwright.cli.version_floors import floor_above
from toolwright.settings import Profile

_CONTROLS = {"MemoryLimit": "memory", "PidsLimit": "pids", "CpuCfsQuota": "CPU"}


def engine_findings(facts: EngineFacts, profile: Profile) -> list[Finding]:
    """Return what is to be said of an engine and the machine that it runs on.

    Args:
        facts: what it says of itself.
        profile: in `production` a version below its floor is an error, in `development` a warning.
    """
    info = facts.info
    versions = component_versions(facts).items()
    return [
        Finding("engine", f"{info.get('ServerVersion', '?')} at {facts.address}"),
        *(_version(name, version, profile) for name, version in versions),
        Finding("kernel", f"{info.get('KernelVersion', '?')}, {info.get('OperatingSystem', '?')}"),
        _cgroup(facts),
        _limits(facts),
        _swap(facts),
        *_security(facts),
    ]


def component_versions(facts: EngineFacts) -> Mapping[str, str]:
    """Return the versions that an engine gives, by component."""
    components = facts.version.get("Components") or ()
    return {str(item.get("Name")): str(item.get("Version")) for item in components}


def _version(component: str, version: str, profile: Profile) -> Finding:
    floor = floor_above(component, version)
    name = "dockerd" if component == "Engine" else component
    if floor is None:
        return Finding(name, version)
    advice = (
        f"below {floor.version}, which fixes {', '.join(floor.advisories)}; "
        "your distribution may have carried the fixes back"
    )
    essential = profile is Profile.PRODUCTION
    return Finding(name, version, ok=False, essential=essential, advice=advice, advisories=floor.advisories)


def _cgroup(facts: EngineFacts) -> Finding:
    version = str(facts.info.get("CgroupVersion", "1"))
    value = f"version {version}, driver {facts.info.get('CgroupDriver', '?')}"
    return _recommended("cgroup", value, "cgroup version 2 kills and counts more exactly", ok=version == "2")


def _limits(facts: EngineFacts) -> Finding:
    lacking = [name for key, name in _CONTROLS.items() if facts.info.get(key) is False]
    if not lacking:
        return Finding("limits", ", ".join(_CONTROLS.values()))
    advice = "Let the kernel have these controllers; limits could not be in force without"
    return Finding("limits", f"missing: {', '.join(lacking)}", ok=False, advice=advice)


def _swap(facts: EngineFacts) -> Finding:
    if facts.info.get("SwapLimit") is not False:
        return Finding("swap accounting", "in the kernel")
    advice = "Start the kernel with swapaccount=1; a tool could use swap beyond its memory"
    return Finding("swap accounting", "missing", ok=False, advice=advice)


def _security(facts: EngineFacts) -> list[Finding]:
    options = " ".join(str(option) for option in facts.info.get("SecurityOptions") or ())
    seccomp, remapped = "name=seccomp" in options, "name=userns" in options or "name=rootless" in options
    module = next((name for name in ("AppArmor", "SELinux") if f"name={name.lower()}" in options), "")
    return [
        Finding("seccomp", "in the kernel" if seccomp else "missing", ok=seccomp),
        _recommended(
            "user namespaces",
            "container users are remapped" if remapped else "container users are not remapped",
            "recommended: dockerd --userns-remap=default",
            ok=remapped,
        ),
        _recommended(
            "security module",
            module or "neither AppArmor nor SELinux",
            "recommended: one more wall around a container",
            ok=bool(module),
        ),
    ]


def _recommended(name: str, value: str, advice: str, *, ok: bool) -> Finding:
    return Finding(name, value, ok=ok, essential=False, advice="" if ok else advice)
