"""Refuses names outside ASCII: two that look alike to a reviewer would be two, or two that differ would be one.

Runs in the call, after its rights are gone, as all reading of source does. Text in strings and comments may be in
any script.
"""

from __future__ import annotations

import io
import tokenize

# The second: marks within a name, to the tokenizer of older interpreters.
_NAMES = (tokenize.NAME, tokenize.ERRORTOKEN)


class NotLoaded(Exception):
    """The source is refused, or has no function that can be called."""


def check(code: str) -> None:
    """Refuse `code`, which the compiler has accepted, if a name in it holds a character outside ASCII.

    Raises:
        NotLoaded: names the place and the character, both in ASCII.
    """
    # Most of what is not ASCII (dashes, arrows, signs) can be in no name: then there is nothing to look for.
    if not any(f"a{character}".isidentifier() for character in set(code) if not character.isascii()):
        return
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type in _NAMES and not token.string.isascii():
                raise NotLoaded(_refusal(token))
    except (tokenize.TokenError, SyntaxError) as fault:
        # What only the compiler understands cannot be shown to be harmless.
        raise NotLoaded(f"the source is not ASCII and cannot be read name by name: {fault}") from None


def _refusal(token: tokenize.TokenInfo) -> str:
    odd = next(character for character in token.string if not character.isascii())
    return (
        f"line {token.start[0]}: the name {token.string[:100]!a} holds U+{ord(odd):04X}; names have to be ASCII"
        " (text in strings and comments need not)"
    )
