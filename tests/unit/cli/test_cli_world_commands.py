"""`toolwright demo`, `serve`, `images`, `doctor` and `bench`, in a world without an engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from toolwright.cli.demo_set import load_demo_set
from toolwright.cli.testing import (
    FACTS,
    MAKER_USE,
    FakeWorld,
    RunCli,
    answered,
    declined,
    execution,
    made,
    self_check,
    tool_info,
)
from toolwright.domain.events import Checked, Made, MakingEvent, Proposed, Rejected, SolveEvent
from toolwright.domain.outcome import Status
from toolwright.domain.record import Stage
from toolwright.domain.task import Task
from toolwright.errors import EngineUnavailable, ImageMissing, SandboxUnavailable
from toolwright.sandbox.host.check import check_host
from toolwright.sandbox.selfcheck.check import SelfCheck
from toolwright.sandbox.selfcheck.finding import compare
from toolwright.settings import Profile

pytestmark = pytest.mark.unit

ANSWERS = {example.question: example.answer for scene in load_demo_set().tasks for example in scene.questions}


def _solve(question: str) -> list[SolveEvent]:
    return answered(ANSWERS[question]) if question in ANSWERS else declined()


def _make_at_the_second_try(task: Task) -> list[MakingEvent]:
    return [
        Proposed(1, f"def {task.name}(x): return 'first proposal'"),
        Checked(1, "4", held_out=True, passed=False, status=Status.SUCCESS),
        Rejected(1, Stage.VERIFY, "an example that you have not seen is answered wrong"),
        Proposed(2, f"def {task.name}(x): return 'second proposal'"),
        Made(tool_info(task.name), 2, (MAKER_USE,)),
    ]


@pytest.fixture
def show(world: FakeWorld) -> FakeWorld:
    """A world in which the demonstration goes as it should."""
    world.services_.solving, world.services_.making = _solve, _make_at_the_second_try
    world.services_.tools = [tool_info(scene.task.name) for scene in load_demo_set().tasks]
    return world


def test_demo_tells_the_whole_story(cli: RunCli, show: FakeWorld, tmp_path: Path) -> None:
    """Proposals, the caught one with its reason, the wrapped tool, answers, a declined question, the curve."""
    picture = tmp_path / "curve.svg"
    ran = cli("demo", "--curve", picture)
    assert ran.status == 0
    for part in ("first proposal", "you have not seen", "Schema of the arguments", "Demonstration", "declined"):
        assert part in ran.out
    assert "break-even" in picture.read_text(encoding="utf-8")
    assert str(picture) in ran.out
    assert "not about any model" in ran.out
    assert show.strong_asked == 6


def test_demo_document(cli: RunCli, show: FakeWorld, tmp_path: Path) -> None:
    """One document, with costs and the break-even point of this run."""
    document = cli("demo", "--curve", tmp_path / "c.svg", "--questions", "2", "--json").document
    assert len(document["tasks"]) == 6
    assert all(answer["right"] for task in document["tasks"].values() for answer in task["answers"])
    assert all(item["declined"] for item in document["declined"])
    cost = document["cost"]
    assert cost["making_usd"] == pytest.approx(6 * MAKER_USE.cost_usd)
    assert cost["strong_usd"] == pytest.approx(0.02)
    assert cost["break_even_requests"] == 29
    assert document["picture"] == str(tmp_path / "c.svg")


def test_demo_starts_fresh_and_offline(cli: RunCli, show: FakeWorld, tmp_path: Path) -> None:
    """It never spends anyone's money and never fills anyone's registry."""
    cli("demo", "--curve", tmp_path / "c.svg")
    assert show.changes == {"models": {"offline": True}}
    assert show.fresh_state is True


def test_demo_with_a_wrong_answer_is_status_1(cli: RunCli, show: FakeWorld, tmp_path: Path) -> None:
    """It checks itself."""
    show.services_.solving = lambda _: answered("wrong")
    assert cli("demo", "--curve", tmp_path / "c.svg").status == 1


def test_demo_refuses_a_picture_that_cannot_be_written(cli: RunCli, show: FakeWorld, tmp_path: Path) -> None:
    """Before the work, not after it."""
    ran = cli("demo", "--curve", tmp_path / "none" / "c.svg", "--json")
    assert (ran.status, ran.document["error"]["field"]) == (2, "--curve")
    assert show.services_.made == []


def test_demo_without_a_caught_proposal(cli: RunCli, show: FakeWorld, tmp_path: Path) -> None:
    """A run in which every first proposal passes has nothing to tell of one that was caught."""
    show.services_.making = made
    ran = cli("demo", "--curve", tmp_path / "c.svg")
    assert ran.status == 0
    assert "the proposal that was caught" not in ran.out


def test_serve_says_where_and_ends_with_0(cli: RunCli, world: FakeWorld) -> None:
    """One document as soon as calls are taken."""
    ran = cli("serve", "--listen", "127.0.0.1:0", "--json")
    assert (ran.status, ran.document) == (0, {"status": "SERVING", "address": "127.0.0.1:7433"})
    assert world.changes == {"listen": "127.0.0.1:0"}


def test_images(cli: RunCli, world: FakeWorld) -> None:
    """Build and list show the image; progress is on stderr."""
    built = cli("images", "build", "--json")
    assert (built.status, "building" in built.err) == (0, True)
    assert built.document["reference"].startswith("toolwright-sandbox-python:")
    assert cli("images", "list", "--json").document["images"] == [built.document]
    assert "44.0 MB" in cli("images", "list").out
    world.images_.fault = ImageMissing("could not be built")
    assert cli("images", "build").status == 3


def test_images_prune_says_what_it_removed(cli: RunCli) -> None:
    """By name for people, in full for programs."""
    ran = cli("images", "prune")
    assert (ran.status, "1 removed, 0 kept" in ran.out, "toolwright-sandbox-python:" in ran.out) == (0, True, True)
    document = cli("images", "prune", "--json").document
    assert (len(document["removed"]), document["in_use"]) == (1, [])


def test_doctor_of_a_healthy_machine(cli: RunCli) -> None:
    """Every finding is there, the probe ran, the status is 0."""
    ran = cli("doctor", "--json")
    document = ran.document
    assert (ran.status, document["ok"]) == (0, True)
    names = [check["name"] for check in document["checks"]]
    assert names == [
        "engine", "dockerd", "runc", "kernel", "cgroup", "limits", "swap accounting", "seccomp", "user namespaces",
        "security module", "image", "layers", "call",
    ]  # fmt: skip
    assert all(check["ok"] for check in document["checks"])
    assert document["call"]["status"] == "SUCCESS"
    assert document["image"]["image_id"].startswith("sha256:")
    assert "Tools can run." in cli("doctor").out


def test_doctor_without_an_engine(cli: RunCli, world: FakeWorld) -> None:
    """Status 3, the paragraph, and nothing else is tried."""
    world.facts = EngineUnavailable("No Docker engine answers. Start one")
    ran = cli("doctor", "--json")
    assert (ran.status, ran.document["ok"]) == (3, False)
    assert [check["name"] for check in ran.document["checks"]] == ["engine"]
    assert "No Docker engine answers" in ran.err


def test_doctor_without_the_image(cli: RunCli, world: FakeWorld) -> None:
    """The image is essential."""
    world.images_.fault = ImageMissing("run `toolwright images build`")
    ran = cli("doctor", "--json")
    assert (ran.status, ran.document["checks"][-1]["name"]) == (3, "image")


def test_doctor_with_a_failing_probe(cli: RunCli, world: FakeWorld) -> None:
    """A sandbox that gives another answer is no healthy one."""
    world.services_.executions = [execution(result_json="6")]
    assert cli("doctor", "--json").status == 3


@pytest.mark.case("FT-25")
def test_doctor_warns_of_old_versions(cli: RunCli, world: FakeWorld) -> None:
    """FT-25: versions below the floors and missing layers are warnings in development, no verdict."""
    world.facts = replace(
        FACTS,
        version={"Components": [{"Name": "runc", "Version": "1.1.5+ds1"}]},
        info={**FACTS.info, "CgroupVersion": "1"},
    )
    ran = cli("doctor", "--json")
    assert ran.status == 0
    assert [check["name"] for check in ran.document["checks"] if not check["ok"]] == ["runc", "cgroup"]


OLD = replace(FACTS, version={"Components": [{"Name": "runc", "Version": "1.1.5+ds1"}]})


@pytest.mark.case("FT-25", "IM-09")
@pytest.mark.parametrize("named", ["by flag", "by settings"])
def test_doctor_for_production_takes_no_old_version(cli: RunCli, world: FakeWorld, named: str) -> None:
    """IM-09: what is a warning in development is an error there, with the advisories that set the floor."""
    world.facts = OLD
    if named == "by settings":
        world.profile_ = Profile.PRODUCTION
    ran = cli("doctor", "--json", *(["--profile", "production"] if named == "by flag" else []))
    runc = next(check for check in ran.document["checks"] if check["name"] == "runc")
    assert (ran.status, ran.document["ok"], ran.document["profile"]) == (3, False, "production")
    assert (runc["ok"], runc["essential"]) == (False, True)
    assert "CVE-2025-31133" in runc["advisories"]
    assert "CVE-2025-31133" in ran.err
    assert "not in production" in cli("doctor", "--profile", "production").out
    assert ran.document["call"]["status"] == "SUCCESS"


def test_doctor_for_development_overrules_the_settings(cli: RunCli, world: FakeWorld) -> None:
    """The flag decides."""
    world.facts, world.profile_ = OLD, Profile.PRODUCTION
    assert cli("doctor", "--profile", "development").status == 0


def test_doctor_takes_what_the_settings_accept(cli: RunCli, world: FakeWorld) -> None:
    """A known advisory that the distribution has fixed, and a layer that one can do without, stay warnings."""
    world.facts = replace(FACTS, info={**FACTS.info, "KernelVersion": "5.15.0-179-generic", "CgroupVersion": "1"})
    world.accepted = ("CVE-2026-31431", "cgroup")
    ran = cli("doctor", "--json", "--profile", "production")
    told = {check["name"]: check for check in ran.document["checks"] if not check["ok"]}
    assert (ran.status, set(told)) == (0, {"kernel", "cgroup"})
    assert all("accepted by accepted_risks" in check["advice"] for check in told.values())


def test_doctor_names_a_typo_in_what_is_accepted(cli: RunCli, world: FakeWorld) -> None:
    """Bad settings are bad input, not a fault of the machine."""
    world.accepted = ("cgruop",)
    ran = cli("doctor", "--json")
    assert (ran.status, ran.document["error"]["field"]) == (2, "accepted_risks")


def test_doctor_names_the_layers_that_hold(cli: RunCli) -> None:
    """Each layer once, in the document and in the table; every check stands in the document."""
    document = cli("doctor", "--json").document
    assert document["layers"] == {"network": True, "memory": True, "user": True}
    assert document["findings"][0] == {
        "layer": "network", "check": "a probe", "expected": "'no'", "found": "'no'", "holds": True,
    }  # fmt: skip
    out = cli("doctor").out
    assert "3 of 3 in force" in out
    assert "'no'" not in out


def test_doctor_names_the_layer_that_does_not_hold(cli: RunCli, world: FakeWorld) -> None:
    """Status 3, with what has to be and what is; no tool is run there."""
    world.check_ = self_check("memory")
    ran = cli("doctor", "--json")
    assert (ran.status, ran.document["ok"], ran.document["call"]) == (3, False, None)
    assert ran.document["layers"] == {"network": True, "memory": False, "user": True}
    assert "Not in force: memory" in ran.err
    assert world.services_.executed == []
    shown = cli("doctor")
    row = next(line for line in shown.out.splitlines() if "a probe" in line)
    assert row.split() == ["✗", "memory", "a", "probe", "'no'", "'yes'"]
    assert "Tools cannot run." in shown.out


def test_doctor_without_any_container(cli: RunCli, world: FakeWorld) -> None:
    """Where none starts there is nothing to check."""
    world.check_ = SandboxUnavailable("The container did not start")
    ran = cli("doctor", "--json")
    assert (ran.status, ran.document["layers"]) == (3, None)
    assert ran.document["checks"][-1]["name"] == "layers"


def test_what_a_container_says_does_not_act_on_the_terminal(cli: RunCli, world: FakeWorld) -> None:
    """An answer is shown escaped and cut, in the table as in a server's refusal."""
    said = "\x1b[2J[bold]\u202e" + "x" * 5000
    world.check_ = world.server.check = SelfCheck((compare("network", "interfaces", "lo", said),), 0.1)
    for command in ("doctor", "serve"):
        ran = cli(command)
        assert not set("\x1b\u202e") & set(ran.out + ran.err)
        assert "x" * 400 not in ran.out + ran.err


