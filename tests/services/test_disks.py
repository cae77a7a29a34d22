"""Disks on real folders with real threads: locked, unmounted, formatted while they are recorded to.

One camera, everything real but the time, which runs a hundred times as fast.
"""

import contextlib
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from axis_nvr.config.disk import DiskConfig
from axis_nvr.media.units import AccessUnit
from axis_nvr.services.disk_chores import chores_for
from axis_nvr.services.disk_encryption import DiskEncryption
from axis_nvr.services.disk_jobs import Action, own_thread
from axis_nvr.services.disk_keeper import DiskKeeper
from axis_nvr.services.disk_settings import DiskSettings
from axis_nvr.services.disks import Disks
from axis_nvr.services.recordings import Order, Recordings
from axis_nvr.services.state_database import StateDatabase
from axis_nvr.services.state_folder import StateFolder
from axis_nvr.services.stream_registry import StreamRegistry
from axis_nvr.services.vault import Vault
from axis_nvr.storage.disk import Disk
from axis_nvr.storage.files import Files
from axis_nvr.storage.index import Index
from tests.services.recording_fakes import FRONT, FakeStream
from tests.storage.making import SERIAL, START_US, VIDEO

SECOND = 1_000_000
NAME = "HDD_DISK"
#: The clock runs so much faster.
HURRY = 100.0


class Clock:
    """A clock that is in a hurry."""

    def seconds(self) -> float:
        """See `IReactorTime`."""
        return reactor.seconds() * HURRY

    def callLater(self, delay: float, f: Callable[..., object], *args: object) -> object:  # noqa: N802
        """See `IReactorTime`."""
        return reactor.callLater(delay / HURRY, f, *args)


