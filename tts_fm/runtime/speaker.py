"""A text in, speech out, without torch: the inference story once more, in numpy, over the graphs of an exported model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from tts_fm import atomic, duration
from tts_fm.audio import encoding
from tts_fm.errors import InputError, ModelError
from tts_fm.runtime import flow, manifest
from tts_fm.runtime.manifest import VoiceEntry
from tts_fm.text import pronunciation
from tts_fm.text.chunk import chunk
from tts_fm.text.clean import check
from tts_fm.text.lexicon import Lexicon, shown
from tts_fm.text.normalize import Reading, read

_FADE = 0.01  # seconds, at the inner edges of pieces


@dataclass(frozen=True, eq=False)
class Spoken:
    """Speech, and how it came about; ``mel`` is logarithmic."""

    samples: Float[ndarray, " s"]
    sample_rate: int
    mel: Float[ndarray, "n c"]
    text: str
    chunks: tuple[str, ...]
    seconds_to_make: float
    facts: dict[str, Any]

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.sample_rate

    def save(self, path: str | Path) -> None:
        """Write a file whose suffix says the format, and whose tags say that a machine spoke. Raises ValueError."""
        data = encoding.encode(self.samples, self.sample_rate, Path(path).suffix.lower().removeprefix("."), self.facts)
        try:
            with atomic.replacing(Path(path)) as beside:
                beside.write_bytes(data)
        except OSError as error:
            raise ValueError(f"{path} cannot be written: {error.strerror}") from None


class Speaker:
    """Speaks with the model in a folder that ``tts-fm export onnx`` wrote. Safe to call from several threads.

    Args:
        folder: where ``model.json`` and the graphs are.
        threads: how many work on one piece.

    Raises:
        ModelError: a file is missing or damaged.
        ValueError: onnxruntime is not installed.
    """

    def __init__(self, folder: str | Path, threads: int = 1) -> None:
        self.folder = Path(folder)
        self.manifest = manifest.read(self.folder)
        with ThreadPoolExecutor(1) as pool:
            loading = [pool.submit(session, self.folder / f"{name}.onnx", threads) for name in manifest.GRAPHS]
        self._raised, self._velocity, self._sound, self._prepared, self._text = (each.result() for each in loading)
        self._id = {symbol: i for i, symbol in enumerate(self.manifest.symbols)}

    def speak(
        self,
        text: str,
        voice: str = "default",
        *,
        seed: int = 0,
        speed: float = 1.0,
        normalized: bool = False,
        lexicon: Lexicon | None = None,
    ) -> Spoken:
        """Speak ``text``; the arguments are those of :meth:`Synthesizer.speak`, ``voice`` is one that was exported.

        Raises:
            InputError: a text that nothing can be done with.
            ValueError: no such voice, or a speed out of range.
        """
        began = time.perf_counter()
        reading = self.read(text, normalized=normalized, lexicon=lexicon)
        prompt = manifest.read_mel(self.folder, self.manifest, voice)
        entry = self.manifest.voices[voice]
        chunks, pauses = self._pieces(reading.paragraphs, entry.longest_piece)
        mels = [self._mel(piece, prompt, entry, speed, seed + i) for i, piece in enumerate(chunks)]
        pieces = [self._vocode(mel) * np.float32(entry.gain) for mel in mels]
        return Spoken(
            samples=self._joined(pieces, pauses),
            sample_rate=self.manifest.sample_rate,
            mel=np.concatenate(mels),
            text=shown(reading.text),
            chunks=tuple(chunks),
            seconds_to_make=time.perf_counter() - began,
            facts={
                "software": "tts-fm",
                "is_generated": True,
                "model": self.manifest.name,
                "seed": seed,
                "steps": len(self.manifest.times) - 1,
                "guidance": self.manifest.guidance,
                "text": shown(reading.text),
            },
        )

    def read(self, text: str, *, normalized: bool = False, lexicon: Lexicon | None = None) -> Reading:
        """Return how ``text`` is read, as :meth:`Synthesizer.read` does."""
        check(text)
        if lexicon is not None:
            self._check_sounds(lexicon)
        return read(text, lexicon, is_spelled_out=normalized)

    def ids(self, text: str) -> list[int]:
        """Return the token ids of ``text``, as it is read."""
        return self._ids(pronunciation.tokens(text, self.manifest.language))

    def _ids(self, tokens: Sequence[str]) -> list[int]:
        return [self._id.get(token, 0) for token in tokens]  # a space stands in for what is unknown

    def _check_sounds(self, lexicon: Lexicon) -> None:
        for entry in lexicon.entries:
            if unknown := [sound for sound in entry.sounds or "" if sound not in self._id]:
                raise ValueError(
                    f"{entry.where or entry.word}: the model {self.manifest.name} knows no sound {', '.join(unknown)}; "
                    f"use the symbols that espeak-ng writes"
                )

    def _says_something(self, text: str) -> bool:
        tokens = pronunciation.tokens(text, self.manifest.language)
        return any(token in self._id and any(map(str.isalnum, token)) for token in tokens)

    def _pieces(self, paragraphs: Sequence[str], longest: int) -> tuple[list[str], list[float]]:
        """Return the pieces that are spoken at once, and the silence behind each."""
        pieces: list[str] = []
        pauses: list[float] = []
        for paragraph in filter(self._says_something, paragraphs):
            own = chunk(paragraph, longest)
            pieces += own
            pauses += [self.manifest.pause] * (len(own) - 1) + [self.manifest.paragraph_pause]
        if not pieces:
            raise InputError(f"there is nothing to read in it; give words in the language {self.manifest.language}")
        return pieces, pauses

    def _mel(
        self, text: str, prompt: Float[ndarray, "p c"], entry: VoiceEntry, speed: float, seed: int
    ) -> Float[ndarray, "n c"]:
        """Return the log-mel of one piece."""
        about, given = self.manifest, len(prompt)
        tokens = pronunciation.tokens(text, about.language)
        ids = self._ids(tokens)
        frames = self._text.run(["frames"], {"token_ids": np.array([ids])})[0][0]
        target = duration.at_pace(frames.tolist(), entry.pace, speed=speed, floor_frames=about.floor_frames)
        target[0] = min(target[0], about.leading_frames)
        target = duration.with_pauses(target, tokens, about.frame_rate, speed, about.mark_pauses)
        n = given + sum(target)
        padded = n + -n % about.patch
        is_prompt, is_valid = np.arange(padded) < given, np.arange(padded) < n
        shown = np.zeros((padded, about.n_mels), np.float32)
        shown[:given] = prompt
        token_ids = np.array([[about.filler, *ids]])
        encoded = self._text.run(["encoded"], {"token_ids": token_ids})[0]
        heard = {"heard": np.array([entry.heard], np.float32)} if entry.heard else {}
        inputs, voice = self._prepared.run(
            None,
            {
                "encoded": encoded,
                "token_ids": token_ids,
                "token_frames": np.array([[given, *target]]),
                "prompt_mel": shown[None],
                "is_prompt": is_prompt[None],
                "is_valid": is_valid[None],
                **heard,
            },
        )
        rows = [slice(0, 1), slice(1, 2)] if about.guidance > 0 else [slice(0, 1)]

        def velocities(x_t: ndarray, t: np.float32, until: np.float32) -> list[ndarray]:
            common = {"x_t": x_t[None], "t": np.array([t]), "until": np.array([until]), "is_valid": is_valid[None]}
            # one after the other: as fast on a processor, in half of the memory
            return [
                self._velocity.run(None, {**common, "input": inputs[row], "voice": voice[row]})[0][0] for row in rows
            ]

        x_0 = np.zeros_like(shown)
        x_0[:n] = np.float32(about.temperature) * flow.noise(seed, n, about.n_mels)
        mel = flow.sample(velocities, x_0, shown, is_prompt, is_valid, about)[given:n]
        return mel * np.float32(about.mel_std) + np.float32(about.mel_mean)

    def _vocode(self, mel: Float[ndarray, "n c"]) -> Float[ndarray, " s"]:
        raised = self.manifest.raising.run(lambda x: self._raised.run(None, {"mel": x})[0], mel[None], axis=1)
        return self.manifest.sounding.run(lambda x: self._sound.run(None, {"raised": x})[0], raised, axis=3)[0]

    def _joined(self, pieces: list[ndarray], pauses: list[float]) -> Float[ndarray, " s"]:
        """Return the pieces and the silence behind each, inner edges faded as by :func:`tts_fm.audio.join.join`."""
        rate = self.manifest.sample_rate
        parts: list[ndarray] = []
        for i, piece in enumerate(pieces):
            n = min(round(_FADE * rate), len(piece) // 2)
            rise = ((1 - np.cos(np.pi * np.arange(1, n + 1) / (n + 1))) / 2).astype(np.float32)
            samples = piece.copy()
            if i > 0:
                parts.append(np.zeros(round(pauses[i - 1] * rate), np.float32))
                samples[:n] *= rise
            if i < len(pieces) - 1:
                samples[len(samples) - n :] *= rise[::-1]
            parts.append(samples)
        return np.concatenate(parts)


def session(path: Path, threads: int) -> Any:
    """Return the graph at ``path``, its int8 matrices as float32 in memory: a processor multiplies those faster."""
    try:
        import onnxruntime  # pyright: ignore[reportMissingImports] (an extra)
    except ImportError:
        raise ValueError("onnxruntime is not installed; pip install 'tts-fm[onnx]'") from None
    if not path.is_file():
        raise ModelError(f"there is no {path}; write it by: tts-fm export onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    _share_memory(onnxruntime)  # pyright: ignore[reportArgumentType] (a module can be hashed)
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no class of their own in common
        raise ModelError(f"{path} is damaged ({str(error).splitlines()[0][:120]}); export it anew") from None


@cache
def _share_memory(onnxruntime: Any) -> None:
    """Let all graphs of the process take turns in the same memory, which grows by what is asked for, not twofold."""
    place = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    as_requested = {
        "arena_extend_strategy": 1,
        "max_mem": 0,
        "initial_chunk_size_bytes": -1,
        "max_dead_bytes_per_chunk": -1,
    }
    onnxruntime.create_and_register_allocator(place, onnxruntime.OrtArenaCfg(as_requested))
