"""A file system that really runs full: with the policy that removes, and with the other."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest, TestCase

from axis_nvr.config.disk import DiskConfig
from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.media.gop import Gop
from axis_nvr.media.units import GapReason
from axis_nvr.services.disk_chores import chores_for
from axis_nvr.storage.disk import Disk
from axis_nvr.storage.files import Files
from axis_nvr.storage.index import Index
from axis_nvr.storage.running_recording import Recording
from tests.durability import proves
from tests.integration.outside import find_nothing_wrong
from tests.integration.peers import require_program
from tests.integration.pictures import picture_group
from tests.storage.making import DETAILS, SERIAL, START_US

#: How large the file system is.
DISK_BYTES = 32 << 20
#: How long a group lasts, by its pictures: a block holds 30 of them.
GROUP_US = 10_000_000
#: What each picture is made larger by, so that a block takes about 3 MiB.
PADDING_BYTES = 5000
#: How long room may take to be made, and recording to go on, in seconds.
PATIENCE_SECONDS = 60.0


class FullDiskTests(TestCase):
    def setUp(self) -> None:
        for name in ("ffmpeg", "mkvinfo", "mkfs.ext4"):
            require_program(name)
        if os.geteuid() != 0:
            raise SkipTest("only root can mount a file system")
        self.place = Path(self.mktemp()).absolute()
        self.mount = self.place / "mounted"
        self.mount.mkdir(parents=True)
        image = self.place / "image"
        with image.open("wb") as file:
            file.truncate(DISK_BYTES)
        for command in (
            ["mkfs.ext4", "-q", "-F", "-m", "0", str(image)],
            ["mount", "-o", "loop", str(image), str(self.mount)],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SkipTest(f"{command[0]} does not work here: {done.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "--lazy", str(self.mount)], check=False)
        self.groups = 0

    async def start(self, cleanup: str) -> Disk:
        config = DiskConfig("HDD_DISK", self.mount / "HDD_DISK", cleanup=cleanup, scrub_days=0)
        self.disk = Disk(
            "HDD_DISK",
            config.folder,
            SERIAL,
            reactor=reactor,  # type: ignore[arg-type]
            chores=chores_for(config),
        )
        await self.disk.start()
        self.addCleanup(self.disk.stop)
        return self.disk

    def next_group(self) -> Gop:
        """The group that comes next in time."""
        self.groups += 1
        start_us = START_US + self.groups * GROUP_US
        return picture_group(start_us, pad=PADDING_BYTES, odd=bool(self.groups % 2))

    async def write_until(self, recording: Recording, *, error: bool) -> StorageError | None:
        """Write groups until one is refused, or until one is taken."""
        for _ in range(2000):
            try:
                await recording.write(self.next_group())
            except StorageError as refusal:
                if error:
                    return refusal
                await deferLater(reactor, 0.1)
            else:
                if not error:
                    return None
        raise AssertionError("refused all the time" if not error else "never refused")

    def rows(self, query: str) -> list[Any]:
        index = Index.open_read_only(Files(), self.disk.folder / "index.db")
        try:
            return list(index.query(query))
        finally:
            index.close()

    @proves(
        2,
        fault="a file system that really runs full",
        moment="while recording, nothing is removed by the policy",
        outcome="it is told as full; with room again recording goes on without a restart",
    )
    def test_full_and_room_again(self) -> Deferred[None]:
        """Full is a state with a name, and it passes when there is room."""
        return Deferred.fromCoroutine(self.full_and_room_again())

    async def full_and_room_again(self) -> None:
        disk = await self.start("none")
        ballast = self.mount / "somebody else's"
        ballast.write_bytes(bytes(10 << 20))
        recording = await disk.open_recording(DETAILS, start_us=START_US)
        refusal = await self.write_until(recording, error=True)
        assert refusal is not None
        self.assertIs(refusal.kind, StorageErrorKind.FULL)
        stored = self.rows("SELECT filename FROM blocks")
        ballast.unlink()
        await self.write_until(recording, error=False)
        for _ in range(10):
            await recording.write(self.next_group())
        await recording.close()
        await disk.stop()
        now = self.rows("SELECT filename FROM blocks")
        self.assertGreater(len(now), len(stored))
        self.assertEqual(set(stored) - set(now), set(), "nothing was removed")
        ((reason,),) = self.rows("SELECT DISTINCT reason FROM nvr_gaps")
        self.assertEqual(reason, GapReason.FULL_DISK)
        find_nothing_wrong(self, disk.folder)

    @proves(
        9,
        fault="a file system that really runs full",
        moment="while recording, the policy removes what is oldest",
        outcome="more than its size is recorded; the oldest blocks go, the newest stay",
    )
    def test_the_oldest_goes(self) -> Deferred[None]:
        """Recording goes on for ever on a small disk, and the oldest blocks of it are removed."""
        return Deferred.fromCoroutine(self.the_oldest_goes())

    async def the_oldest_goes(self) -> None:
        disk = await self.start("fifo")
        recording = await disk.open_recording(DETAILS, start_us=START_US)
        written = 0
        while written < 1.5 * DISK_BYTES:
            group = self.next_group()
            try:
                await recording.write(group)
                written += group.size_bytes
                await deferLater(reactor, 0.01)
            except StorageError as error:
                self.assertIs(error.kind, StorageErrorKind.FULL)
                await deferLater(reactor, 0.3)
        await recording.close()
        await disk.stop()
        starts = [start for (start,) in self.rows("SELECT starttime FROM blocks ORDER BY id")]
        self.assertEqual(starts, sorted(starts))
        self.assertGreater(len(starts), 3)
        ((first,),) = self.rows("SELECT starttime FROM recordings")
        self.assertEqual(first, starts[0], "the recording starts later now")
        self.assertLess(shutil.disk_usage(self.mount).used, DISK_BYTES)
        find_nothing_wrong(self, disk.folder)
