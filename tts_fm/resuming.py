"""A folder in which work goes on where it stopped, if it was begun alike."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tts_fm import strict


def make(folder: Path) -> None:
    """Make ``folder`` and those above it. Raises ValueError where that cannot be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{folder} cannot be made: {error.strerror}; choose another folder") from None


@contextmanager
def locked(folder: Path, command: str) -> Iterator[None]:
    """Make ``folder`` and keep it for this process, which is at work for ``command``.

    Raises:
        ValueError: it cannot be made, or another process has it.
    """
    make(folder)
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise ValueError(
            f"another tts-fm {command} is at work in {folder}; wait for it, or choose another folder"
        ) from None
    except OSError as error:
        raise ValueError(f"{folder} cannot be locked: {error.strerror}; choose another folder") from None


def check_begun_alike(path: Path, identity: Mapping[str, Any], *, author: str, other: str) -> None:
    """Raise ValueError where ``path``, a manifest in JSON, tells another ``identity``; it may tell more, or not be there yet.

    The errors say ``is none that AUTHOR``, and ``holds OTHER``.
    """
    if not path.is_file():
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        changes = strict.differences({name: before.get(name) for name in identity}, identity)
    except (OSError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} is none that {author} ({error}); choose another folder") from None
    if changes:
        raise ValueError(f"{path.parent} holds {other}: {'; '.join(changes)}; choose another folder")