def test_serve_without_a_layer_says_so_and_fails(cli: RunCli, world: FakeWorld) -> None:
    """The document names the layers; the status is that of a missing service."""
    world.server.check = self_check("network", "user")
    ran = cli("serve", "--json")
    document = ran.document
    assert (ran.status, document["status"], document["layers"]) == (3, "NOT_SERVING", ["network", "user"])
    assert "network, user" in document["reason"]
    assert "network, user" in ran.err
    assert "Serving" not in cli("serve").out


@pytest.mark.case("FT-25")
def test_serve_on_a_host_that_is_not_fit_says_so_and_fails(cli: RunCli, world: FakeWorld) -> None:
    """FT-25: the document names each thing that is wrong with the host; the status is that of a missing service."""
    old = replace(OLD, info={**OLD.info, "CgroupVersion": "1"})
    world.server.host = check_host(old, production=True)
    ran = cli("serve", "--json")
    document = ran.document
    assert (ran.status, document["status"], document["host"]) == (3, "NOT_SERVING", ["runc", "cgroup"])
    assert document["layers"] == []
    assert "CVE-2025-31133" in document["reason"]
    assert "CVE-2025-31133" in ran.err


def test_doctor_finds_missing_limits_essential(cli: RunCli, world: FakeWorld) -> None:
    """Without a memory controller no limit could hold."""
    world.facts = replace(FACTS, info={**FACTS.info, "MemoryLimit": False})
    assert cli("doctor", "--json").status == 3


