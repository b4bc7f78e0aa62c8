"""Versions against their floors, and the host's layers: warnings in development, errors in production."""

from __future__ import annotations

import re
from typing import Any

import pytest

from toolwright.errors import InvalidInput
from toolwright.sandbox.host.check import HostCheck, check_host
from toolwright.sandbox.host.facts import EngineFacts
from toolwright.sandbox.host.floors import FLOORS, floor_above

pytestmark = pytest.mark.unit

VERSIONS = {"Engine": "29.6.0", "containerd": "v2.2.1", "runc": "1.4.4"}
INFO: dict[str, Any] = {
    "ServerVersion": "29.6.0",
    "KernelVersion": "6.18.44",
    "OperatingSystem": "Debian GNU/Linux 13",
    "CgroupVersion": "2",
    "MemoryLimit": True,
    "SwapLimit": True,
    "PidsLimit": True,
    "CpuCfsQuota": True,
    "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=userns"],
}


def facts(*, versions: dict[str, str] | None = None, runtime: str = "runc", **info: Any) -> EngineFacts:
    """Return what a good host says, with changes."""
    told = [{"Name": name, "Version": version} for name, version in (VERSIONS | (versions or {})).items() if version]
    return EngineFacts("unix:///run/docker.sock", {"Components": told}, INFO | info, runtime)


def judged(given: EngineFacts, *, production: bool = True, accepted: tuple[str, ...] = ()) -> HostCheck:
    """Judge as for production."""
    return check_host(given, production=production, accepted=accepted)


def names(findings: Any) -> list[str]:
    """Return the names of findings."""
    return [finding.name for finding in findings]


def test_a_good_host_is_fit() -> None:
    """Nothing is wrong, in either profile; every thing that was looked at is there."""
    for production in (False, True):
        check = judged(facts(), production=production)
        assert (check.refusal, check.warnings) == ("", ())
    assert names(check.findings) == [
        "engine", "dockerd", "containerd", "runc", "kernel", "cgroup", "limits", "swap accounting", "seccomp",
        "user namespaces", "security module",
    ]  # fmt: skip


BELOW = [
    (facts(versions={"Engine": "20.10.24+dfsg1"}), "dockerd", "29.5.1", "CVE-2026-41567"),
    (facts(versions={"Engine": "29.5.0"}), "dockerd", "29.5.1", "CVE-2026-41567"),
    (facts(versions={"runc": "1.1.5+ds1"}), "runc", "1.2.8", "CVE-2024-21626"),
    (facts(versions={"runc": "1.3.5"}), "runc", "1.3.6", "CVE-2026-41579"),
    (facts(versions={"runc": "1.4.0-rc.3"}), "runc", "1.4.4", "CVE-2026-119101"),
    (facts(versions={"crun": "1.8.1"}, runtime="crun"), "crun", "1.30.0", "CVE-2026-84042"),
    (facts(versions={"OCI Runtime (crun)": "crun version 1.14"}, runtime="crun"), "crun", "1.30.0", "CVE-2026-84042"),
    (facts(KernelVersion="6.18.21-amd64"), "kernel", "6.18.22", "CVE-2026-31431"),
    (facts(KernelVersion="6.12.84+deb13-amd64"), "kernel", "6.12.85", "CVE-2026-31431"),
    (facts(KernelVersion="5.15.0-173-generic"), "kernel", "6.6.137", "CVE-2026-31431"),
]


@pytest.mark.case("IM-09", "FT-25")
@pytest.mark.parametrize(("given", "name", "floor", "advisory"), BELOW, ids=lambda value: str(value)[:20])
def test_im_09_each_item_below_its_floor_is_named(given: EngineFacts, name: str, floor: str, advisory: str) -> None:
    """IM-09: the item, its floor and the advisory behind it: production refuses by it, development warns of it."""
    strict, mild = judged(given), judged(given, production=False)

    assert names(strict.unfit) == [name]
    assert all(word in strict.refusal for word in (name, f"below {floor}", advisory))
    assert (mild.refusal, names(mild.warnings)) == ("", [name])
    assert advisory in mild.warnings[0].advisories


@pytest.mark.case("IM-09")
@pytest.mark.parametrize(
    ("component", "version", "floor"),
    [
        ("runc", "1.1.5+ds1", "1.2.8"),
        ("runc", "1.2.8", ""),
        ("runc", "1.3.5", "1.3.6"),
        ("runc", "1.4.4", ""),
        ("runc", "2.0.0", ""),
        ("crun", "1.29", "1.30.0"),
        ("crun", "1.30", ""),
        ("dockerd", "20.10.24+dfsg1", "29.5.1"),
        ("dockerd", "29.5.1", ""),
        ("kernel", "6.1.170", "6.6.137"),
        ("kernel", "6.6.136", "6.6.137"),
        ("kernel", "6.6.137", ""),
        ("kernel", "6.8.0-110-generic", "6.12.85"),
        ("kernel", "6.12.85", ""),
        ("kernel", "6.17.9", "6.18.22"),
        ("kernel", "6.18.44-fc-v595", ""),
        ("kernel", "6.19.11", "6.19.12"),
        ("kernel", "7.0.1", ""),
        ("containerd", "1.0", ""),
        ("runc", "unknown", ""),
    ],
)
def test_im_09_floors_hold_for_each_release_line(component: str, version: str, floor: str) -> None:
    """IM-09: each line has a first fixed release of its own."""
    above = floor_above(component, version)
    assert (above.version if above else "") == floor


