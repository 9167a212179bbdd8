"""Speaking with care, as ``tts-fm synthesize`` is told to: the best of several takes, and words that are not heard said anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from tts_fm.cli.terminal import Report

if TYPE_CHECKING:
    from tts_fm.audio.prompt import Prompt
    from tts_fm.repair import Repair
    from tts_fm.sampler import OnStep, SamplingOptions
    from tts_fm.speech import Speech
    from tts_fm.story import SpokenTurn
    from tts_fm.synthesizer import Synthesizer
    from tts_fm.takes import CountErrors

_SHOWN = 8  # seeds in a line; the record has all


@dataclass(frozen=True)
class Care:
    """How many takes there are, whether words are said anew and how often at most, and who listens beside the aligner."""

    takes: int = 1
    verify: bool = False
    tries: int | None = None
    check_model: str | None = None

    def __bool__(self) -> bool:
        return self.takes > 1 or self.verify

    @property
    def facts(self) -> dict[str, Any] | None:
        """What the speech depends on by it, as JSON has it; None where it is spoken without."""
        from tts_fm import repair

        if not self:
            return None
        tries = repair.TRIES if self.tries is None else self.tries
        return {"takes": self.takes, "tries": tries if self.verify else 0, "check_model": self.check_model}

    def check(self) -> None:
        """Find mistakes before anything takes long."""
        from tts_fm.alignment import forced

        if self.tries is not None and not self.verify:
            raise ValueError("--tries is how often --verify says a word anew; give --verify too")
        if self.check_model is not None and not self:
            raise ValueError("--check-model listens to takes and repairs; give --takes or --verify too")
        if self and not forced.is_available():
            raise ValueError("--takes and --verify need an aligner; run: pip install 'tts-fm[edit]'")

    def speaker(self, synthesizer: Synthesizer) -> Careful:
        """Return who speaks so with ``synthesizer``.

        Raises:
            ValueError: it does not speak English, or ``check_model`` names no recogniser that is installed.
            ModelError: the recogniser's model is not on this machine and cannot be fetched.
        """
        from tts_fm import repair

        if self:
            repair.check_language(synthesizer)
        if self.check_model is None:
            return Careful(synthesizer, self, None)
        from tts_fm.batch import listener

        listen = listener.build("whisper", self.check_model)
        return Careful(synthesizer, self, lambda waveform, text: listen(waveform, text).wrong)


@dataclass(eq=False)
class Careful:
    """A speaker that makes several takes of each turn and keeps the best, mends it, and remembers what it did."""

    synthesizer: Synthesizer
    care: Care
    count_errors: CountErrors | None
    seeds: list[int] = field(default_factory=list)
    """Of each turn: the seed of the take that was kept."""
    repairs: list[tuple[Repair, ...]] = field(default_factory=list)
    """Of each turn, where words are said anew."""
    unheard: list[tuple[str, ...]] = field(default_factory=list)
    """Of each turn, where words are said anew: the passages that could not be looked through."""

    def speak(
        self,
        text: str,
        prompt: Prompt | None = None,
        *,
        seed: int = 0,
        sampling: SamplingOptions | None = None,
        on_step: OnStep | None = None,
        **reading: Any,
    ) -> Speech:
        """Speak as :meth:`Synthesizer.speak` does, with care."""
        from tts_fm import repair
        from tts_fm.takes import best_take

        takes = self.care.takes

        def take(its_seed: int) -> Speech:
            counted = None if on_step is None else partial(_of_takes, on_step, its_seed - seed, takes)
            return self.synthesizer.speak(text, prompt, seed=its_seed, sampling=sampling, on_step=counted, **reading)

        if takes == 1:
            speech, kept = take(seed), seed
        else:
            speech, kept = best_take(take, range(seed, seed + takes), self.count_errors)
        self.seeds.append(kept)
        if self.care.verify:
            tries = repair.TRIES if self.care.tries is None else self.care.tries
            mended = repair.mend(
                self.synthesizer, speech, seed=kept, tries=tries, sampling=sampling, count_errors=self.count_errors
            )
            self.repairs.append(mended.repairs)
            self.unheard.append(mended.unheard)
            speech = mended.speech
        return speech

    def record(self, spoken: Sequence[SpokenTurn], since: int = 0) -> dict[str, Any]:
        """Return what was done to the turns that are ``spoken``, for the record; times are those of the whole.

        ``since`` turns were spoken before them.
        """
        those = slice(since, since + len(spoken))
        record: dict[str, Any] = {"kept_seeds": self.seeds[those]} if self.care.takes > 1 else {}
        if not self.care.verify:
            return record
        repairs: list[dict[str, Any]] = []
        for turn, its_repairs in zip(spoken, self.repairs[those], strict=True):
            for one in its_repairs:
                spans = {"old_span": one.old_span, "new_span": one.new_span}
                moved = {name: [round(turn.start + at, 3) for at in span] for name, span in spans.items()}
                scores = {"score": round(one.score, 1), "new_score": round(one.new_score, 1)}
                repairs.append(asdict(one) | moved | scores)
        return record | {"repairs": repairs, "not_verified": list(chain(*self.unheard[those]))}

    def tell(self, spoken: Sequence[SpokenTurn], report: Report, since: int = 0) -> None:
        """Say what was done to them, and what may still be wrong."""
        record = self.record(spoken, since)
        if seeds := record.get("kept_seeds", ()):
            more = f" and {len(seeds) - _SHOWN} more" if len(seeds) > _SHOWN else ""
            report.say(f"of {self.care.takes} takes that of seed {', '.join(map(str, seeds[:_SHOWN]))}{more} was kept")
        repairs: Sequence[dict[str, Any]] = record.get("repairs", ())
        for one in repairs:
            start, end = one["new_span"]
            what = f"{one['text']!r} at {start:.2f}-{end:.2f} s was {one['kind']}, said anew {_times(one['tries'])}"
            if one["is_mended"]:
                report.say(what)
            else:
                report.warn(
                    f"{what}, and {'may still be wrong' if one['is_kept'] else 'stays as it was'}; listen to it"
                )
        if self.care.verify and not repairs:
            report.say("every word is heard; nothing was said anew")
        for text in record.get("not_verified", ()):
            report.warn(f"the aligner could not look through {text!r}; listen to it")


def _of_takes(on_step: OnStep, take: int, takes: int, done: int, total: int) -> None:
    on_step(done + take * total, takes * total)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
