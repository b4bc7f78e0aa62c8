"""Tools that the tool of a call is made from: each a module of its own, loaded when it is first imported.

`from tools import NAME` gives a function. Each module has a package `tools` of its own, which holds what was declared
for it and nothing else. That is for order, not for safety: all run in one process, and are trusted no more than the
least of them.
"""

from __future__ import annotations

import builtins
import linecache
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any

from toolwright_agent import spelling
from toolwright_agent.spelling import NotLoaded

PACKAGE = "tools"
TITLES: dict[str, str] = {}
"""What tracebacks call a source, by the file name that it was compiled under; empty for the tool of the call."""

_Function = Callable[..., Any]


def load(code: str, name: str, file: str, package: types.ModuleType | None = None) -> dict[str, Any]:
    """Run `code` as the module `name` and return what it defined.

    Args:
        code: the source.
        name: the module's.
        file: what it is compiled under; there is no such file.
        package: what `tools` is to this module; None if it has no parts.
    """
    module = types.ModuleType(name)
    sys.modules[name] = module  # dataclasses and typing look their module up there
    if package is not None:
        module.__dict__["__builtins__"] = _importing(package)
    # So that tracebacks and inspect.getsource see the text; there is no file.
    linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
    compiled = compile(code, file, "exec", dont_inherit=True)
    if not code.isascii():
        spelling.check(code)
    exec(compiled, module.__dict__)  # noqa: S102 - this is what a sandbox is for
    return module.__dict__


class Parts:
    """The modules of one call. None of their text is read before somebody imports it."""

    def __init__(self, described: list[dict[str, Any]], texts: memoryview) -> None:
        """Keep what the controller says of them, parts before their users, and their texts one after another."""
        self._described = described
        self._functions: dict[int, _Function] = {}
        self._texts = []
        for part in described:
            self._texts.append(texts[: part["bytes"]])
            texts = texts[part["bytes"] :]

    def package(self, uses: Mapping[str, int]) -> types.ModuleType:
        """Return what `tools` is to a module that was declared to use these: names, and places in the list."""
        return _Package(uses, self._function)

    def _function(self, place: int) -> _Function:
        loaded = self._functions.get(place)
        if loaded is None:
            part = self._described[place]
            name, title = part["function"], f"{PACKAGE}.{part['name']}"
            module = f"{title}:{place}"
            TITLES[file := f"<{module}>"] = f"{title}, "
            package = self.package(part["uses"]) if part["uses"] else None
            loaded = load(bytes(self._texts[place]).decode(), module, file, package).get(name)
            if isinstance(loaded, type) or not callable(loaded):
                raise NotLoaded(f"{title} has no function named {name!r}")
            self._functions[place] = loaded
        return loaded


class _Package(types.ModuleType):
    """What one module sees as `tools`."""

    def __init__(self, uses: Mapping[str, int], function: Callable[[int], _Function]) -> None:
        super().__init__(PACKAGE)
        self.__all__ = sorted(uses)
        self._uses, self._function = uses, function

    def __getattr__(self, name: str) -> _Function:
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in self._uses:
            raise ImportError(f"no tool {name!r} was declared for this code; declared: {', '.join(self.__all__)}")
        found = self._function(self._uses[name])
        setattr(self, name, found)
        return found


def _importing(package: types.ModuleType) -> dict[str, Any]:
    """Return built-in names whose `import` knows `tools` as `package`. No other module's are touched."""
    plain = builtins.__import__

    def import_module(name: str, *rest: Any) -> Any:  # noqa: ANN401 - as the built-in one's
        return package if name == PACKAGE and not any(rest[3:]) else plain(name, *rest)

    return {**builtins.__dict__, "__import__": import_module}
