"""f5-tts in a process of its own, run by the Python that has it: a checkpoint is loaded and sampled, step by step in turn.

It imports what the package's command imports, and loads as that does.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from turns import Turns  # pyright: ignore[reportMissingImports] (the folder of a script that is run is searched)


def main() -> None:
    turns, folder, precision = Turns(), Path(sys.argv[1]), sys.argv[2]
    import torch
    from f5_tts.infer.utils_infer import load_model  # pyright: ignore[reportMissingImports]
    from f5_tts.model import DiT, UNetT  # pyright: ignore[reportMissingImports]
    from omegaconf import OmegaConf  # pyright: ignore[reportMissingImports]
    from safetensors.torch import load_file, save_file

    asked = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
    described = OmegaConf.load(str(files("f5_tts").joinpath(f"configs/{asked['architecture']}.yaml"))).model
    if asked["blocks"] is not None:
        described.arch.depth = asked["blocks"]
    kind = {"DiT": DiT, "UNetT": UNetT}[described.backbone]
    given = (str(folder / "model.safetensors"), "vocos", str(folder / "vocab.txt"))
    model = load_model(kind, described.arch, *given, device="cpu").to(getattr(torch, precision))
    generator = torch.Generator().manual_seed(asked["seed"])
    noise = torch.randn(asked["frames"], model.num_channels, generator=generator)
    torch.randn = lambda *_, dtype, **__: noise.to(dtype)  # the numbers that it draws itself, in bfloat16 too
    evaluate = model.transformer.forward

    def in_turn(*given: object, **named: object) -> object:
        turns.wait()
        return evaluate(*given, **named)

    model.transformer.forward = in_turn
    told = load_file(folder / "told.safetensors")
    mel, _ = model.sample(
        cond=told["prompt"][None],
        text=told["tokens"][None],
        duration=asked["frames"],
        steps=asked["steps"],
        cfg_strength=asked["guidance"],
        sway_sampling_coef=-1.0,
        seed=asked["seed"],
    )
    save_file({"mel": mel[0].float()}, sys.argv[3])
    turns.wait(versions=f"f5-tts {version('f5-tts')}, torch {torch.__version__}", precision=precision)


if __name__ == "__main__":
    main()
