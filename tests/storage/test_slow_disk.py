"""A disk that takes long: nothing waits for it; what it cannot take is dropped whole, and told."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.media.gop import Gop
from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.block_reader import BlockReader
from axis_nvr.storage.disk import Disk
from axis_nvr.storage.disk_health import SLOW_SECONDS
from axis_nvr.storage.disk_status import DiskState
from axis_nvr.storage.files import Files, IFiles
from axis_nvr.storage.index import Index
from axis_nvr.storage.queue import MAX_RECORDING_GOPS
from axis_nvr.storage.running_recording import Recording
from tests.durability import proves
from tests.storage.disk_case import DiskCase
from tests.storage.making import DETAILS, SERIAL, START_US, video_gop

SECOND = 1_000_000
#: Pictures in a group, and the time between them.
FRAMES, STEP_US = 4, 100_000
GROUP_US = FRAMES * STEP_US
#: How long one call takes on the disk that stalls, in seconds.
STALL_SECONDS = 30.0
#: How long each sync takes on the disk that is steadily slow, in seconds.
SYNC_SECONDS = 0.03
#: How long anything of these tests may take, in seconds.
PATIENCE_SECONDS = 20


def short_gop(number: int) -> Gop:
    """A camera's group of this number."""
    return video_gop(START_US + number * GROUP_US, frames=FRAMES, step_us=STEP_US)


