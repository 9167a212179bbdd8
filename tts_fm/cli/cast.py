"""Who speaks in ``tts-fm synthesize``: a story's file, the options, and the names in the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from typer.core import TyperCommand

from tts_fm.cli import reference
from tts_fm.cli.terminal import Report
from tts_fm.interop import f5_options
from tts_fm.interop.f5_options import StoryVoice

if TYPE_CHECKING:
    from tts_fm.story import Role, Turn

_VOICES, _UNKNOWN = "tts_fm.voices", "tts_fm.unknown"  # where a context keeps what a file says beside the options
_NOT_IN_FILES = {"words", "config", "as_json", "quiet", "verbose", "ref_audio", "ref_text", "voice"}
_INSTEAD = {
    "words": ("text", "text_file"),
    "text": ("text_file",),
    "text_file": ("text",),
    "output": ("output_dir", "output_file"),
    "duration": ("fix_duration",),
    "fix_duration": ("duration",),
}
"""What a file says in vain when another option, the key here, is given on the command line."""


class StoryCommand(TyperCommand):
    """A command whose option ``--config`` names a TOML file of further options; an option that is given goes before it."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Read the file first, as defaults."""
        given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        given = {name: value for name, value in given.items() if value is not None}
        if "config" in given:
            parameters = {parameter.name: parameter for parameter in self.params if parameter.name is not None}
            file = f5_options.read(Path(given["config"]), set(parameters) - _NOT_IN_FILES)
            vain = {name for option in given for name in _INSTEAD.get(option, ())}
            ctx.default_map = {
                name: [value] if getattr(parameters[name], "multiple", False) and isinstance(value, str) else value
                for name, value in file.options.items()
                if name not in vain
            }
            ctx.meta[_VOICES], ctx.meta[_UNKNOWN] = file.voices, file.unknown
        return super().parse_args(ctx, args)


def turns(
    context: typer.Context, text: str, is_marked_up: bool, voices: Sequence[str]
) -> tuple[tuple[Turn, ...], tuple[str, ...]]:
    """Return the turns of a story or of mark-up, and remarks on what was left out."""
    from tts_fm import story
    from tts_fm.audio.library import BUNDLED, VoiceLibrary

    if is_marked_up:
        return story.directed(text), ()
    names = {story.MAIN, BUNDLED, *context.meta.get(_VOICES, ()), *_named(voices), *VoiceLibrary().names()}
    text, remarks = story.without_directions(text, names)
    return story.parse(text), remarks


def files(context: typer.Context, voices: Sequence[str], others: Sequence[str | Path | None]) -> list[Path]:
    """Return the files that a command reads: ``others``, the recordings of its story's file, and voices."""
    from tts_fm.audio.library import VoiceLibrary

    cast: dict[str, StoryVoice] = context.meta.get(_VOICES, {})
    named = [*_named(voices).values(), *(voice.voice for voice in cast.values())]
    read = [*others, *(voice.ref_audio for voice in cast.values()), *named]
    kept = [VoiceLibrary().folder / f"{voice}.flac" for voice in named]
    return [Path(one) for one in (*read, *kept) if one is not None]


def unknown(context: typer.Context) -> Sequence[str]:
    """Return the keys of the story's file that mean nothing here."""
    return context.meta.get(_UNKNOWN, ())


def roles(
    context: typer.Context,
    tags: Sequence[str],
    voices: Sequence[str],
    ref_audio: Path | None,
    ref_text: str | None,
) -> dict[str, Role]:
    """Return who speaks under each of ``tags``.

    ``voices`` are ``TAG=VOICE``, or ``VOICE`` for who speaks before the first tag. They go before the story's file, and
    that before the voices that are kept under a name in the text.

    Raises:
        ValueError: a name that nobody has, or options that contradict each other.
    """
    from tts_fm import story
    from tts_fm.audio.library import BUNDLED, VoiceLibrary

    report: Report = context.obj
    cast: dict[str, StoryVoice] = dict(context.meta.get(_VOICES, {}))
    named = _named(voices)
    if story.MAIN in named and (ref_audio is not None or ref_text is not None):
        raise ValueError("--voice names a voice with its words; leave out --ref-audio and --ref-text")
    for tag, voice in named.items():
        cast[tag] = StoryVoice(voice=voice, speed=cast[tag].speed if tag in cast else None)
    main = cast.get(story.MAIN, StoryVoice())
    if ref_audio is not None:
        cast[story.MAIN] = StoryVoice(ref_audio, ref_text)
    elif ref_text is not None:
        if main.ref_audio is None:
            raise ValueError("--ref-text holds the words of a recording; give that too, with --ref-audio")
        cast[story.MAIN] = replace(main, ref_text=ref_text)
    cast.setdefault(story.MAIN, StoryVoice(voice=BUNDLED))
    story.check_roles(tags, [*cast, BUNDLED, *VoiceLibrary().names()])
    tags = list(dict.fromkeys(tags))
    if idle := [tag for tag in named if tag not in tags and tag != story.MAIN]:
        report.warn(f"nobody speaks as {', '.join(idle)}; the text names {', '.join(tags)}")
    return {tag: _role(cast.get(tag, StoryVoice(voice=tag)), report) for tag in tags}


def _named(voices: Sequence[str]) -> dict[str, str]:
    """Return each ``TAG=VOICE`` by its tag."""
    from tts_fm.story import MAIN

    named: dict[str, str] = {}
    for voice in voices:
        tag, is_tagged, value = voice.partition("=")
        if not is_tagged or Path(voice).is_file():
            tag, value = MAIN, voice
        if tag in named or not (tag and value):
            raise ValueError(f"--voice {voice!r}: give each voice once, as NAME or, for a story's [TAG], as TAG=NAME")
        named[tag] = value
    return named


def _role(voice: StoryVoice, report: Report) -> Role:
    from tts_fm.story import Role

    if voice.ref_audio is not None:
        return Role(reference.recording(voice.ref_audio, voice.ref_text, report), voice.speed)
    assert voice.voice is not None
    return Role(reference.kept(voice.voice), voice.speed, reference.lexicon(voice.voice))
