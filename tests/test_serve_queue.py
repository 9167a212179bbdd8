"""The queue: who waits, who is turned away, who leaves, and how it ends."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from serving import serving  # noqa: F401  (skips where the extra is not installed)

from tts_fm.serving.queue import Full, Left, Queue, Stopping

STEP = 0.02  # seconds


class Work:
    """Takes many steps, counts them, and gives out a number now and then."""

    def __init__(self, steps: int = 500, gives: int = 1) -> None:
        self.steps, self.gives, self.taken = steps, gives, 0
        self.has_begun = threading.Event()

    def __call__(self, check):
        self.has_begun.set()
        for step in range(self.steps):
            time.sleep(STEP)
            check()
            self.taken += 1
            if (step + 1) % (self.steps // self.gives) == 0:
                yield step


def run(scenario, **options):
    async def in_a_queue():
        queue = Queue(**options)
        try:
            return await scenario(queue)
        finally:
            queue.close()

    return asyncio.run(in_a_queue())


def test_what_a_work_makes_comes_in_order_and_ends():
    async def scenario(queue):
        return [item async for item in queue.begin(Work(4, gives=4))]

    assert run(scenario) == [0, 1, 2, 3]


def test_who_comes_when_all_places_are_taken_is_told_at_once():
    async def scenario(queue):
        jobs = [queue.begin(Work()) for _ in range(1 + 3)]
        began = time.monotonic()
        with pytest.raises(Full) as turned_away:
            queue.begin(Work())
        assert time.monotonic() - began < 0.1
        assert 1 <= turned_away.value.retry_after <= 120
        return len(jobs), queue.waiting + queue.running

    assert run(scenario, most_waiting=3) == (4, 4)


def test_who_leaves_while_it_runs_frees_the_place_within_a_step():
    async def scenario(queue):
        first, second = Work(), Work(1)
        job, after = queue.begin(first), queue.begin(second)
        await asyncio.to_thread(first.has_begun.wait, 5)
        began = time.monotonic()
        job.leave()
        taken = first.taken
        assert [item async for item in after] == [0]
        with pytest.raises(Left):
            await anext(job)
        return first.taken - taken, time.monotonic() - began

    more, seconds = run(scenario)
    assert more <= 1 and seconds < 2 and len([seconds]) == 1


def test_who_leaves_while_it_waits_never_runs():
    async def scenario(queue):
        first, second = Work(10), Work(1)
        job, waiting = queue.begin(first), queue.begin(second)
        waiting.leave()
        assert queue.waiting + queue.running == 1
        assert [item async for item in job] == [9]
        return second.has_begun.is_set()

    assert run(scenario) is False


def test_a_slow_client_does_not_hold_the_device_but_many_of_them_are_too_many():
    async def scenario(queue):
        jobs = []
        for _ in range(3):
            jobs.append(queue.begin(Work(1)))
            while queue.busy:
                await asyncio.sleep(0.005)
        with pytest.raises(Full):
            queue.begin(Work(1))
        jobs[0].leave()
        return [item async for item in queue.begin(Work(1))]

    assert run(scenario, most_held=3) == [0]


def test_at_the_end_what_runs_is_finished_and_who_waits_is_sent_away():
    async def scenario(queue):
        first = Work(10)
        job, waiting = queue.begin(first), queue.begin(Work())
        await asyncio.to_thread(first.has_begun.wait, 5)
        queue.stop()
        with pytest.raises(Stopping):
            await anext(waiting)
        with pytest.raises(Stopping):
            queue.begin(Work())
        return [item async for item in job]

    assert run(scenario) == [9]


def test_what_fails_belongs_to_who_asked():
    def broken(check):
        yield 1
        raise ValueError("no such thing")

    async def scenario(queue):
        job = queue.begin(broken)
        assert await anext(job) == 1
        with pytest.raises(ValueError, match="no such thing"):
            await anext(job)
        return [item async for item in queue.begin(Work(1))]

    assert run(scenario) == [0]


def test_two_run_at_once_where_that_is_asked():
    async def scenario(queue):
        works = [Work(), Work()]
        for work in works:
            queue.begin(work)
        return [await asyncio.to_thread(work.has_begun.wait, 5) for work in works]

    assert run(scenario, at_once=2) == [True, True]
