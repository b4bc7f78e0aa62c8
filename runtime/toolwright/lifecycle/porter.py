"""`Porter`: takes versions from one installation to another, as signed files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from toolwright.domain.lifecycle import Origin
from toolwright.domain.record import DEFAULT_TENANT
from toolwright.domain.source import ToolSource
from toolwright.domain.task import Task
from toolwright.domain.tool import RegisteredTool
from toolwright.errors import InvalidInput, NotFound, NotReady, PermissionDenied
from toolwright.lifecycle.steward import named_actor
from toolwright.registry.base import Store
from toolwright.registry.closure import closure_of
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
        uses: Sequence[str] | None = None,
    ) -> RegisteredTool:
        """Put code through all checks, and keep it with its `origin`; `uses` are tools in place of the task's."""


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
        """Return a version as a file, with all that it is made from.

        Raises:
            NotFound, InvalidInput: the reference.
            NotReady: its record, or that of a part, is not signed by a key that is trusted here, or the task has been
                replaced.
            StoreCorrupt: its record is not what was signed.
        """
        tool = self._store.get_tool(reference)
        content = self._content(tool)
        closure = closure_of(tool.version, lambda digest: self._store.get_tool(digest).version)
        parts = tuple(self._content(self._store.get_tool(part.digest)) for part in closure)
        return Exported(write_tool_file(replace(content, parts=parts)), tool, content.key.text)

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
        """Verify the code in a file here, as any other, and keep it; what it is made from comes first.

        A part that is in use here already, of the same name and code, is taken as it is.

        Args:
            file: as it was exported.
            trusted_keys: public keys that count for this file, beside the usual ones.
            actor: who brings it.
            tenant: at whose cost it is verified.
            cancellation: ends the work from another thread.
            deadline_s: seconds from now after which the caller has no use for it.

        Raises:
            InvalidInput: it is no such file, or anything in it was changed.
            PermissionDenied: a key that signed it, or a part, is not trusted.
            NotReady: a check failed here, or the name of a part means another tool here.
            ToolwrightError: what verification raises.
        """
        if len(trusted_keys) > MAX_TRUSTED_KEYS:
            raise InvalidInput("trusted_keys", f"are {len(trusted_keys)}", f"at most {MAX_TRUSTED_KEYS}")
        trusted = {PublicKey.parse(text, "trusted_keys").key_id for text in trusted_keys}
        actor = named_actor(actor)
        content = read_tool_file(file)
        for one in (content, *content.parts):
            self._check_trusted(one, trusted)
        here: dict[str, RegisteredTool] = {}
        for one in (*content.parts, content):
            digest = one.version.digest
            there = self._in_use(one, here) if one is not content else None
            here[digest] = there or self._registrar.register(
                one.task,
                one.version.source,
                cancellation=cancellation,
                deadline_s=deadline_s,
                tenant=tenant,
                origin=Origin(actor, f"imported from {one.key.key_id}; there it was {one.version.name} {digest}"),
                uses=[here[part.digest].version.digest for part in one.version.dependencies],
            )
        return Imported(here[content.version.digest], content.version.digest, content.key.key_id)

    def _content(self, tool: RegisteredTool) -> ToolFile:
        """Return what a file holds of one version."""
        record = self._store.get_verification(tool.verification_id)
        self._keyring.check(record, tool.reference)
        key = self._keyring.key(record.key_id)
        task = self._store.get_task(tool.version.name)
        if key is None or task.digest != record.task_digest:
            raise NotReady(
                f"the examples on which {tool.reference} was verified have been replaced by those of a later version; "
                f"`toolwright tools verify {tool.reference}` verifies it on those"
            )
        return ToolFile(tool.version, task, record, key)

    def _check_trusted(self, content: ToolFile, trusted: Collection[str]) -> None:
        key = content.key
        if key.key_id not in trusted and self._keyring.key(key.key_id) is None:
            raise PermissionDenied(
                f"the file's {content.version.name} is signed by {key.key_id}, which is not trusted here. If you know "
                f"whose it is, add {key.text} to trust.trusted_keys, or trust it for this import (--trust-key)"
            )

    def _in_use(self, part: ToolFile, here: Mapping[str, RegisteredTool]) -> RegisteredTool | None:
        """Return the version here that a part in a file is; None if its name means nothing here.

        Raises:
            NotReady: the name means another tool here. To bring a part is not to change what a name means.
        """
        version = part.version
        try:
            tool = self._store.get_tool(version.name)
        except NotFound:
            return None
        made_from = {here[dependency.digest].version.digest for dependency in version.dependencies}
        same = tool.version.source.code == version.source.code and tool.version.name == version.name
        if same and {dependency.digest for dependency in tool.version.dependencies} == made_from:
            return tool
        if tool in here.values():  # the file has two versions of the name, at different levels
            return None
        raise NotReady(
            f"the file's tool is made from {version.name}, and here that name means {tool.reference}, which is other "
            f"code; export {version.name} there and import it here first, if the name is to mean that"
        )
