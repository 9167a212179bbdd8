"""How much memory there is, asked before it is taken, and what is given back after use."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from tts_fm.errors import ModelError

SPARE = 128_000_000
"""By how many bytes a process may grow before it gives back what is free of them."""


def check(
    needed: int,
    what: str,
    *,
    there: int | None = None,
    instead: str = "take a smaller model, or a machine with more memory",
) -> None:
    """Refuse ``what``, which needs so many bytes, where they are not ``there``, by default on this machine.

    Raises:
        ModelError: they are not.
    """
    there = available() if there is None else there
    if there is not None and needed > there:
        raise ModelError(f"{what} needs {needed / 1e9:,.1f} GB of memory and {there / 1e9:,.1f} GB are free; {instead}")


def available() -> int | None:
    """Return how many bytes can be taken without swapping, None where the system does not say (it is no Linux)."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), None)


_trimmed_to = 0  # bytes that the process held when it last gave back


def give_back() -> None:
    """Give the system what lies free between what is in use, where the C library keeps it (glibc) and it has become much.

    Tensors of another length with each text leave holes in which later ones do not fit: a process that said texts of 4 to 30
    words held 830 MB after one and 1,042 after 60, of which no more was in use. What is given back has to be taken again:
    after every text that took 4.5 % of the time, so it is done where the process has grown by :data:`SPARE`.
    """
    global _trimmed_to
    held = _resident()
    if held is None or held - _trimmed_to < SPARE:
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none, and keeps nothing
    if trim is not None:
        trim(0)
    _trimmed_to = _resident() or held


def _resident() -> int | None:
    """Return how many bytes of memory the process holds, None where the system does not say."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
