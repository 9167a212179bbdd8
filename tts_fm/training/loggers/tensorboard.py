"""TensorBoard: curves, mel pictures and sounds in event files (``tensorboard --logdir RUN``)."""

from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from tts_fm.audio.io import Waveform
from tts_fm.training.loggers import Logger, append, as_file, numbers, package

FOLDER = "tensorboard"
_RGB = 3


class TensorBoard(Logger):
    """Writes each event whole and at once.

    TensorBoard's own writer does it in a thread, where a full disk is a traceback on the screen and the end of the file.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], resume_from: int = 0) -> None:
        super().__init__(folder, config, resume_from)
        from tensorboard.compat.proto import event_pb2

        self._protocol: Any = event_pb2  # its classes are made when it is imported
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"
        self.path = folder / FOLDER / name
        self._write(file_version="brain.Event:2")
        start = self._protocol.SessionLog(status=self._protocol.SessionLog.START)
        self._write(step=resume_from + 1, session_log=start)  # hides what was kept of this update and later ones

    @classmethod
    def check(cls) -> None:
        package("tensorboard", "tts-fm[train]")

    def record(self, update: int, values: Mapping[str, Any]) -> None:
        self._keep(update, [{"tag": name, "simple_value": value} for name, value in numbers(values).items()])

    def mel(self, update: int, name: str, mel: Float[Tensor, "n c"]) -> None:
        from PIL import Image

        with as_file(mel) as path, Image.open(path) as picture:
            data, (width, height) = path.read_bytes(), picture.size
        image = {"height": height, "width": width, "colorspace": _RGB, "encoded_image_string": data}
        self._keep(update, [{"tag": f"{name}/mel", "image": image}])

    def sound(self, update: int, name: str, waveform: Waveform) -> None:
        with as_file(waveform) as path:
            data = path.read_bytes()
        audio = {
            "sample_rate": waveform.sample_rate,
            "num_channels": 1,
            "length_frames": len(waveform.samples),
            "encoded_audio_string": data,
            "content_type": "audio/wav",
        }
        self._keep(update, [{"tag": f"{name}/sound", "audio": audio}])

    def _keep(self, update: int, values: list[dict[str, Any]]) -> None:
        self._write(step=update, summary={"value": values})

    def _write(self, **event: Any) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        record = io.BytesIO()
        RecordWriter(record).write(self._protocol.Event(wall_time=time.time(), **event).SerializeToString())
        append(self.path, record.getvalue())
