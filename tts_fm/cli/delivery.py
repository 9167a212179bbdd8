"""What ``tts-fm synthesize`` leaves behind: the sound, its mel, when each word is heard, and a record of it all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tts_fm.cli import output
from tts_fm.cli.terminal import Report

if TYPE_CHECKING:
    from tts_fm.speech import Speech
    from tts_fm.story import SpokenTurn
    from tts_fm.timing import SpokenWord


@dataclass(frozen=True)
class Captions:
    """Where the times of words go: as JSON, as SubRip, as WebVTT; ``by_word``: a cue for each word."""

    timestamps: Path | None = None
    srt: Path | None = None
    vtt: Path | None = None
    by_word: bool = False
    line: int | None = None

    def check(self) -> None:
        """Find mistakes before anything takes long."""
        files = [path for path in (self.timestamps, self.srt, self.vtt) if path is not None]
        if (self.by_word or self.line is not None) and self.srt is None and self.vtt is None:
            raise ValueError("--words and --line-length shape subtitles; name a file for them, with --srt or --vtt")
        for path in files:
            if not path.parent.is_dir():
                raise ValueError(f"{path} cannot be written: there is no folder {path.parent}; make it first")

    @property
    def are_wanted(self) -> bool:
        """Whether there is a file to write."""
        return any(path is not None for path in (self.timestamps, self.srt, self.vtt))

    def write(self, words: Sequence[SpokenWord], text: str, seconds: float) -> None:
        """Write the files that were asked for."""
        from tts_fm import subtitles

        if self.timestamps is not None:
            subtitles.save(subtitles.to_json(words, text, seconds), self.timestamps)
        line = subtitles.LINE if self.line is None else self.line
        for path, form in ((self.srt, subtitles.to_srt), (self.vtt, subtitles.to_vtt)):
            if path is not None:
                subtitles.save(form(subtitles.cues(words, line, by_word=self.by_word)), path)


@dataclass(frozen=True)
class Delivery:
    """What is written: the sound (``-``: to stdout), marked or not, the picture of its mel, captions, a record on stdout."""

    target: str
    save_mel: Path | None
    captions: Captions
    is_marked: bool
    as_json: bool

    @property
    def files(self) -> list[str | Path]:
        """The files that will be written."""
        named = (self.target, self.save_mel, self.captions.timestamps, self.captions.srt, self.captions.vtt)
        return [file for file in named if file is not None and file != "-"]

    def check(self) -> None:
        """Find mistakes before anything takes long."""
        from tts_fm.audio import io, picture, watermark

        self.captions.check()
        if self.is_marked:
            watermark.check_available()
        if self.target != "-":
            io.check_target(self.target)
        else:
            output.check_stdout()
        output.check_apart(self.files)
        if self.save_mel is not None:
            picture.check_target(self.save_mel)

    def deliver(self, speech: Speech, turns: Sequence[SpokenTurn], facts: dict[str, Any], report: Report) -> None:
        """Write the files, then tell about them."""
        from tts_fm.audio import io, picture, watermark

        if self.is_marked:
            speech = replace(speech, waveform=watermark.mark(speech.waveform))
            facts = facts | {"watermark": "perth"}
        io.write(speech.waveform, self.target, metadata=facts)
        if self.save_mel is not None:
            picture.save(speech.mel, self.save_mel)
        if self.captions.are_wanted:
            self.captions.write(speech.words, speech.text, speech.waveform.seconds)
        _tell(speech, facts, self.target, report)
        if self.as_json:
            typer.echo(json.dumps(_record(speech, turns, facts, self.target)))


def _tell(speech: Speech, facts: dict[str, Any], target: str, report: Report) -> None:
    if speech.unknown:
        shown = ", ".join(repr(token) for token in speech.unknown[:20])
        more = f" and {len(speech.unknown) - 20} more" if len(speech.unknown) > 20 else ""
        report.warn(f"the model {facts['model']} does not know {shown}{more}; the speech may lack them")
    for remark in speech.remarks:
        report.warn(remark)
    seconds, factor = speech.waveform.seconds, speech.real_time_factor
    where = "stdout" if target == "-" else target
    report.say(f"{where}: {seconds:.2f} s, made in {speech.seconds:.2f} s (real-time factor {factor:.2f})")


def _record(speech: Speech, turns: Sequence[SpokenTurn], facts: dict[str, Any], target: str) -> dict[str, Any]:
    return {
        **{name: value for name, value in facts.items() if name != "software"},
        "output": target,
        "seconds": round(speech.waveform.seconds, 3),
        "sample_rate": speech.waveform.sample_rate,
        "real_time_factor": round(speech.real_time_factor, 4),
        "chunks": speech.chunks,
        "unknown": speech.unknown,
        "remarks": speech.remarks,
        "turns": [
            {
                "voice": spoken.turn.voice,
                "text": spoken.turn.text,
                "seed": spoken.seed,
                "start": round(spoken.start, 3),
                "end": round(spoken.end, 3),
            }
            for spoken in turns
        ],
    }
