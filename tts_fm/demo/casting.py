"""Who speaks: a field for each name in a text, in which a voice is chosen for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from tts_fm.audio.library import BUNDLED
from tts_fm.demo import safety
from tts_fm.demo.studio import Studio
from tts_fm.errors import InputError

MAX_ROLES = 6


def fields(name: str, studio: Studio, names: Sequence[str]) -> list[gr.Dropdown]:
    """Lay out a field for each of :data:`MAX_ROLES` voices, of which those of ``names`` are seen, and return them."""
    there = studio.voices()
    with gr.Row():
        return [
            gr.Dropdown(
                there,
                value=there[0] if there else None,
                label=f"[{names[i]}]" if i < len(names) else "",
                allow_custom_value=True,
                visible=i < len(names),
                min_width=200,
                elem_id=f"{name}-voice-{i + 1}",
            )
            for i in range(MAX_ROLES)
        ]


def consent_box(name: str) -> gr.Checkbox:
    """Lay out the consent for all voices of a text."""
    return gr.Checkbox(
        label="The people whose voices these are agreed to it, and I will say that the speech is synthetic.",
        info="Needed for all voices but the model's own.",
        elem_id=f"{name}-consent",
    )


def rows(studio: Studio, names: Sequence[str], voices: Sequence[str | None]) -> list[Any]:
    """Return a field for each of ``names``, with the kept voice of that name where nothing else was chosen."""
    kept = studio.library.names()
    names = names[:MAX_ROLES]
    chosen = [
        voices[i] if voices[i] not in (None, BUNDLED) or name not in kept else name for i, name in enumerate(names)
    ]
    shown = [gr.update(label=f"[{name}]", value=voice, visible=True) for name, voice in zip(names, chosen, strict=True)]
    return [*shown, *[gr.update(visible=False)] * (MAX_ROLES - len(names))]


def cast(names: Sequence[str], voices: Sequence[str | None], consent: bool) -> dict[str, str]:
    """Return which voice speaks each of ``names``. Raises InputError for too many of them, or where consent is missing."""
    if len(names) > MAX_ROLES:
        raise InputError(f"the text names {len(names)} voices; this page takes at most {MAX_ROLES}")
    chosen = {name: BUNDLED if voice is None else voice for name, voice in zip(names, voices, strict=False)}
    if any(voice != BUNDLED for voice in chosen.values()):
        safety.check_consent(consent)
    return chosen
