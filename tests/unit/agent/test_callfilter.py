"""The filter over each call, evaluated as the kernel does: what it denies, with which error, on both machines."""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolwright_agent import callfilter
from toolwright_agent.callfilter import RULES, Rule, build

pytestmark = pytest.mark.unit

MACHINES = ("x86_64", "aarch64")
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
NUMBERS = {"x86_64": callfilter._X86_64, "aarch64": callfilter._AARCH64}
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
LD_W_ABS, JEQ, JGE, JSET, RET = 0x20, 0x15, 0x35, 0x45, 0x06
CONDITIONAL = {"clone", "ioctl", "madvise", "mmap", "prctl", "prlimit64"}
# Numbers by hand from the kernel's tables, apart from the agent's own list.
KNOWN = {
    "x86_64": {"read": 0, "write": 1, "mmap": 9, "ioctl": 16, "madvise": 28,
               "socket": 41, "clone": 56, "fork": 57, "execve": 59, "ptrace": 101,
               "personality": 135, "prlimit64": 302, "unshare": 272, "execveat": 322, "bpf": 321, "io_uring_setup": 425,
               "clone3": 435, "memfd_create": 319, "openat": 257, "exit_group": 231, "socketpair": 53, "mount": 165},
    "aarch64": {"read": 63, "write": 64, "mmap": 222, "ioctl": 29, "madvise": 233,
                "socket": 198, "clone": 220, "execve": 221, "ptrace": 117,
                "personality": 92, "prlimit64": 261, "unshare": 97, "execveat": 281, "bpf": 280, "io_uring_setup": 425,
                "clone3": 435, "memfd_create": 279, "openat": 56, "exit_group": 94, "socketpair": 199, "mount": 40},
}  # fmt: skip


def evaluate(
    program: bytes, number: int, arg: int = 0, arch: int = ARCH["x86_64"], place: int = 0, *, following: int = 0
) -> int:
    """Run a classic BPF program over the `seccomp_data` of one system call.

    Its argument `place` is `arg`, the one after that `following`, and all others are 0.
    """
    arguments = [{place: arg, place + 1: following}.get(at, 0) for at in range(6)]
    data = struct.pack("=iIQ6Q", number if number < 2**31 else number - 2**32, arch, 0, *arguments)
    ops = list(struct.iter_unpack("=HBBI", program))
    accumulator, at = 0, 0
    for _ in range(len(ops) + 1):
        code, if_true, if_false, value = ops[at]
        at += 1
        match code:
            case 0x20:
                assert value % 4 == 0
                assert value + 4 <= len(data)
                (accumulator,) = struct.unpack_from("=I", data, value)
            case 0x15:
                at += if_true if accumulator == value else if_false
            case 0x35:
                at += if_true if accumulator >= value else if_false
            case 0x45:
                at += if_true if accumulator & value else if_false
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(f"op {code:#x} is none that this filter needs")
    raise AssertionError("the program does not end")


def verdict(machine: str, number: int, arg: int = 0, place: int = 0, following: int = 0) -> int:
    """Return the verdict of a machine's own filter on its own call."""
    return evaluate(build(machine), number, arg, ARCH[machine], place, following=following)


def rows() -> Iterator[tuple[str, str, int, Rule]]:
    """Yield machine, name, number and rule of each denied system call."""
    for machine in MACHINES:
        for rule in RULES:
            for name in rule.names:
                if name in NUMBERS[machine]:
                    yield machine, name, NUMBERS[machine][name], rule


ROWS = list(rows())


@pytest.mark.parametrize(("machine", "name", "number", "rule"), ROWS, ids=[f"{row[0]}-{row[1]}" for row in ROWS])
def test_each_rule_denies_with_its_error(machine: str, name: str, number: int, rule: Rule) -> None:
    """Denied with exactly the error of its row, and with no other arguments than those that it exempts."""
    denied = ERRNO | rule.error
    if rule.unless is not None:
        assert verdict(machine, number, rule.unless, rule.argument) == ALLOW
        assert verdict(machine, number, rule.unless ^ 1, rule.argument) == denied
        assert verdict(machine, number, rule.unless ^ 0x80, rule.argument) == denied
    elif rule.only:
        for value in rule.only:
            assert verdict(machine, number, value, rule.argument, following=1) == denied
            for high in (1 << 32, 1 << 32 | 1, 1 << 63):  # the kernel reads all 64 bits of it
                assert verdict(machine, number, value, rule.argument, following=high) == denied
            assert verdict(machine, number, value, rule.argument) == (ALLOW if rule.next_unless == 0 else denied)
            assert verdict(machine, number, value ^ 1, rule.argument, following=1) == ALLOW
            assert verdict(machine, number, value, rule.argument + 1) == ALLOW
    elif rule.between is not None:
        low, high = rule.between
        assert {verdict(machine, number, value, rule.argument) for value in (low, low + 1, high - 1, high)} == {denied}
        allowed = (0, low - 1, high + 1, 2**32 - 1)
        assert {verdict(machine, number, value, rule.argument) for value in allowed} == {ALLOW}
        assert verdict(machine, number, low, rule.argument + 1) == ALLOW
    elif rule.if_bits:
        assert verdict(machine, number, 0, rule.argument) == ALLOW
        for bit in (1 << shift for shift in range(32)):
            assert verdict(machine, number, bit, rule.argument) == (denied if bit & rule.if_bits else ALLOW)
        assert verdict(machine, number, 0xFFFFFFFF, rule.argument) == denied
        assert verdict(machine, number, 0xFFFFFFFF, (rule.argument + 1) % 6) == ALLOW
    else:
        assert {verdict(machine, number, arg) for arg in (0, 1, 2**31, 2**64 - 1)} == {denied}


