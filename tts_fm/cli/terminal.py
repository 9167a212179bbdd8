"""What a person sees on stderr: one line per mistake or warning, and a progress bar on a terminal."""

from __future__ import annotations

import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Annotated

import typer

MINUTE = 60.0
"""Seconds between two lines of a long work's progress where there is no terminal."""


@dataclass
class Report:
    """The stderr of one command; ``--verbose`` and ``--quiet`` set its fields."""

    is_verbose: bool = False
    is_quiet: bool = False

    def say(self, line: str) -> None:
        """Tell how things go, unless ``--quiet``."""
        if not self.is_quiet:
            _print(line)

    def warn(self, line: str) -> None:
        """Tell what may be wrong with the result, unless ``--quiet``."""
        self.say(f"tts-fm: warning: {line}")

    def fail(self, line: str, error: BaseException | None = None) -> None:
        """Tell in one line why the command failed; with ``--verbose`` where, too."""
        if self.is_verbose and error is not None and sys.stderr is not None:
            traceback.print_exception(error, file=sys.stderr)
        _print(f"tts-fm: {line}")

    @contextmanager
    def warnings_as_lines(self) -> Iterator[None]:
        """Show this project's warnings as lines, each once, and no others."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("default", category=UserWarning, module=r"tts_fm(\.|$)")
            warnings.showwarning = lambda message, *_, **__: self.warn(str(message))
            yield

    @contextmanager
    def progress(self, what: str, every: float | None = None) -> Iterator[Callable[..., None] | None]:
        """Yield a function of (steps done, steps in all[, text]) that draws a bar.

        Where there is no terminal it says a line each ``every`` seconds; without that, and where nobody watches, it is None.
        """
        if self.is_quiet or sys.stderr is None or not sys.stderr.isatty():
            yield None if self.is_quiet or every is None else self._lines(what, every)
            return
        from rich.console import Console
        from rich.progress import Progress

        with Progress(
            console=Console(stderr=True), transient=True
        ) as bar:  # description, bar, share, time that remains
            task = bar.add_task(what, total=None)
            yield lambda done, total, text=what: bar.update(task, completed=done, total=total, description=text)

    def _lines(self, what: str, every: float) -> Callable[..., None]:
        """Return a function of (steps done, steps in all[, text]) that says a line each ``every`` seconds."""
        began = said = time.monotonic()
        first: int | None = None

        def on_step(done: int, total: int, text: str = what) -> None:
            nonlocal said, first
            first, now = done if first is None else first, time.monotonic()
            if now - said >= every and done > first:
                said = now
                left = (now - began) / (done - first) * (total - done)
                self.say(f"{text}, {done:,} of {total:,}, {left / 60:,.0f} min remain")

        return on_step


def _print(line: str) -> None:
    if sys.stderr is not None:  # it is None where the process was started without one; print would take stdout then
        with suppress(OSError, ValueError):  # nobody reads it, or the disk behind it is full: the work goes on
            print(" ".join(line.splitlines()), file=sys.stderr, flush=True)


def show_help(context: typer.Context) -> None:
    """Print the help of a group that was called without a subcommand."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _set_verbose(context: typer.Context, value: bool) -> None:
    if value:
        context.obj.is_verbose = True


def _set_quiet(context: typer.Context, value: bool) -> None:
    if value:
        context.obj.is_quiet = True


# Eager, so that a mistake in another option is already reported in this way.
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", callback=_set_verbose, is_eager=True, help="Show a traceback on failure.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", callback=_set_quiet, is_eager=True, help="Say nothing on stderr but errors.")
]


def speech_made(seconds: float, rate: float) -> str:
    """Return how much speech there is, and how many seconds of it are made in a second."""
    return f"{seconds / 60:.1f} min of speech, {rate:.2f} s a second"
