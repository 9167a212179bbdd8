"""``tts-fm synthesize``: speak a text, in the voice of a recording or in the model's own."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from tts_fm.cli import careful, cast, live, script, text_input
from tts_fm.cli import dry_run as dry_runs
from tts_fm.cli import output as outputs
from tts_fm.cli.delivery import Captions, Delivery
from tts_fm.cli.options import (
    Architecture,
    AsJson,
    CheckModel,
    Device,
    Leaps,
    LexiconFile,
    Model,
    Precision,
    RefAudio,
    RefText,
    Speed,
    Takes,
    Tries,
    Verify,
    Vocab,
    Vocoder,
    check_sampling,
    sampling_options,
)
from tts_fm.cli.script import Manner
from tts_fm.cli.terminal import Quiet, Report, Verbose
from tts_fm.commands import book
from tts_fm.interop import f5_options

EXAMPLE = '\b\nExample:\n  tts-fm synthesize --text "Flow matching turns noise into speech." --output hello.wav'

SETTINGS = {"token_normalize_func": f5_options.our_name}


def synthesize(
    context: typer.Context,
    words: Annotated[str | None, typer.Argument(metavar="TEXT", help="What to say; - reads it from stdin.")] = None,
    text: Annotated[str | None, typer.Option("--text", "-t", help="What to say, instead of TEXT.")] = None,
    text_file: Annotated[
        str | None, typer.Option("--text-file", "-f", help="A UTF-8 file of it; - is stdin; .epub and .md are books.")
    ] = None,
    ref_audio: RefAudio = None,
    ref_text: RefText = None,
    voice: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[TAG=]NAME|FILE",
            help="A kept voice, see tts-fm voices; with TAG= who speaks as [TAG] in the text.",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="A story as TOML, F5-TTS's or our own; options go before it.")
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="wav, flac, ogg or mp3 by suffix; - is stdout, at once.  [default: output.wav]",
        ),
    ] = None,
    model: Model = "default",
    vocab: Vocab = None,
    architecture: Architecture = None,
    vocoder: Vocoder = None,
    leaps: Leaps = None,
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
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set any field of a model's sampling block.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 1, help="The same seed, the same speech.  [default: random]")
    ] = None,
    speed: Speed = 1.0,
    duration: Annotated[
        float | None, typer.Option(min=0.1, max=3600, help="Seconds of speech, whatever the speed.")
    ] = None,
    takes: Takes = 1,
    verify: Verify = False,
    tries: Tries = None,
    check_model: CheckModel = None,
    device: Device = "auto",
    precision: Precision = "auto",
    no_normalize: Annotated[bool, typer.Option("--no-normalize", help="TEXT spells out its numbers already.")] = False,
    lexicon: LexiconFile = None,
    markup: Annotated[
        bool,
        typer.Option("--markup", help="TEXT is SSML, or has tags: [pause 0.5s], [spell], [say IPA], [rate], [voice]."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print what will be read and why, its pieces and their lengths; speak nothing."),
    ] = False,
    keep_loudness: Annotated[
        bool, typer.Option("--keep-loudness", help="Voices of a story stay as loud as their recordings.")
    ] = False,
    watermark: Annotated[
        bool, typer.Option("--watermark", help="Mark the speech inaudibly; needs the extra watermark.")
    ] = False,
    force: outputs.Force = False,
    save_mel: Annotated[Path | None, typer.Option(help="Draw the mel into this .png file.")] = None,
    play: Annotated[
        bool, typer.Option("--play", help="Let it be heard while it is made; needs the extra play.")
    ] = False,
    output_raw: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write 16-bit samples without a header while it is made; - is stdout."),
    ] = None,
    timestamps: Annotated[Path | None, typer.Option(help="When each word is heard, into this .json file.")] = None,
    srt: Annotated[Path | None, typer.Option(help="Subtitles of the speech, into this SubRip file.")] = None,
    vtt: Annotated[Path | None, typer.Option(help="Subtitles of the speech, into this WebVTT file.")] = None,
    words_apart: Annotated[bool, typer.Option("--words", help="A subtitle for each word.")] = False,
    line_length: Annotated[
        int | None, typer.Option(min=10, help="The most characters of a line of subtitles.  [default: 42]")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    ckpt_file: Annotated[str | None, typer.Option("--ckpt-file", "-p", hidden=True)] = None,
    output_dir: Annotated[str | None, typer.Option(hidden=True)] = None,
    output_file: Annotated[str | None, typer.Option("--output-file", "-w", hidden=True)] = None,
    fix_duration: Annotated[float | None, typer.Option(hidden=True)] = None,
) -> None:
    """Speak a text in the voice of a recording.

    Without a recording it is the model's own voice. With --config or --voice TAG=NAME the text is a story, in which
    a [TAG] gives the word to another voice. A book (--text-file novel.epub) is said as tts-fm book says it.

    The options of f5-tts_infer-cli (--ref_audio, --gen_text, --nfe_step, ...) mean the same here.
    """
    from tts_fm import books, strict
    from tts_fm.text.lexicon import Lexicon

    if text_file is not None and books.is_book(text_file):
        book.instead_of(context)
        return
    report: Report = context.obj
    target = outputs.target(output, output_dir, output_file, as_json)
    given = sampling_options(
        leaps,
        steps=steps,
        guidance=guidance,
        sway=sway,
        shift=shift,
        solver=solver,
        tolerance=tolerance,
        grid=grid,
        noise=noise,
        guidance_modes=",".join(guidance_mode) if guidance_mode else None,
    )
    strict.change(given, [] if settings is None else settings, "follow_prompt=true")
    if ("auto" in check_sampling(given).guidance_modes) != (guidance_model is not None):
        raise ValueError(
            "--guidance-mode auto and --guidance-model MODEL, the weaker model, need each other; give both"
        )
    voices = [] if voice is None else voice
    captions = Captions(timestamps, srt, vtt, words_apart, line_length)
    delivery = Delivery(target, save_mel, captions, watermark, as_json)
    care = careful.Care(takes, verify, tries, check_model)
    care.check()
    is_long = duration is not None or fix_duration is not None
    is_whole = is_long or watermark or save_mel is not None or as_json or bool(care)
    heard = live.Live(target == "-" and not is_whole, output_raw, play)
    if heard:
        heard.check(is_whole)
    delivery.check()
    written_text = text_input.chosen(words, text, text_file)
    if ignored := cast.unknown(context):
        report.warn(f"{config}: nothing is done with {', '.join(ignored)}")
    sources = cast.files(context, voices, [ref_audio, config, text_file, lexicon])
    for file in () if dry_run else delivery.files:
        outputs.check_not_read(file, sources, force)
    manner = Manner(speed, no_normalize, None if lexicon is None else Lexicon.load(lexicon))
    is_story = markup or config is not None or any("=" in one for one in voices)
    said, remarks = script.build(
        context, written_text, voices, ref_audio, ref_text, manner, is_story=is_story, is_marked_up=markup
    )
    if ckpt_file is not None:  # F5-TTS names the architecture with --model, and the file beside it
        known = "F5TTS_v1_Base" if model == "default" else model
        model, architecture = ckpt_file, known if architecture is None else architecture

    from tts_fm.speech import provenance
    from tts_fm.synthesizer import Synthesizer

    synthesizer = Synthesizer.load(
        model,
        vocab=vocab,
        architecture=architecture,
        vocoder="griffin_lim" if dry_run else vocoder,  # which has no weights
        device=device,
        precision=precision,
        weak_model=None if dry_run else guidance_model,
    )
    sampling = synthesizer.config.sampling_as(given)
    if fix_duration is not None:
        duration = script.seconds_of_speech(fix_duration, said.prompt, synthesizer.config)
    if dry_run:
        dry_runs.show(said.plans(synthesizer, duration), remarks, as_json, report)
        return
    if seed is None:
        seed = secrets.randbelow(2**31)
        report.say(f"seed {seed}")
    model_name = synthesizer.config.name
    if heard:
        for remark in remarks:
            report.warn(remark)
        facts = provenance(model_name, seed, sampling, said.text)
        pieces = said.stream(synthesizer, seed, sampling, not keep_loudness)
        spoken = heard.speak(pieces, synthesizer.config.mel.sample_rate, facts, report)
        live.keep(spoken, facts, None if output in (None, "-") else target, captions)
        return
    speaker = care.speaker(synthesizer)
    with report.progress("speaking") as on_step:
        speech, turns = said.speak(speaker, seed, sampling, duration, not keep_loudness, on_step)
    speaker.tell(turns, report)
    marks = {"precision": synthesizer.precision, **speaker.record(turns)}
    facts = provenance(model_name, seed, sampling, speech.text, **marks)
    delivery.deliver(replace(speech, remarks=(*remarks, *speech.remarks)), turns, facts, report)
