"""How far the times that a model tells of its words lie from where an aligner finds them in the sound.

python -m scripts.word_times --limit 20
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from tts_fm import Prompt, Synthesizer, Waveform
from tts_fm.errors import InputError
from tts_fm.evaluation import pairs
from tts_fm.speech import Speech
from tts_fm.timing import heard_spans


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="default")
    parser.add_argument("--pairs", type=Path, default=pairs.BUNDLED)
    parser.add_argument("--limit", type=int, default=20)
    given = parser.parse_args()
    synthesizer = Synthesizer.load(given.model)
    errors: list[float] = []
    lost = 0
    for seed, pair in enumerate(pairs.thin_out(pairs.read(given.pairs), given.limit)):
        prompt = Prompt.load(pair.prompt_audio, pair.prompt_text)
        try:
            errors += differences(synthesizer.speak(pair.target_text, prompt, seed=seed))
        except InputError:  # the aligner finds nothing
            lost += 1
    if not errors:
        raise SystemExit("no pair could be aligned, or the model does not tell its words' times")
    within = sum(error < 0.04 for error in errors) / len(errors)
    print(f"{len(errors)} word borders; {lost} utterances in which the aligner found nothing")
    print(f"median {1000 * statistics.median(errors):.0f} ms, 90th percentile {1000 * _percentile(errors, 90):.0f} ms")
    print(f"mean {1000 * statistics.mean(errors):.0f} ms, within 40 ms {100 * within:.0f} %")


def differences(speech: Speech) -> list[float]:
    """Return the distances, in seconds, of the beginnings and ends of words from where they are heard."""
    found: list[float] = []
    rate = speech.waveform.sample_rate
    for passage in speech.passages:
        if passage.spans is None:
            continue
        samples = speech.waveform.samples[round(passage.start * rate) : round(passage.end * rate)]
        for told, heard in zip(passage.spans, heard_spans(Waveform(samples, rate), passage.text), strict=True):
            if told.seconds > 0 and heard.seconds > 0:
                found += [abs(told.start - heard.start), abs(told.end - heard.end)]
    return found


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


if __name__ == "__main__":
    main()
