"""``tts-fm models``: which models there are, what is in one, and fetching it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tts_fm.cli.terminal import Verbose, show_help

app = typer.Typer(
    help="List, describe and download models.",
    epilog="\b\nExample:\n  tts-fm models info default",
    callback=show_help,
    invoke_without_command=True,
    rich_markup_mode=None,
)


@app.command("list", epilog="\b\nExample:\n  tts-fm models list")
def list_models(verbose: Verbose = False) -> None:
    """List the models that have a name."""
    from tts_fm import hub

    rows = [(hub.DEFAULT, "bundled", "", "the voice that comes with tts-fm")]
    for entry in hub.published():
        state = "downloaded" if entry.is_cached else f"{entry.gigabytes:g} GB"
        rows.append((entry.name, state, entry.license, entry.about))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip())


@app.command(epilog="\b\nExample:\n  tts-fm models info default")
def info(
    name: Annotated[str, typer.Argument(help="As for tts-fm synthesize --model.")], verbose: Verbose = False
) -> None:
    """Print a model's configuration as YAML."""
    from tts_fm import config, hub, strict
    from tts_fm.interop import f5_tts

    known = {entry.name.lower(): entry for entry in hub.published()}.get(name.lower())
    if known is not None:  # nothing is downloaded to tell about it
        state = (
            "downloaded"
            if known.is_cached
            else f"{known.gigabytes:g} GB, fetched by: tts-fm models download {known.name}"
        )
        typer.echo(
            f"# {known.about}\n# {state}\n# {known.checkpoint}\n{strict.dump(f5_tts.architecture(known.name))}",
            nl=False,
        )
        return
    folder = hub.resolve(name).folder
    assert folder is not None  # a checkpoint file is refused: it comes without an architecture
    weights = folder / "model.safetensors"
    typer.echo(f"# {folder}\n# {_parameters(weights):,} parameters, {weights.stat().st_size / 1e6:.1f} MB")
    typer.echo(strict.dump(config.read_model(folder / "config.yaml")), nl=False)


@app.command(epilog="\b\nExample:\n  tts-fm models download F5TTS_v1_Base")
def download(
    name: Annotated[str, typer.Argument(help="A published name, or hf://OWNER/REPO[@REVISION].")],
    verbose: Verbose = False,
) -> None:
    """Fetch a model into the cache.

    Its vocoder comes with it; what is printed is where it is."""
    from tts_fm import hub

    source = hub.download(name)
    typer.echo(str(source.checkpoint if source.folder is None else source.folder))


def _parameters(weights: Path) -> int:
    """Return how many numbers a safetensors file holds, scales not counted, from its header alone."""
    import math

    from safetensors import SafetensorError, safe_open

    from tts_fm.errors import ModelError
    from tts_fm.tensors import SCALE

    try:
        with safe_open(weights, framework="numpy") as file:
            names = [name for name in file.keys() if not name.endswith(SCALE)]  # noqa: SIM118 (it is no mapping)
            return sum(math.prod(file.get_slice(name).get_shape()) for name in names)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{weights} is no whole safetensors file ({error}); copy it again") from None
