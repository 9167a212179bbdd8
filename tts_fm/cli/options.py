"""The options that several subcommands have: one definition each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tts_fm.sampler import SamplingOptions

Model = Annotated[
    str,
    typer.Option("--model", "-m", help="default, a folder, a checkpoint file, hf://OWNER/REPO, or a published name."),
]
Vocab = Annotated[str | None, typer.Option(help="vocab.txt of a checkpoint file.")]
Architecture = Annotated[str | None, typer.Option(help="Its architecture: F5TTS_v1_Base, ... or a YAML file.")]
Vocoder = Annotated[str | None, typer.Option(help="A vocoder folder, hf://OWNER/REPO or griffin_lim.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Precision = Annotated[
    str,
    typer.Option(
        help="auto (what the device multiplies fastest of the next three), float32, bfloat16, float16 or int8."
    ),
]
RefAudio = Annotated[Path | None, typer.Option("--ref-audio", "-r", help="A recording of the voice, 1 to 30 s.")]
RefText = Annotated[str | None, typer.Option("--ref-text", "-s", help="The words in that recording.")]
Recogniser = Annotated[
    str | None,
    typer.Option(help="Who hears the words: whisper or pocketsphinx; else whisper where its model is on this machine."),
]
RecogniserModel = Annotated[
    str | None,
    typer.Option(help="Its model: a folder, hf://OWNER/REPO, or a size such as base or large-v3.  [default: base]"),
]
Naturalness = Annotated[
    list[str] | None,
    typer.Option(help="Who rates the sound: dnsmos, distillmos (both may be given) or none; else those installed."),
]
Leaps = Annotated[
    int | None,
    typer.Option(min=0, help="Leaps, for a model that can; 0, or other options of sampling: its flow itself."),
]
Takes = Annotated[
    int, typer.Option(min=1, max=50, help="Speak so often, with seeds from --seed on, and keep what is heard best.")
]
Verify = Annotated[
    bool, typer.Option("--verify", help="Say anew, alone, words that are not heard; English, needs the extra edit.")
]
Tries = Annotated[
    int | None, typer.Option(min=1, max=20, help="How often --verify says a word anew at most.  [default: 3]")
]
CheckModel = Annotated[
    str | None, typer.Option(help="A Whisper model that listens too: a folder, or a size; needs the extra asr.")
]
Speed = Annotated[float, typer.Option(min=0.1, max=10, help="2 is twice as fast as the recording.")]
LexiconFile = Annotated[
    Path | None,
    typer.Option("--lexicon", help="Your own words, one a line: word, tab, reading in letters or as /IPA/."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON record on stdout.")]


def sampling_options(leaps: int | None, **given: Any) -> dict[str, Any]:
    """Return what was given of the options of sampling: all that is not None, and ``leaps`` as steps of another kind, 0 as none.

    Raises:
        ValueError: both leaps and steps were given.
    """
    if leaps == 0:
        given |= {"leap": False}
    elif leaps is not None:
        if given.get("steps") is not None:
            raise ValueError("--leaps says how many steps there are; leave out --steps")
        given |= {"leap": True, "steps": leaps}
    return {name: value for name, value in given.items() if value is not None}


def check_sampling(given: dict[str, Any]) -> SamplingOptions:
    """Return the options of sampling as they are without a model's own, to find mistakes before a model is loaded.

    Raises:
        ValueError: an unknown option, a value out of range, or two that do not go together.
    """
    from tts_fm import config
    from tts_fm.sampler import SamplingOptions

    base = SamplingOptions().leaping(1).model_dump() if given.get("leap") else {}
    return config.parse(SamplingOptions, base | given, "sampling", "it")
