"""The bundled voice in a process of its own: one piece of so many seconds, or a text of so many pieces, spoken in turn."""

from __future__ import annotations

import json
import math
import sys
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.benchmark_inference.turns import Turns

if TYPE_CHECKING:
    from tts_fm import Synthesizer

SENTENCES = (
    "The old man walked slowly down to the river, and the boats lay there as they had always done.",
    "Nobody could say how long the bridge had stood, but every child in the village had jumped from it once.",
    "In the evening the lamps were lit along the water, and people came out of their houses to talk.",
    "When the first boat came back there was singing on the bank, and somebody had brought bread and cheese.",
)
SECONDS = 6  # about what one of them lasts


def main() -> None:
    turns, folder, precision = Turns(), Path(sys.argv[1]), sys.argv[2]
    from tts_fm import Synthesizer

    asked = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
    synthesizer = Synthesizer.load("default", device="cpu", precision=precision)
    facts: dict[str, float] = {}
    for _ in range(asked["steps"]):
        turns.wait(**facts)
        is_text = "pieces" in asked
        facts = text_of(synthesizer, asked["pieces"]) if is_text else one_piece(synthesizer, asked["seconds"])
    turns.wait(**facts)


def text_of(synthesizer: Synthesizer, pieces: int) -> dict[str, float]:
    """Speak a text of so many paragraphs, each of one sentence; tell its seconds and into how many pieces it was cut."""
    speech = synthesizer.speak("\n\n".join(islice(cycle(SENTENCES), pieces)))
    return {"seconds": speech.waveform.seconds, "pieces": len(speech.passages)}


def one_piece(synthesizer: Synthesizer, seconds: float) -> dict[str, float]:
    """Speak so many seconds at once, whatever the model's limits; tell how many they allow after its voice."""
    import torch

    from tts_fm import infill

    teller, renderer, voice = synthesizer.teller, synthesizer.renderer, synthesizer.listen(None)
    text = " ".join(islice(cycle(SENTENCES), math.ceil(seconds / SECONDS)))
    n_frames = round(seconds * synthesizer.config.mel.frame_rate)
    measured = teller.rule.measure(voice, text, synthesizer.frontend.tokens(text), speed=1.0, n_frames=n_frames)
    condition = infill.continue_prompt(voice.mel, measured.token_ids, measured.n_frames, measured.token_frames)
    with torch.inference_mode():
        (mel,) = synthesizer.model.sampler().sample([condition], [0])
        waveform = renderer.sound(renderer.log_mel(mel[len(voice.mel) :]), voice.prompt.output_gain)
    return {"seconds": waveform.seconds, "room": teller.room(voice.prompt)}


if __name__ == "__main__":
    main()
