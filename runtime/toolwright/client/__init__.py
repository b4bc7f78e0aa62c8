"""Clients of a Toolwright server: `Client` for threads, `AsyncClient` for asyncio. Same methods, same errors.

Domain values go in and come out; every fault is a class of `toolwright.errors`.
"""

from toolwright.client.aio import AsyncClient
from toolwright.client.sync import Client
from toolwright.client.values import DEFAULT_TARGET, ExportedTool, ImportedTool, NotAnswered, Reverified, ToolDetails
from toolwright.domain.batch import BatchAnswer, BatchCall

__all__ = [
    "DEFAULT_TARGET",
    "AsyncClient",
    "BatchAnswer",
    "BatchCall",
    "Client",
    "ExportedTool",
    "ImportedTool",
    "NotAnswered",
    "Reverified",
    "ToolDetails",
]
