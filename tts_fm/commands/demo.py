"""``tts-fm demo``: the web page, on this machine."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from tts_fm.cli import options
from tts_fm.cli.terminal import Quiet, Report, Verbose

EXAMPLE = "\b\nExample:\n  tts-fm demo --port 7860"


def demo(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Where it listens; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Its port.")] = 7860,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="As for synthesize; given again, more to compare.  [default: default]"),
    ] = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    share: Annotated[bool, typer.Option("--share", help="Let gradio.live show it to the world.")] = False,
    watermark: Annotated[bool, typer.Option("--watermark", help="Mark all speech, inaudibly.")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the browser.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show a page in the browser on which voices are cloned, stories told, recordings edited and settings compared."""
    report: Report = context.obj
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # gradio reads it while it is imported
    try:
        import gradio  # noqa: F401
    except ImportError:
        raise ValueError("the page needs gradio; install it: pip install 'tts-fm[demo]'") from None
    from tts_fm import demo as page
    from tts_fm.audio import watermark as marker
    from tts_fm.demo.studio import Studio
    from tts_fm.synthesizer import Synthesizer

    if watermark:
        marker.check_available()
    names = model if model else ["default"]
    synthesizers = [Synthesizer.load(name, device=device, precision=precision) for name in names]
    if host not in page.LOOPBACK or share:
        report.warn(
            "everybody who reaches the page can use it, and it asks for no password; it cannot change the kept voices"
        )
    report.say(f"http://{host}:{port} (Ctrl-C ends it)")
    page.launch(
        Studio(synthesizers, is_marked=watermark),
        host=host,
        port=port,
        is_shared=share,
        opens_browser=not no_browser,
    )
