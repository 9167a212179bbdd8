"""What a visitor may do: the limits, the consent, and mistakes as sentences that hold no path of this machine."""

from __future__ import annotations

import functools
import io as streams
import logging
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from tts_fm.audio import io
from tts_fm.audio.io import Waveform
from tts_fm.audio.prompt import MIN_SECONDS, Prompt
from tts_fm.demo import results
from tts_fm.demo.generation import Stopped
from tts_fm.errors import InputError, without_paths

MAX_BYTES = 10 * 2**20  # 10 MB, as gradio counts them
MAX_SECONDS = 30.0
MAX_TEXT = 4_000  # characters
MAX_WAITING = 16
"""How many visitors may wait for their turn."""
KEPT_FOR = 3600
"""Seconds after which a visitor's files are deleted."""

CONSENT = "The person whose voice this is agreed to it, and I will say that the speech is synthetic."
_FOR_PROGRAMMERS = re.compile(r", or add the file \S+")
_UNKNOWN = "Something went wrong here; the server's log tells what."
_log = logging.getLogger(__name__)


def recording(path: str | None) -> Waveform:
    """Return the sound that a visitor uploaded or recorded.

    Raises:
        InputError: there is none, or it is too large, too long, or no speech that can be used.
    """
    if path is None:
        raise InputError("give a recording first: upload one, or speak into the microphone")
    with open(path, "rb") as file:  # as a stream, which has no name that a message could tell
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InputError(f"the recording has more than {MAX_BYTES // 1_000_000} MB; give a shorter one")
    return io.read(streams.BytesIO(data), min_seconds=MIN_SECONDS, max_seconds=MAX_SECONDS)


def prompt(path: str | None, transcript: str | None) -> Prompt:
    """Return a recording with its words. Raises InputError as :func:`recording`, and where no words are given."""
    waveform = recording(path)
    if transcript is None or not transcript.strip():
        raise InputError("type the words of the recording into its transcript, exactly as they are said")
    return Prompt(waveform, transcript)


def check_consent(is_given: bool) -> None:
    """Raise InputError where the box is not ticked."""
    if not is_given:
        raise InputError("tick the box first: a voice is cloned only with the consent of the person who has it")


def check_length(text: str, most: int = MAX_TEXT) -> None:
    """Raise InputError for a text that would keep the others waiting."""
    if len(text) > most:
        raise InputError(f"the text has {len(text):,} characters; this page takes {most:,} at once, so give less")


def sentence(error: Exception) -> str:
    """Return what a visitor is told about ``error``."""
    if not isinstance(error, ValueError):
        _log.error("a request failed", exc_info=error)
        return _UNKNOWN
    line = " ".join(without_paths(_FOR_PROGRAMMERS.sub("", str(error))).split())
    return f"{line[:1].upper()}{line[1:]}{'' if line.endswith('.') else '.'}"


@contextmanager
def mistakes_as_sentences() -> Iterator[None]:
    """Show whatever fails inside as one sentence on the page."""
    try:
        yield
    except (gr.Error, Stopped):
        raise
    except Exception as error:  # here, and only here: no visitor sees a traceback
        raise gr.Error(sentence(error), title="That did not work", duration=20, print_exception=False) from None


def kindly(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Return a handler of the page whose mistakes are sentences."""

    @functools.wraps(handler)
    def handled(*args: Any) -> Any:
        with mistakes_as_sentences():
            return handler(*args)

    return handled


def kindly_stepwise(
    handler: Callable[..., Generator[tuple[Any, ...], None, None]], outputs: int
) -> Callable[..., Generator[tuple[Any, ...], None, None]]:
    """As :func:`kindly`, for a handler that yields ``outputs`` values, of which the last is the state: it tells, too."""

    @functools.wraps(handler)
    def handled(*args: Any) -> Generator[tuple[Any, ...], None, None]:
        try:
            with mistakes_as_sentences():
                yield from handler(*args)
        except gr.Error as error:
            yield (*[gr.skip()] * (outputs - 1), results.note(error.message, kind="warning"))
            raise

    return handled
