"""Where a command writes: never over what it reads, unless that is wanted."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

_INSTEAD = "name another file with --output, or give --force"
Force = Annotated[bool, typer.Option("--force", help="Write even over a file that is read.")]


def check_not_read(
    target: str | Path, sources: Iterable[str | Path | None], is_forced: bool = False, instead: str = _INSTEAD
) -> None:
    """Refuse to write over one of ``sources``, whatever name or link it has.

    Raises:
        ValueError: it would be lost.
    """
    if is_forced or not Path(target).exists():
        return
    for source in sources:
        if source is not None and Path(source).exists() and os.path.samefile(source, target):
            raise ValueError(f"the output {target} is {source}, which is read and would be lost; {instead}")