class Camera:
    """Gives a disk one group after another, whatever comes of it.

    :ivar stored: the numbers of those that were acknowledged; `refused`: of the others.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.stored: set[int] = set()
        self.refused: dict[int, StorageErrorKind] = {}
        self._next = 0

    def go_on(self, count: int) -> None:
        """Make so many groups."""
        for number in range(self._next, self._next + count):
            self.recording.write(short_gop(number)).addCallbacks(
                lambda _, number=number: self.stored.add(number),
                lambda failure, number=number: self._refuse(number, failure.value),
            )
        self._next += count

    def _refuse(self, number: int, error: Exception) -> None:
        assert isinstance(error, StorageError), error
        self.refused[number] = error.kind

    def lost(self) -> list[tuple[int, int]]:
        """Give the spans of what was refused."""
        spans: list[tuple[int, int]] = []
        for number in sorted(self.refused):
            start_us = START_US + number * GROUP_US
            if spans and spans[-1][1] == start_us:
                start_us = spans.pop()[0]
            spans.append((start_us, START_US + (number + 1) * GROUP_US))
        return spans


def pictures(folder: Path, recording_id: str) -> list[bytes]:
    """Give what is stored of a recording, in its order."""
    found = []
    for path in sorted(folder.rglob(f"{recording_id}/*/*.mkv")):
        with BlockReader(Files(), path) as block:
            for span in block.clusters():
                found += [bytes(frame.data) for frame in block.read_cluster(span).frames]
    return found


def expected(camera: Camera) -> list[bytes]:
    """Give what was acknowledged of it."""
    return [bytes(unit.data) for n in sorted(camera.stored) for unit in short_gop(n).units]


class StallTests(DiskCase):
    """One call takes 30 s by the clock, and the camera goes on meanwhile."""

    def stall_once(self, operation: str, meanwhile: Callable[[], None]) -> None:
        """Let the next call on a block take long."""
        works = getattr(self.files, operation)

        def stall(*arguments: Any) -> object:
            setattr(self.files, operation, works)
            self.seconds += STALL_SECONDS
            meanwhile()
            return works(*arguments)

        setattr(self.files, operation, stall)

    @proves(
        8,
        fault="a write, or a sync, that takes 30 s",
        moment="while a camera goes on with more than the queue holds",
        outcome="whole groups are dropped and noted as one gap; it is well again by itself",
    )
    def test_the_queue_fills(self) -> None:
        """The newest groups are dropped, the rest is stored; nothing is opened again."""
        during = int(STALL_SECONDS * SECOND) // GROUP_US
        for operation in ("writev", "sync"):
            camera = Camera(self.open())
            camera.go_on(1)
            self.stall_once(operation, partial(camera.go_on, during))
            self.batch()
            self.assertEqual(len(camera.refused), during + 1 - MAX_RECORDING_GOPS, operation)
            self.assertEqual(set(camera.refused.values()), {StorageErrorKind.SLOW})
            self.assertEqual(self.disk.state, DiskState.SLOW)
            self.batch()
            camera.go_on(5)
            self.batch()
            self.seconds += SLOW_SECONDS
            camera.go_on(1)
            self.batch()
            self.assertEqual(self.disk.state, DiskState.OK)
            self.check_told(camera)
        self.assertEqual(self.times_broken, 0)

    def check_told(self, camera: Camera) -> None:
        """What was acknowledged is there, and what was not is a gap."""
        recording_id = camera.recording.recording_id
        camera.recording.close()
        self.batch()
        gaps = [Gap(*span, GapReason.SLOW_DISK) for span in camera.lost()]
        self.assertEqual((len(gaps), self.gaps(recording_id)), (1, gaps))
        self.assertEqual(pictures(self.folder, recording_id), expected(camera))

    @proves(
        2,
        fault="a sync that takes 30 s",
        moment="while a camera goes on with no more than the queue holds",
        outcome="nothing is lost: all waits in memory",
    )
    def test_the_queue_holds(self) -> None:
        """Half a minute of ordinary groups waits for a disk that stalls."""
        camera = Camera(self.open())
        camera.go_on(1)
        self.stall_once("sync", lambda: camera.go_on(MAX_RECORDING_GOPS - 1))
        self.batch()
        self.batch()
        camera.recording.close()
        self.batch()
        self.assertEqual((camera.refused, len(camera.stored)), ({}, MAX_RECORDING_GOPS))
        self.assertEqual(self.gaps(camera.recording.recording_id), [])
        self.assertEqual(self.disk.state, DiskState.OK)


class SlowFiles(Files):
    """The real disk, but each sync takes a while, and none ends before it may."""

    def __init__(self) -> None:
        self.may_go_on = Event()
        self.may_go_on.set()

    def sync(self, fd: int) -> None:
        self.may_go_on.wait(PATIENCE_SECONDS)
        time.sleep(SYNC_SECONDS)
        super().sync(fd)


class SteadilySlowTests(TestCase):
    timeout = PATIENCE_SECONDS

    @proves(
        8,
        fault="a disk that takes its time for each sync",
        moment="while two cameras make more than it takes, by its real thread",
        outcome="each group is acknowledged and there, or refused and a gap; then all is taken",
    )
    def test_by_its_thread(self) -> Deferred[None]:
        """Every group is accounted for, and nothing is opened again."""

        async def run() -> None:
            files, folder = SlowFiles(), Path(self.mktemp())
            disk = Disk(
                *("HDD_DISK", folder, SERIAL),
                reactor=reactor,  # type: ignore[arg-type]
                files=cast(IFiles, files),
            )
            await disk.start()
            cameras = [Camera(await disk.open_recording(DETAILS)) for _ in range(2)]
            files.may_go_on.clear()
            for camera in cameras:
                camera.go_on(MAX_RECORDING_GOPS + 10)
            self.assertEqual(disk.state, DiskState.SLOW)
            files.may_go_on.set()
            while disk.status().queued_gops:
                await deferLater(reactor, SYNC_SECONDS, lambda: None)
            for camera in cameras:
                for _ in range(3):  # one at a time is what it can take
                    camera.go_on(1)
                    while disk.status().queued_gops:
                        await deferLater(reactor, SYNC_SECONDS, lambda: None)
                await camera.recording.close()
            await disk.stop()
            for camera in cameras:
                self.check(folder, camera)

        return Deferred.fromCoroutine(run())

    def check(self, folder: Path, camera: Camera) -> None:
        """Nothing is unaccounted for."""
        recording_id, count = camera.recording.recording_id, MAX_RECORDING_GOPS + 13
        self.assertEqual(sorted([*camera.stored, *camera.refused]), list(range(count)))
        self.assertGreaterEqual(len(camera.refused), 10)
        self.assertGreaterEqual(camera.stored, {count - 3, count - 2, count - 1})
        index = Index.open_read_only(Files(), folder / "index.db")
        self.addCleanup(index.close)
        gaps = [(gap.start_us, gap.end_us, gap.reason) for gap in index.gaps(recording_id)]
        self.assertEqual(gaps, [(*span, GapReason.SLOW_DISK) for span in camera.lost()])
        self.assertEqual(pictures(folder, recording_id), expected(camera))
