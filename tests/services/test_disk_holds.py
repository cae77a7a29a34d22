"""A disk that a person unmounts, locks or has worked on: let go of, left alone, used again."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.services.disk_holds import Hold
from axis_nvr.services.disk_keeper import DiskKeeper
from axis_nvr.storage.disk import Disk
from axis_nvr.storage.disk_status import DiskState
from tests.services.disk_fakes import DETAILS, FakeDisk, Heard

ABSENT = StorageError(StorageErrorKind.ABSENT, Path("/disk"), "it is not there")


class SlowFakeDisk(FakeDisk):
    """A disk that closes when it is told to, and remembers chores that were woken."""

    def __init__(self) -> None:
        super().__init__()
        self.stopping: Deferred[None] = Deferred()
        self.woken: list[str] = []
        self.is_started = False

    def start(self, *, is_known: bool = False) -> Deferred[None]:
        self.is_started = True
        return super().start(is_known=is_known)

    def stop(self) -> Deferred[None]:
        self.stopped = True
        return self.stopping

    def wake_chore(self, name: str) -> None:
        self.woken.append(name)


class User:
    """Uses disks, and remembers what it is told."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.closing: Deferred[None] = succeed(None)

    def disk_opened(self, disk_id: str, folder: Path) -> None:
        self.heard.append("opened")

    def disk_locked(self, disk_id: str, folder: Path) -> None:
        self.heard.append("locked")

    def disk_closing(self, disk_id: str, *, comes_back: bool) -> Deferred[None]:
        self.heard.append("closing for now" if comes_back else "closing")
        return self.closing


class HoldTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.disks: list[SlowFakeDisk] = []
        self.observer = Heard()
        self.keeper = DiskKeeper(self.make, self.clock, [self.observer])

    def make(self) -> Disk:
        disk: Any = SlowFakeDisk()
        self.disks.append(disk)
        made: Disk = disk
        return made

    def start(self) -> None:
        """Have the newest disk be in use."""
        self.disks[-1].starting.callback(None)
        self.disks[-1].say(DiskState.OK)

    def close(self) -> None:
        """Have the newest disk be closed."""
        self.disks[-1].say(DiskState.STOPPED)
        self.disks[-1].stopping.callback(None)

    def told(self) -> tuple[str, str, bool, bool]:
        report = self.keeper.report
        return report.state, report.condition, report.is_locked, self.keeper.is_mounted

    def test_unmounted_and_mounted(self) -> None:
        """It is closed, recordings wait, and it is another disk that is opened later."""
        self.keeper.start()
        self.start()
        self.assertEqual(self.told(), ("ok", "OK", False, True))
        gone = self.keeper.hold(Hold.UNMOUNTED)
        self.assertTrue(self.disks[0].stopped)
        self.assertNoResult(gone)
        opened = self.keeper.open_recording(DETAILS)
        self.close()
        self.successResultOf(gone)
        self.clock.advance(1000)
        self.assertEqual((len(self.disks), self.told()[:2]), (1, ("unmounted", "connected")))
        self.assertFalse(self.keeper.is_mounted)
        self.assertEqual(self.keeper.refusal, "the disk is unmounted")
        used = self.keeper.release(Hold.UNMOUNTED)
        self.assertNoResult(used)
        self.assertEqual(self.keeper.report.state, "starting")
        self.start()
        self.successResultOf(used)
        self.assertEqual(self.successResultOf(opened), "recording 1")
        self.assertEqual((len(self.disks), self.disks[1].is_known), (2, True))
        self.assertEqual(self.told(), ("ok", "OK", False, True))
        self.assertEqual(self.keeper.refusal, "")

    def test_locked(self) -> None:
        """A locked disk is mounted, and says so; but nothing of it is open."""
        self.keeper.start()
        self.start()
        self.keeper.hold(Hold.LOCKED)
        self.assertTrue(self.disks[0].stopped)
        self.close()
        self.assertEqual(self.told(), ("locked", "OK", True, True))
        self.keeper.hold(Hold.UNMOUNTED)
        self.assertEqual(self.told(), ("unmounted", "connected", False, False))
        self.successResultOf(self.keeper.release(Hold.UNMOUNTED))
        self.assertEqual(self.told(), ("locked", "OK", True, True))
        self.assertEqual(len(self.disks), 1)

    def test_held_from_the_start(self) -> None:
        """A disk that was locked before the recorder starts is not opened."""
        self.successResultOf(self.keeper.hold(Hold.LOCKED))
        self.keeper.start()
        self.assertFalse(self.disks[0].is_started)
        self.assertEqual(self.told(), ("locked", "OK", True, True))
        used = self.keeper.release(Hold.LOCKED)
        self.assertEqual(self.told(), ("starting", "connected", False, False))
        self.assertNoResult(used)
        self.start()
        self.successResultOf(used)
        self.assertEqual(len(self.disks), 1)
        self.assertEqual(self.told(), ("ok", "OK", False, True))

    def test_every_hold_counts(self) -> None:
        """It is used again when the last hold is released, in whatever order."""
        self.keeper.start()
        self.start()
        for hold in (Hold.WORK, Hold.LOCKED, Hold.UNMOUNTED):
            self.keeper.hold(hold)
        self.close()
        for hold in (Hold.LOCKED, Hold.WORK):
            self.successResultOf(self.keeper.release(hold))
            self.assertEqual(len(self.disks), 1)
        self.keeper.release(Hold.UNMOUNTED)
        self.assertEqual(len(self.disks), 2)

    def test_released_before_it_is_closed(self) -> None:
        """The next disk is opened only when the one before is closed; a hold in between counts."""
        self.keeper.start()
        self.start()
        gone = self.keeper.hold(Hold.WORK)
        used = self.keeper.release(Hold.WORK)
        self.assertEqual(len(self.disks), 1)
        again = self.keeper.hold(Hold.WORK)
        self.failureResultOf(used, StorageError)
        self.close()
        self.successResultOf(gone)
        self.successResultOf(again)
        self.assertEqual(len(self.disks), 1)
        used = self.keeper.release(Hold.WORK)
        self.start()
        self.successResultOf(used)

    def test_held_while_it_starts(self) -> None:
        """What comes of a start that is not wanted any more changes nothing."""
        for result in (None, ABSENT):
            self.keeper = DiskKeeper(self.make, self.clock, [self.observer])
            self.keeper.start()
            self.keeper.hold(Hold.UNMOUNTED)
            disk = self.disks[-1]
            self.keeper.release(Hold.UNMOUNTED)
            if result is None:
                disk.starting.callback(None)
            else:
                disk.starting.errback(result)
            self.assertFalse(self.keeper.is_mounted)
            disk.stopping.callback(None)
            self.assertIsNot(self.disks[-1], disk)
            self.start()
            self.assertTrue(self.keeper.is_mounted)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cannot_be_mounted(self) -> None:
        """Why is told at once; then it is tried again, and at once when it is asked for."""
        self.keeper.start()
        self.start()
        self.keeper.hold(Hold.UNMOUNTED)
        self.close()
        used = self.keeper.release(Hold.UNMOUNTED)
        self.disks[-1].starting.errback(ABSENT)
        error = self.failureResultOf(used, StorageError).value
        self.assertEqual((error.kind, error.message), (ABSENT.kind, ABSENT.message))
        tried = len(self.disks)
        used = self.keeper.release(Hold.UNMOUNTED)
        self.assertEqual(len(self.disks), tried + 1)
        self.start()
        self.successResultOf(used)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.successResultOf(self.keeper.release(Hold.UNMOUNTED))

    def test_disruptions(self) -> None:
        """A held disk is disrupted, once, until it is used again."""
        self.keeper.start()
        self.start()
        self.keeper.hold(Hold.LOCKED)
        self.disks[-1].say(DiskState.SLOW, "the last batch")
        self.disks[-1].say(DiskState.OK)
        self.close()
        self.keeper.hold(Hold.UNMOUNTED)
        self.keeper.release(Hold.LOCKED)
        self.assertEqual(self.observer.heard, ["HDD_DISK locked: the disk is locked"])
        assert self.keeper.disruption is not None
        self.assertEqual(self.keeper.disruption.words, "the disk is unmounted")
        self.keeper.release(Hold.UNMOUNTED)
        self.start()
        self.assertEqual(self.observer.heard[1:], ["HDD_DISK well"])

    def test_stopped_while_held(self) -> None:
        """A recorder that ends waits for a disk that is being closed, and opens none."""
        self.keeper.start()
        self.start()
        self.keeper.hold(Hold.WORK)
        stopped = self.keeper.stop()
        self.assertNoResult(stopped)
        self.close()
        self.successResultOf(stopped)
        self.successResultOf(self.keeper.release(Hold.WORK))
        self.assertEqual((len(self.disks), self.clock.getDelayedCalls()), (1, []))

    def test_read_while_it_is_locked(self) -> None:
        """Who reads hears when the disk is closed for writing, and when it is closed for all."""
        user = User()
        self.keeper.users.append(user)
        self.keeper.start()
        self.start()
        self.keeper.hold(Hold.LOCKED)
        self.assertEqual(user.heard, ["opened", "closing for now"])
        self.close()
        self.assertEqual(user.heard[2:], ["locked"])
        user.closing = Deferred()
        gone = self.keeper.hold(Hold.UNMOUNTED)
        self.assertEqual(user.heard[3:], ["closing"])
        self.assertNoResult(gone)
        user.closing.callback(None)
        self.successResultOf(gone)
        user.closing = succeed(None)
        self.keeper.release(Hold.UNMOUNTED)
        self.assertEqual(user.heard[4:], ["locked"])
        self.keeper.release(Hold.LOCKED)
        self.assertEqual(user.heard[5:], ["closing for now"])
        self.start()
        self.assertEqual(user.heard[6:], ["opened"])
        self.keeper.hold(Hold.UNMOUNTED)
        self.close()
        self.keeper.hold(Hold.LOCKED)
        self.assertEqual(user.heard[7:], ["closing"])

    def test_read_while_it_was_locked_before(self) -> None:
        """A disk that is locked when the recorder starts is read, and let go of at the end."""
        user = User()
        self.keeper.users.append(user)
        self.keeper.hold(Hold.LOCKED)
        self.assertEqual(user.heard, [])
        self.keeper.start()
        self.assertEqual(user.heard, ["locked"])
        self.successResultOf(self.keeper.stop())
        self.assertEqual(user.heard, ["locked", "closing"])

    def test_formatted(self) -> None:
        """A disk that was formatted may be empty when it is mounted again."""
        self.keeper.start()
        self.start()
        self.keeper.hold(Hold.WORK)
        self.keeper.forget()
        self.close()
        self.keeper.release(Hold.WORK)
        self.assertFalse(self.disks[1].is_known)

    def test_chores_are_woken(self) -> None:
        """Only those of a disk that is in use."""
        self.keeper.wake_chore("retention")
        self.keeper.start()
        self.start()
        self.keeper.wake_chore("retention")
        self.keeper.hold(Hold.WORK)
        self.keeper.wake_chore("retention")
        self.assertEqual(self.disks[0].woken, ["retention"])
