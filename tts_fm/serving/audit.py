"""One line of JSON per speech: who let say what in whose voice; not the text itself, and no key."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import IO


class Audit:
    """Appends lines to a file, to the standard output (``-``), or nowhere (None)."""

    def __init__(self, target: str | None) -> None:
        self._lock = threading.Lock()
        self._file: IO[str] | None = None
        if target == "-":
            self._file = sys.stdout
        elif target is not None:
            try:
                self._file = Path(target).open("a", encoding="utf-8")  # noqa: SIM115 (it is open as long as the server runs)
            except OSError as error:
                raise ValueError(f"{target} cannot be written: {error.strerror}; name another file") from None

    def write(self, *, request: str, key: str, voice: str, text: str, seed: int, seconds: float, outcome: str) -> None:
        """Write a line.

        Args:
            request: the request's id, as its client has it.
            key: the id of the key; ``-`` where none is needed.
            voice: the voice's name here, or the hash of the recording that was sent.
            text: what was said; its SHA-256 is written.
            seed: of its noise.
            seconds: of speech that were made.
            outcome: ``done``, ``left`` or ``failed``.
        """
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request": request,
            "key": key,
            "voice": voice,
            "text_sha256": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
            "seed": seed,
            "seconds": round(seconds, 3),
            "outcome": outcome,
        }
        if self._file is not None:
            with self._lock:
                print(json.dumps(line), file=self._file, flush=True)
