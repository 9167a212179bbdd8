"""A Ray cluster: a pool of actors, each with a model of its own. Scheduling, retries and what dies are Ray's business."""

from __future__ import annotations

import pickle
from collections.abc import Generator, Sequence
from typing import Any

from tts_fm import cluster
from tts_fm.batch.executors import Executor, OnWay
from tts_fm.batch.job import Job
from tts_fm.batch.shards import Done, Shard
from tts_fm.batch.speaker import Speaker


class Ray(Executor):
    """Ray Data over the shards, on the cluster at ``address`` (``auto`` is the one that this machine belongs to).

    Every machine needs this package, and must see the output folder, the recordings and kept voices under the same path.
    """

    def run(self, job: Job, shards: Sequence[Shard], on_way: OnWay) -> Generator[Done, None, None]:
        with cluster.connected("auto" if self.address is None else self.address) as ray:
            needs, room = cluster.needs(ray, job.origin.device)
            most = max(1, min(room if self.workers is None else self.workers, len(shards)))
            how = {"compute": pool(ray, most), **needs}
            said = cluster.rows(ray, shards).map(_Actor, fn_constructor_args=(job,), **how)
            for row in said.iter_rows():
                yield pickle.loads(row["done"])


def pool(ray: Any, most: int) -> Any:
    """Return ``most`` actors, one of which is enough: where a machine is lost the others go on."""
    return ray.data.ActorPoolStrategy(min_size=1, initial_size=most, max_size=most, max_tasks_in_flight_per_actor=1)


class _Actor:
    """One model, loaded once."""

    def __init__(self, job: Job) -> None:
        self._speaker = Speaker(job)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"done": pickle.dumps(self._speaker.say(pickle.loads(row["thing"])))}
