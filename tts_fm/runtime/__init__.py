"""Speaks with a model that ``tts-fm export onnx`` wrote: onnxruntime and numpy, no torch."""

from __future__ import annotations

from tts_fm.runtime.speaker import Speaker, Spoken

__all__ = ["Speaker", "Spoken"]
