"""``tts-fm export``: write a model as files that speak without torch."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from tts_fm.cli.options import Leaps, RefAudio, RefText, Vocoder, sampling_options
from tts_fm.cli.terminal import Quiet, Report, Verbose, show_help

_EXAMPLE = "\b\nExample:\n  tts-fm export onnx default speaker"

app = typer.Typer(
    help="Write a model as files that speak without torch.",
    epilog=_EXAMPLE,
    callback=show_help,
    invoke_without_command=True,
    rich_markup_mode=None,
)


@app.command(epilog=_EXAMPLE)
def onnx(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="default, a folder or hf://OWNER/REPO, of the kind of the bundled one.")],
    out_folder: Annotated[Path, typer.Argument(help="Where the files go; it must be new or empty.")],
    vocoder: Vocoder = None,
    ref_audio: RefAudio = None,
    ref_text: RefText = None,
    leaps: Leaps = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the solver, which are fixed here.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Strength of guidance; 0 is none.")] = None,
    weights: Annotated[
        str, typer.Option(help="How matrices are stored: int8 (a scale for each row) or float32.")
    ] = "int8",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write acoustic model, vocoder and voice as ONNX.

    A recording becomes the voice in it, else the model's own is. What was written speaks the same words as the model does,
    and is compared with it. Speak with it by: python -m tts_fm.runtime OUT_FOLDER "..."
    """
    report: Report = context.obj
    if weights not in ("int8", "float32"):
        raise ValueError(f"--weights is {weights!r}; choose one of int8, float32")
    if out_folder.exists() and (not out_folder.is_dir() or any(out_folder.iterdir())):
        raise ValueError(f"{out_folder} exists already; name a new folder")
    if (ref_audio is None) != (ref_text is None):
        raise ValueError("--ref-audio and --ref-text need each other; give both")
    given = sampling_options(leaps, steps=steps, guidance=guidance)

    from tts_fm import export

    export.check_available()

    from tts_fm.audio.prompt import Prompt
    from tts_fm.synthesizer import Synthesizer

    synthesizer = Synthesizer.load(model, vocoder=vocoder, device="cpu", precision="float32")
    sampling = synthesizer.config.sampling_as(given)
    prompt = synthesizer.default_prompt
    if ref_audio is not None and ref_text is not None:
        prompt = Prompt.load(ref_audio, ref_text)
    if prompt is None:
        raise ValueError(f"{model} has no voice of its own; give --ref-audio and --ref-text")
    export.write(synthesizer, out_folder, {"default": prompt}, sampling=sampling, weights=weights)
    try:
        distance = export.compare(synthesizer, out_folder, {"default": prompt}, sampling)
    except (ValueError, RuntimeError):
        shutil.rmtree(out_folder)  # nobody shall speak with it
        raise
    size = sum(path.stat().st_size for path in out_folder.iterdir()) / 1e6
    report.say(
        f"{out_folder}: {size:.1f} MB; mels within {distance.mel_decibels:.4f} dB of the model's, the vocoder's sound "
        f"{distance.sound_snr:.0f} dB over its difference, its mels within {distance.sound_decibels:.1f} dB"
    )
