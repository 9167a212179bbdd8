"""Puts trained weights into the package: an acoustic model in int8, a vocoder and a reference voice."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch

from tts_fm import checkpoint, config, tensors, vocoder_folder


def main() -> None:
    """Write the model folder and print its size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--acoustic", type=Path, default=Path("runs/bundled"), help="folder that `tts-fm train` wrote")
    parser.add_argument("--vocoder", type=Path, help="folder with the exported vocoder; without, it stays as it is")
    parser.add_argument("--vocoder-dtype", choices=["float16", "bfloat16", "int8"], default="float16")
    parser.add_argument(
        "--config", type=Path, default=Path("configs/bundled.yaml"), help="whose sampling defaults to take"
    )
    parser.add_argument("--voice", type=Path, help="reference recording, with its words in a .txt beside it")
    parser.add_argument("--out", type=Path, default=Path("tts_fm/voices/default"))
    args = parser.parse_args()
    model = config.read_model(args.config)
    weights = tensors.read_tensors(args.acoustic / "model" / checkpoint.WEIGHTS)
    checkpoint.save_model(args.out, model, weights, dtype=torch.int8)
    if args.vocoder is not None:
        about, vocoder = vocoder_folder.read(args.vocoder)
        out, dtype = args.out / model.vocoder_source, getattr(torch, args.vocoder_dtype)
        vocoder_folder.save(out, vocoder, name=about.name, license=about.license, dtype=dtype)
    if args.voice is not None:
        shutil.copy(args.voice, args.out / "voice.flac")
        shutil.copy(args.voice.with_suffix(".txt"), args.out / "voice.txt")
    size = sum(path.stat().st_size for path in args.out.rglob("*") if path.is_file())
    print(f"{args.out}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
