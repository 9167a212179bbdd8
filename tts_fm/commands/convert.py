"""``tts-fm convert``: turn what others have trained into a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from tts_fm.cli.terminal import Report, Verbose, show_help

OutFolder = Annotated[Path, typer.Argument(help="Where the model folder goes; it must be new or empty.")]
Dtype = Annotated[str, typer.Option(help="How weights are stored: float32, float16, bfloat16 or int8.")]

_STORED_AS = ("float32", "float16", "bfloat16", "int8")
_LORA_EXAMPLE = "\b\nExample:\n  tts-fm convert lora runs/mine/adapter my-model --model F5TTS_v1_Base"
_HIFIGAN_EXAMPLE = (
    "\b\nExample:\n  tts-fm convert hifigan generator_v1.pth.tar my-vocoder --config config.json --license MIT"
)
_EXAMPLE = "\b\nExample:\n  tts-fm convert f5 model_1250000.safetensors my-model --vocab vocab.txt --architecture F5TTS_v1_Base"

app = typer.Typer(
    help="Turn others' checkpoints into a model folder.",
    epilog=_EXAMPLE,
    callback=show_help,
    invoke_without_command=True,
    rich_markup_mode=None,
)


@app.command(epilog=_EXAMPLE)
def f5(
    context: typer.Context,
    checkpoint: Annotated[
        str, typer.Argument(help="A .safetensors or .pt file of F5-TTS or E2-TTS, or a published name.")
    ],
    out_folder: OutFolder,
    vocab: Annotated[str | None, typer.Option(help="Its vocab.txt, if not beside it.")] = None,
    architecture: Annotated[str | None, typer.Option(help="F5TTS_v1_Base, E2TTS_Base, ... or a YAML file.")] = None,
    dtype: Dtype = "float32",
    verbose: Verbose = False,
) -> None:
    """Convert a checkpoint of F5-TTS or E2-TTS.

    Its averaged (EMA) weights, vocabulary and configuration become a model folder."""
    _check(out_folder, dtype)
    import torch

    from tts_fm import checkpoint as checkpoints
    from tts_fm import hub, loading

    source = hub.resolve(checkpoint, vocab=vocab, architecture=architecture)
    if source.checkpoint is None:
        raise ValueError(f"{checkpoint} is a model folder already; give it to tts-fm synthesize --model")
    config, backbone, _ = loading.load_model(source, torch.device("cpu"))
    card = f"# {config.name}\n\nConverted from `{source.checkpoint.name}`. License: {config.license or 'see its origin'}.\n"
    checkpoints.save_model(
        out_folder, config, backbone.state_dict(), dtype=getattr(torch, dtype), vocab=source.vocab, card=card
    )
    _say_how_to_speak(context.obj, out_folder)


@app.command(epilog=_LORA_EXAMPLE)
def lora(
    context: typer.Context,
    adapter: Annotated[Path, typer.Argument(help="The folder with adapter.yaml and adapter.safetensors.")],
    out_folder: OutFolder,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="The base: a folder, a checkpoint file, hf://OWNER/REPO or a name."),
    ] = None,
    vocab: Annotated[str | None, typer.Option(help="vocab.txt of a checkpoint file.")] = None,
    architecture: Annotated[str | None, typer.Option(help="Its architecture: F5TTS_v1_Base, ... or YAML.")] = None,
    dtype: Dtype = "float32",
    verbose: Verbose = False,
) -> None:
    """Merge an adapter (LoRA) into the model it was trained on.

    Without --model the base is where it was when the adapter was trained."""
    _check(out_folder, dtype)
    import torch

    from tts_fm import checkpoint as checkpoints
    from tts_fm import hub, loading
    from tts_fm.training import finetune
    from tts_fm.training import lora as adapters

    about, weights = adapters.load_adapter(adapter)
    if model is None and (vocab is not None or architecture is not None):
        raise ValueError("--vocab and --architecture go with --model; name the base, too")
    source = finetune.find(about.finetune) if model is None else hub.resolve(model, vocab, architecture)
    _, backbone, _ = loading.load_model(source, torch.device("cpu"))
    state = adapters.complete(about, weights, backbone.state_dict(), source.name)
    own_vocab = adapter / checkpoints.VOCAB
    card = f"# {about.model.name}\n\n`{about.finetune.model}` with an adapter of rank {about.lora.rank} merged.\n"
    checkpoints.save_model(
        out_folder,
        about.model,
        state,
        dtype=getattr(torch, dtype),
        vocab=own_vocab if own_vocab.is_file() else None,
        card=card,
    )
    _say_how_to_speak(context.obj, out_folder)


@app.command(epilog=_HIFIGAN_EXAMPLE)
def hifigan(
    context: typer.Context,
    checkpoint: Annotated[Path, typer.Argument(help="A generator of HiFi-GAN: g_02500000, generator_v1.pth.tar, ...")],
    out_folder: Annotated[Path, typer.Argument(help="Where the vocoder folder goes; it must be new or empty.")],
    config: Annotated[Path | None, typer.Option(help="Its config.json, if not beside it.")] = None,
    license: Annotated[str, typer.Option(help="The license of the weights, to be written down.")] = "",
    dtype: Dtype = "float16",
    precision: Annotated[
        str, typer.Option(help="What it computes in: float32, or bfloat16 or int8 where that is fast.")
    ] = "float32",
    speech: Annotated[
        Path | None,
        typer.Option(
            help="A folder of recordings, some minutes of many voices, by which int8 measures what it rounds."
        ),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Convert a generator of HiFi-GAN (jik876/hifi-gan).

    Its weights, with weight norm folded, and its mel become a vocoder folder."""
    _check(out_folder, dtype)
    import torch

    from tts_fm import vocoder_folder
    from tts_fm.audio.io import Waveform
    from tts_fm.audio.mel import log_mel
    from tts_fm.interop import hifigan as published
    from tts_fm.vocoders.hifigan import Precision

    if precision not in (known := get_args(Precision)):
        raise ValueError(f"--precision is {precision!r}; choose one of {', '.join(known)}")
    if (precision == "int8") != (speech is not None):
        raise ValueError(
            "--precision int8 and --speech, by which it measures what it rounds, need each other; give both"
        )
    recordings = [] if speech is None else _recordings(speech)
    vocoder = published.load(checkpoint, config, cast(Precision, precision))
    if recordings:
        sounds = (Waveform.load(path).resampled(vocoder.mel.sample_rate) for path in recordings)
        vocoder.measure(log_mel(sound.samples, vocoder.mel) for sound in sounds)
    vocoder_folder.save(
        out_folder, vocoder, name=f"hifigan, {checkpoint.name}", license=license, dtype=getattr(torch, dtype)
    )
    context.obj.say(f"{out_folder}: a vocoder of {vocoder.mel}; use it by --vocoder {out_folder}")


def _recordings(folder: Path) -> list[Path]:
    from tts_fm.audio.containers import SOUNDS

    if there := sorted(path for path in folder.glob("*") if path.suffix.lower() in SOUNDS):
        return there
    raise ValueError(f"--speech {folder}: no recording is in it; name a folder of files such as .wav or .flac")


def _check(out_folder: Path, dtype: str) -> None:
    if dtype not in _STORED_AS:
        raise ValueError(f"--dtype is {dtype!r}; choose one of {', '.join(_STORED_AS)}")
    if out_folder.exists() and (not out_folder.is_dir() or any(out_folder.iterdir())):
        raise ValueError(f"{out_folder} exists already; name a new folder")


def _say_how_to_speak(report: Report, folder: Path) -> None:
    report.say(f'{folder}: speak with it by: tts-fm synthesize --model {folder} --text "..." --ref-audio voice.wav')
