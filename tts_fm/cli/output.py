"""Where a command writes: never over what it reads, unless that is wanted."""

from __future__ import annotations

import os
import sys
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


def check_apart(targets: Iterable[str | Path]) -> None:
    """Refuse to write two things into one file, whatever names or links it has; a device takes them.

    Raises:
        ValueError: the first of them would be lost.
    """
    named: dict[str, str | Path] = {}
    for target in targets:
        path = os.path.realpath(target)
        if path in named and (os.path.isfile(path) or not os.path.exists(path)):
            raise ValueError(
                f"{named[path]} and {target} are one file, of which one thing would be lost; name two files"
            )
        named[path] = target


def check_stdout() -> None:
    """Raise ValueError where sound cannot be written to stdout."""
    if sys.stdout is None:
        raise ValueError("the standard output is closed; name a file with --output")
    if sys.stdout.isatty():
        raise ValueError("audio would flood the terminal; redirect it ('--output - > speech.wav') or name a file")


def target(output: str | None, folder: str | None, name: str | None, as_json: bool) -> str:
    """Return where the speech goes; F5-TTS names a folder (``-o``) and a file in it (``-w``)."""
    if folder is None and output is not None and output != "-" and (name is not None or Path(output).is_dir()):
        output, folder = None, output
    if folder is not None or name is not None:
        if output is not None:
            raise ValueError("--output names the file already; leave out --output_dir and --output_file")
        path = Path("." if folder is None else folder)
        path.mkdir(parents=True, exist_ok=True)
        return str(path / ("output.wav" if name is None else name))
    if output == "-" and as_json:
        raise ValueError("--json and --output - both write to stdout; give --output a file")
    return "output.wav" if output is None else output