class RealDiskTests(TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute() / NAME
        state = StateFolder(Path(self.mktemp()))
        state.open()
        self.database = StateDatabase(state.path / "state.db", own_thread(reactor))  # type: ignore[arg-type]
        self.config = DiskConfig(NAME, self.folder, scrub_days=0)
        self.settings = DiskSettings(self.database, Vault(state), {NAME: self.config})
        clock: Any = Clock()
        self.keeper = DiskKeeper(self.make, clock)
        registry: Any = StreamRegistry([FRONT], lambda request: FakeStream(request, []))
        self.recordings = Recordings(registry, {NAME: self.keeper}, clock)
        self.disks = Disks(
            {NAME: self.keeper},
            self.settings,
            self.recordings,
            own_thread(reactor),  # type: ignore[arg-type]
            clock,
            lambda disk_id: DiskEncryption(self.settings.config(disk_id), None),  # type: ignore[arg-type]
        )
        self.keeper.start()
        self.front = self.recordings.begin(Order(NAME, "device=front"))
        self.seconds = 0

        self.addCleanup(self.end)

    def end(self) -> Deferred[None]:
        """Let go of everything."""

        async def end() -> None:
            await self.recordings.end_all()
            await self.keeper.stop()
            await self.disks.jobs.stopService()
            self.database.close()

        return Deferred.fromCoroutine(end())

    def make(self) -> Disk:
        return Disk(
            NAME,
            self.folder,
            SERIAL,
            reactor=reactor,  # type: ignore[arg-type]
            monotonic=Clock().seconds,
            chores=chores_for(self.config, self.settings.rules(NAME)),
        )

    def story(self, told: Callable[[], Coroutine[Any, Any, None]]) -> Deferred[None]:
        return Deferred.fromCoroutine(told())

    def push(self) -> None:
        """Let the camera send a group of one picture."""
        at_us = START_US + self.seconds * SECOND
        unit = AccessUnit(0, at_us, self.seconds * 90_000, True, b"picture", VIDEO)
        self.front.lease.stream.buffer.push(unit)
        self.seconds += 1

    async def record(self, until: Callable[[], bool]) -> None:
        """Let the camera send until something is so."""
        for _ in range(200):
            self.push()
            await deferLater(reactor, 0.01)
            if until():
                return
        self.fail(f"it does not come: {self.keeper.report} {self.front.job.status}")

    async def record_more(self) -> None:
        """Record until three groups more are durable."""
        wanted = self.front.job.written_gops + 3
        await self.record(lambda: self.front.job.written_gops >= wanted)

    async def do(self, action: Action) -> str:
        """Do something with the disk to its end; give its description."""
        job = self.disks.begin(action, NAME)
        for _ in range(500):
            if job.progress == 100:
                self.assertFalse(job.has_failed, job.description)
                return job.description
            await deferLater(reactor, 0.01)
        self.fail(f"it does not end: {job}")
        raise AssertionError

    def snapshot(self) -> dict[str, tuple[int, int]]:
        """What is on the disk: size and time of change of each file."""
        return {
            str(path.relative_to(self.folder)): (path.stat().st_size, path.stat().st_mtime_ns)
            for path in self.folder.rglob("*")
            if path.is_file()
        }

    def open_rows(self) -> tuple[int, int]:
        """How many recordings there are in the index, and how many of them are open."""
        self.keeper.catch_up()
        index = Index.open_read_only(Files(), self.folder / "index.db")
        try:
            rows = list(index.recordings())
        finally:
            index.close()
        return len(rows), sum(row.stop_us is None for row in rows)

    def held_open(self) -> list[str]:
        """Which files of the disk this process has open."""
        names = []
        for fd in os.listdir("/proc/self/fd"):
            with contextlib.suppress(FileNotFoundError):
                names.append(os.readlink(f"/proc/self/fd/{fd}"))
        return [name for name in names if name.startswith(str(self.folder))]

    async def left_alone(self) -> None:
        """Nothing on the disk changes while the camera goes on sending; all of it is closed."""
        self.assertEqual(self.open_rows()[1], 0)
        before = self.snapshot()
        for _ in range(40):
            self.push()
            await deferLater(reactor, 0.01)
        self.assertEqual(self.snapshot(), before)

    def test_locked_while_recording(self) -> Deferred[None]:
        """Nothing is written or removed until it is unlocked; then recording goes on."""

        async def told() -> None:
            await self.record_more()
            await self.disks.lock(NAME)
            await self.disks.change(NAME, max_age_days=1, limit_kib=1)
            await self.left_alone()
            view = await self.disks.view(NAME)
            self.assertEqual((view.status, view.is_locked), ("OK", True))
            self.assertGreater(view.total_bytes, view.free_bytes)
            await self.disks.change(NAME, max_age_days=0, limit_kib=0)
            await self.disks.unlock(NAME)
            await self.record_more()
            recordings, still_open = self.open_rows()
            self.assertEqual((recordings, still_open), (2, 1))
            self.assertFalse((await self.disks.view(NAME)).is_locked)

        return self.story(told)

    def test_unmounted_while_recording(self) -> Deferred[None]:
        """The folder can be moved away meanwhile: nothing of it is open. Mounted, it goes on."""

        async def told() -> None:
            await self.record_more()
            self.assertNotEqual(self.held_open(), [])
            self.assertEqual(await self.do(Action.UNMOUNT), "unmounted")
            self.assertEqual((await self.disks.view(NAME)).status, "connected")
            await self.left_alone()
            self.assertEqual(self.held_open(), [])
            away = self.folder.with_name("away")
            self.folder.rename(away)
            self.assertEqual((await self.disks.view(NAME)).status, "disconnected")
            await deferLater(reactor, 0.05)
            self.assertFalse(self.folder.exists())
            away.rename(self.folder)
            self.assertEqual(await self.do(Action.MOUNT), "mounted")
            await self.record_more()
            self.assertEqual(self.open_rows(), (2, 1))

        return self.story(told)

    def test_formatted_while_recording(self) -> Deferred[None]:
        """What was recorded is gone, and what comes is recorded."""

        async def told() -> None:
            await self.record_more()
            old = {name for name in self.snapshot() if name.endswith(".mkv")}
            self.assertEqual(len(old), 1)
            self.assertIn("removed", await self.do(Action.FORMAT))
            await self.record_more()
            new = {name for name in self.snapshot() if name.endswith(".mkv")}
            self.assertEqual((len(new), new & old), (1, set()))
            self.assertEqual(self.open_rows(), (1, 1))
            self.assertEqual((await self.disks.view(NAME)).status, "OK")

        return self.story(told)

    def test_damaged_checked_and_repaired(self) -> Deferred[None]:
        """A check finds what is damaged, a repair mends it, and the disk is recorded to again."""

        async def told() -> None:
            await self.record_more()
            await self.do(Action.UNMOUNT)
            self.assertEqual(await self.do(Action.CHECK), "all well")
            (block,) = self.folder.rglob("*.mkv")
            block.with_suffix(".xml").write_bytes(b"<no")
            job = self.disks.begin(Action.CHECK, NAME)
            while job.progress < 100:
                await deferLater(reactor, 0.01)
            self.assertTrue(job.has_failed)
            self.assertIn("xml-damaged", job.description)
            self.assertEqual(await self.do(Action.REPAIR), "1 thing mended")
            self.assertEqual(await self.do(Action.CHECK), "all well")
            await self.do(Action.MOUNT)
            await self.record_more()

        return self.story(told)

    def test_the_limit_is_kept_to(self) -> Deferred[None]:
        """A limit that is set while the disk is used removes what is too much, within a look."""

        async def told() -> None:
            await self.record_more()
            await self.do(Action.UNMOUNT)
            await self.do(Action.MOUNT)
            (old,) = self.folder.rglob("*.mkv")
            await self.record_more()
            used = await self.disks.used_bytes(NAME)
            self.assertEqual(used, sum(p.stat().st_size for p in self.folder.rglob("*.mkv")))
            await self.disks.change(NAME, limit_kib=1)
            self.settings.rules(NAME).limit_bytes = 1  # less than anybody may set
            self.keeper.wake_chore("retention")
            await self.record(lambda: not old.exists())

        return self.story(told)
