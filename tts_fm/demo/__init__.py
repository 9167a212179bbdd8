"""The web page: one file per tab, on one studio that holds the models and the voices."""

from __future__ import annotations

import os
from html import escape
from tempfile import TemporaryDirectory

import gradio as gr

from tts_fm.demo import look, safety
from tts_fm.demo.compare import Compare
from tts_fm.demo.dub import Dub
from tts_fm.demo.edit import Edit
from tts_fm.demo.speak import Speak
from tts_fm.demo.story import Story
from tts_fm.demo.studio import Studio
from tts_fm.demo.voices import Voices

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Hosts that only this machine reaches."""


def build(studio: Studio, *, is_private: bool = True) -> gr.Blocks:
    """Return the page; where it is not private, the kept voices can be chosen but not changed."""
    with gr.Blocks(
        title="tts_fm: speech by flow matching",
        analytics_enabled=False,
        delete_cache=(safety.KEPT_FOR, safety.KEPT_FOR),
    ) as page:
        gr.HTML(
            f"<h1>Speech by flow matching</h1><p>Clone a voice from a few seconds of it, on this machine. "
            f"The model is {escape(studio.synthesizer.config.name)}.</p>",
            elem_id="head",
        )
        tabs = {
            "Speak": Speak(studio),
            "Story": Story(studio),
            "Dub": Dub(studio),
            "Edit": Edit(studio),
            "Compare": Compare(studio),
        }
        choices: list[gr.Dropdown] = []
        with gr.Tabs(elem_id="tabs"):
            for name, tab in tabs.items():
                with gr.Tab(name, id=name.lower(), elem_id=f"tab-{name.lower()}"):
                    choices += tab.build()
            if is_private:  # else everybody could delete what is kept here
                with gr.Tab("Voices", id="voices", elem_id="tab-voices"):
                    Voices(studio, choices).build(page)
    page.queue(max_size=safety.MAX_WAITING, default_concurrency_limit=1)
    return page


def launch(
    studio: Studio,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    is_shared: bool = False,
    opens_browser: bool = True,
) -> None:
    """Show the page at ``host``:``port`` until Ctrl-C; what visitors send and get lies in a folder that then goes.

    Raises:
        ValueError: the port is taken, or the host is none of this machine's.
    """
    with TemporaryDirectory(prefix="tts-fm-demo-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        try:
            build(studio, is_private=host in LOOPBACK and not is_shared).launch(
                server_name=host,
                server_port=port,
                share=is_shared,
                inbrowser=opens_browser,
                show_error=False,  # mistakes are sentences already; anything else is for the log
                max_file_size=safety.MAX_BYTES,
                allowed_paths=[],
                theme=look.theme(),
                css=look.CSS,
                footer_links=["api"],
                run_history=False,
            )
        except OSError:  # of gradio, which tried the port
            raise ValueError(f"{host}:{port} cannot be listened on; take another port, with --port") from None
        finally:
            studio.device.close()
