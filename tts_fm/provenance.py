"""Where a sound comes from: the facts that are written into every file of generated speech."""

from __future__ import annotations

from typing import Any

from tts_fm.sampler import SamplingOptions


def facts(model: str, seed: int, sampling: SamplingOptions, text: str, **more: Any) -> dict[str, Any]:
    """Return what the metadata of generated speech says: that a machine made it, and all that is needed to repeat it.

    ``more`` are further facts, such as ``watermark``. See :func:`tts_fm.audio.io.write`, which takes them.
    """
    return {
        "software": "tts-fm",
        "is_generated": True,
        "model": model,
        "seed": seed,
        **sampling.model_dump(),
        "text": text,
        **more,
    }
