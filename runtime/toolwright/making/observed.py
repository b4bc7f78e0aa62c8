"""What passes between a judge and the executor and the light model, noted down for the record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from toolwright.domain.call import ExecutionRequest
from toolwright.domain.outcome import Execution, Usage
from toolwright.execution.base import Executor
from toolwright.llm.base import ChatModel, FunctionSpec, Message, Reply
from toolwright.sandbox.base import Cancellation, SandboxInfo


@dataclass(slots=True)
class ObservedExecutor:
    """Adds to any `Executor`: what each call used."""

    base: Executor
    usages: list[Usage] = field(default_factory=list)

    @property
    def info(self) -> SandboxInfo:
        """Image and runtime that calls run under."""
        return self.base.info

    def execute(
        self,
        request: ExecutionRequest,
        *,
        deadline_s: float | None = None,
        cancellation: Cancellation | None = None,
    ) -> Execution:
        """Run one call to its end; see `execution.base.Executor`."""
        execution = self.base.execute(request, deadline_s=deadline_s, cancellation=cancellation)
        self.usages.append(execution.outcome.usage)
        return execution


@dataclass(slots=True)
class ObservedModel:
    """Adds to any `ChatModel`: a hash of each request."""

    base: ChatModel
    prompts: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Model name as the endpoint knows it."""
        return self.base.name

    def complete(
        self,
        messages: Sequence[Message],
        *,
        functions: Sequence[FunctionSpec] = (),
        required: bool = False,
        task: str = "",
    ) -> Reply:
        """Send `messages` and return the reply; see `ChatModel.complete`."""
        sent = [[asdict(message) for message in messages], [asdict(function) for function in functions], required]
        self.prompts.append(prompt_hash(json.dumps(sent)))
        return self.base.complete(messages, functions=functions, required=required, task=task)


def prompt_hash(text: str) -> str:
    """Return `sha256:` of what a model was sent."""
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
