"""tts_fm in a process of its own, as :mod:`.peer` is: the same checkpoint, loaded and sampled step by step in turn."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from scripts.benchmark_inference.turns import Turns


def main() -> None:
    turns, folder, precision = Turns(), Path(sys.argv[1]), sys.argv[2]
    import torch
    from safetensors.torch import load_file, save_file
    from torch import Tensor

    from tts_fm import Synthesizer, infill
    from tts_fm.sampler import Sampler, SamplingOptions

    asked = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
    synthesizer = Synthesizer.load(
        str(folder / "model.safetensors"),
        vocab=str(folder / "vocab.txt"),
        architecture=str(folder / "config.yaml"),
        vocoder="griffin_lim",
        device="cpu",
        precision=precision,
    )
    backbone = synthesizer.backbone
    evaluate = backbone.velocity

    def in_turn(*given: object) -> Tensor:
        turns.wait()
        return evaluate(*given)  # type: ignore[arg-type]

    backbone.velocity = in_turn  # type: ignore[method-assign]
    told = load_file(folder / "told.safetensors")
    condition = infill.continue_prompt(told["prompt"], told["tokens"].tolist(), asked["frames"])
    options = SamplingOptions(steps=asked["steps"], guidance=asked["guidance"])
    (mel,) = Sampler(backbone, options, synthesizer.dtype).sample([condition], [asked["seed"]])
    save_file({"mel": mel}, sys.argv[3])
    turns.wait(versions=f"torch {torch.__version__}", precision=synthesizer.precision)


if __name__ == "__main__":
    main()
