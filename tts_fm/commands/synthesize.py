"""``tts-fm synthesize``: speak a text, in the voice of a recording or in the model's own."""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tts_fm.commands import reference
from tts_fm.commands.options import Architecture, Device, Model, Precision, RefAudio, RefText, Vocab, Vocoder
from tts_fm.commands.terminal import Quiet, Report, Verbose

if TYPE_CHECKING:
    from tts_fm.audio.prompt import Prompt
    from tts_fm.config import ModelConfig
    from tts_fm.sampler import SamplingOptions
    from tts_fm.synthesizer import Speech

EXAMPLE = '\b\nExample:\n  tts-fm synthesize --text "Flow matching turns noise into speech." --output hello.wav'

_F5 = {
    "gen-text": "text",
    "gen-file": "text-file",
    "nfe-step": "steps",
    "cfg-strength": "guidance",
    "sway-sampling-coef": "sway",
    "vocab-file": "vocab",
    "model-cfg": "architecture",
}


def _our_name(option: str) -> str:
    """Return our name of an option; F5-TTS's names, with their underscores, mean the same."""
    name = option.replace("_", "-")
    return _F5.get(name, name)


SETTINGS = {"token_normalize_func": _our_name}


def synthesize(
    context: typer.Context,
    words: Annotated[str | None, typer.Argument(metavar="TEXT", help="What to say; - reads it from stdin.")] = None,
    text: Annotated[str | None, typer.Option("--text", "-t", help="What to say, instead of TEXT.")] = None,
    text_file: Annotated[str | None, typer.Option("--text-file", "-f", help="A UTF-8 file of it; - is stdin.")] = None,
    ref_audio: RefAudio = None,
    ref_text: RefText = None,
    voice: Annotated[str | None, typer.Option(metavar="NAME|FILE", help="A kept voice, see tts-fm voices.")] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="wav, flac, ogg or mp3 by suffix; - is stdout.  [default: output.wav]"),
    ] = None,
    model: Model = "default",
    vocab: Vocab = None,
    architecture: Architecture = None,
    vocoder: Vocoder = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the solver.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Strength of guidance; 0 is none.")] = None,
    guidance_mode: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[.OPTION=VALUE]",
            help="What guides, several with commas: cfg, interval.end=0.7, split.text=3, rescale, ...",
        ),
    ] = None,
    guidance_model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="A weaker model to lead away from, for the mode auto.")
    ] = None,
    sway: Annotated[float | None, typer.Option(help="Sway of the time grid; 0 leaves it as it is.")] = None,
    shift: Annotated[float | None, typer.Option(help="Shift of the time grid; 1 leaves it as it is.")] = None,
    solver: Annotated[
        str | None,
        typer.Option(help="euler, ab2, ab3 (1 evaluation a step), midpoint, heun (2), rk4 (4) or dopri5 (adaptive)."),
    ] = None,
    tolerance: Annotated[float | None, typer.Option(help="Error that dopri5 allows in a step.")] = None,
    grid: Annotated[str | None, typer.Option(help="uniform, epss, cosine, linear_quadratic or optimal.")] = None,
    noise: Annotated[float | None, typer.Option(help="Noise added on the way (a diffusion); 0 is the flow.")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 1, help="The same seed, the same speech.  [default: random]")
    ] = None,
    speed: Annotated[float, typer.Option(min=0.1, max=10, help="2 is twice as fast as the recording.")] = 1.0,
    duration: Annotated[
        float | None, typer.Option(min=0.1, max=3600, help="Seconds of speech, whatever the speed.")
    ] = None,
    device: Device = "auto",
    precision: Precision = "auto",
    no_normalize: Annotated[bool, typer.Option("--no-normalize", help="TEXT spells out its numbers already.")] = False,
    save_mel: Annotated[Path | None, typer.Option(help="Draw the mel into this .png file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON record on stdout.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    ckpt_file: Annotated[str | None, typer.Option("--ckpt-file", "-p", hidden=True)] = None,
    output_dir: Annotated[str | None, typer.Option(hidden=True)] = None,
    output_file: Annotated[str | None, typer.Option("--output-file", "-w", hidden=True)] = None,
    fix_duration: Annotated[float | None, typer.Option(hidden=True)] = None,
) -> None:
    """Speak a text in the voice of a recording.

    Without a recording it is the model's own voice.

    The options of f5-tts_infer-cli (--ref_audio, --gen_text, --nfe_step, ...) mean the same here.
    """
    report: Report = context.obj
    target = _target(output, output_dir, output_file, as_json)
    given = {"steps": steps, "guidance": guidance, "sway": sway, "shift": shift, "solver": solver}
    given |= {"tolerance": tolerance, "grid": grid, "noise": noise}
    given["guidance_modes"] = None if not guidance_mode else ",".join(guidance_mode)
    given = {name: value for name, value in given.items() if value is not None}
    _check_early(given, guidance_model, target, save_mel)
    to_say = _text(words, text, text_file)
    prompt = reference.chosen(ref_audio, ref_text, voice, report)
    if ckpt_file is not None:  # F5-TTS names the architecture with --model, and the file beside it
        known = "F5TTS_v1_Base" if model == "default" else model
        model, architecture = ckpt_file, known if architecture is None else architecture

    from tts_fm.synthesizer import Synthesizer

    synthesizer = Synthesizer.load(
        model,
        vocab=vocab,
        architecture=architecture,
        vocoder=vocoder,
        device=device,
        precision=precision,
        weak_model=guidance_model,
    )
    sampling = _sampling(given, synthesizer.config.sampling)
    if fix_duration is not None:
        duration = _without_prompt(fix_duration, prompt, synthesizer.config)
    if seed is None:
        seed = secrets.randbelow(2**31)
        report.say(f"seed {seed}")
    with report.progress("speaking") as on_step:
        speech = synthesizer.speak(
            to_say,
            prompt,
            seed=seed,
            speed=speed,
            seconds=duration,
            sampling=sampling,
            normalized=no_normalize,
            on_step=on_step,
        )
    facts = {
        "software": "tts-fm",
        "model": synthesizer.config.name,
        "seed": seed,
        **sampling.model_dump(),
        "text": speech.text,
    }
    _deliver(speech, facts, target, save_mel, as_json, report)


def _target(output: str | None, folder: str | None, name: str | None, as_json: bool) -> str:
    """Return where the speech goes; F5-TTS names a folder (``-o``) and a file in it (``-w``)."""
    if folder is None and output is not None and output != "-" and (name is not None or Path(output).is_dir()):
        output, folder = None, output
    if folder is not None or name is not None:
        if output is not None:
            raise ValueError("--output names the file already; leave out --output_dir and --output_file")
        path = Path("." if folder is None else folder)
        path.mkdir(parents=True, exist_ok=True)
        return str(path / ("output.wav" if name is None else name))
    target = "output.wav" if output is None else output
    if target == "-" and as_json:
        raise ValueError("--json and --output - both write to stdout; give --output a file")
    return target


def _check_early(sampling: dict[str, Any], weak_model: str | None, target: str, save_mel: Path | None) -> None:
    """Find mistakes before anything takes long."""
    from tts_fm import config
    from tts_fm.audio import io, picture
    from tts_fm.sampler import SamplingOptions

    modes = config.parse(SamplingOptions, sampling, "sampling").guidance_modes
    if ("auto" in modes) != (weak_model is not None):
        raise ValueError(
            "--guidance-mode auto and --guidance-model MODEL, the weaker model, need each other; give both"
        )
    if target != "-":
        io.check_target(target)
    elif sys.stdout.isatty():
        raise ValueError("audio would flood the terminal; redirect it ('--output - > speech.wav') or name a file")
    if save_mel is not None:
        picture.check_target(save_mel)


def _text(words: str | None, text: str | None, text_file: str | None) -> str:
    """Return what to say, from the one place that was given."""
    from tts_fm.text import clean

    if sum(source is not None for source in (words, text, text_file)) != 1:
        raise ValueError("give the text once: as --text 'Hello.', as --text-file FILE, or - to read it from stdin")
    if words == "-" or text == "-":
        words, text, text_file = None, None, "-"
    to_say = _read_text(text_file) if text_file is not None else words if text is None else text
    assert to_say is not None
    clean.check(to_say)
    return to_say


def _read_text(source: str) -> str:
    """Return the text in the file ``source``, or on stdin for ``-``. Raises InputError where it is no text."""
    from tts_fm.errors import InputError
    from tts_fm.text.clean import MAX_CHARACTERS

    most = 4 * MAX_CHARACTERS + 4  # a character has up to four bytes; the text's own check refuses what is longer
    try:
        if source == "-":
            data = sys.stdin.buffer.read(most)
        else:
            with open(source, "rb") as file:
                data = file.read(most)
    except (OSError, ValueError) as error:
        raise InputError(
            f"the text file {source!r} can not be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    name = "stdin" if source == "-" else source
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if len(data) == most:
            return data.decode("utf-8-sig", errors="ignore")
        raise InputError(
            f"{name} is no UTF-8 text (byte {error.start} is {data[error.start]:#04x}); save it as UTF-8"
        ) from None


def _sampling(given: dict[str, Any], defaults: SamplingOptions) -> SamplingOptions:
    from tts_fm import config

    return config.parse(type(defaults), defaults.model_dump() | given, "sampling")


def _without_prompt(seconds: float, prompt: Prompt | None, config: ModelConfig) -> float:
    """Return the length of the speech where F5-TTS's ``--fix_duration`` gives that of prompt and speech together."""
    from tts_fm.audio.prompt import prepare

    if prompt is None:
        raise ValueError("--fix_duration counts the recording too; give --ref-audio, or use --duration")
    spent = prepare(prompt, config.mel.sample_rate, config.limits.max_prompt_seconds).waveform.seconds
    if not seconds > spent:
        raise ValueError(
            f"--fix_duration is {seconds:g}, the recording alone lasts {spent:.1f} s; give more, or use --duration"
        )
    return seconds - spent


def _deliver(
    speech: Speech, facts: dict[str, Any], target: str, save_mel: Path | None, as_json: bool, report: Report
) -> None:
    """Write the files, then tell about them."""
    from tts_fm.audio import io, picture

    io.write(speech.waveform, target, metadata=facts)
    if save_mel is not None:
        picture.save(speech.mel, save_mel)
    if speech.unknown:
        shown = ", ".join(repr(token) for token in speech.unknown[:20])
        more = f" and {len(speech.unknown) - 20} more" if len(speech.unknown) > 20 else ""
        report.warn(f"the model {facts['model']} does not know {shown}{more}; the speech may lack them")
    seconds, factor = speech.waveform.seconds, speech.real_time_factor
    where = "stdout" if target == "-" else target
    report.say(f"{where}: {seconds:.2f} s, made in {speech.seconds:.2f} s (real-time factor {factor:.2f})")
    if as_json:
        record = {
            **{name: value for name, value in facts.items() if name != "software"},
            "output": target,
            "seconds": round(seconds, 3),
            "sample_rate": speech.waveform.sample_rate,
            "real_time_factor": round(factor, 4),
            "chunks": speech.chunks,
            "unknown": speech.unknown,
        }
        typer.echo(json.dumps(record))
