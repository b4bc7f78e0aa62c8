"""`Porter`: takes versions from one installation to another, as signed files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from toolwright.domain.lifecycle import Origin
from toolwright.domain.record import DEFAULT_TENANT
from toolwright.domain.source import ToolSource
from toolwright.domain.task import Task
from toolwright.domain.tool import RegisteredTool
from toolwright.errors import InvalidInput, NotReady, PermissionDenied
from toolwright.lifecycle.steward import named_actor
from toolwright.registry.base import Store
from toolwright.registry.signing import Keyring, PublicKey
from toolwright.registry.tool_file import ToolFile, read_tool_file, write_tool_file
from toolwright.sandbox.base import Cancellation

MAX_TRUSTED_KEYS: Final = 100


class Registrar(Protocol):
    """Verifies code and keeps it if it passes: `making.pipeline.Maker`."""

    def register(  # noqa: PLR0913 - what is asked, and by whom
        self,
        task: Task,
        source: ToolSource,
        *,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
        tenant: str,
        origin: Origin,
    ) -> RegisteredTool:
        """Put code through all checks, and keep it with its `origin`."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A version as a file."""

    file: bytes
    tool: RegisteredTool
    public_key: str
    """Key that signed its record, in text form."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file."""

    tool: RegisteredTool
    """As it was kept here."""
    digest: str
    """Of the version in the file."""
    key_id: str
    """Of the key that had signed it."""


class Porter:
    """Exports and imports. Keeps nothing itself; safe to use from many threads."""

    def __init__(self, store: Store, registrar: Registrar, keyring: Keyring) -> None:
        """Export from `store`; let `registrar` verify what comes in, signed by a key of `keyring`."""
        self._store, self._registrar, self._keyring = store, registrar, keyring

    def export_tool(self, reference: str) -> Exported:
        """Return a version as a file.

        Raises:
            NotFound, InvalidInput: the reference.
            NotReady: its record is not signed by a key that is trusted here, or its task has been replaced.
            StoreCorrupt: its record is not what was signed.
        """
        tool = self._store.get_tool(reference)
        record = self._store.get_verification(tool.verification_id)
        self._keyring.check(record, tool.reference)
        key = self._keyring.key(record.key_id)
        task = self._store.get_task(tool.version.name)
        if key is None or task.digest != record.task_digest:
            raise NotReady(
                f"the examples on which {tool.reference} was verified have been replaced by those of a later version; "
                f"`toolwright tools verify {tool.reference}` verifies it on those"
            )
        file = write_tool_file(ToolFile(tool.version, task, record, key))
        return Exported(file, tool, key.text)

    def import_tool(  # noqa: PLR0913 - what is asked, and by whom
        self,
        file: bytes,
        *,
        trusted_keys: Sequence[str] = (),
        actor: str = "",
        tenant: str = DEFAULT_TENANT,
        cancellation: Cancellation | None = None,
        deadline_s: float | None = None,
    ) -> Imported:
        """Verify the code in a file here, as any other, and keep it.

        Args:
            file: as it was exported.
            trusted_keys: public keys that count for this file, beside the usual ones.
            actor: who brings it.
            tenant: at whose cost it is verified.
            cancellation: ends the work from another thread.
            deadline_s: seconds from now after which the caller has no use for it.

        Raises:
            InvalidInput: it is no such file, or anything in it was changed.
            PermissionDenied: the key that signed it is not trusted.
            NotReady: a check failed here.
            ToolwrightError: what verification raises.
        """
        if len(trusted_keys) > MAX_TRUSTED_KEYS:
            raise InvalidInput("trusted_keys", f"are {len(trusted_keys)}", f"at most {MAX_TRUSTED_KEYS}")
        trusted = {PublicKey.parse(text, "trusted_keys").key_id for text in trusted_keys}
        actor = named_actor(actor)
        content = read_tool_file(file)
        key_id, version = content.key.key_id, content.version
        if key_id not in trusted and self._keyring.key(key_id) is None:
            raise PermissionDenied(
                f"the file is signed by {key_id}, which is not trusted here. If you know whose it is, add "
                f"{content.key.text} to trust.trusted_keys, or trust it for this import (--trust-key)"
            )
        origin = Origin(actor, f"imported from {key_id}; there it was {version.name} {version.digest}")
        tool = self._registrar.register(
            content.task,
            version.source,
            cancellation=cancellation,
            deadline_s=deadline_s,
            tenant=tenant,
            origin=origin,
        )
        return Imported(tool, version.digest, key_id)
