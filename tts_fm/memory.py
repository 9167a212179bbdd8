"""How much memory there is, asked before it is taken."""

from __future__ import annotations

from pathlib import Path

from tts_fm.errors import ModelError


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
