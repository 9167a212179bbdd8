"""Speech that is heard, or piped on, while it is made."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from tts_fm.cli import output
from tts_fm.cli.delivery import Captions
from tts_fm.cli.terminal import Report

if TYPE_CHECKING:
    from tts_fm.audio.io import Waveform
    from tts_fm.stream import Piece

Sink = Callable[["Waveform"], None]
"""Takes the next sound."""
STDOUT = "-"


@dataclass(frozen=True)
class Live:
    """Where speech goes while it is made: as WAV to stdout, as raw samples to a file or stdout, to the loudspeaker."""

    wav: bool = False
    raw: str | None = None
    is_played: bool = False

    def __bool__(self) -> bool:
        return self.wav or self.raw is not None or self.is_played

    def check(self, is_whole: bool) -> None:
        """Find mistakes before anything takes long; ``is_whole``: something was asked for that needs the whole speech."""
        if is_whole:
            raise ValueError(
                "--play and --output-raw speak while the rest is made; leave out --duration, --watermark, --save-mel, "
                "--takes, --verify and --json, which need the whole"
            )
        if self.wav and self.raw == STDOUT:
            raise ValueError("--output - and --output-raw - both write to stdout; give one of them a file")
        if self.raw == STDOUT:
            output.check_stdout()
        if self.is_played:
            _player()

    def speak(
        self, pieces: Iterator[Piece], sample_rate: int, metadata: Mapping[str, Any], report: Report
    ) -> list[Piece]:
        """Hand on each piece as soon as it is there, tell when the first was, and return them all."""
        began = time.perf_counter()
        said: list[Piece] = []
        with self._open(sample_rate, metadata) as sinks:
            for piece in pieces:
                for sink in sinks:
                    sink(piece.waveform)
                if not said:
                    report.say(f"first sound after {time.perf_counter() - began:.2f} s")
                for remark in piece.remarks:
                    report.warn(remark)
                said.append(piece)
            seconds, spent = said[-1].end, time.perf_counter() - began
            report.say(f"{seconds:.2f} s, made in {spent:.2f} s (real-time factor {spent / seconds:.2f})")
        return said

    @contextmanager
    def _open(self, sample_rate: int, metadata: Mapping[str, Any]) -> Iterator[list[Sink]]:
        """Yield what takes the sound; all is written and played when this ends."""
        from tts_fm.audio import io

        with ExitStack() as stack:
            sinks: list[Sink] = []
            if self.wav:
                sys.stdout.buffer.write(io.open_header(sample_rate, metadata))
                sinks.append(_writing(sys.stdout.buffer))
            if self.raw is not None:
                is_stdout = self.raw == STDOUT
                try:
                    file = sys.stdout.buffer if is_stdout else stack.enter_context(open(self.raw, "wb"))
                except OSError as error:
                    raise ValueError(f"{self.raw} cannot be written: {error.strerror}; name another file") from None
                sinks.append(_writing(file))
            if self.is_played:
                stream = stack.enter_context(_player().RawOutputStream(sample_rate, channels=1, dtype="int16"))
                sinks.append(lambda waveform: stream.write(io.pcm(waveform)) and None)
            yield sinks


def keep(said: Sequence[Piece], facts: Mapping[str, Any], target: str | None, captions: Captions) -> None:
    """Write what was heard to a file, too, and when its words were."""
    import torch

    from tts_fm.audio import io

    waveform = io.Waveform(torch.cat([piece.waveform.samples for piece in said]), said[0].waveform.sample_rate)
    if target is not None:
        io.write(waveform, target, metadata=facts)
    if captions.are_wanted:
        words = [word for piece in said for word in piece.words]
        if not words:
            raise ValueError(
                f"{facts['model']} does not know when its words are heard; write a file instead, in which an aligner finds them"
            )
        captions.write(words, " ".join(piece.text for piece in said if piece.text), waveform.seconds)


def _writing(file: BinaryIO) -> Sink:
    from tts_fm.audio import io

    def write(waveform: Waveform) -> None:
        file.write(io.pcm(waveform))
        file.flush()

    return write


def _player() -> Any:
    """Return the module that plays."""
    try:
        import sounddevice
    except ImportError:
        raise ValueError("--play needs sounddevice; pip install 'tts-fm[play]'") from None
    except OSError:
        raise ValueError("--play needs PortAudio; install it (apt install libportaudio2)") from None
    return sounddevice
