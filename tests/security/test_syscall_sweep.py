"""ES: every system call there is, against the answers written down for each runtime."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.conftest import RunSource
from tests.security.kit.sweep import PROBES, Answers, Golden, differences, names, sweep
from toolwright.attacks.sabotage import FILTERS, Layer, Sabotaged, sabotaged
from toolwright.domain.outcome import Outcome
from toolwright.sandbox.engine import Engine
from toolwright.sandbox.policy import SandboxPolicy

pytestmark = pytest.mark.security


@pytest.fixture(scope="module")
def swept(run_source: RunSource) -> Answers:
    """The sweep on the production road."""

    def run(code: str, *, arguments_json: str) -> Outcome:
        return run_source(code, arguments_json=arguments_json).outcome

    return sweep(run)


@pytest.fixture(scope="module")
def gvisor(engine: Engine, policy: SandboxPolicy) -> Iterator[Sabotaged]:
    """A sandbox under gVisor, with nothing taken away."""
    if "runsc" not in engine.info["Runtimes"]:
        pytest.skip("NOT PROVEN under gVisor: the engine has no runtime named runsc")
    with sabotaged(engine, replace(policy, runtime="runsc"), Layer.NOTHING) as sandbox:
        yield sandbox


@pytest.mark.case("ES-21")
def test_es_21_what_is_allowed(swept: Answers) -> None:
    """ES-21: exactly the calls of the golden file are allowed; a new allowance is red, and so is a new denial."""
    assert differences(Golden.of("runc").read(), swept) == {}
    assert swept["clone3"] == "ENOSYS ENOSYS"


@pytest.mark.case("ES-21")
def test_es_21_nothing_without_a_number_is_allowed(swept: Answers) -> None:
    """ES-21: a number that no call has today is denied as well: a newer kernel may have one."""
    known = set(names().values()) | set(PROBES) | {"a 32-bit call"}

    unknown = {name: words for name, words in swept.items() if name not in known}

    assert len(unknown) > 100
    assert set(unknown.values()) <= {"EPERM EPERM", "ENOSYS ENOSYS"}


@pytest.mark.case("ES-22")
def test_es_22_without_filters(swept: Answers, engine: Engine, policy: SandboxPolicy) -> None:
    """ES-22: with both filters taken away the same sweep sees far more, so it can see."""
    with sabotaged(engine, policy, FILTERS) as unfiltered:
        open_door = sweep(unfiltered.run)

    opened = {name for name, words in open_door.items() if words != swept[name] and "-" in words}
    assert {"socket", "ptrace", "unshare", "bpf", "keyctl", "userfaultfd", "memfd_create", "execve"} <= opened
    assert {
        "socketpair of internet",
        "mmap of huge pages",
        "clone with a user namespace",
        "prlimit64 by number",
    } <= opened
    assert len(opened) > 120, sorted(opened)
    assert set(differences(Golden.of("runc").read(), open_door)) >= opened


@pytest.mark.case("ES-22")
@pytest.mark.parametrize(
    ("without", "seen"), [(Layer.PROFILE, "landlock_create_ruleset"), (Layer.CALL_FILTER, "execve")]
)
def test_es_22_without_one_filter(without: Layer, seen: str, engine: Engine, policy: SandboxPolicy) -> None:
    """ES-22: it sees as well when one of the two is gone, though the other denies most of the same."""
    numbers = [number for number, name in names().items() if name == seen]
    with sabotaged(engine, policy, without) as weakened:
        found = sweep(weakened.run, numbers, probes=False)

    assert found == {seen: "- -"}


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.case("ES-21", "ES-22")
def test_es_21_under_gvisor(gvisor: Sabotaged, engine: Engine, policy: SandboxPolicy) -> None:
    """ES-21, ES-22: gVisor loads no profile, so the call's own filter alone decides; and there too it can be seen."""
    golden = Golden.of("runsc").read()
    denied = [number for number, name in names().items() if golden.get(name) == "EPERM EPERM"]

    assert differences(golden, sweep(gvisor.run)) == {}
    with sabotaged(engine, replace(policy, runtime="runsc"), Layer.CALL_FILTER) as unfiltered:
        open_door = sweep(unfiltered.run, denied, probes=False)
    assert {"socket", "ptrace", "unshare", "shmget", "memfd_create"} <= set(differences(golden, open_door))
