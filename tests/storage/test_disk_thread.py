"""The disk with the thread that it really has."""

import errno
from pathlib import Path
from threading import Event

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.asking import ask_to_tell
from axis_nvr.storage.block_reader import BlockReader
from axis_nvr.storage.disk import Disk
from axis_nvr.storage.disk_status import DiskState
from axis_nvr.storage.files import Files
from axis_nvr.storage.index import Index
from axis_nvr.storage.queue import MAX_RECORDING_GOPS
from tests.durability import proves
from tests.storage.making import DETAILS, SERIAL, START_US, FailingFiles, video_gop

SECOND = 1_000_000


class ThreadTests(TestCase):
    """With the thread that it really has."""

    def make(self, files: FailingFiles | None = None) -> Disk:
        folder = Path(self.mktemp())
        return Disk("HDD_DISK", folder, SERIAL, reactor=reactor, files=files)  # type: ignore[arg-type]

    def test_from_start_to_stop(self) -> Deferred[None]:
        """Start, record, stop without closing: the recording is whole."""

        async def run() -> None:
            disk = self.make()
            await disk.start()
            self.assertEqual(disk.state, DiskState.OK)
            recording = await disk.open_recording(DETAILS)
            for at in range(5):
                await recording.write(video_gop(START_US + at * 2 * SECOND))
            await disk.stop()
            await disk.stop()
            self.assertEqual(disk.state, DiskState.STOPPED)
            (path,) = disk.folder.rglob("*.mkv")
            with BlockReader(Files(), path) as block:
                self.assertEqual(len(list(block.clusters())), 5)
                self.assertIsNotNone(block.segment_end)
            with self.assertRaises(StorageError):
                await disk.open_recording(DETAILS)

        return Deferred.fromCoroutine(run())

    @proves(
        8,
        fault="a disk that hangs, then works again",
        moment="while recording",
        outcome="bounded memory, whole groups dropped and noted, no restart needed",
    )
    def test_a_disk_that_hangs(self) -> Deferred[None]:
        """While a sync hangs groups wait up to the bound; then all goes on by itself."""

        class Hanging(FailingFiles):
            def __init__(self) -> None:
                super().__init__()
                self.may_go_on, self.hangs = Event(), Event()
                self.may_go_on.set()

            def sync(self, fd: int) -> None:
                if not self.may_go_on.is_set():
                    self.hangs.set()
                    self.may_go_on.wait(60)
                super().sync(fd)

        async def run() -> None:
            files = Hanging()
            disk = self.make(files)
            await disk.start()
            recording = await disk.open_recording(DETAILS)
            await recording.write(video_gop(START_US))
            files.may_go_on.clear()
            taken = [recording.write(video_gop(START_US + 2 * SECOND))]
            await deferToThread(files.hangs.wait, 60)
            taken += [
                recording.write(video_gop(START_US + at * 2 * SECOND))
                for at in range(2, MAX_RECORDING_GOPS + 1)
            ]
            self.assertGreater(disk.status().busy_seconds, 0)
            for at in (1, 2):  # the queue is full
                late = video_gop(START_US + (MAX_RECORDING_GOPS + at) * 2 * SECOND)
                with self.assertRaises(StorageError) as raised:
                    await recording.write(late)
                self.assertEqual(raised.exception.kind, StorageErrorKind.SLOW)
            self.assertEqual(disk.state, DiskState.SLOW)
            self.assertEqual(disk.status().queued_gops, MAX_RECORDING_GOPS)
            files.may_go_on.set()
            for written in taken:
                await written
            again = START_US + (MAX_RECORDING_GOPS + 3) * 2 * SECOND
            await recording.write(video_gop(again))
            await recording.close()
            await disk.stop()
            index = Index.open_read_only(Files(), disk.folder / "index.db")
            gaps = list(index.gaps(recording.recording_id))
            index.close()
            self.assertEqual(gaps, [Gap(again - 4 * SECOND, again, GapReason.SLOW_DISK)])

        return Deferred.fromCoroutine(run())

    def test_a_disk_that_cannot_start(self) -> Deferred[None]:
        """Starting fails, what was queued meanwhile fails too, and stopping is easy."""

        async def run() -> None:
            files = FailingFiles()
            files.fail("make_folder", error=lambda: OSError(errno.EROFS, "Read-only file system"))
            disk = self.make(files)
            started = disk.start()
            opened = disk.open_recording(DETAILS)
            with self.assertRaises(StorageError):
                await started
            with self.assertRaises(StorageError):
                await opened
            self.assertEqual(disk.state, DiskState.READ_ONLY)
            await disk.stop()

        return Deferred.fromCoroutine(run())

    def test_a_disk_that_nobody_records_to(self) -> Deferred[None]:
        """It answers another process that asks what is new."""

        async def run() -> None:
            disk = self.make()
            await disk.start()
            self.assertTrue(await deferToThread(ask_to_tell, Files(), disk.folder))
            await disk.stop()

        return Deferred.fromCoroutine(run())

    def test_never_started(self) -> Deferred[None]:
        """Stopping what never ran is no work, and recording on it is refused."""

        async def run() -> None:
            disk = self.make()
            with self.assertRaises(StorageError):
                await disk.open_recording(DETAILS)
            await disk.stop()

        return Deferred.fromCoroutine(run())
