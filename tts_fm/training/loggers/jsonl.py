"""``metrics.jsonl``: one line of JSON per record, the one place where everything is kept."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tts_fm import atomic
from tts_fm.training.loggers import Logger, append

FILE = "metrics.jsonl"
_DIGITS = 6


class JsonLines(Logger):
    """Keeps numbers, texts and lists of them; a number that is none is the text ``nan``, ``inf`` or ``-inf``."""

    def __init__(self, folder: Path, config: Mapping[str, Any], resume_from: int = 0) -> None:
        super().__init__(folder, config, resume_from)
        self.path = folder / FILE
        forget_after(self.path, resume_from)

    def record(self, update: int, values: Mapping[str, Any]) -> None:
        line = {"update": update, "time": round(time.time(), 1)} | {name: _plain(v) for name, v in values.items()}
        append(self.path, (json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n").encode())


def forget_after(path: Path, update: int) -> None:
    """Remove the lines of later updates, which will be written again, and one that was not written to its end."""
    if not path.exists():
        return
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if (written := _update(line)) is not None and written <= update]
    if kept != lines:
        with atomic.replacing(path) as beside:
            beside.write_bytes(b"".join(kept))


def _update(line: bytes) -> int | None:
    """Return of which update a line is; None where it was not written to its end."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row.get("update") if line.endswith(b"\n") and isinstance(row, dict) else None


def _plain(value: Any) -> Any:
    """Return ``value`` as JSON knows it, with as many digits as one reads."""
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else str(value)
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
