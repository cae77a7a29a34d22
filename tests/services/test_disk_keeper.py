"""A disk that is kept going: started, tried again, waited for, stopped."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.services.disk_keeper import DiskKeeper
from axis_nvr.storage.disk import Disk
from axis_nvr.storage.disk_status import DiskState, DiskStatus
from axis_nvr.storage.recording import RecordingDetails

DETAILS = RecordingDetails("front", "fps=25")
LOCKED = StorageError(StorageErrorKind.LOCKED, Path("/disk"), "another recorder uses it")


class FakeDisk:
    disk_id = "HDD_DISK"
    folder = Path("/disk")

    def __init__(self) -> None:
        self.starting: Deferred[None] = Deferred()
        self.opened: list[RecordingDetails] = []
        self.stopped = False
        self.state = DiskState.STOPPED
        self.error = ""

    def start(self) -> Deferred[None]:
        return self.starting

    def stop(self) -> Deferred[None]:
        self.stopped = True
        return succeed(None)

    def open_recording(self, details: RecordingDetails) -> Deferred[str]:
        self.opened.append(details)
        return succeed(f"recording {len(self.opened)}")

    def status(self) -> DiskStatus:
        return DiskStatus("HDD_DISK", self.state, 100, 40, 0, 3, 700, 0, 0, 0, 0, self.error)


class KeeperTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.disks: list[FakeDisk] = []
        self.keeper = DiskKeeper(self.make, self.clock)

    def make(self) -> Disk:
        disk: Any = FakeDisk()
        self.disks.append(disk)
        made: Disk = disk
        return made

    def test_recordings_wait_until_the_disk_is_ready(self) -> None:
        """A recording asked for before the disk is there opens when it is."""
        self.keeper.start()
        opened = self.keeper.open_recording(DETAILS)
        self.assertNoResult(opened)
        self.assertEqual(self.keeper.report.state, "starting")
        self.disks[0].state = DiskState.OK
        self.disks[0].starting.callback(None)
        self.assertEqual(self.successResultOf(opened), "recording 1")
        later = self.successResultOf(self.keeper.open_recording(DETAILS))
        self.assertEqual(later, "recording 2")
        report = self.keeper.report
        self.assertEqual((report.state, report.error), ("ok", ""))
        self.assertEqual((report.queued, report.queued_bytes), (3, 700))
        self.assertEqual((report.free_bytes, report.total_bytes), (40, 100))

    def test_a_disk_that_cannot_be_used_is_tried_again(self) -> None:
        """Each try is a disk of its own, less and less often; the reason is shown."""
        self.keeper.start()
        opened = self.keeper.open_recording(DETAILS)
        waits = []
        for _ in range(7):
            self.disks[-1].starting.errback(LOCKED)
            self.assertIn("another recorder uses it", self.keeper.report.error)
            tried, waited = len(self.disks), 0
            while len(self.disks) == tried:
                self.clock.advance(1)
                waited += 1
            waits.append(waited)
        self.assertEqual(waits, [1, 2, 4, 8, 16, 30, 30])
        self.disks[-1].starting.callback(None)
        self.assertEqual(self.successResultOf(opened), "recording 1")

    def test_what_a_running_disk_says_is_shown(self) -> None:
        """A disk that fails later says why."""
        self.keeper.start()
        self.disks[0].starting.callback(None)
        self.disks[0].state, self.disks[0].error = DiskState.FULL, "no space left"
        report = self.keeper.report
        self.assertEqual((report.state, report.error), ("full", "no space left"))

    def test_stop(self) -> None:
        """The disk is let go of, and who waits for a recording is told that there is none."""
        self.keeper.start()
        opened = self.keeper.open_recording(DETAILS)
        self.successResultOf(self.keeper.stop())
        self.failureResultOf(opened, StorageError)
        self.assertTrue(self.disks[0].stopped)

    def test_stop_between_tries(self) -> None:
        """No try comes after the stop."""
        self.keeper.start()
        self.disks[0].starting.errback(LOCKED)
        self.successResultOf(self.keeper.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_while_it_starts(self) -> None:
        """What becomes of a start after the stop changes nothing."""
        for result in (None, LOCKED):
            keeper = DiskKeeper(self.make, self.clock)
            keeper.start()
            keeper.stop()
            if result is None:
                self.disks[-1].starting.callback(None)
            else:
                self.disks[-1].starting.errback(result)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_bug_is_logged_whole(self) -> None:
        """What nobody expected goes to the log with its traceback, and is tried again."""
        self.keeper.start()
        self.disks[0].starting.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIn("see its log", self.keeper.report.error)
        self.clock.advance(1)
        self.assertEqual(len(self.disks), 2)

    def test_cancelled(self) -> None:
        """A recording that is not wanted any more is not opened."""
        self.keeper.start()
        opened = self.keeper.open_recording(DETAILS)
        opened.addErrback(lambda _: None)
        opened.cancel()
        self.disks[0].starting.callback(None)
        self.assertEqual(self.disks[0].opened, [])
