"""The command ``tts-fm``: its subcommands, and how every failure becomes one line and an exit code.

Exit codes: 0 ok, 1 failure, 2 usage, 3 bad audio or text, 4 model not available, 130 interrupted, 143 terminated.
Each file holds one subcommand and imports what is heavy inside its functions.
"""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated

import typer
from typer.main import get_command

from tts_fm import __version__
from tts_fm.cli.cast import StoryCommand
from tts_fm.cli.terminal import Report, show_help
from tts_fm.commands import (
    batch,
    book,
    compare,
    convert,
    data,
    demo,
    dub,
    edit,
    evaluate,
    export,
    models,
    optimize_steps,
    plot,
    prepare,
    score,
    serve,
    synthesize,
    train,
    voices,
    watermark,
)
from tts_fm.errors import InputError, ModelError, TrainingError, WorkersError

FAILURE, USAGE, BAD_INPUT, NO_MODEL, INTERRUPTED = 1, 2, 3, 4, 130

app = typer.Typer(
    name="tts-fm",
    help="Text to speech by flow matching: clone a voice from a few seconds of it.",
    epilog='\b\nExample:\n  tts-fm synthesize --text "Flow matching turns noise into speech." --output hello.wav',
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    add_completion=False,
)
for _name in ("synthesize", "synth"):
    app.command(
        _name,
        cls=StoryCommand,
        epilog=synthesize.EXAMPLE,
        context_settings=synthesize.SETTINGS,
        hidden=_name == "synth",
    )(synthesize.synthesize)
app.command("batch", epilog=batch.EXAMPLE)(batch.batch)
app.command("book", epilog=book.EXAMPLE)(book.book)
app.command("demo", epilog=demo.EXAMPLE)(demo.demo)
app.command("serve", epilog=serve.EXAMPLE)(serve.serve)
app.add_typer(voices.app, name="voices")
app.command("edit", epilog=edit.EXAMPLE)(edit.edit)
app.command("dub", epilog=dub.EXAMPLE)(dub.dub)
app.command("watermark", epilog=watermark.EXAMPLE)(watermark.watermark)
app.add_typer(models.app, name="models")
app.add_typer(convert.app, name="convert")
app.add_typer(export.app, name="export")
app.command("prepare", epilog=prepare.EXAMPLE)(prepare.prepare)
app.add_typer(data.app, name="data")
app.command("train", epilog=train.EXAMPLE)(train.train)
app.command("plot", epilog=plot.EXAMPLE)(plot.plot)
app.command("optimize-steps", epilog=optimize_steps.EXAMPLE)(optimize_steps.optimize_steps)
app.command("evaluate", epilog=evaluate.EXAMPLE)(evaluate.evaluate)
app.command("compare", epilog=compare.EXAMPLE)(compare.compare)
app.command("score", epilog=score.EXAMPLE)(score.score)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    is_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if is_version:
        typer.echo(f"tts-fm {__version__}")
    else:
        show_help(context)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``tts-fm`` with ``arguments`` (those of the process if None) and return the exit code."""
    _keep_standard_descriptors()
    if arguments is None:  # the process is ours
        gc.set_threshold(100_000)  # else a tenth of a short run is spent on looking for garbage among what is imported
        return _leaving_at_once(lambda: _run(None))
    return _run(arguments)


def _leaving_at_once(run: Callable[[], int]) -> int:
    """Return what ``run`` does, and end the process, when all else that waits for its end is done, without taking it apart.

    Python frees module by module what is gone with the process anyway: a quarter of the time that PyTorch's import takes.
    What is registered first comes last.
    """
    codes: list[int] = []

    def leave() -> None:
        if codes:  # else it ends by an exception, which has a code of its own
            logging.shutdown()  # which was registered even before
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    with suppress(OSError, ValueError):  # nobody reads any more
                        stream.flush()
            os._exit(codes[0])

    atexit.register(leave)
    codes.append(run())
    return codes[0]


def _run(arguments: Sequence[str] | None) -> int:
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read when torch is imported: threads that wait do not spin
    report = Report()
    with report.warnings_as_lines():
        try:
            code = get_command(app).main(arguments, prog_name="tts-fm", standalone_mode=False, obj=report)
            if sys.stdout is not None:
                sys.stdout.flush()
        except KeyboardInterrupt:
            code = INTERRUPTED
        except BrokenPipeError:  # who reads has had enough
            if sys.stdout is not None:
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FAILURE
        except Exception as error:  # here, and only here, any failure becomes a line
            line, code = explain(error)
            report.fail(line, error)
            return code
        if code == INTERRUPTED:
            report.fail("interrupted")
        return code if isinstance(code, int) else 0


def _keep_standard_descriptors() -> None:
    """Let no file that is opened later become stdin, stdout or stderr where the process was started without them."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def explain(error: Exception) -> tuple[str, int]:
    """Return the line and the exit code for ``error``."""
    if isinstance(error, typer.TyperException):  # what the parser refuses
        command = getattr(getattr(error, "ctx", None), "command_path", "tts-fm")
        return f"{error.format_message().rstrip('.')}; see {command} --help", USAGE
    for kinds, code in (
        (InputError, BAD_INPUT),
        (ModelError, NO_MODEL),
        (ValueError, USAGE),
        ((TrainingError, WorkersError), FAILURE),
    ):
        if isinstance(error, kinds):
            flags = [f"--{name.replace('_', '-')}" for name in getattr(error, "arguments", ())]
            return f"{error} ({' and '.join(flags)})" if flags else str(error), code
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return (
            "out of memory; give less text at once, train with a smaller data.frames_per_batch, or use --device cpu",
            FAILURE,
        )
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'}: {error.strerror or error}", FAILURE
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first}; run it again with -v for the traceback", FAILURE
