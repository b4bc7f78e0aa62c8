"""Keeping every exchange with a model: one JSON object a line, of what was sent and what came back. No keys."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolwright.errors import InvalidInput, ModelError, ModelRejected
from toolwright.llm.canonical import key_of
from toolwright.llm.exchange import Exchange

VERSION = 1
_MODE = 0o600
_MIN_KEY_CHARS = 8
"""What is shorter is a word that some server on one's own machine wants in place of a key."""


class Recorder:
    """Appends exchanges to a file that only its owner can read. Safe to use from many threads and processes."""

    def __init__(self, path: Path, keys: Iterable[str] = ()) -> None:
        """Open `path`, made if it is not there; `keys` are struck out of all that is written.

        Raises:
            InvalidInput: it cannot be written, or is no plain file.
        """
        forms = {form for key in keys if len(key) >= _MIN_KEY_CHARS for form in (key, json.dumps(key)[1:-1])}
        self._keys = tuple(sorted(forms, key=len, reverse=True))  # one key may begin with another
        self._lock = threading.Lock()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._file = os.open(path, flags, _MODE)
            os.fchmod(self._file, _MODE)
        except OSError as fault:
            raise InvalidInput("models.record", f"{str(path)!r} cannot be written: {fault.strerror}") from None

    def clean(self, text: str) -> str:
        """Return `text` without any of the keys."""
        for key in self._keys:
            text = text.replace(key, "[key]")
        return text

    def write(self, line: Mapping[str, Any]) -> None:
        """Append one exchange, whole.

        Raises:
            InvalidInput: the disk is full, or the like.
        """
        data = (json.dumps(line) + "\n").encode()
        with self._lock:
            try:
                while data:
                    data = data[os.write(self._file, data) :]
            except OSError as fault:
                raise InvalidInput("models.record", f"cannot be written any more: {fault.strerror}") from None

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


@dataclass(frozen=True, slots=True)
class RecordingExchange:
    """Adds to any `Exchange`: each one is kept, those that failed too, as the same road has to be taken again.

    Nothing of how it travels is in a recording: no headers, no addresses, no keys.
    """

    base: Exchange
    recorder: Recorder
    role: str

    def send(self, body: Mapping[str, Any]) -> bytes:
        """Send the body; see `Exchange.send`.

        Raises:
            InvalidInput: the exchange cannot be recorded.
        """
        try:
            reply = self.base.send(body)
        except ModelError as fault:
            self._keep(body, {"fault": self._fault(fault)})
            raise
        self._keep(body, {"reply": self.recorder.clean(reply.decode("utf-8", "replace"))})
        return reply

    def close(self) -> None:
        """Close the connections."""
        self.base.close()

    def _keep(self, body: Mapping[str, Any], came: Mapping[str, Any]) -> None:
        request = json.loads(self.recorder.clean(json.dumps(body)))
        about = {"v": VERSION, "role": self.role, "model": body.get("model"), "key": key_of(body)}
        self.recorder.write({**about, "request": request, **came})

    def _fault(self, fault: ModelError) -> dict[str, Any]:
        kept: dict[str, Any] = {"reason": fault.reason, "message": self.recorder.clean(str(fault))}
        if isinstance(fault, ModelRejected):
            kept |= {"status": fault.status, "subject": self.recorder.clean(fault.subject)}
        return kept
