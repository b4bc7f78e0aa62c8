"""Keys and signatures of verification records."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from toolwright.errors import InvalidInput, StoreUnavailable
from toolwright.registry.signing import PublicKey, Signer, is_signed
from toolwright.registry.testing import sample_record, sample_version

pytestmark = pytest.mark.unit


def test_a_key_is_made_once_for_this_user_alone(tmp_path: Path) -> None:
    """The first start makes it, mode 0600; later ones use it, and nothing else is left."""
    path = tmp_path / "state" / "signing.key"
    first = Signer.open(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert Signer.open(path).public.text == first.public.text
    assert list(path.parent.iterdir()) == [path]
    assert Signer.generate().public.key_id != first.public.key_id


def test_who_comes_first_makes_the_key(tmp_path: Path) -> None:
    """Servers that start at once have the same key."""
    with ThreadPoolExecutor(8) as threads:
        keys = list(threads.map(lambda _: Signer.open(tmp_path / "key").public.text, range(32)))

    assert len(set(keys)) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_a_key_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    """Whoever reads it could sign."""
    path = tmp_path / "key"
    Signer.open(path)
    path.chmod(mode)

    with pytest.raises(StoreUnavailable, match="chmod 600"):
        Signer.open(path)


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    """Text, another kind of key, a directory: each says what is wanted, and is left as it is."""
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "key"
    for content in (b"", b"no key", other):
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(StoreUnavailable, match="no Ed25519 key"):
            Signer.open(path)
        assert path.read_bytes() == content
    with pytest.raises(StoreUnavailable):
        Signer.open(tmp_path)


def test_a_public_key_is_written_in_one_way() -> None:
    """What it is written as is read; anything else is refused, and named."""
    key = Signer.generate().public
    assert PublicKey.parse(key.text).key_id == key.key_id

    for text in ("", key.text[8:], key.text + "=", key.text[:-2] + "B=", " " + key.text, "ed25519:\ud800", "x" * 10**6):
        with pytest.raises(InvalidInput) as told:
            PublicKey.parse(text, "trust_keys")
        assert told.value.field == "trust_keys"
        assert len(str(told.value)) < 500


def test_a_signature_is_of_one_record_by_one_key() -> None:
    """Another record, another key, and the bare text of the record without our prefix are not signed by it."""
    signer, other = Signer.generate(), Signer.generate()
    record = signer.sign(sample_record(sample_version()))

    assert is_signed(record, signer.public)
    assert not is_signed(record, other.public)
    assert signer.sign(record) == record  # the signature is not part of what is signed
