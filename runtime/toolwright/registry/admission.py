"""How a verified version gets into the registry: signed, and in the state that the policy of approval gives it."""

from __future__ import annotations

from toolwright.domain.lifecycle import NO_ORIGIN, Approval, Origin
from toolwright.domain.record import VerificationRecord
from toolwright.domain.task import Task
from toolwright.domain.tool import RegisteredTool, ToolState, ToolVersion
from toolwright.registry.base import Store
from toolwright.registry.signing import Signer


class Admission:
    """Keeps what was verified here. Whoever verified says so; nothing else may be given to it."""

    def __init__(self, store: Store, signer: Signer | None = None, approval: Approval = Approval.AUTOMATIC) -> None:
        """Keep versions in `store`, signed by `signer`; by default with a key that nobody trusts."""
        self._store, self._signer, self._approval = store, signer or Signer.generate(), approval

    def admit(
        self,
        version: ToolVersion,
        record: VerificationRecord,
        task: Task,
        *,
        origin: Origin = NO_ORIGIN,
    ) -> RegisteredTool:
        """Sign `record` and keep `version` with it; see `Store.admit`."""
        signed, state = self._signer.sign(record), self._approval.first_state
        return self._store.admit(version, signed, task, state=state, origin=origin)

    def renew(self, record: VerificationRecord, task: Task, *, actor: str, reason: str) -> RegisteredTool:
        """Sign a new record of a version that is there, and give it to that version; see `Lifecycle.renew`.

        One that was quarantined is released by that, as far as the policy of approval goes.
        """
        state = self._store.get_tool(record.tool_digest).state
        to = self._approval.first_state if state is ToolState.QUARANTINED else None
        return self._store.lifecycle.renew(self._signer.sign(record), task, actor=actor, reason=reason, to=to)