@pytest.mark.parametrize("machine", MACHINES)
def test_every_other_call_is_left_to_the_containers_own_filter(machine: str) -> None:
    """Nothing that Python needs is denied by accident."""
    program, denied = build(machine), set(NUMBERS[machine].values())

    allowed = {number for number in range(520) if evaluate(program, number, 0, ARCH[machine]) == ALLOW}

    conditional = {number for name, number in NUMBERS[machine].items() if name in CONDITIONAL}
    assert allowed == (set(range(520)) - denied) | conditional


@pytest.mark.parametrize("machine", MACHINES)
def test_the_tables_agree_with_numbers_written_down_apart(machine: str) -> None:
    """A wrong number in the agent's table would deny something else."""
    known = KNOWN[machine]
    for name, number in known.items():
        if name in NUMBERS[machine]:
            assert NUMBERS[machine][name] == number, name
    for name in ("read", "write", "mmap", "openat", "exit_group", "clone"):
        assert verdict(machine, known[name]) == ALLOW, name
    for name in ("socket", "execve", "execveat", "ptrace", "unshare", "bpf", "io_uring_setup", "memfd_create", "mount"):
        assert verdict(machine, known[name]) == ERRNO | errno.EPERM, name
    assert verdict(machine, known["clone3"]) == ERRNO | errno.ENOSYS


@pytest.mark.parametrize("machine", MACHINES)
def test_no_number_stands_for_two_names(machine: str) -> None:
    """Two names under one number: one of them is denied in the other's stead."""
    numbers = list(NUMBERS[machine].values())

    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("machine", MACHINES)
def test_each_number_in_a_table_has_a_rule(machine: str) -> None:
    """A number without a rule would be one that someone believes to be denied."""
    assert set(NUMBERS[machine]) <= {name for rule in RULES for name in rule.names}


def test_every_rule_says_why_and_names_nothing_twice() -> None:
    """A row without a reason, or a call under two rules, is nobody's decision."""
    names = [name for rule in RULES for name in rule.names]

    assert all(len(rule.why) > 10 for rule in RULES)
    assert len(names) == len(set(names))
    assert {name for name in names if all(name not in NUMBERS[machine] for machine in MACHINES)} == set()


@pytest.mark.parametrize("number", [0x40000000, 0x40000000 + 59, 0x40000000 + 520, 2**31, 2**32 - 1])
def test_the_x32_calls_are_there_under_no_number(number: int) -> None:
    """On x86-64 every call has a second number; all of those are unknown. So is -1."""
    assert evaluate(build("x86_64"), number) == ERRNO | errno.ENOSYS


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("arch", [0x40000003, 0x40000028, 0, 0xC000003E, 0xC00000B7])
def test_calls_of_another_architecture_end_the_process(machine: str, arch: int) -> None:
    """A 32-bit call has other numbers: it is not judged, it is killed."""
    expected = ALLOW if arch == ARCH[machine] else KILL

    assert evaluate(build(machine), KNOWN[machine]["read"], 0, arch) == expected


@given(st.sampled_from(MACHINES), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_whatever_is_called_the_program_ends_with_a_verdict(machine: str, number: int, arg0: int) -> None:
    """Every path of it ends, within its length, in one of a few answers."""
    assert verdict(machine, number, arg0) in {ALLOW, ERRNO | errno.EPERM, ERRNO | errno.ENOSYS}


@pytest.mark.parametrize("machine", MACHINES)
def test_the_kernel_will_take_it(machine: str) -> None:
    """Its length and its jumps are within what the kernel's checker allows."""
    ops = list(struct.iter_unpack("=HBBI", build(machine)))

    assert len(ops) <= 4_096
    for at, (code, if_true, if_false, _) in enumerate(ops):
        if code in {JEQ, JGE, JSET}:
            assert at + 1 + max(if_true, if_false) < len(ops)
    assert ops[-1][0] == RET


def test_this_machine_has_a_table_and_an_unknown_one_has_none() -> None:
    """Without a table there is no filter, and without a filter no call runs."""
    assert build() == build(platform.machine())
    with pytest.raises(KeyError):
        build("riscv64")
