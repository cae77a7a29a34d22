"""What the log says of a disk that cannot be used: each cause whole, then seldom, then its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import fail
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.services.disk_holds import Hold
from axis_nvr.services.disk_keeper import LONGEST_WAIT_SECONDS, DiskKeeper
from axis_nvr.services.failure_log import REPEAT_LOG_SECONDS
from axis_nvr.storage.disk import Disk
from axis_nvr.storage.disk_status import DiskState
from tests.services.disk_fakes import LOCKED, FakeDisk

UNUSABLE = "HDD_DISK: nothing can be recorded: {}; it is tried again by itself"
WELL = "HDD_DISK: is recorded to again"


class DisruptionLogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.disks: list[FakeDisk] = []
        self.heard: list[str] = []
        self.keeper = DiskKeeper(self.make, self.clock)

    def make(self) -> Disk:
        disk: Any = FakeDisk()
        self.disks.append(disk)
        made: Disk = disk
        return made

    @contextmanager
    def listen(self) -> Iterator[None]:
        """Hear what a person should know."""
        with capturedLogs() as events:
            yield
        self.heard += [formatEvent(e) for e in events if e["log_level"] is not LogLevel.debug]

    def fail_to_open(self, seconds: float, error: StorageError = LOCKED) -> int:
        """Have each try fail for so long; give how many there were."""
        until, before = self.clock.seconds() + seconds, len(self.disks)
        while self.clock.seconds() < until:
            disk = self.disks[-1]
            if not disk.starting.called:
                disk.say(DiskState.of(error.kind), str(error))
                disk.starting.errback(error)
            self.clock.advance(1)
        return len(self.disks) - before

    def test_each_cause_once_then_seldom_then_its_end(self) -> None:
        """Of twenty tries in ten minutes a person reads one sentence, and one when it is over."""
        with self.listen():
            self.keeper.start()
            tries = self.fail_to_open(REPEAT_LOG_SECONDS)
        self.assertGreater(tries, 19)
        self.assertEqual(self.heard, [UNUSABLE.format(LOCKED)])
        with self.listen():
            self.fail_to_open(LONGEST_WAIT_SECONDS)
        self.assertEqual(self.heard, [UNUSABLE.format(LOCKED)] * 2, "the same still")
        other = StorageError(StorageErrorKind.ABSENT, LOCKED.path, "is it mounted?")
        self.heard.clear()
        with self.listen():
            self.fail_to_open(REPEAT_LOG_SECONDS / 2, other)
            self.clock.advance(LONGEST_WAIT_SECONDS)
            self.disks[-1].say(DiskState.OK)
            self.disks[-1].starting.callback(None)
        self.assertEqual(self.heard, [UNUSABLE.format(other), WELL])

    def test_a_disk_that_breaks_again_is_told_again(self) -> None:
        """What was lost after it was well is another loss, however soon it comes."""
        self.keeper.start()
        self.disks[0].starting.callback(None)
        with self.listen():
            for _ in range(2):
                self.disks[0].say(DiskState.FULL, "no space left")
                self.disks[0].say(DiskState.OK)
        self.assertEqual(self.heard, [UNUSABLE.format("no space left"), WELL] * 2)

    def test_a_disk_in_use_that_stays_full_is_told_now_and_then(self) -> None:
        """Though its state does not change, nobody is to think that it is over."""
        self.keeper.start()
        self.disks[0].starting.callback(None)
        with self.listen():
            self.disks[0].say(DiskState.FULL, "no space left")
            self.clock.pump([1.0] * int(2.5 * REPEAT_LOG_SECONDS))
        self.assertEqual(self.heard, [UNUSABLE.format("no space left")] * 3)

    def test_a_slow_disk_is_not_said_to_take_nothing(self) -> None:
        """It takes most of what it is given."""
        self.keeper.start()
        self.disks[0].starting.callback(None)
        with self.listen():
            self.disks[0].say(DiskState.SLOW, "too slow")
        self.assertEqual(self.heard, ["HDD_DISK: pictures are lost: too slow"])

    def test_a_disk_that_is_held_waits_for_a_person(self) -> None:
        """Nobody is told that it is tried again, nor twice that it is held."""
        self.keeper.start()
        self.disks[0].say(DiskState.OK)
        self.disks[0].starting.callback(None)
        with self.listen():
            self.keeper.hold(Hold.LOCKED)
            self.keeper.hold(Hold.LOCKED)
            self.keeper.release(Hold.LOCKED)
            self.disks[-1].say(DiskState.OK)
        self.assertEqual(
            self.heard, ["HDD_DISK: nothing can be recorded: the disk is locked", WELL]
        )

    def test_what_is_lost_while_it_closes_is_told(self) -> None:
        """No disruption begins at the end, but the last pictures may be lost."""
        self.keeper.start()
        self.disks[0].starting.callback(None)
        with self.listen():
            self.keeper.stop()
            self.disks[0].say(DiskState.FAILED, "input/output error")
            self.disks[0].say(DiskState.STOPPED)
        self.assertEqual(self.heard, ["HDD_DISK: while it was closed: input/output error"])

    def test_a_bug_is_told_once(self) -> None:
        """A traceback for each try would bury what else the log says."""
        keeper = DiskKeeper(self.make, self.clock, admit=lambda: fail(ZeroDivisionError()))
        keeper.start()
        self.clock.pump([1.0] * int(REPEAT_LOG_SECONDS / 2))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
