"""``python -m tts_fm.runtime FOLDER TEXT``: speak with an exported model from the command line."""

from __future__ import annotations

import argparse
import sys

from tts_fm.errors import InputError, ModelError
from tts_fm.runtime.speaker import Speaker
from tts_fm.text.lexicon import Lexicon


def main() -> int:
    """Speak, tell in a line, and return the exit code: those of ``tts-fm``."""
    parser = argparse.ArgumentParser(
        prog="python -m tts_fm.runtime", description="Speak with a model that tts-fm export onnx wrote; needs no torch."
    )
    parser.add_argument("folder", help="what tts-fm export onnx wrote")
    parser.add_argument("text", help="what to say")
    parser.add_argument("--output", "-o", default="output.wav", help="wav, flac, ogg or mp3 by suffix (output.wav)")
    parser.add_argument("--voice", default="default", help="one of the voices that were exported (default)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed, the same speech (0)")
    parser.add_argument("--speed", type=float, default=1.0, help="2 is twice as fast (1)")
    parser.add_argument("--threads", type=int, default=1, help="how many work on a piece (1)")
    parser.add_argument("--lexicon", help="a table of your own words and how they are read, as for tts-fm synthesize")
    asked = parser.parse_args()
    try:
        speaker = Speaker(asked.folder, asked.threads)
        lexicon = None if asked.lexicon is None else Lexicon.load(asked.lexicon)
        spoken = speaker.speak(asked.text, asked.voice, seed=asked.seed, speed=asked.speed, lexicon=lexicon)
        spoken.save(asked.output)
    except ValueError as error:
        print(f"tts-fm: {error}", file=sys.stderr)
        return 3 if isinstance(error, InputError) else 4 if isinstance(error, ModelError) else 2
    factor = spoken.seconds_to_make / spoken.seconds
    print(f"{asked.output}: {spoken.seconds:.2f} s (real-time factor {factor:.2f})", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
