"""Build the training corpus of the bundled voice: real speech, the same speech warped, and synthetic speech.

    python -m scripts.corpus --real data/speech --texts data/texts --out runs/corpus

Needs espeak-ng, flite and festival (festvox-kallpc16k, festvox-kdlpc16k, festvox-us-slt-hts) on the path, and
pocketsphinx, soundfile and soxr. Running it again does only what is missing.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from scripts.corpus import recordings, synthetic
from scripts.corpus.parts import Part


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/corpus"), help="where audio and manifests go")
    parser.add_argument("--real", type=Path, default=Path("data/speech"), help="recordings and their transcripts.tsv")
    parser.add_argument("--texts", type=Path, default=Path("data/texts"), help="ljspeech.txt and vctk.txt")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()

    real, warped, synthesized = (Part(args.out, name) for name in ("real", "warped", "synthetic"))
    real.run(recordings.record, recordings.jobs(args.real, args.out), args.workers)
    _summarize(args.out, real)
    warped.run(recordings.record_warped, recordings.warped_jobs(real.utterances(), args.out), args.workers)
    _summarize(args.out, real, warped)
    synthesized.run(synthetic.record, synthetic.jobs(args.texts, args.out), args.workers)
    _summarize(args.out, real, warped, synthesized)
    print((args.out / "summary.json").read_text(encoding="utf-8"))


def _summarize(out: Path, *parts: Part) -> None:
    summary = {part.name: part.summary() for part in parts}
    (out / "summary.json").write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
