"""Signatures of verification records: what one server found out, no other program can say in its name."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from toolwright.domain.record import VerificationRecord
from toolwright.errors import InvalidInput, NotReady, StoreCorrupt, StoreUnavailable
from toolwright.registry.tool_rows import record_body

_DOMAIN: Final = b"toolwright.verification-record.v1\0"
"""What is signed begins with this, so that a signature of anything else is none of a record."""
_KIND: Final = "ed25519:"
_RAW_BYTES: Final = 32
_MOST_BYTES: Final = 16 * 1024
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class PublicKey:
    """What a signature is checked with. Its text form is `ed25519:` with the base64 of 32 bytes."""

    def __init__(self, raw: bytes) -> None:
        """Use the 32 bytes of a key."""
        self._key = Ed25519PublicKey.from_public_bytes(raw)
        self.text = _KIND + base64.b64encode(raw).decode()
        self.key_id = "key:" + hashlib.sha256(raw).hexdigest()

    @classmethod
    def parse(cls, text: str, field: str = "trust.trusted_keys") -> Self:
        """Return the key that `text` is.

        Raises:
            InvalidInput: it is none.
        """
        try:
            raw = base64.b64decode(text.removeprefix(_KIND), validate=True)
            key = cls(raw) if text.startswith(_KIND) and len(raw) == _RAW_BYTES else None
        except (binascii.Error, ValueError):
            key = None
        if key is None or key.text != text:
            raise InvalidInput(
                field, f"{text[:80]!r} is no public key", f"{_KIND} and the base64 of {_RAW_BYTES} bytes"
            )
        return key

    def verifies(self, signature: str, message: bytes) -> bool:
        """Return whether `signature`, in base64, is one of `message` by this key."""
        try:
            self._key.verify(base64.b64decode(signature, validate=True), message)
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


class Signer:
    """Signs records with a private key, which never leaves it."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        """Sign with `key`."""
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> Self:
        """Return one with a new key, known to nobody."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def open(cls, path: Path) -> Self:
        """Return the one whose key is in the file `path`, made (mode 0600) if there is none.

        Whoever comes first makes it; a process that is killed meanwhile leaves none.

        Raises:
            StoreUnavailable: the file cannot be made or read, others may read it, or it holds no Ed25519 key.
        """
        try:
            if not path.exists():
                _make(path)
            return cls(_read(path))
        except OSError as fault:
            raise StoreUnavailable(f"the signing key {path} cannot be used: {fault.strerror}") from fault

    def sign(self, record: VerificationRecord) -> VerificationRecord:
        """Return `record` with a signature of all that it says.

        Raises:
            InvalidInput: it holds what no registry can keep.
        """
        signature = base64.b64encode(self._key.sign(_message(record))).decode()
        return replace(record, signature=signature, key_id=self.public.key_id)


class Keyring:
    """The keys whose word counts here."""

    def __init__(self, keys: Iterable[PublicKey] = ()) -> None:
        """Trust `keys`; none, unless they are given."""
        self._keys = {key.key_id: key for key in keys}

    def key(self, key_id: str) -> PublicKey | None:
        """Return a trusted key."""
        return self._keys.get(key_id)

    def check(self, record: VerificationRecord, reference: str) -> None:
        """Let `record` pass if a trusted key signed what it says.

        Raises:
            NotReady: it has no signature, or one by a key that is not trusted here.
            StoreCorrupt: the signature is not of this record: one of them was changed.
        """
        advice = f"`toolwright tools verify {reference}` verifies it again here"
        if not record.signature or not record.key_id:
            raise NotReady(f"the verification record of {reference} is not signed, so it proves nothing; {advice}")
        key = self.key(record.key_id)
        if key is None:
            raise NotReady(
                f"the verification record of {reference} is signed by {record.key_id}, which is not trusted here; "
                f"{advice}, or add the public key of that name to trust.trusted_keys"
            )
        if not is_signed(record, key):
            raise StoreCorrupt(
                f"the verification record of {reference} is not what was signed; it is not used. {advice}, or restore "
                "the registry from a backup"
            )


def is_signed(record: VerificationRecord, key: PublicKey) -> bool:
    """Return whether the signature of `record` is by `key`, and of what it says."""
    try:
        message = _message(record)
    except InvalidInput:  # it could not have been kept, so it was not signed
        return False
    return record.key_id == key.key_id and key.verifies(record.signature, message)


def _message(record: VerificationRecord) -> bytes:
    return _DOMAIN + record_body(record).encode()


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(file, "wb") as opened:
            opened.write(pem)
            opened.flush()
            os.fsync(opened.fileno())
        with suppress(FileExistsError):  # somebody was quicker: theirs counts
            os.link(draft, path)
    finally:
        draft.unlink()


def _read(path: Path) -> Ed25519PrivateKey:
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode) or mode & _OTHERS:
            raise StoreUnavailable(
                f"the signing key {path} may be read by others; make it a file that only this user may read (chmod 600)"
            )
        text = file.read(_MOST_BYTES)
    try:
        key = serialization.load_pem_private_key(text, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise StoreUnavailable(f"the signing key {path} holds no Ed25519 key (PEM, PKCS #8, without a password)")
    return key
