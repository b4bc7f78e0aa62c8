"""What every store promises about tasks, tool versions and verification records."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from toolwright.domain.limits import LimitsRequest
from toolwright.domain.outcome import Status
from toolwright.domain.source import MAX_SOURCE_BYTES
from toolwright.domain.task import Example
from toolwright.domain.tool import Demonstration, Description, RegisteredTool, ToolState, ToolVersion
from toolwright.errors import AlreadyExists, InvalidInput, NotFound
from toolwright.registry.base import Heading, Store
from toolwright.registry.testing import sample_gates, sample_record, sample_task, sample_version

ODD_TEXT = 'Größe Ω 漢字 🙂 \\ " \x00 \ud800 \u202e end'
DIGITS_400 = int("9" * 400)


def admit(store: Store, version: ToolVersion, verification_id: str) -> RegisteredTool:
    """Admit `version` on a record of its own."""
    return store.admit(version, sample_record(version, verification_id), sample_task(version.name))


# --- tasks ----------------------------------------------------------------------------------------


def test_task_comes_back_as_it_was(store: Store) -> None:
    """A task keeps every character of its examples and description."""
    task = sample_task(
        description=ODD_TEXT,
        training=(Example("ü1", "Was ist 1 + 2? 🙂\x00", "3"), Example("t2", "2 " * 30_000, "x")),
    )
    store.save_task(task)

    assert store.get_task("add") == task


def test_saving_a_task_again_replaces_it(store: Store) -> None:
    """There is one task of a name: the last one saved."""
    store.save_task(sample_task())
    changed = sample_task(description="Another text.")
    store.save_task(changed)

    assert store.get_task("add") == changed
    assert len(store.headings()) == 1


def test_tasks_are_listed_by_name(store: Store) -> None:
    """Names are ordered by code point, whatever a database's locale says."""
    names = ["b", "a_b", "ab", "a1"]
    for name in names:
        store.save_task(sample_task(name))

    assert [heading.name for heading in store.headings()] == sorted(names)


@pytest.mark.parametrize("name", ["nothing", "", "\ud800", "a\x00b", "x" * 100_000])
def test_unknown_task(store: Store, name: str) -> None:
    """A name that no task has is NotFound, also one that no task could have."""
    store.save_task(sample_task())

    with pytest.raises(NotFound):
        store.get_task(name)


def test_tasks_saved_by_eight_threads(store: Store) -> None:
    """Saving one task from many threads leaves one, and never fails."""
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: store.save_task(sample_task(description=f"text {n}")), range(64)))

    assert len(store.headings()) == 1


# --- admission ------------------------------------------------------------------------------------


def test_admitted_version_comes_back_as_it_was(store: Store) -> None:
    """Source, schema (in its order), demonstrations and record are kept exactly."""
    version = sample_version(
        description=Description(
            ODD_TEXT,
            "add(a: int) -> int",
            {
                "type": "object",
                "properties": {
                    "z": {"type": "integer", "maximum": DIGITS_400, "default": -DIGITS_400},
                    "a": {"type": "number", "multipleOf": 0.1, "description": ODD_TEXT},
                },
                "additionalProperties": False,
            },
        ),
        demonstrations=(Demonstration(ODD_TEXT, json.dumps({"z": DIGITS_400}), "x" * 100_000),),
        task_description=ODD_TEXT,
    )
    record = sample_record(version)
    admitted = store.admit(version, record, sample_task())
    found = store.get_tool("add")

    assert found == admitted
    assert found.version == version
    assert list(found.version.description.parameters["properties"]) == ["z", "a"]
    assert (found.number, found.state, found.verification_id) == (1, ToolState.ACTIVE, record.verification_id)
    assert store.get_verification(record.verification_id) == record


def test_a_version_with_limits_and_a_record_with_gates_come_back_as_they_were(store: Store) -> None:
    """Both are part of what the digest names, and all evidence is kept."""
    plain = sample_version()
    version = replace(plain, limits=LimitsRequest(2.0, 100_000_000), image_digest="sha256:" + "a" * 64)
    record = sample_record(
        version,
        gates=sample_gates(),
        seed=2**48 - 1,
        maker_prompts=("sha256:" + "1" * 64,),
        user_prompts=("sha256:" + "2" * 64, "sha256:" + "3" * 64),
        limits=version.limits,
        policy={"probes": 24, "held_out_share": 0.9},
    )
    store.admit(version, record, sample_task())

    assert store.get_tool("add").version == version
    assert store.get_tool("add").info.limits == version.limits
    assert store.get_verification(record.verification_id) == record
    digests = {plain.digest, version.digest, replace(version, limits=None).digest}
    assert len(digests | {replace(version, image_digest="").digest}) == 4


def test_a_record_without_all_gates_is_refused(store: Store) -> None:
    """Nine of ten are no evidence."""
    version = sample_version()
    with pytest.raises(ValueError, match="failed check"):
        store.admit(version, sample_record(version, gates=sample_gates()[1:]), sample_task())


