"""pocket-tts's english_18m with random weights in a process of its own, run by the Python that has it: it speaks in turn.

Its tokenizer is learned from the sentences themselves, as the published one is not in the package.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from scripts.benchmark_inference.turns import Turns

PROMPT_SECONDS = 5


def main() -> None:
    turns, folder = Turns(), Path(sys.argv[1])
    import torch
    from pocket_tts import TTSModel  # pyright: ignore[reportMissingImports]

    sentences = json.loads((folder / "sentences.json").read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = TTSModel.load_model(config=str(_described(folder, sentences)))
    model.eos_threshold = float("inf")
    voice = model.get_state_for_audio_prompt(0.1 * torch.randn(1, PROMPT_SECONDS * model.sample_rate))
    speech = 0.0
    while True:
        turns.wait(versions=f"pocket-tts {version('pocket-tts')}", speech=str(speech))
        speech = sum(len(model.generate_audio(voice, sentence)) for sentence in sentences) / model.sample_rate


def _described(folder: Path, sentences: list[str]) -> Path:
    """Return the package's own description of the model, without weights and with a tokenizer of the sentences."""
    import sentencepiece  # pyright: ignore[reportMissingImports]
    import yaml

    corpus = folder / "sentences.txt"
    corpus.write_text("\n".join(sentences), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(folder / "tokens"), vocab_size=150, hard_vocab_limit=False
    )
    published = files("pocket_tts").joinpath("config/english_18m_2026-10.yaml").read_text(encoding="utf-8")
    described = yaml.safe_load(published)
    for name in ("weights_path", "weights_path_without_voice_cloning"):
        described.pop(name)
    words = described["flow_lm"]["lookup_table"]
    words["tokenizer_path"] = str(folder / "tokens.model")
    words["n_bins"] = sentencepiece.SentencePieceProcessor(model_file=words["tokenizer_path"]).vocab_size()
    path = folder / "english_18m.yaml"
    path.write_text(yaml.safe_dump(described), encoding="utf-8")
    return path


if __name__ == "__main__":
    main()