def test_bench_document(cli: RunCli) -> None:
    """One document, with the fixed keys, and the ratios that the bar is set by."""
    ran = cli("bench", "--json")
    document = ran.document
    assert ran.status == 0
    assert document["floor"].keys() >= {"fork_pipe_ms", "docker_exec_ms", "docker_run_ms"}
    assert document["execute_tool"].keys() >= {"p50_ms", "p99_ms", "calls_per_second", "concurrency"}
    assert document["cold"].keys() >= {"p50_ms"}
    assert document["ratios"]["p50_to_docker_exec"] == pytest.approx(document["execute_tool"]["p50_ms"] / 80)
    assert "measuring" in ran.err


def test_bench_takes_its_plan_from_its_flags(cli: RunCli, world: FakeWorld) -> None:
    """Sections by commas; a number that is given holds in a quick run too."""
    cli("bench", "--quick", "--only", "kill, floors", "--calls", "50", "--concurrency", "4", "--json")
    assert world.plan is not None
    assert world.plan.sections == ("floors", "kill")
    assert (world.plan.quick, world.plan.calls, world.plan.concurrency) == (True, 50, 4)


def test_bench_refuses_a_section_that_there_is_not(cli: RunCli) -> None:
    """Before anything is measured."""
    ran = cli("bench", "--only", "warn", "--json")
    assert (ran.status, ran.document["error"]["reason"]) == (2, "INVALID_INPUT")


def test_bench_shows_each_section_and_missed_figures(cli: RunCli) -> None:
    """As tables for people; what was missed is shown, and is no failure."""
    ran = cli("bench")
    assert ran.status == 0
    for words in ("figures to hold", "docker run hardened", "Fairness", "epicbox: not installed", "1/32", "16 GiB"):
        assert words in ran.out, words


def test_bench_with_a_section_that_failed_is_a_fault(cli: RunCli, world: FakeWorld) -> None:
    """A call that fails is quick, and must not look like speed; what else was measured is shown all the same."""
    world.bench_failed = {"kill": "a call of the bench ended with CRASHED"}
    ran = cli("bench")
    assert ran.status == 3
    assert "FAILED: kill: a call of the bench ended with CRASHED" in ran.out
    assert "figures to hold" in ran.out
