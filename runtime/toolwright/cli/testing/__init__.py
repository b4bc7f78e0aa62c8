"""A world without engine, server or model, for tests of the command line: each test says what it answers."""

from toolwright.cli.testing.samples import (
    FACTS,
    MAKER_USE,
    USER_USE,
    answered,
    attack_report,
    declined,
    execution,
    made,
    making_info,
    self_check,
    tool_info,
)
from toolwright.cli.testing.services import FakeServices
from toolwright.cli.testing.world import FakeImages, FakeServer, FakeWorld, Ran, RunCli

__all__ = [
    "FACTS",
    "MAKER_USE",
    "USER_USE",
    "FakeImages",
    "FakeServer",
    "FakeServices",
    "FakeWorld",
    "Ran",
    "RunCli",
    "answered",
    "attack_report",
    "declined",
    "execution",
    "made",
    "making_info",
    "self_check",
    "tool_info",
]
