"""``tts-fm serve``: speech over HTTP, as OpenAI's clients ask for it, from a model that is loaded once."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from tts_fm.cli import options
from tts_fm.cli.terminal import Quiet, Report, Verbose

EXAMPLE = "\b\nExample:\n  tts-fm serve --port 8000"

_NEEDED = ("fastapi", "uvicorn", "websockets", "prometheus_client", "python_multipart")
_MAX_KEY_FILE = 100_000  # bytes


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Where it listens; any but 127.0.0.1 needs a key.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Its port; 0 takes a free one.")] = 8000,
    model: options.Model = "default",
    vocab: options.Vocab = None,
    architecture: options.Architecture = None,
    vocoder: options.Vocoder = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    api_key: Annotated[
        list[str] | None,
        typer.Option(
            envvar="TTS_FM_API_KEY", show_envvar=True, help="A key that clients must have; may be given again."
        ),
    ] = None,
    api_key_file: Annotated[Path | None, typer.Option(help="A file of keys, one a line.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Ask for no key, wherever it listens.")] = False,
    voice_alias: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VOICE", help="Another name of a kept voice: alloy=anna.")
    ] = None,
    allow_origin: Annotated[
        list[str] | None, typer.Option(metavar="ORIGIN", help="A web page's server that may ask; * lets in all.")
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, max=64, help="Generations at the same time.")] = 1,
    waiting: Annotated[int, typer.Option(min=0, max=1000, help="Requests that may wait; more are turned away.")] = 16,
    ray: Annotated[
        str | None,
        typer.Option(metavar="auto|ADDRESS", help="Speak on this Ray cluster, behind its head; needs the extra ray."),
    ] = None,
    replicas: Annotated[
        str | None,
        typer.Option(metavar="N|LEAST:MOST", help="Models on the cluster; else 1 to as many as there is room for."),
    ] = None,
    audit: Annotated[
        str, typer.Option(metavar="FILE", help="Where a line per speech is written; - is stdout, none is nowhere.")
    ] = "-",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Answer OpenAI's clients: set their base URL to http://HOST:PORT/v1, and they speak."""
    report: Report = context.obj
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise ValueError(f"the server needs {', '.join(missing)}; install it: pip install 'tts-fm[serve]'")
    keys = _keys(api_key, api_key_file)
    from tts_fm.serving import running
    from tts_fm.serving.guard import LOOPBACK, Rules, digest

    is_local = host in LOOPBACK
    if not is_local and not keys and not insecure:
        raise ValueError(f"whoever reaches {host} could speak here; give --api-key KEY, or --insecure to let all in")
    if replicas is not None and ray is None:
        raise ValueError("--replicas are on a Ray cluster; give --ray auto, or leave it out")
    if ray is not None and port == 0:
        raise ValueError("--port 0 is not possible with --ray: Ray Serve finds no free one; name it")
    aliases = dict(_pair(one) for one in voice_alias or [])
    listener = None if ray is not None else running.listen(host, port)
    logging.basicConfig(format="tts-fm: %(message)s", level=logging.ERROR)

    from tts_fm.audio.library import VoiceLibrary
    from tts_fm.origin import Origin
    from tts_fm.serving.setup import Setup

    setup = Setup(
        Origin(model, vocab, architecture, vocoder, device, precision).anywhere(),
        rules=Rules(tuple(map(digest, keys)), () if allow_origin is None else tuple(allow_origin), is_local),
        at_once=at_once,
        waiting=waiting,
        aliases=aliases,
        voices=VoiceLibrary().folder.absolute(),
        audit=None if audit == "none" else audit,
        can_change_voices=is_local or bool(keys),
    )
    if ray is not None:
        from tts_fm.serving.replicas import Size
        from tts_fm.serving.replicas import serve as serve_on_ray

        size = Size() if replicas is None else Size.of(replicas)
        serve_on_ray(setup, host, port, ray, size, lambda: _tell(report, host, port))
        return
    service = setup.service(setup.origin.load())
    assert listener is not None
    _tell(report, host, listener.getsockname()[1])
    running.server(setup.build(service), service.queue.stop).run(sockets=[listener])


def _tell(report: Report, host: str, port: int) -> None:
    report.say(f"http://{f'[{host}]' if ':' in host else host}:{port}/v1 (Ctrl-C ends it)")


def _keys(given: list[str] | None, file: Path | None) -> list[str]:
    """Return all keys. Raises ValueError for one that is no key."""
    from tts_fm import small_file

    written = "" if file is None else small_file.read_text(file, _MAX_KEY_FILE)
    kept = [line.strip() for line in written.splitlines() if line.strip()]
    keys = [*([] if given is None else given), *kept]
    if file is not None and not kept:
        raise ValueError(f"{file} has no key in it; write one a line")
    for key in keys:
        if len(key) < 8 or not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError(
                "a key has 8 or more letters, digits and signs without spaces; make one: openssl rand -hex 24"
            )
    return keys


def _pair(text: str) -> tuple[str, str]:
    name, equals, voice = text.partition("=")
    if not name or not equals or not voice:
        raise ValueError(f"--voice-alias {text} is none; write NAME=VOICE, as in alloy=anna")
    return name, voice
