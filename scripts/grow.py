"""Makes an ``aligned_dit`` deeper without changing what it computes: new blocks that add nothing stand between its own.

    python -m scripts.grow default runs/grown --depth 12 --refine-layers 5
    python -m scripts.grow default runs/told --speaker runs/models/campplus_cn_en_common.pt

The last layers of a new block are zero, so it is the identity until it learns (Net2Net, arXiv 1511.05641), and so is what
the network is told of a prompt's voice by an encoder of speakers. What is written is a
model's folder: train it on with ``finetune.model`` and ``model.backbone`` of the new sizes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import nn

from tts_fm import checkpoint, hub, strict
from tts_fm.backbones.aligned_dit import AlignedDiT
from tts_fm.interop import campplus
from tts_fm.nn.campplus import SpeakerEncoder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="as --model of tts-fm synthesize")
    parser.add_argument("out", type=Path)
    parser.add_argument("--depth", type=int, help="blocks of the transformer; without, as many as there are")
    parser.add_argument("--refine-layers", type=int, help="blocks of the refiner")
    parser.add_argument("--speaker", type=Path, help="weights of CAM++, to hear the voices of prompts")
    given = parser.parse_args()
    folder = hub.resolve(given.model).folder
    if folder is None:
        raise SystemExit(f"{given.model} is no model folder of this project")
    model, backbone = checkpoint.load_model(folder)
    if not isinstance(backbone, AlignedDiT):
        raise SystemExit(f"only an aligned_dit grows, the model's backbone is {model.backbone.name}")
    sizes = {"depth": given.depth, "refine_layers": given.refine_layers}
    options = backbone.options.model_copy(update={name: size for name, size in sizes.items() if size is not None})
    torch.manual_seed(0)
    try:
        encoder = None if given.speaker is None else campplus.load(given.speaker, model.mel, model.mel_scale.std)
        larger = grown(backbone, options, encoder)
    except ValueError as error:
        raise SystemExit(str(error)) from None
    choice = strict.Choice(name=model.backbone.name, options=larger.options)
    checkpoint.save_model(
        given.out, model.model_copy(update={"backbone": choice}), larger.state_dict(), dtype=torch.float32
    )


def grown(backbone: AlignedDiT, options: AlignedDiT.Options, encoder: SpeakerEncoder | None = None) -> AlignedDiT:
    """Return a deeper backbone that computes what ``backbone`` does; with ``encoder`` it can learn to follow that.

    Raises:
        ValueError: it would be less deep.
    """
    if encoder is not None:
        options = options.model_copy(update={"speaker_rate": encoder.rate})
    vocab_size = backbone.token_table.num_embeddings - 1  # a filler is there beside
    larger = AlignedDiT(options, backbone.n_mels, vocab_size)
    kept = {
        name: value
        for name, value in backbone.state_dict().items()
        if not name.startswith(("blocks.", "refine.blocks."))
    }
    larger.load_state_dict(larger.state_dict() | kept)
    _spread(backbone.blocks, larger.blocks, ("conv", "proj", "ff.2"))
    _spread(backbone.refine.blocks, larger.refine.blocks, ("ff.2",))
    if encoder is not None:
        assert larger.speaker is not None
        larger.speaker.encoder.load_state_dict(encoder.state_dict())
    return larger.eval()


def _spread(old: nn.ModuleList, new: nn.ModuleList, last: tuple[str, ...]) -> None:
    """Put the old blocks at even distances among the new ones, of which the ``last`` layers become zero."""
    if len(new) < len(old):
        raise ValueError(f"{len(old)} blocks cannot become {len(new)}; a network only grows here")
    places = [i * len(new) // len(old) for i in range(len(old))]
    for place, block in enumerate(new):
        if place in places:
            block.load_state_dict(old[places.index(place)].state_dict())
            continue
        for name in last:
            for parameter in block.get_submodule(name).parameters():
                nn.init.zeros_(parameter)


if __name__ == "__main__":
    main()
