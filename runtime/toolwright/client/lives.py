"""Requests that are about lives of tools."""

from __future__ import annotations

from typing import Final

from toolwright.errors import InvalidInput
from toolwright.v1 import tools_pb2

_INT32_MAX: Final = 2**31 - 1


def alias_request(  # noqa: PLR0913, PLR0917 - the fields of the request
    name: str, alias: str, version: int, share: float, actor: str, reason: str
) -> tools_pb2.SetAliasRequest:
    """Return the message that points an alias at a version.

    Raises:
        InvalidInput: the version is no number of one. Nothing was sent.
    """
    if not 0 <= version <= _INT32_MAX:
        raise InvalidInput("version", f"is {version}", "1 or more; 0 removes the alias")
    return tools_pb2.SetAliasRequest(name=name, alias=alias, version=version, share=share, actor=actor, reason=reason)
