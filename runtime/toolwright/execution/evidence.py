"""Looks at the verification record of a version before that runs in a container for the first time."""

from __future__ import annotations

import threading
from typing import Final

from toolwright.domain.record import VerificationRecord
from toolwright.errors import NotFound, NotReady, StoreCorrupt
from toolwright.registry.base import Store
from toolwright.registry.signing import Keyring
from toolwright.sandbox.base import SandboxInfo

_MOST_REMEMBERED: Final = 4096
"""Versions in containers. What is forgotten is looked at once more."""
_AS_PART: Final = "part"
"""Stands for the record's id of a part, which is not known before it is looked up. A renewed record is looked at with
the next container: what it replaced had let the part run in this one."""


class Evidence:
    """Lets only verified versions run, in the image in which they were verified. Safe to use from many threads."""

    def __init__(self, store: Store, keyring: Keyring) -> None:
        """Read records from `store`, and believe those that a key of `keyring` signed."""
        self._store, self._keyring = store, keyring
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str, str, str], None] = {}

    def check(self, reference: str, digest: str, verification_id: str, container: SandboxInfo) -> None:
        """Let the version `digest` run in `container` if its record proves that it may.

        Raises:
            NotReady: the record is not signed by a key that is trusted here, or is of a run in another image.
            StoreCorrupt: it is not what was signed, is for another version, did not pass, or is not there.
            StoreUnavailable: it could not be read.
        """
        seen = (container.container_id, container.image_digest, digest, verification_id)
        if seen in self._seen:
            return
        record = self._store.get_verification(verification_id)
        self._keyring.check(record, reference)
        _check_content(record, reference, digest, container)
        with self._lock:
            while len(self._seen) >= _MOST_REMEMBERED:
                del self._seen[next(iter(self._seen))]
            self._seen[seen] = None

    def check_part(self, user: str, digest: str, container: SandboxInfo) -> None:
        """Let the version `digest` run as a part of `user` if its own record proves that it may run by itself.

        That of the user was of the whole. A key that is not trusted any more still says nothing good of a part, and
        whoever withdraws one means all that it signed.

        Raises:
            NotReady, StoreCorrupt, StoreUnavailable: as `check`; names the user too.
        """
        seen = (container.container_id, container.image_digest, digest, _AS_PART)
        if seen in self._seen:
            return
        try:
            part = self._store.get_tool(digest)
            self.check(part.reference, digest, part.verification_id, container)
        except NotReady as fault:
            raise NotReady(f"{user} is made from a tool that is not run here: {fault}") from fault
        except NotFound as fault:
            raise StoreCorrupt(f"{user} is made from {digest}, which is gone; restore a backup") from fault
        with self._lock:
            self._seen[seen] = None


def _check_content(record: VerificationRecord, reference: str, digest: str, container: SandboxInfo) -> None:
    if record.tool_digest != digest:
        raise StoreCorrupt(
            f"the verification record of {reference} is for {record.tool_digest}; restore the registry from a backup"
        )
    if not record.passed:
        raise StoreCorrupt(
            f"the verification record of {reference} says that it did not pass; restore the registry from a backup"
        )
    if record.image_digest != container.image_digest:
        raise NotReady(
            f"{reference} was verified in the image {record.image_digest}, and this server runs tools in "
            f"{container.image_digest}; `toolwright tools verify {reference}` verifies it again here"
        )
