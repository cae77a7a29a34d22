"""A recording on a real folder with real threads, while the disk under it comes and goes."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from axis_nvr.media.buffer import GopBuffer
from axis_nvr.media.units import AccessUnit, GapReason
from axis_nvr.services.disk_keeper import DiskKeeper
from axis_nvr.services.recording_feed import Allowance
from axis_nvr.services.recording_job import RecordingJob
from axis_nvr.storage.disk import Disk
from axis_nvr.storage.files import Files
from axis_nvr.storage.index import Index
from tests.durability import proves
from tests.storage.making import DETAILS, SERIAL, START_US, VIDEO

SECOND = 1_000_000


class ComingAndGoing(TestCase):
    """One camera, one disk, everything real but the time: that runs a hundred times as fast."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute() / "HDD_DISK"
        self.hurry = 100.0
        clock: Any = self
        self.keeper = DiskKeeper(self.make, clock)
        self.buffer = GopBuffer()
        self.job = RecordingJob(
            "front",
            self.buffer,
            lambda: self.keeper.open_recording(DETAILS),
            clock,
            Allowance(),
        )
        self.given_seconds = 0
        self.keeper.start()
        self.job.start()
        self.addCleanup(self.keeper.stop)
        self.addCleanup(self.job.stop)

    def make(self) -> Disk:
        return Disk(
            "HDD_DISK",
            self.folder,
            SERIAL,
            reactor=reactor,  # type: ignore[arg-type]
            monotonic=lambda: reactor.seconds() * self.hurry,
        )

    def callLater(self, delay: float, f: Callable[..., object], *args: object) -> object:  # noqa: N802
        """Be a clock that is in a hurry."""
        return reactor.callLater(delay / self.hurry, f, *args)

    def seconds(self) -> float:
        """See `callLater`."""
        return reactor.seconds() * self.hurry

    async def record(self, until: Callable[[], bool]) -> None:
        """Give a group at a time until something is so."""
        for _ in range(200):
            at_us = START_US + self.given_seconds * SECOND
            self.buffer.push(
                AccessUnit(0, at_us, self.given_seconds * 90_000, True, b"picture", VIDEO)
            )
            self.given_seconds += 1
            await deferLater(reactor, 0.02)
            if until():
                return
        self.fail(f"it does not come: {self.keeper.report} {self.job.status}")

    def written(self, more: int) -> Callable[[], bool]:
        """Tell whether so many groups more are durable."""
        wanted = self.job.written_gops + more
        return lambda: self.job.written_gops >= wanted

    def gap_reasons(self) -> set[GapReason]:
        index = Index.open_read_only(Files(), self.folder / "index.db")
        try:
            return {
                gap.reason for row in index.recordings() for gap in index.gaps(row.recording_id)
            }
        finally:
            index.close()

    @proves(
        2,
        fault="the disk is unmounted, and mounted again later",
        moment="while recording",
        outcome="nothing goes to the mount point; recording goes on by itself",
    )
    def test_a_disk_that_goes_and_comes(self) -> Deferred[None]:
        """An empty folder in its place is left empty; with the disk back it is recorded again."""

        async def run() -> None:
            await self.record(self.written(3))
            away = self.folder.with_name("away")
            self.folder.rename(away)
            self.folder.mkdir()
            await self.record(lambda: self.keeper.report.condition == "disconnected")
            await self.record(lambda: "is it mounted?" in self.keeper.report.error)
            self.assertEqual(list(self.folder.iterdir()), [])
            self.folder.rmdir()
            away.rename(self.folder)
            await self.record(self.written(3))
            self.assertEqual(self.keeper.report.condition, "OK")
            self.assertIsNone(self.keeper.disruption)

        return Deferred.fromCoroutine(run())

    @proves(
        4,
        fault="somebody removes index.db",
        moment="while recording",
        outcome="a new index is begun within seconds, and recording goes on",
    )
    def test_an_index_that_goes(self) -> Deferred[None]:
        """The disk is opened again with another index, and the recorder is not."""

        async def run() -> None:
            await self.record(self.written(3))
            for path in self.folder.glob("index.db*"):
                path.unlink()
            await self.record(lambda: self.job.status.failures > 0)
            await self.record(self.written(3))
            self.assertTrue((self.folder / "index.db").exists())
            self.assertEqual(self.keeper.report.condition, "OK")

        return Deferred.fromCoroutine(run())

    @proves(
        2,
        fault="rm -rf of everything on the disk",
        moment="while recording",
        outcome="recording goes on by itself",
    )
    def test_all_that_is_on_it_goes(self) -> Deferred[None]:
        """As ``rm -rf HDD_DISK/*`` does it: the lock file, whose name begins with a dot, stays."""

        async def run() -> None:
            await self.record(self.written(3))
            for path in self.folder.glob("[!.]*"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            await self.record(lambda: self.job.status.failures > 0)
            await self.record(self.written(3))
            self.assertTrue(list(self.folder.rglob("recording.xml")))

        return Deferred.fromCoroutine(run())
