"""Toolwright: makes, verifies and safely runs tools that language models write.

What a client needs is here; the rest is in the rooms below. Names are loaded when they are first used, so
that importing one room does not load gRPC for all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from toolwright.client import AsyncClient, Client, NotAnswered, ToolDetails
    from toolwright.domain.batch import BatchAnswer, BatchCall
    from toolwright.domain.call import Operation
    from toolwright.domain.cost_report import CostQuestion, CostReport
    from toolwright.domain.events import Answered, Declined, Failed, Made, NotMade
    from toolwright.domain.ledger import CostFilter, CostKey
    from toolwright.domain.limits import LimitsRequest
    from toolwright.domain.outcome import Execution, Outcome, Status
    from toolwright.domain.source import ToolSource
    from toolwright.domain.task import AnswerKind, Example, Task
    from toolwright.domain.tool import ToolInfo, ToolState
    from toolwright.errors import ToolwrightError

_HOMES: Final = {
    "client": ("AsyncClient", "Client", "NotAnswered", "ToolDetails"),
    "domain.batch": ("BatchAnswer", "BatchCall"),
    "domain.call": ("Operation",),
    "domain.cost_report": ("CostQuestion", "CostReport"),
    "domain.events": ("Answered", "Declined", "Failed", "Made", "NotMade"),
    "domain.ledger": ("CostFilter", "CostKey"),
    "domain.limits": ("LimitsRequest",),
    "domain.outcome": ("Execution", "Outcome", "Status"),
    "domain.source": ("ToolSource",),
    "domain.task": ("AnswerKind", "Example", "Task"),
    "domain.tool": ("ToolInfo", "ToolState"),
    "errors": ("ToolwrightError",),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AnswerKind",
    "Answered",
    "AsyncClient",
    "BatchAnswer",
    "BatchCall",
    "Client",
    "CostFilter",
    "CostKey",
    "CostQuestion",
    "CostReport",
    "Declined",
    "Example",
    "Execution",
    "Failed",
    "LimitsRequest",
    "Made",
    "NotAnswered",
    "NotMade",
    "Operation",
    "Outcome",
    "Status",
    "Task",
    "ToolDetails",
    "ToolInfo",
    "ToolSource",
    "ToolState",
    "ToolwrightError",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any exported name
    """Load an exported name on first use."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"toolwright.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    """Show the exported names as well."""
    return sorted({*globals(), *__all__})
