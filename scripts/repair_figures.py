"""What repairs are worth on hard texts: wrong words as spoken, with repairs, with as many whole takes, and the time each costs.

python -m scripts.repair_figures runs/repairs.jsonl --limit 60 --recogniser whisper

``runs/repairs.jsonl`` keeps a line for each text, and running it again goes on. Whoever judges must not be who chooses: takes
and repairs are chosen by the aligner, or by the model of ``--check-model``. With ``--leaps`` the model speaks in so few leaps
that it says more of it badly, and there is more to repair.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import torch

from scripts.heard_words import hard_sentences, misheard
from tts_fm import Speech, Synthesizer, plugins, repair
from tts_fm.batch import listener
from tts_fm.evaluation.recognisers import Recogniser
from tts_fm.takes import CountErrors, best_take

T = TypeVar("T")
WAYS = ("as spoken", "repairs", "takes")


@dataclass(frozen=True)
class Outcome:
    """A text in one way: words that were wrong, of how many, the processor's seconds, and what was heard."""

    text: str
    group: str
    way: str
    wrong: int
    words: int
    seconds: float
    heard: str
    repairs: tuple[str, ...] = ()
    mended: int = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("outcomes", type=Path, help="JSON lines; what is in it is not measured again")
    parser.add_argument("--model", default="default")
    parser.add_argument("--leaps", type=int)
    parser.add_argument("--limit", type=int, help="texts, taken from each kind in turn; all if not given")
    parser.add_argument("--takes", type=int, default=3, help="of takes, and of tries of a repair one less")
    parser.add_argument("--recogniser", default="whisper", help="who judges")
    parser.add_argument("--recogniser-model")
    parser.add_argument("--check-model", help="another model of Whisper that chooses")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    chosen = hard_sentences(given.limit)
    lines = given.outcomes.read_text(encoding="utf-8").splitlines() if given.outcomes.is_file() else []
    outcomes = [Outcome(**json.loads(line)) for line in lines]
    known = {one.text for one in outcomes}
    missing = [(group, text) for group, text in chosen if text not in known]
    if missing:
        trial = Trial.build(given, [text for _, text in missing])
        for number, (group, text) in enumerate(missing, 1):
            made = trial.outcomes(group, text, given.takes)
            with given.outcomes.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(asdict(one)) + "\n" for one in made)
            outcomes += made
            print(f"{number} of {len(missing)}: {text}", *made[1].repairs, sep="\n    ", flush=True)
    report([one for one in outcomes if one.text in {text for _, text in chosen}])


@dataclass(frozen=True, eq=False)
class Trial:
    """Who speaks, who judges, and who chooses beside the aligner."""

    synthesizer: Synthesizer
    judge: Recogniser
    count_errors: CountErrors | None

    @staticmethod
    def build(given: argparse.Namespace, texts: Sequence[str]) -> Trial:
        """Load what the arguments name; the first speech warms up."""
        synthesizer = Synthesizer.load(given.model)
        if given.leaps is not None:
            synthesizer = synthesizer.with_config(synthesizer.config.model_copy(update={"default_leaps": given.leaps}))
        listen = None if given.check_model is None else listener.build("whisper", given.check_model)
        synthesizer.speak("Good morning.", seed=0)
        return Trial(
            synthesizer,
            plugins.build(Recogniser, given.recogniser, texts, given.recogniser_model),
            None if listen is None else lambda waveform, text: listen(waveform, text).wrong,
        )

    def outcomes(self, group: str, text: str, takes: int) -> list[Outcome]:
        """Say a text in the three ways; the first take is what is repaired, too."""
        spoken = [timed(lambda seed=seed: self.synthesizer.speak(text, seed=seed)) for seed in range(takes)]
        first, seconds = spoken[0]
        mended, more = timed(
            lambda: repair.mend(self.synthesizer, first, seed=0, tries=takes - 1, count_errors=self.count_errors)
        )
        (best, _), choosing = timed(lambda: best_take(lambda seed: spoken[seed][0], range(takes), self.count_errors))
        whole = sum(each for _, each in spoken) + choosing
        done = [told(one) for one in mended.repairs]
        return [
            self._judged(group, text, "as spoken", first, seconds),
            self._judged(
                group, text, "repairs", mended.speech, seconds + more, done, sum(r.is_mended for r in mended.repairs)
            ),
            self._judged(group, text, "takes", best, whole),
        ]

    def _judged(
        self,
        group: str,
        text: str,
        way: str,
        speech: Speech,
        seconds: float,
        repairs: Sequence[str] = (),
        mended: int = 0,
    ) -> Outcome:
        words = " ".join(speech.chunks).split()
        heard = self.judge.transcribe(speech.waveform)
        wrong = misheard(words, heard).errors
        return Outcome(text, group, way, wrong, len(words), round(seconds, 2), heard, tuple(repairs), mended)


def report(outcomes: Sequence[Outcome]) -> None:
    """Print the figures, of each kind and of all."""
    for group in (*dict.fromkeys(one.group for one in outcomes), "all"):
        print(group)
        for way in WAYS:
            own = [one for one in outcomes if one.way == way and group in (one.group, "all")]
            wrong, words = sum(one.wrong for one in own), sum(one.words for one in own)
            print(
                f"  {way:10s} {100 * wrong / words:6.2f} % of {words:4d} words, {sum(one.seconds for one in own):7.1f} s"
            )
    doubted, mended = sum(len(one.repairs) for one in outcomes), sum(one.mended for one in outcomes)
    print(f"{doubted} places were doubted, and {mended} of them are no longer")


def timed(make: Callable[[], T]) -> tuple[T, float]:
    """Return what ``make`` makes, and the processor's seconds it takes."""
    began = time.process_time()
    return make(), time.process_time() - began


def told(one: repair.Repair) -> str:
    """Return a line about a repair."""
    kept = "mended" if one.is_mended else "replaced, doubted still" if one.is_kept else "left as it was"
    return f"{one.text!r} {one.kind}: {one.score:.0f} to {one.new_score:.0f} in {one.tries} tries, {kept}"


if __name__ == "__main__":
    main()
