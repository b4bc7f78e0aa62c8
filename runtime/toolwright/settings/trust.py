"""Settings on whose word counts, and who has to agree before a tool is used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from toolwright.domain.lifecycle import Approval
from toolwright.settings.section import Section

PublicKeyText = Annotated[str, Field(pattern=r"^ed25519:[A-Za-z0-9+/]{43}=$")]


class TrustSettings(Section):
    """Whose verification counts, and what it takes until a version is active."""

    approval: Approval = Approval.AUTOMATIC
    """What it takes, beyond passing verification, until a version is active: `automatic` (nothing), `required` (a
    person approves it) or `two_persons` (two different persons do, neither of whom brought it)."""
    signing_key_file: Path | None = None
    """File with the Ed25519 key (PEM) that signs verification records, for this user alone; made if it is not there.
    Servers that share a registry share it, or trust each other's. Default: `signing.key` in `state_dir`."""
    trusted_keys: Annotated[tuple[PublicKeyText, ...], Field(max_length=100)] = ()
    """Public keys of other servers, as a list of `ed25519:…`: versions that they verified in the same image are run
    here, and files that they exported may be imported. The server's own key is always trusted."""

    @field_validator("signing_key_file")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path and path.expanduser().absolute()
