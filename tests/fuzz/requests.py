"""Target: a request's bytes through the services' own code, without a socket. The first byte chooses the method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import grpc

from tests.fuzz.protocol import METHODS, declared, path_of
from toolwright.domain.events import Declined, NotMade
from toolwright.domain.limits import Limits
from toolwright.execution.base import Executor
from toolwright.execution.evidence import Evidence
from toolwright.execution.executor import SandboxExecutor
from toolwright.registry.memory import MemoryStore
from toolwright.registry.signing import Keyring, Signer
from toolwright.registry.testing import sample_task, sample_version, signed_record
from toolwright.sandbox.testing import ScriptedPool
from toolwright.services.endpoint import Endpoint
from toolwright.services.status import DETAILS_KEY
from toolwright.services.testing import ScriptedMaker, ScriptedSolver, parts
from toolwright.settings import GrpcSettings

Handlers = dict[str, Any]
_MAX_TRAILER_BYTES: Final = 8 * 1024
"""What clients of other makes take."""


class _Ended(Exception):
    """`context.abort` ended the call."""


class _Call:
    """Takes what handlers tell gRPC."""

    def __init__(self) -> None:
        self.code = grpc.StatusCode.OK
        self.details = ""
        self.trailers: dict[str, bytes] = {}

    def time_remaining(self) -> float:
        return 10.0

    def add_callback(self, callback: Callable[[], None]) -> bool:
        return True

    def set_trailing_metadata(self, trailers: tuple[tuple[str, bytes], ...]) -> None:
        self.trailers = dict(trailers)

    def abort(self, code: grpc.StatusCode, details: str) -> None:
        self.code, self.details = code, details
        raise _Ended


def handlers(executor: Executor | None = None) -> Handlers:
    """Return the handler of each method as our server has it, over a store with the tool `add` and no sandbox.

    They are taken out of the server that `Endpoint` makes, with all that it puts around them.
    """
    store = MemoryStore()
    version = sample_version()
    pool, signer = ScriptedPool({}), Signer.generate()
    store.admit(version, signed_record(signer, pool.info.image_digest, version), sample_task())
    evidence = Evidence(store, Keyring([signer.public]))
    given = parts(
        executor=executor or SandboxExecutor(pool, store, Limits(), evidence=evidence),
        store=store,
        maker=ScriptedMaker(
            lambda task: iter((NotMade(task.description, 1, ()),)), lambda _task, _source: store.get_tool("add")
        ),
        solver=ScriptedSolver(lambda question, _scope: iter((Declined(question, ()),))),
    )
    endpoint = Endpoint(given, grpc_settings=GrpcSettings(), reflect=False)
    server: Any = endpoint._server
    pipeline, registered = server._state.interceptor_pipeline, server._state.registered_method_handlers
    return {
        path: pipeline.execute(lambda details: registered[details.method], _Details(path))
        for path in map(path_of, METHODS)
    }


@dataclass(frozen=True, slots=True)
class _Details:
    """What gRPC tells interceptors of a call."""

    method: str
    invocation_metadata: tuple[()] = ()


@cache
def _usual() -> Handlers:
    return handlers()


def check(data: bytes, served: Handlers | None = None) -> None:
    """Serve one request: one of the codes that its method declares, in trailers of sane size.

    Raises:
        AssertionError: it is another.
    """
    if not data:
        return
    method = METHODS[data[0] % len(METHODS)]
    call = _serve((served or _usual())[path_of(method)], data[1:])
    assert call.code in declared(method), f"{method.name}({data[1:]!r}) is {call.code.name}: {call.details}"
    assert len(call.trailers.get(DETAILS_KEY, b"")) + len(call.details) <= _MAX_TRAILER_BYTES


def _serve(handler: Any, raw: bytes) -> _Call:
    call = _Call()
    request = handler.request_deserializer(raw)
    given = iter([request]) if handler.request_streaming else request
    behaviour = handler.unary_unary or handler.unary_stream or handler.stream_stream or handler.stream_unary
    try:
        answer = behaviour(given, call)
        for message in answer if handler.response_streaming else [answer]:
            handler.response_serializer(message)
    except _Ended:
        pass
    return call
