"""The housekeeping thread of a disk: begun with it, ended before it."""

from pathlib import Path
from threading import Event

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.chore_thread import ChoreMaker
from axis_nvr.storage.disk import Disk
from axis_nvr.storage.disk_status import DiskState
from axis_nvr.storage.housekeeping import ChoreReport, Premises, Progress
from tests.storage.making import DETAILS, SERIAL, START_US, video_gop


class Count:
    """A chore that notes in the index how often it was done."""

    name = "count"

    def __init__(self, premises: Premises) -> None:
        self.premises = premises
        self.progress: Progress | None = None
        self.done = Event()
        self.seen: list[frozenset[str]] = []

    def step(self) -> float | None:
        index = self.premises.index
        with index.transaction():
            index.set_state("count", str(int(index.state("count") or 0) + 1))
        self.progress = Progress("counts", int(index.state("count") or 0), 10)
        self.seen.append(frozenset(self.premises.running()))  # type: ignore[call-overload]
        self.done.set()
        return 3600.0


class ChoreThreadTests(TestCase):
    def make(self, *chores: ChoreMaker) -> Disk:
        return Disk(
            "HDD_DISK",
            Path(self.mktemp()),
            SERIAL,
            reactor=reactor,  # type: ignore[arg-type]
            chores=chores,
        )

    def test_goes_on_beside_recording(self) -> Deferred[None]:
        """A chore writes the index by its own connection, is woken, is told of, and ends first."""
        made: list[Count] = []

        def make(premises: Premises) -> Count:
            made.append(Count(premises))
            return made[0]

        async def run() -> None:
            disk = self.make(make)
            await disk.start()
            recording = await disk.open_recording(DETAILS)
            await deferToThread(made[0].done.wait, 10)
            made[0].done.clear()
            await recording.write(video_gop(START_US))
            disk.wake_chore("count")
            await deferToThread(made[0].done.wait, 10)
            self.assertEqual(made[0].seen[-1], {recording.recording_id})
            (report,) = disk.status().chores
            self.assertEqual(report, ChoreReport("count", Progress("counts", 2, 10)))
            await disk.stop()
            with self.assertRaisesRegex(StorageError, "closed database"):
                made[0].premises.index.state("count")
            self.assertEqual(disk.status().chores, ())

        return Deferred.fromCoroutine(run())

    def test_a_chore_that_cannot_be_made(self) -> Deferred[None]:
        """The disk does not start half: it lets go of its lock, so that it can be tried again."""

        def make(premises: Premises) -> Count:
            raise StorageError(StorageErrorKind.CORRUPT, premises.folder, "not like this")

        async def run() -> None:
            disk = self.make(make)
            with self.assertRaises(StorageError):
                await disk.start()
            self.assertEqual(disk.state, DiskState.CORRUPT)
            await disk.stop()
            again = Disk("HDD_DISK", disk.folder, SERIAL, reactor=reactor)  # type: ignore[arg-type]
            await again.start()
            await again.stop()

        return Deferred.fromCoroutine(run())
