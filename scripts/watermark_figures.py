"""How surely the watermark is heard after what may happen to a file, and in recordings that never had one.

python -m scripts.watermark_figures --limit 10
"""

from __future__ import annotations

import argparse
import io as streams
from pathlib import Path

import soundfile
import torch

from tts_fm import Prompt, Synthesizer, Waveform
from tts_fm.audio import io, watermark
from tts_fm.evaluation import pairs

Surety = dict[str, list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, default=pairs.BUNDLED)
    parser.add_argument("--limit", type=int, default=10)
    given = parser.parse_args()
    watermark.check_available()
    synthesizer = Synthesizer.load("default")
    surety: Surety = {}
    levels: list[float] = []
    for seed, pair in enumerate(pairs.read(given.pairs)[: given.limit]):
        prompt = Prompt.load(pair.prompt_audio, pair.prompt_text)
        plain = synthesizer.synthesize(pair.target_text, prompt, seed=seed)
        marked = watermark.mark(plain)
        difference = marked.samples - plain.samples
        levels.append(10 * float(torch.log10(plain.samples.square().sum() / difference.square().sum())))
        clean = {"no mark, speech made": plain, "no mark, recording": io.read(pair.target_audio)}
        clean["no mark, prompt"] = prompt.waveform
        for name, sound in {**clean, **after(marked)}.items():
            surety.setdefault(name, []).append(watermark.detect(sound))
    print(f"the speech is {min(levels):.1f} to {max(levels):.1f} dB above the mark")
    for name, values in surety.items():
        heard = sum(value >= watermark.THRESHOLD for value in values)
        print(f"{name:<22} heard in {heard} of {len(values)}, surety {min(values):.2f} to {max(values):.2f}")


def after(marked: Waveform) -> dict[str, Waveform]:
    """Return ``marked`` as it is after what may happen to it."""
    files = {name: io.read(streams.BytesIO(io.encode(marked, name))) for name in io.FORMATS}
    opus = streams.BytesIO()
    soundfile.write(opus, marked.samples.numpy(), marked.sample_rate, format="OGG", subtype="OPUS")
    opus.seek(0)
    return {
        **files,
        "opus": io.read(opus),
        "16 kHz": marked.resampled(16_000),
        "half as loud": Waveform(marked.samples / 2, marked.sample_rate),
        "first second": Waveform(marked.samples[: marked.sample_rate], marked.sample_rate),
        "5 % faster": Waveform(marked.resampled(round(marked.sample_rate / 1.05)).samples, marked.sample_rate),
    }


if __name__ == "__main__":
    main()
