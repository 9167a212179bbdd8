"""What repairs are worth on hard texts: wrong words as spoken, with repairs, with as many whole takes, and the time each costs.

python -m scripts.repair_figures --recogniser whisper --limit 3

Whoever judges must not be who chooses: takes and repairs are chosen by the aligner, or by the model of ``--check-model``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch

from tts_fm import Speech, Synthesizer, plugins, repair
from tts_fm.batch import listener
from tts_fm.evaluation.recognisers import Recogniser
from tts_fm.evaluation.wer import errors
from tts_fm.takes import best_take

T = TypeVar("T")
TEXTS = {
    "tongue twisters": (
        "She sells sea shells by the sea shore, and the shells she sells are sea shells for sure.",
        "Peter Piper picked a peck of pickled peppers; how many pickled peppers did Peter Piper pick?",
        "The sixth sick sheikh's sixth sheep's sick.",
        "Red lorry, yellow lorry, red lorry, yellow lorry, red lorry, yellow lorry.",
        "A proper copper coffee pot stood in the rural juror's brewery.",
        "I thought a thought, but the thought I thought was not the thought I thought I thought.",
        "Which witch switched the Swiss wristwatches?",
        "Six slick swimmers swiftly swam south.",
    ),
    "repetitions": (
        "No, no, no, no, I said no, and no means no.",
        "Buffalo buffalo buffalo, and the buffalo did not mind.",
        "He had had enough, and that that was so was plain to all.",
        "One two one two one two three, one two one two one two three.",
        "Very, very, very old, and very, very, very cold.",
        "Far far away, behind the word mountains, far from the countries, far away it lies.",
    ),
    "numbers": (
        "The train of 11:47 on 31 December 1999 had 1,111 seats and 1,110 passengers.",
        "Call 555-0177 or 555-0771, but not 555-0717.",
        "Pi is 3.14159265358979, and e is 2.718281828459.",
        "It fell from $1,234.56 to $123.45, that is by 90.0%.",
        "Rooms 7, 17, 70, 77 and 707 are on floors 6, 16 and 60.",
    ),
    "names": (
        "Siobhan Featherstonehaugh met Nguyen Thi Minh Khai in Llanfairpwll.",
        "Kierkegaard and Nietzsche never wrote to Schopenhauer or Dostoevsky.",
        "From Worcester to Gloucester by way of Leominster and Bicester.",
        "Dr. Wojciechowski and Mrs. Papadopoulos flew from Reykjavik to Ouagadougou.",
        "Xochitl, Joaquin and Eoghan ordered gnocchi and Gewurztraminer.",
    ),
    "short": ("Go!", "Yes. No. Why?", "Oh.", "A or B?"),
}
WAYS = ("as spoken", "repairs", "takes")


@dataclass
class Tally:
    """Words that were wrong, of how many, and the processor's seconds."""

    wrong: int = 0
    words: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{100 * self.wrong / max(self.words, 1):6.2f} % of {self.words:4d} words wrong, {self.seconds:7.1f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="default")
    parser.add_argument("--limit", type=int, help="texts, taken from each kind in turn; all if not given")
    parser.add_argument(
        "--takes", type=int, default=repair.TRIES + 1, help="of takes, and of tries of a repair one less"
    )
    parser.add_argument("--recogniser", default="whisper", help="who judges")
    parser.add_argument("--recogniser-model")
    parser.add_argument("--check-model", help="another model of Whisper that chooses")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    chosen = texts(given.limit)
    synthesizer = Synthesizer.load(given.model)
    judge = plugins.build(Recogniser, given.recogniser, chosen, given.recogniser_model)
    listen = None if given.check_model is None else listener.build("whisper", given.check_model)
    count = None if listen is None else lambda waveform, text: listen(waveform, text).wrong
    synthesizer.speak("Good morning.", seed=0)  # the first speech warms up
    tallies = {way: Tally() for way in WAYS}
    repairs: list[repair.Repair] = []
    for number, text in enumerate(chosen):
        seed = number * given.takes
        spoken, first = timed(lambda text=text, seed=seed: synthesizer.speak(text, seed=seed))
        mended, more = timed(
            lambda spoken=spoken, seed=seed: repair.mend(
                synthesizer, spoken, seed=seed, tries=given.takes - 1, count_errors=count
            )
        )
        (best, _), whole = timed(
            lambda text=text, seed=seed: best_take(
                lambda one: synthesizer.speak(text, seed=one), range(seed, seed + given.takes), count
            )
        )
        repairs += mended.repairs
        made = zip(WAYS, (spoken, mended.speech, best), (first, first + more, whole), strict=True)
        for way, speech, seconds in made:
            add(tallies[way], judge, speech, text, seconds)
        print(f"{number + 1} of {len(chosen)}: {text}", *map(told, mended.repairs), sep="\n    ", flush=True)
    for way, tally in tallies.items():
        print(f"{way:10s} {tally}")
    kept, good = sum(one.is_kept for one in repairs), sum(one.is_mended for one in repairs)
    print(f"{len(repairs)} places were doubted; {kept} were replaced, and {good} are no longer doubted")


def texts(limit: int | None) -> list[str]:
    """Return the first ``limit`` texts, of each kind in turn."""
    longest = max(map(len, TEXTS.values()))
    return [kind[i] for i in range(longest) for kind in TEXTS.values() if i < len(kind)][:limit]


def timed(make: Callable[[], T]) -> tuple[T, float]:
    """Return what ``make`` makes, and the processor's seconds it takes."""
    began = time.process_time()
    return make(), time.process_time() - began


def add(tally: Tally, judge: Recogniser, speech: Speech, text: str, seconds: float) -> None:
    """Count what ``judge`` hears in ``speech``."""
    wrong = errors(judge.words(text), judge.words(judge.transcribe(speech.waveform)))
    tally.wrong, tally.words, tally.seconds = (
        tally.wrong + wrong.count,
        tally.words + wrong.words,
        tally.seconds + seconds,
    )


def told(one: repair.Repair) -> str:
    """Return a line about a repair."""
    kept = "mended" if one.is_mended else "replaced, doubted still" if one.is_kept else "left as it was"
    return f"{one.text!r} {one.kind}: {one.score:.0f} to {one.new_score:.0f} in {one.tries} tries, {kept}"


if __name__ == "__main__":
    main()
