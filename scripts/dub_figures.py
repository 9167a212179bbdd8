"""How well a dub keeps its times: cues that begin when they are shown and end in their slots, and words that are understood.

python -m scripts.dub_figures --limit 8 --recogniser whisper

The slots are as long as other people took to say the same words, and shares of that. Times are told twice: as the model was
told them, and as an aligner (extra ``edit``) finds the words in the sound.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tts_fm import Synthesizer, Waveform
from tts_fm.dubbing import Dub, SpokenCue, dub
from tts_fm.errors import InputError
from tts_fm.evaluation import judges, pairs, wer
from tts_fm.evaluation.recognisers import Recogniser
from tts_fm.story import MAIN, Role
from tts_fm.subtitles import Cue
from tts_fm.timing import heard_spans

_GAP = 0.3  # seconds between two cues: lines of a conversation
_NEAR = 0.02  # seconds: two frames of speech
_BEFORE = 0.1  # seconds of a cue that are listened to before it begins


@dataclass(frozen=True)
class Judged:
    """A cue, how many of its words were misheard, and from when to when it is heard, None where no aligner finds it."""

    spoken: SpokenCue
    errors: int
    words: int
    heard: tuple[float, float] | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="default")
    parser.add_argument("--pairs", type=Path, default=pairs.BUNDLED)
    parser.add_argument("--limit", type=int, default=8)
    parser.add_argument("--shares", type=float, nargs="+", default=[1.0, 0.8, 0.6], help="of the time that people took")
    parser.add_argument("--fastest", type=float, default=1.35)
    parser.add_argument("--recogniser")
    parser.add_argument("--recogniser-model")
    given = parser.parse_args()
    synthesizer = Synthesizer.load(given.model)
    chosen = pairs.thin_out(pairs.read(given.pairs), given.limit)
    texts = [pair.target_text for pair in chosen]
    seconds = [Waveform.load(pair.target_audio).seconds for pair in chosen]
    recogniser = judges.Choice(given.recogniser, given.recogniser_model, [judges.NONE]).open(texts).recogniser
    for share in given.shares:
        cues = slots(texts, [share * each for each in seconds])
        made = dub(synthesizer, cues, {MAIN: Role(None)}, fastest=given.fastest)
        print(f"{100 * share:.0f} % of the time: {figures(listened(made, recogniser), given.fastest)}", flush=True)


def slots(texts: Sequence[str], seconds: Sequence[float]) -> list[Cue]:
    """Return ``texts`` as cues of these lengths, one after the other."""
    cues: list[Cue] = []
    start = 0.5
    for text, length in zip(texts, seconds, strict=True):
        cues.append(Cue(start, start + length, text))
        start += length + _GAP
    return cues


def listened(made: Dub, recogniser: Recogniser) -> list[Judged]:
    """Return what is heard of each cue, from shortly before it begins to where the next one does."""
    rate = made.waveform.sample_rate
    starts = [spoken.cue.start for spoken in made.cues]
    found: list[Judged] = []
    for spoken, end in zip(made.cues, [*starts[1:], made.waveform.seconds], strict=True):
        first = spoken.cue.start - _BEFORE
        sound = Waveform(made.waveform.samples[round(first * rate) : round(end * rate)], rate)
        text = recogniser.words(spoken.cue.text)
        misheard = wer.errors(text, recogniser.words(recogniser.transcribe(sound)))
        try:
            spans = heard_spans(sound, spoken.cue.text)
            heard = (first + spans[0].start, first + spans[-1].end)
        except InputError:
            heard = None
        found.append(Judged(spoken, misheard.count, misheard.words, heard))
    return found


def figures(judged: Sequence[Judged], fastest: float) -> str:
    """Return what came out, in a line."""
    possible = [each for each in judged if each.spoken.needed <= fastest * each.spoken.had]
    inside = sum(each.spoken.is_inside for each in possible)
    in_time = sum(abs(each.spoken.start - each.spoken.cue.start) <= _NEAR for each in judged)
    heard = [(each.heard, each.spoken) for each in judged if each.heard is not None]
    late = [abs(times[0] - spoken.cue.start) for times, spoken in heard]
    ends = sum(times[1] - spoken.cue.start <= spoken.had + 2 * _NEAR for times, spoken in heard)
    speed = statistics.mean(each.spoken.speed for each in judged)
    errors = sum(each.errors for each in judged) / sum(each.words for each in judged)
    return (
        f"{in_time} of {len(judged)} cues begin within {1000 * _NEAR:.0f} ms, {inside} of the {len(possible)} that can end "
        f"in their slots do, {sum(each.spoken.is_inside for each in judged)} in all; the aligner hears {len(heard)} begin "
        f"{1000 * statistics.median(late):.0f} ms off (median), {sum(each <= _NEAR for each in late)} within "
        f"{1000 * _NEAR:.0f} ms, and {ends} end in time; {speed:.2f} times as fast on average, {100 * errors:.1f} % wrong words"
    )


if __name__ == "__main__":
    main()
