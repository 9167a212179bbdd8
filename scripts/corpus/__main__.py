"""Build the training corpus of the bundled voice, part by part: real speech, clean speech by Kokoro, other machines'.

python -m scripts.corpus real quality --real data/speech --out runs/corpus
python -m scripts.corpus kokoro --models models/kokoro --texts data/texts --hours 20 --out runs/corpus
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from scripts.corpus import clean, kokoro, quality, recordings, synthetic
from scripts.corpus.parts import Part

PARTS = ("real", "quality", "kokoro", "clean", "warped", "synthetic")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--out", type=Path, default=Path("runs/corpus"), help="where audio and manifests go")
    parser.add_argument("--real", type=Path, default=Path("data/speech"), help="recordings and their transcripts.tsv")
    parser.add_argument("--texts", type=Path, default=Path("data/texts"), help="ljspeech.txt and vctk.txt")
    parser.add_argument("--models", type=Path, default=Path("models/kokoro"), help="packages that hold Kokoro")
    parser.add_argument("--hours", type=float, default=20.0, help="how much Kokoro reads")
    parser.add_argument("--clean", type=Path, nargs="+", default=[], help="tables of file, voice, text")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()

    for name in args.parts or PARTS:
        part = Part(args.out, name)
        if name == "real":
            part.run(recordings.record, recordings.jobs(args.real, args.out), args.workers)
        elif name == "warped":
            real = Part(args.out, "real").utterances()
            part.run(recordings.record_warped, recordings.warped_jobs(real, args.out), args.workers)
        elif name == "synthetic":
            part.run(synthetic.record, synthetic.jobs(args.texts, args.out), args.workers)
        elif name == "kokoro":
            jobs = kokoro.jobs(args.models, synthetic.sentences(args.texts), args.hours, args.out)
            part.run(kokoro.record, jobs, args.workers, args.hours)
        elif name == "clean":
            part.run(clean.record, clean.jobs(args.clean, args.out), args.workers)
        elif name == "quality":
            quality.measure(args.out, "real", args.workers)
        _summarize(args.out)
    print((args.out / "summary.json").read_text(encoding="utf-8"))


def _summarize(out: Path) -> None:
    summary = {name: Part(out, name).summary() for name in PARTS if (out / f"manifest-{name}.jsonl").exists()}
    (out / "summary.json").write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
