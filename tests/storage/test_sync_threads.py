"""Syncs side by side: each file's outcome is its own."""

import errno
import threading
from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError
from axis_nvr.storage.jobs import CloseRecording, WriteGop
from axis_nvr.storage.papers import Papers
from axis_nvr.storage.sync_threads import SYNC_THREADS, SyncThreads
from tests.durability import proves
from tests.storage.making import START_US, Bench, video_gop


class SyncThreadsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.threads: list[threading.Thread] = []
        self.pool = SyncThreads(self.start_thread, "sync")
        self.addCleanup(self.end)

    def start_thread(self, run: object, name: str) -> None:
        thread = threading.Thread(target=run, name=name)  # type: ignore[arg-type]
        self.threads.append(thread)
        thread.start()

    def end(self) -> None:
        self.pool.stop()
        for thread in self.threads:
            thread.join(10)
            self.assertFalse(thread.is_alive())

    def test_side_by_side(self) -> None:
        """As many calls as there are threads are made at a time; each is waited for by itself."""
        meeting = threading.Barrier(SYNC_THREADS)

        def meet() -> None:
            meeting.wait(10)

        for pending in [self.pool.submit(meet) for _ in range(2 * SYNC_THREADS)]:
            pending.wait()
        self.assertEqual(len(self.threads), SYNC_THREADS)

    def test_an_error_is_raised_where_it_is_waited_for(self) -> None:
        """It ends no thread."""

        def fail() -> None:
            raise OSError(errno.EIO, "Input/output error")

        failing = [self.pool.submit(fail) for _ in range(2 * SYNC_THREADS)]
        for pending in failing:
            self.assertRaises(OSError, pending.wait)
        self.pool.submit(lambda: None).wait()

    @proves(
        2,
        fault="a sync that fails",
        moment="in a batch of many cameras, synced side by side",
        outcome="only the groups of that file are lost and noted",
    )
    def test_a_batch_of_many_cameras(self) -> None:
        """The error of one file is the error of its recording, and of no other."""
        bench = Bench(self.mktemp())
        bench.disk.start()
        bench.disk.submit = self.pool.submit
        recordings = [bench.open() for _ in range(4)]
        bench.disk.process([WriteGop(it, video_gop(START_US)) for it in recordings])
        broken = bench.blocks()[2].name
        bench.files.fail("sync", broken, error=lambda: OSError(errno.EIO, "Input/output error"))
        outcomes = bench.disk.process(
            [WriteGop(it, video_gop(START_US + 2_000_000)) for it in recordings]
        )
        self.assertEqual([isinstance(it, StorageError) for it in outcomes].count(True), 1)
        self.assertEqual(bench.files.count("sync", ".mkv"), 8)
        self.assertEqual(bench.files.count("start_writing"), 0)
        sizes = {path.name: path.stat().st_size for path in bench.blocks()}
        others = {size for name, size in sizes.items() if name != broken}
        self.assertLess(sizes[broken], min(others))
        bench.disk.stop()

    @proves(
        2,
        fault="a disk that is slow to take names",
        moment="when many recordings begin in one batch",
        outcome="their XML is made durable side by side",
    )
    def test_many_that_begin(self) -> None:
        """Recordings that begin or end together wait for the disk together, not in a row."""
        bench = Bench(self.mktemp())
        bench.disk.start()
        bench.disk.submit = self.pool.submit
        recordings = [bench.open() for _ in range(SYNC_THREADS)]
        for job in (partial(WriteGop, gop=video_gop(START_US)), CloseRecording):
            meeting = threading.Barrier(SYNC_THREADS)
            threads: set[threading.Thread] = set()
            put = Papers.write_recording

            def meet(self: Papers, *arguments: Any) -> None:
                threads.add(threading.current_thread())  # noqa: B023
                meeting.wait(10)  # noqa: B023
                put(self, *arguments)  # noqa: B023

            patch = self.patch(Papers, "write_recording", meet)
            outcomes = bench.disk.process([job(it) for it in recordings])
            patch.restore()
            self.assertEqual(outcomes, [None] * SYNC_THREADS)
            self.assertEqual(len(threads), SYNC_THREADS)
        bench.disk.stop()
        self.assertEqual(len(bench.blocks()), SYNC_THREADS)

    @proves(
        2,
        fault="XML that the disk does not take",
        moment="when many recordings begin in one batch",
        outcome="only the groups of that recording are lost and noted",
    )
    def test_one_of_many_that_begin(self) -> None:
        """The one whose XML fails has nothing stored; it begins with its next group."""
        bench = Bench(self.mktemp())
        bench.disk.start()
        bench.disk.submit = self.pool.submit
        recordings = [bench.open() for _ in range(4)]
        bench.files.fail("rename", "recording.xml", error=lambda: OSError(errno.EIO, "I/O"))
        outcomes = bench.disk.process([WriteGop(it, video_gop(START_US)) for it in recordings])
        self.assertEqual([isinstance(it, StorageError) for it in outcomes].count(True), 1)
        self.assertEqual(len(bench.blocks()), 3)
        later = video_gop(START_US + 2_000_000)
        self.assertEqual(bench.disk.process([WriteGop(it, later) for it in recordings]), [None] * 4)
        self.assertEqual(len(bench.blocks()), 4)
        bench.disk.stop()
