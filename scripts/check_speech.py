"""Checks that a sound file is speech: its length, its level, and the words that a recogniser hears in it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tts_fm.audio import io
from tts_fm.audio.level import rms
from tts_fm.evaluation.judges import Choice
from tts_fm.evaluation.pairs import BUNDLED
from tts_fm.evaluation.wer import errors


def main() -> int:
    """Print what was measured; return 1 where it is no speech of ``text``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("text")
    parser.add_argument("--among", type=Path, default=BUNDLED, help="more sentences to choose from")
    parser.add_argument("--max-wer", type=float, default=0.5)
    args = parser.parse_args()
    waveform = io.read(args.file)
    level = rms(waveform.samples)
    others = [json.loads(line)["target_text"] for line in args.among.read_text(encoding="utf-8").splitlines()]
    recogniser = Choice("pocketsphinx", naturalness=["none"]).open([args.text, *others]).recogniser
    heard = recogniser.transcribe(waveform)
    judged = errors(recogniser.words(args.text), recogniser.words(heard))
    wer = judged.count / judged.words
    words = len(args.text.split())
    print(f"{waveform.seconds:.2f} s, rms {level:.3f}, heard {heard!r}, word error rate {wer:.0%}")
    is_speech = 0.12 * words < waveform.seconds < 1.2 * words and 0.01 < level < 0.5 and wer <= args.max_wer
    return 0 if is_speech else 1


if __name__ == "__main__":
    sys.exit(main())