def test_largest_source(store: Store) -> None:
    """A source of the largest size that is allowed is kept to the last byte."""
    line = "# " + "ä" * 2_000 + "\n"
    code = line * (MAX_SOURCE_BYTES // len(line.encode()))
    version = sample_version(code=code + "#" * (MAX_SOURCE_BYTES - len(code.encode())))
    admit(store, version, "v-1")

    assert store.get_tool(version.digest).version == version


def test_later_versions_leave_earlier_ones(store: Store) -> None:
    """The name means the newest; `name@number` and the digest mean one version for good."""
    versions = [sample_version(code=f"def add(a, b): return a + b + {n}") for n in range(3)]
    admitted = [admit(store, version, f"v-{n}") for n, version in enumerate(versions)]

    assert [tool.number for tool in admitted] == [1, 2, 3]
    assert store.get_tool("add") == admitted[2]
    for number, tool in enumerate(admitted, start=1):
        assert store.get_tool(f"add@{number}") == tool
        assert store.get_tool(tool.version.digest) == tool


def test_same_digest_again_returns_the_first(store: Store) -> None:
    """Admitting the same content twice keeps nothing new: no number, no record."""
    first = admit(store, sample_version(), "v-1")
    second = admit(store, sample_version(), "v-2")
    third = admit(store, sample_version(code="def add(a, b): return b + a"), "v-3")

    assert second == first
    assert third.number == 2
    with pytest.raises(NotFound):
        store.get_verification("v-2")


@pytest.mark.parametrize(
    "flaw", ["other digest", "other examples", "other name", "failed", "no held-out", "no checks", "no id"]
)
def test_record_that_shows_nothing_is_refused(store: Store, flaw: str) -> None:
    """A version without a passed record of its own is never kept."""
    version, task = sample_version(), sample_task()
    record = sample_record(version)
    match flaw:
        case "other digest":
            record = replace(record, tool_digest=sample_version("other").digest)
        case "other examples":
            task = sample_task(held_out=(Example("h1", "What is 2 + 3?", "5"),))
        case "other name":
            task = sample_task("sub")
            record = replace(record, task_digest=task.digest)
        case "failed":
            bad = replace(record.checks[1], passed=False, status=Status.TIMEOUT)
            record = replace(record, checks=(record.checks[0], bad))
        case "no held-out":
            record = replace(record, checks=record.checks[:1])
        case "no checks":
            record = replace(record, checks=())
        case _:
            record = replace(record, verification_id="")

    with pytest.raises(ValueError, match="record"):
        store.admit(version, record, task)
    with pytest.raises(NotFound):
        store.get_tool("add")
    assert list(store.headings()) == []


def test_an_admitted_version_brings_its_task(store: Store) -> None:
    """The examples that a version was verified on are kept with it, whatever was kept before."""
    store.save_task(sample_task(description="An earlier text."))
    admit(store, sample_version(), "v-1")

    assert store.get_task("add") == sample_task()
    assert store.get_verification("v-1").task_digest == store.get_task("add").digest


def test_the_task_behind_a_version_is_replaced_by_the_next_version_alone(store: Store) -> None:
    """A task that no version was verified on never stands where evidence points."""
    admit(store, sample_version(), "v-1")
    changed = sample_task(held_out=(Example("h1", "What is 2 + 3?", "5"),))
    store.save_task(changed)
    assert store.get_task("add") == sample_task()

    version = sample_version(code="def add(a, b): return b + a")
    store.admit(version, sample_record(version, "v-2", task_digest=changed.digest), changed)
    assert store.get_task("add") == changed
    assert store.get_verification("v-1").task_digest == sample_task().digest


def test_the_same_version_on_other_examples_changes_nothing(store: Store) -> None:
    """What is kept stays with the record that is kept."""
    first = admit(store, sample_version(), "v-1")
    changed = sample_task(held_out=(Example("h1", "What is 2 + 3?", "5"),))
    second = store.admit(sample_version(), sample_record(sample_version(), "v-2", task_digest=changed.digest), changed)

    assert second == first
    assert store.get_task("add") == sample_task()


def test_eight_threads_save_a_task_that_is_being_admitted(store: Store) -> None:
    """However saving and admitting meet, the task of the version is what stays."""
    with ThreadPoolExecutor(8) as threads:
        saved = [threads.submit(store.save_task, sample_task(description=f"text {n}")) for n in range(30)]
        threads.submit(admit, store, sample_version(), "v-1").result()
        saved += [threads.submit(store.save_task, sample_task(description=f"later {n}")) for n in range(30)]
        for future in saved:
            future.result()

    assert store.get_task("add") == sample_task()


def test_record_id_of_another_version_is_refused_whole(store: Store) -> None:
    """A record's id is taken once; the version that came with the second is not kept, nor its number used."""
    admit(store, sample_version(), "v-1")
    with pytest.raises(AlreadyExists, match="v-1"):
        admit(store, sample_version("sub"), "v-1")

    with pytest.raises(NotFound):
        store.get_tool("sub")
    assert admit(store, sample_version("sub"), "v-2").number == 1


@pytest.mark.parametrize("parameters", [{"maximum": float("nan")}, {"maximum": float("inf")}])
def test_schema_that_is_no_json_is_refused(store: Store, parameters: dict[str, float]) -> None:
    """NaN and Infinity would come back as something else, so they are not taken."""
    version = sample_version(description=Description("", "", parameters))

    with pytest.raises(InvalidInput):
        admit(store, version, "v-1")


def test_what_is_handed_out_is_a_copy(store: Store) -> None:
    """Changing a schema that a store was given, or gave, changes nothing in the store."""
    version = sample_version()
    admit(store, version, "v-1")
    digest = version.digest
    for tool in (store.get_tool("add").version, version):
        assert isinstance(tool.description.parameters, dict)
        tool.description.parameters["properties"]["a"]["type"] = "string"

    assert store.get_tool("add").version.digest == digest


def test_eight_threads_get_eight_numbers(store: Store) -> None:
    """Versions admitted at once under one name get 1 to n, without a clash."""
    versions = [sample_version(code=f"def add(a, b): return {n}") for n in range(40)]
    with ThreadPoolExecutor(8) as threads:
        admitted = list(threads.map(lambda n: admit(store, versions[n], f"v-{n}"), range(40)))

    assert sorted(tool.number for tool in admitted) == list(range(1, 41))
    assert store.get_tool("add").number == 40


def test_eight_threads_admit_the_same_version(store: Store) -> None:
    """One of them keeps it, all get that one back."""
    version = sample_version()
    with ThreadPoolExecutor(8) as threads:
        admitted = set(threads.map(lambda n: admit(store, version, f"v-{n}").verification_id, range(32)))

    assert len(admitted) == 1
    assert admit(store, sample_version(code="def add(): pass"), "v-99").number == 2


# --- references and listing -----------------------------------------------------------------------


@pytest.mark.parametrize("reference", ["sub", "add@2", "add@999999999", "sha256:" + "0" * 64])
def test_reference_to_nothing(store: Store, reference: str) -> None:
    """A well-formed reference to nothing is NotFound, and names itself."""
    admit(store, sample_version(), "v-1")

    with pytest.raises(NotFound, match=reference):
        store.get_tool(reference)


@pytest.mark.parametrize("reference", ["", "Add", "add@", "add@0", "sha256:zz", "a\x00b", "\ud800", "none"])
def test_malformed_reference(store: Store, reference: str) -> None:
    """What has no form of a reference is InvalidInput for the field `tool`."""
    with pytest.raises(InvalidInput) as caught:
        store.get_tool(reference)

    assert caught.value.field == "tool"


def test_listing_shows_the_newest_of_each_name_in_pages(store: Store) -> None:
    """Pages join up by name, each with the newest version."""
    for name in ["d", "a_b", "ab", "a1", "c"]:
        admit(store, sample_version(name), f"v-{name}")
    newest = admit(store, sample_version("c", code="def add(): pass"), "v-c-2")
    first = store.list_tools(limit=2)
    second = store.list_tools(after=first[-1].version.name, limit=2)
    last = store.list_tools(after=second[-1].version.name, limit=2)

    listed = [*first, *second, *last]
    assert [tool.version.name for tool in listed] == sorted(["d", "a_b", "ab", "a1", "c"])
    assert newest in listed
    assert store.list_tools(limit=10**30) == listed
    assert list(store.list_tools(limit=0)) == []


def test_listing_refuses_a_negative_limit(store: Store) -> None:
    """-1 means no limit to some databases; here it is an error."""
    with pytest.raises(InvalidInput, match="limit"):
        store.list_tools(limit=-1)


def test_headings_name_the_newest_of_each_name(store: Store) -> None:
    """Tools, and tasks without one, by name, each with the digest and state of what it stands for."""
    assert list(store.headings()) == []
    store.save_task(sample_task("b"))
    admit(store, sample_version("c"), "v-1")
    newest = admit(store, sample_version("c", code="def add(): pass"), "v-2")
    store.save_task(sample_task("a_b"))
    store.save_task(sample_task("ab"))
    admitted = admit(store, sample_version("ab"), "v-3")

    assert list(store.headings()) == [
        Heading("a_b", sample_task("a_b").digest, None),
        Heading("ab", admitted.version.digest, ToolState.ACTIVE),
        Heading("b", sample_task("b").digest, None),
        Heading("c", newest.version.digest, ToolState.ACTIVE),
    ]


@pytest.mark.parametrize("verification_id", ["", "v-2", "\ud800", "\x00"])
def test_unknown_verification(store: Store, verification_id: str) -> None:
    """An id that no record has is NotFound."""
    admit(store, sample_version(), "v-1")

    with pytest.raises(NotFound):
        store.get_verification(verification_id)
