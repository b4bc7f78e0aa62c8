"""The protocol as the descriptors and proto files have it: every method, and the status codes that it says it gives."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.descriptor import MethodDescriptor

import toolwright.v1

_PROTO: Final = Path(__file__).resolve().parents[2] / "proto"
_BEGINS: Final = re.compile(r"\s*(service|rpc) (\w+)")
_CODES: Final = {code.name: code for code in grpc.StatusCode}


def _methods() -> tuple[MethodDescriptor, ...]:
    found = []
    for module in pkgutil.iter_modules(toolwright.v1.__path__):
        if module.name.endswith("_pb2"):
            descriptor: Any = importlib.import_module(f"toolwright.v1.{module.name}").DESCRIPTOR
            found += [method for service in descriptor.services_by_name.values() for method in service.methods]
    return tuple(sorted(found, key=lambda method: str(method.full_name)))


METHODS: Final = _methods()
"""Every method of every service of ours, whoever adds one."""


def path_of(method: MethodDescriptor) -> str:
    """Return how gRPC calls the method."""
    return f"/{method.containing_service.full_name}/{method.name}"


def declared(method: MethodDescriptor) -> frozenset[grpc.StatusCode]:
    """Return OK and the codes that the comments on a method and on its service name."""
    documents = _documents()
    service = str(method.containing_service.name)
    text = documents[service] + documents[f"{service}.{method.name}"]
    for other in re.findall(r"those of (\w+Service)", text):
        text += documents[other]
    named = {_CODES[word] for word in re.findall(r"\b[A-Z][A-Z_]+\b", text) if word in _CODES}
    return frozenset(named | {grpc.StatusCode.OK})


@cache
def _documents() -> dict[str, str]:
    """Return the comment before each service and each method, by `Service` and `Service.Method`."""
    found: dict[str, str] = defaultdict(str)
    for file in sorted(_PROTO.rglob("*.proto")):
        comment: list[str] = []
        service = ""
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.lstrip().startswith("//"):
                comment.append(line.strip(" /"))
                continue
            if begun := _BEGINS.match(line):
                if begun[1] == "service":
                    service = begun[2]
                found[service if begun[1] == "service" else f"{service}.{begun[2]}"] = " ".join(comment)
            comment = []
    return found
