"""What is judged."""

from __future__ import annotations

from dataclasses import dataclass

from toolwright.calling.patience import Patience
from toolwright.domain.source import ToolSource
from toolwright.domain.task import Task
from toolwright.llm.base import ChatModel


@dataclass(frozen=True, slots=True)
class Candidate:
    """Code to be judged: for which task, by whose hand, tried with which light model."""

    task: Task
    source: ToolSource
    user: ChatModel
    patience: Patience
    attempt: int
    """1, 2, …"""
    maker_model: str = ""
    """Empty for a person's code."""
    maker_prompt: str = ""
    """What the maker was sent for this attempt, as JSON; the record keeps its hash."""
