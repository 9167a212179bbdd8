"""``tts-fm voices``: keep a voice under a name, with its words and a note of consent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tts_fm.cli import reference
from tts_fm.cli.options import RefAudio, RefText
from tts_fm.cli.terminal import Quiet, Report, Verbose, show_help

if TYPE_CHECKING:
    from tts_fm.audio.library import KeptVoice

app = typer.Typer(
    help="Keep voices under a name, to speak in with --voice NAME.",
    epilog="\b\nExample:\n  tts-fm voices list",
    callback=show_help,
    invoke_without_command=True,
    rich_markup_mode=None,
)

STATED = "whoever added this voice states that its speaker consents to being cloned"
_ADD_EXAMPLE = (
    '\b\nExample:\n  tts-fm voices add anna --ref-audio anna.wav --ref-text "The words in it." '
    '--consent "Anna Miller, by e-mail, for the museum guide"'
)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(epilog=_ADD_EXAMPLE)
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A new name, or a voice's file from elsewhere.")],
    ref_audio: RefAudio = None,
    ref_text: RefText = None,
    consent: Annotated[str | None, typer.Option(help="Who allowed to clone this voice, and how.")] = None,
    has_consent: Annotated[
        bool, typer.Option("--i-have-consent", help="Only state that the speaker allowed it.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a voice of that name.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Keep the voice of a recording, trimmed to the speech in it.

    Or take over a voice's file from another machine: tts-fm voices add anna.flac
    """
    report: Report = context.obj
    from tts_fm import doubts
    from tts_fm.audio.library import VoiceLibrary
    from tts_fm.audio.prompt import MAX_SECONDS, prepare

    library = VoiceLibrary()
    if ref_audio is None:
        if has_consent or consent is not None or ref_text is not None:
            raise ValueError("give --ref-audio too; a voice's file has its words and its note of consent in it")
        if not Path(name).is_file():
            raise ValueError(f"there is no voice's file {name}; to keep a new voice as {name!r}, give --ref-audio")
        voice = library.add_file(Path(name), is_forced=force)
    else:
        if consent is None and not has_consent:
            raise ValueError("--consent 'who allowed it, and how' is needed; or --i-have-consent, if that is all")
        library.path(name)  # a mistake in the name is found before the recording is transcribed
        prompt = reference.recording(ref_audio, ref_text, report)
        for remark in doubts.of_reference(prompt, prepare(prompt, prompt.waveform.sample_rate, MAX_SECONDS), False):
            report.warn(remark)
        voice = library.add(name, prompt, STATED if consent is None else consent, is_forced=force)
    report.say(f"{library.path(voice.name)}: {voice.seconds:.1f} s; speak in it with --voice {voice.name}")


@app.command("list", epilog="\b\nExample:\n  tts-fm voices list --json")
def list_voices(context: typer.Context, as_json: AsJson = False, verbose: Verbose = False) -> None:
    """List the voices, the bundled one first."""
    report: Report = context.obj
    from tts_fm.audio.library import VoiceLibrary

    library = VoiceLibrary()
    kept = [_bundled()]
    for name in library.names():
        try:
            kept.append(_facts(library.load(name), library.path(name)))
        except ValueError as error:  # a damaged file hides no other
            report.warn(str(error))
    if as_json:
        typer.echo(json.dumps(kept))
        return
    width = max(len(facts["name"]) for facts in kept)
    for facts in kept:
        typer.echo(f"{facts['name']:<{width}}  {facts['seconds']:4.1f} s  {facts['transcript']}")


@app.command(epilog="\b\nExample:\n  tts-fm voices show default")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A voice's name.")],
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Tell all about a voice: its words, who consented, its hash and its file."""
    from tts_fm.audio.library import BUNDLED, VoiceLibrary

    library = VoiceLibrary()
    facts = _bundled() if name == BUNDLED else _facts(library.load(name), library.path(name))
    if as_json:
        typer.echo(json.dumps(facts))
        return
    for key, value in facts.items():
        typer.echo(f"{key:<10}  {value}")


@app.command(epilog="\b\nExample:\n  tts-fm voices rm anna")
def rm(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A voice's name.")],
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Delete a voice: its recording, its words and its note of consent."""
    report: Report = context.obj
    from tts_fm.audio.library import VoiceLibrary

    VoiceLibrary().remove(name)
    report.say(f"the voice {name} is deleted")


def _facts(voice: KeptVoice, path: Path) -> dict[str, Any]:
    """Return what there is to tell about a voice."""
    return {
        "name": voice.name,
        "seconds": round(voice.seconds, 2),
        "transcript": voice.prompt.transcript,
        "consent": voice.consent,
        "added": voice.added,
        "sha256": voice.sha256,
        "file": str(path),
    }


def _bundled() -> dict[str, Any]:
    """Return what there is to tell about the model's own voice."""
    from tts_fm import hub, loading
    from tts_fm.audio.library import BUNDLED

    folder = hub.bundled()
    prompt = loading.own_voice(folder)
    assert prompt is not None  # it comes with the package
    return {
        "name": BUNDLED,
        "seconds": round(prompt.waveform.seconds, 2),
        "transcript": prompt.transcript,
        "consent": f"see {folder / 'README.md'}",
        "file": str(folder / "voice.flac"),
    }