def test_every_floor_has_its_reason() -> None:
    """By its number; and lines do not overlap."""
    for lines in FLOORS.values():
        assert all(re.fullmatch(r"CVE-20\d\d-\d{4,7}", name) for floor in lines for name in floor.advisories)
        assert all(floor.advisories for floor in lines)
        assert [floor.line for floor in lines] == sorted(floor.line for floor in lines)
        assert [floor.fixed for floor in lines] == sorted(floor.fixed for floor in lines)


MISSING = [
    (facts(CgroupVersion="1"), "cgroup"),
    (facts(SwapLimit=False), "swap accounting"),
    (facts(SecurityOptions=["name=apparmor", "name=seccomp,profile=builtin"]), "user namespaces"),
    (facts(SecurityOptions=["name=userns", "name=seccomp,profile=builtin"]), "security module"),
]


@pytest.mark.case("FT-25")
@pytest.mark.parametrize(("given", "name"), MISSING, ids=lambda value: str(value)[:20])
def test_ft_25_each_missing_layer_is_named(given: EngineFacts, name: str) -> None:
    """FT-25: cgroup version 1, no swap accounting, no remapping, no AppArmor: production refuses, development warns."""
    strict, mild = judged(given), judged(given, production=False)

    assert names(strict.unfit) == [name]
    assert name in strict.refusal
    assert (mild.refusal, names(mild.warnings)) == ("", [name])
    assert all(finding.production_only for finding in strict.unfit)


@pytest.mark.case("FT-25")
def test_ft_25_an_old_host_is_refused_by_all_that_is_wrong() -> None:
    """FT-25: not only by the first: everything that has to be mended is in the one text."""
    old = facts(
        versions={"Engine": "20.10.24", "runc": "1.1.5"},
        KernelVersion="5.10.1",
        CgroupVersion="1",
        SwapLimit=False,
        SecurityOptions=["name=seccomp"],
    )
    everything = ["dockerd", "runc", "kernel", "cgroup", "swap accounting", "user namespaces", "security module"]

    assert names(judged(old).unfit) == everything
    assert all(name in judged(old).refusal for name in everything)
    assert names(judged(old, production=False).warnings) == everything


@pytest.mark.case("FT-25")
@pytest.mark.parametrize("given", [facts(MemoryLimit=False), facts(SecurityOptions=["name=apparmor", "name=userns"])])
@pytest.mark.parametrize("production", [False, True])
def test_ft_25_without_limits_or_seccomp_nothing_runs(given: EngineFacts, *, production: bool) -> None:
    """FT-25: what no sandbox can do without is an error in both profiles, and cannot be accepted."""
    check = judged(given, production=production)

    assert len(check.unfit) == 1
    assert not check.unfit[0].production_only
    with pytest.raises(InvalidInput, match="accepted_risks"):
        judged(given, accepted=(check.unfit[0].name,))


def test_rootless_and_selinux_count_too() -> None:
    """Other forms of the same layers."""
    assert not judged(facts(SecurityOptions=["name=seccomp", "name=rootless", "name=selinux"])).refusal


def test_only_the_runtime_that_is_used_counts() -> None:
    """An old runc beside gVisor is a warning; gVisor's own version is for the operator to look up."""
    check = judged(facts(versions={"runc": "1.1.5"}, runtime="runsc"))

    assert check.refusal == ""
    assert names(check.warnings) == ["runc", "runsc"]
    assert "no tool runs under it" in check.warnings[0].advice


@pytest.mark.parametrize("version", ["", "unknown"])
def test_a_version_that_is_not_known_is_not_taken_for_a_good_one(version: str) -> None:
    """A runtime that has a floor, with no version to compare: production refuses."""
    check = judged(facts(versions={"runc": version}))

    assert names(check.unfit) == ["runc"]


@pytest.mark.parametrize(
    ("given", "accepted"),
    [
        (facts(KernelVersion="5.15.0-179-generic"), ("CVE-2026-31431",)),
        (facts(CgroupVersion="1"), ("cgroup",)),
        (facts(SwapLimit=False), ("swap accounting",)),
        (facts(versions={"runc": ""}), ("runc",)),
        (facts(SecurityOptions=["name=seccomp"]), ("user namespaces", "security module")),
    ],
)
def test_what_the_operator_accepts_is_a_warning(given: EngineFacts, accepted: tuple[str, ...]) -> None:
    """A distribution's own fix, or a layer that one can do without: named one by one, and still told."""
    check = judged(given, accepted=accepted)

    assert judged(given).refusal
    assert check.refusal == ""
    assert all("accepted" in finding.advice for finding in check.warnings)
    assert check.warnings


def test_an_advisory_of_several_is_not_enough() -> None:
    """Every advisory behind a floor has to be accepted."""
    given = facts(versions={"Engine": "29.6.0", "runc": "1.3.5"})
    floor = floor_above("runc", "1.3.5")
    assert floor is not None

    assert judged(given, accepted=floor.advisories[1:]).refusal
    assert not judged(given, accepted=floor.advisories).refusal


def test_a_typo_in_what_is_accepted_is_named() -> None:
    """It would be taken for consent to nothing."""
    with pytest.raises(InvalidInput, match=r"accepted_risks: 'CVE-2026-00000' is no advisory .*allowed: .*cgroup"):
        judged(facts(), accepted=("CVE-2026-00000",))
