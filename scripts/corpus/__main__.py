"""Build the training corpus of the bundled voice, part by part: real speech, how clean it is, and a teacher's clean speech.

    python -m scripts.corpus real quality --real data/speech --out runs/corpus
    python -m scripts.corpus kokoro --models models/kokoro --texts data/texts --hours 20 --out runs/corpus
    python -m scripts.corpus clean --tables speech/transcripts.tsv --out runs/corpus

Parts: real (recordings, aligned), quality (DNSMOS and bandwidth of each of them; those that have enough go into
manifest-real-selected.jsonl), kokoro (what it reads goes into manifest-clean.jsonl), clean (speech that a machine has read
already, from tables of file, voice and text, into the same manifest), warped (the real speech once more, as other voices),
synthetic (other machines: needs espeak-ng, flite and festival with festvox-kallpc16k, festvox-kdlpc16k and
festvox-us-slt-hts). Needs pocketsphinx, soundfile and soxr; quality and kokoro the extra 'judges', kokoro what the head of
scripts/corpus/kokoro.py fetches, too. Running a part again does only what is missing.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from scripts.corpus import clean, kokoro, quality, recordings, synthetic
from scripts.corpus.parts import Part
from scripts.corpus.texts import sentences

PARTS = ("real", "quality", "kokoro", "clean", "warped", "synthetic")
_MANIFESTS = ("real", "real-selected", "clean", "warped", "synthetic")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: real quality kokoro")
    parser.add_argument("--out", type=Path, default=Path("runs/corpus"), help="where audio and manifests go")
    parser.add_argument("--real", type=Path, default=Path("data/speech"), help="recordings and their transcripts.tsv")
    parser.add_argument("--texts", type=Path, default=Path("data/texts"), help="ljspeech.txt and vctk.txt")
    parser.add_argument("--models", type=Path, default=Path("models/kokoro"), help="the packages that hold Kokoro")
    parser.add_argument("--hours", type=float, default=20.0, help="how much clean speech Kokoro brings it to")
    parser.add_argument("--tables", type=Path, nargs="+", default=[], help="tables of the part clean")
    parser.add_argument("--overall", type=float, default=2.8, help="least DNSMOS overall of what is selected")
    parser.add_argument("--p808", type=float, default=3.0, help="least DNSMOS P.808 of what is selected")
    parser.add_argument("--bandwidth", type=int, default=0, help="least bandwidth of what is selected, in hertz")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    args = parser.parse_args()

    parts = args.parts or PARTS[:3]
    if unknown := [name for name in parts if name not in PARTS]:
        parser.error(f"there is no part {unknown[0]!r}; choose of {', '.join(PARTS)}")
    try:
        for name in parts:
            _build(name, args)
            _summarize(args.out)
    except ValueError as error:
        parser.error(str(error))
    print((args.out / "summary.json").read_text(encoding="utf-8"))


def _build(name: str, args: argparse.Namespace) -> None:
    out, workers = args.out, args.workers
    if name == "real":
        Part(out, "real").run(recordings.record, recordings.jobs(args.real, out), workers)
    elif name == "quality":
        quality.measure(out, "real", workers)
        quality.select(out, "real", args.overall, args.p808, args.bandwidth)
    elif name == "kokoro":
        jobs = kokoro.jobs(args.models, sentences(args.texts), args.hours, out)
        Part(out, "clean").run(kokoro.record, jobs, workers, args.hours)
    elif name == "clean":
        Part(out, "clean").run(clean.record, clean.jobs(args.tables, out), workers)
    elif name == "warped":
        jobs = recordings.warped_jobs(Part(out, "real").utterances(), out)
        Part(out, "warped").run(recordings.record_warped, jobs, workers)
    elif name == "synthetic":
        Part(out, "synthetic").run(synthetic.record, synthetic.jobs(args.texts, out), workers)


def _summarize(out: Path) -> None:
    summary = {name: Part(out, name).summary() for name in _MANIFESTS if (out / f"manifest-{name}.jsonl").exists()}
    if scores := quality.summary(out, "real"):
        summary["real"]["quality"] = scores
    (out / "summary.json").write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
