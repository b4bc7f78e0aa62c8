"""All that a tool is made from, as values: gathered, checked by digest, and joined to what runs. Reads nothing itself.

For whoever carries a tool elsewhere: `closure_of` gives the versions that have to travel with it, in the order in
which they can be admitted there; `check_closure` lets versions that came with a tool pass only if they are just that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from toolwright.domain.source import MAX_DEPTH, MAX_PARTS, SourceModule, ToolSource
from toolwright.domain.tool import Dependency, ToolVersion
from toolwright.errors import InvalidInput

Find = Callable[[str], ToolVersion]
"""Gives the version of a digest; raises what suits its caller if there is none."""


def closure_of(version: ToolVersion, find: Find) -> tuple[ToolVersion, ...]:
    """Return all that `version` is made from, each once, parts before their users; `version` itself is not among it.

    Raises:
        InvalidInput: what was found has another digest or name than was declared, a version contains itself, or there
            are too many or go too deep. No version that this program admitted is like that.
    """
    found: dict[str, ToolVersion] = {}
    _gather(version, find, found, (version.digest,))
    return tuple(found.values())


def check_closure(version: ToolVersion, parts: Iterable[ToolVersion]) -> tuple[ToolVersion, ...]:
    """Return `parts`, sorted so that each comes before its users, if they are exactly what `version` is made from.

    Raises:
        InvalidInput: one is missing, or is no part of it; otherwise as for `closure_of`.
    """
    given = {part.digest: part for part in parts}

    def find(digest: str) -> ToolVersion:
        if digest not in given:
            raise InvalidInput("dependencies", f"{digest} is missing", "all that the tool is made from")
        return given[digest]

    closure = closure_of(version, find)
    if foreign := given.keys() - {part.digest for part in closure}:
        raise InvalidInput("dependencies", f"{min(foreign)} is no part of {version.name!r}", "its parts alone")
    return closure


def compose(version: ToolVersion, closure: Iterable[ToolVersion]) -> ToolSource:
    """Return what runs when `version` is called: its source with its parts, which `closure` holds.

    Raises:
        InvalidInput: a limit of `ToolSource` is broken.
        KeyError: `closure` lacks a part. A caller's bug.
    """
    sources: dict[str, ToolSource] = {}
    for part in (*closure, version):
        modules = tuple(SourceModule(used.name, used.digest, sources[used.digest]) for used in part.dependencies)
        sources[part.digest] = ToolSource(part.source.code, part.source.function, modules)
    return sources[version.digest]


def _gather(version: ToolVersion, find: Find, found: dict[str, ToolVersion], path: tuple[str, ...]) -> None:
    for used in version.dependencies:
        if used.digest in path:
            raise InvalidInput("dependencies", f"{used.name!r} contains itself", "tools that do not go in circles")
        if len(path) > MAX_DEPTH:
            raise InvalidInput("dependencies", f"go below {MAX_DEPTH} levels", f"at most {MAX_DEPTH}")
        if used.digest in found:
            _gather(found[used.digest], found.__getitem__, found, (*path, used.digest))
            continue
        part = _checked(used, find(used.digest))
        _gather(part, find, found, (*path, used.digest))
        found[used.digest] = part
        if len(found) > MAX_PARTS:
            raise InvalidInput("dependencies", f"come to more than {MAX_PARTS} tools", f"at most {MAX_PARTS}")


def _checked(used: Dependency, part: ToolVersion) -> ToolVersion:
    if (part.name, part.digest) != (used.name, used.digest):
        raise InvalidInput(
            "dependencies",
            f"{part.name!r} with {part.digest} is not the {used.name!r} with {used.digest} that was declared",
        )
    return part
