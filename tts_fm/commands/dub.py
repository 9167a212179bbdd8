"""``tts-fm dub``: speak subtitles, every cue in its own time."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tts_fm.cli import cast
from tts_fm.cli import output as outputs
from tts_fm.cli.options import (
    Architecture,
    AsJson,
    Device,
    Leaps,
    Model,
    Precision,
    RefAudio,
    RefText,
    Vocab,
    Vocoder,
    check_sampling,
    sampling_options,
)
from tts_fm.cli.terminal import Quiet, Report, Verbose

if TYPE_CHECKING:
    from tts_fm.dubbing import SpokenCue

EXAMPLE = "\b\nExample:\n  tts-fm dub film.srt --voice anna --voice bob=ben.flac --output dub.wav"

_MAX_BED = 4 * 3600.0  # seconds


def dub(
    context: typer.Context,
    subtitles: Annotated[Path, typer.Argument(metavar="SUBTITLES", help="A SubRip (.srt) or WebVTT (.vtt) file.")],
    ref_audio: RefAudio = None,
    ref_text: RefText = None,
    voice: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[TAG=]NAME|FILE",
            help="A kept voice, see tts-fm voices; with TAG= who speaks where a cue begins with [TAG] or TAG:.",
        ),
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", help="wav, flac, ogg or mp3 by suffix; - is stdout.")
    ] = "dub.wav",
    bed: Annotated[Path | None, typer.Option(help="Sound that the speech is laid over, such as music.")] = None,
    fastest: Annotated[
        float, typer.Option(min=1, max=3, help="The most that speech is hurried to be in time; 1 is not at all.")
    ] = 1.35,
    model: Model = "default",
    vocab: Vocab = None,
    architecture: Architecture = None,
    vocoder: Vocoder = None,
    leaps: Leaps = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the solver.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Strength of guidance; 0 is none.")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 1, help="The same seed, the same sound.  [default: random]")
    ] = None,
    device: Device = "auto",
    precision: Precision = "auto",
    force: outputs.Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Speak subtitles, every cue in its own time.

    A cue that is too long at the voice's own rate goes on in the silence before the next one, then it is said faster.
    What does not fit then either is named, with the seconds that it needs and has.
    """
    report: Report = context.obj
    if output == "-" and as_json:
        raise ValueError("--json and --output - both write to stdout; give --output a file")

    from tts_fm import dubbing, story
    from tts_fm import subtitles as files
    from tts_fm.audio import io
    from tts_fm.audio.library import BUNDLED, VoiceLibrary
    from tts_fm.speech import provenance
    from tts_fm.synthesizer import Synthesizer

    given = sampling_options(leaps, steps=steps, guidance=guidance)
    check_sampling(given)
    if output != "-":
        io.check_target(output)
    voices = [] if voice is None else voice
    if output != "-":
        outputs.check_not_read(output, cast.files(context, voices, [subtitles, bed, ref_audio]), force)
    tags = [one.partition("=")[0] for one in voices if "=" in one]
    names = [story.MAIN, BUNDLED, *VoiceLibrary().names(), *tags]
    cues = files.with_speakers(files.load(subtitles), names)
    speakers = [story.MAIN if cue.speaker is None else cue.speaker for cue in cues]
    roles = cast.roles(context, speakers, voices, ref_audio, ref_text)
    below = None if bed is None else io.read(bed, max_seconds=_MAX_BED)
    synthesizer = Synthesizer.load(
        model, vocab=vocab, architecture=architecture, vocoder=vocoder, device=device, precision=precision
    )
    sampling = synthesizer.config.sampling_as(given)
    if seed is None:
        seed = secrets.randbelow(2**31)
        report.say(f"seed {seed}")
    with report.progress("dubbing") as on_step:
        made = dubbing.dub(
            synthesizer, cues, roles, seed=seed, fastest=fastest, sampling=sampling, bed=below, on_step=on_step
        )
    text = "\n".join(cue.text for cue in cues)
    io.write(made.waveform, output, metadata=provenance(synthesizer.config.name, seed, sampling, text))
    for number, spoken in enumerate(made.cues, 1):
        if not spoken.is_inside:
            report.warn(
                f"cue {number} at {spoken.cue.start:.2f} s needs {spoken.needed:.2f} s and had {spoken.had:.2f} s, even "
                f"{spoken.speed:.2f} times as fast: {spoken.cue.text[:40]!r}; shorten it, or give --fastest"
            )
    inside = sum(spoken.is_inside for spoken in made.cues)
    where = "stdout" if output == "-" else output
    report.say(f"{where}: {made.waveform.seconds:.2f} s, {inside} of {len(made.cues)} cues in time")
    if as_json:
        record = {"output": output, "seconds": round(made.waveform.seconds, 3), "seed": seed}
        typer.echo(json.dumps({**record, "cues": [_record(spoken) for spoken in made.cues]}))


def _record(spoken: SpokenCue) -> dict[str, object]:
    times = {name: round(getattr(spoken, name), 3) for name in ("start", "end", "needed", "had", "speed")}
    return {
        "text": spoken.cue.text,
        "speaker": spoken.cue.speaker,
        "shown": round(spoken.cue.start, 3),
        **times,
        "is_inside": spoken.is_inside,
    }
