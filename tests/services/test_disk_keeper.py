"""A disk that is kept going: started, tried again, waited for, stopped."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.services.disk_keeper import HANGING_SECONDS, DiskKeeper
from axis_nvr.services.disk_trouble import FIRST_TRIAL_SECONDS, TRIAL_SECONDS
from axis_nvr.storage.disk import Disk
from axis_nvr.storage.disk_status import DiskState
from tests.durability import proves
from tests.services.disk_fakes import DETAILS, LOCKED, FakeDisk, Heard


class KeeperTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.disks: list[FakeDisk] = []
        self.observer = Heard()
        self.keeper = DiskKeeper(self.make, self.clock, [self.observer])

    def make(self) -> Disk:
        disk: Any = FakeDisk()
        self.disks.append(disk)
        made: Disk = disk
        return made

    def test_recordings_wait_until_the_disk_is_ready(self) -> None:
        """A recording asked for before the disk is there opens when it is, as it was asked for."""
        self.keeper.start()
        opened = self.keeper.open_recording(DETAILS, start_us=7)
        self.assertNoResult(opened)
        self.assertEqual(self.keeper.report.state, "starting")
        self.disks[0].state = DiskState.OK
        self.disks[0].starting.callback(None)
        self.assertEqual(self.successResultOf(opened), "recording 1")
        later = self.successResultOf(self.keeper.open_recording(DETAILS))
        self.assertEqual(later, "recording 2")
        self.assertEqual(self.disks[0].named_from, [7, None])
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
        """A disk that fails later says why, in our words and in those of the VAPIX disk list."""
        self.keeper.start()
        self.disks[0].starting.callback(None)
        for state, condition, flags in (
            (DiskState.OK, "OK", ()),
            (DiskState.FULL, "OK", ("full",)),
            (DiskState.READ_ONLY, "OK", ("readonly",)),
            (DiskState.LOCKED, "connected", ("locked",)),
            (DiskState.ABSENT, "disconnected", ()),
            (DiskState.FAILED, "failed", ()),
            (DiskState.CORRUPT, "failed", ()),
            (DiskState.SLOW, "OK", ()),
        ):
            words = "" if state is DiskState.OK else f"it is {state.value}"
            self.disks[0].say(state, words)
            report = self.keeper.report
            self.assertEqual((report.state, report.error), (state.value, words))
            shown = {
                "full": report.is_full,
                "readonly": report.is_read_only,
                "locked": report.is_locked,
            }
            found = tuple(flag for flag, is_set in shown.items() if is_set)
            self.assertEqual((report.condition, found), (condition, flags))

    def test_every_error_has_a_state(self) -> None:
        """No error of a disk is without a name for what the disk then is."""
        for kind in StorageErrorKind:
            self.assertIsInstance(DiskState.of(kind), DiskState)

    def test_a_disk_that_hangs_is_told_of(self) -> None:
        """A write that does not end is a problem before anything is lost."""
        self.keeper.start()
        self.disks[0].starting.callback(None)
        self.disks[0].say(DiskState.OK)
        self.disks[0].busy_seconds = HANGING_SECONDS + 2
        self.assertIn("not finished a write for 12 s", self.keeper.report.error)

    def test_disruptions(self) -> None:
        """Who listens hears once that recordings are being lost, and once that they are not."""
        self.keeper.start()
        self.disks[0].starting.callback(None)
        self.disks[0].say(DiskState.OK)
        self.disks[0].say(DiskState.FULL, "no space left")
        self.disks[0].say(DiskState.FAILED, "input/output error")
        assert self.keeper.disruption is not None
        self.assertEqual(self.keeper.disruption.words, "input/output error")
        self.disks[0].say(DiskState.OK)
        self.assertIsNone(self.keeper.disruption)
        self.keeper.stop()
        self.disks[0].say(DiskState.STOPPED)
        self.assertEqual(self.observer.heard, ["HDD_DISK full: no space left", "HDD_DISK well"])

    def test_tried_out_while_it_is_not_well(self) -> None:
        """Nobody may write to a disk that is not well: it is tried until it is, and no longer."""
        self.keeper.start()
        self.disks[0].starting.callback(None)
        self.disks[0].say(DiskState.OK)
        self.clock.advance(TRIAL_SECONDS)
        self.disks[0].say(DiskState.FULL, "no space left")
        self.clock.pump([FIRST_TRIAL_SECONDS, TRIAL_SECONDS, TRIAL_SECONDS])
        self.assertEqual(self.disks[0].trials, 3)
        self.disks[0].say(DiskState.OK)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.disks[0].say(DiskState.FAILED, "input/output error")
        self.keeper.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_slow_and_then_worse(self) -> None:
        """Who does not count a slow disk as one that is disrupted hears of what follows."""
        self.keeper.start()
        self.disks[0].starting.callback(None)
        self.disks[0].say(DiskState.SLOW, "too slow")
        self.disks[0].say(DiskState.FULL, "no space left")
        self.disks[0].say(DiskState.SLOW, "too slow")
        self.assertEqual(
            self.observer.heard, ["HDD_DISK slow: too slow", "HDD_DISK full: no space left"]
        )

    @proves(
        2,
        fault="a disk that breaks while it is used",
        moment="while recording",
        outcome="it is closed and opened again after waits that double; recordings wait for it",
    )
    def test_a_disk_that_breaks_is_opened_again(self) -> None:
        """It is closed first; then it is tried, less and less often while it takes nothing."""
        self.keeper.start()
        self.disks[0].starting.callback(None)
        self.disks[0].say(DiskState.OK)
        waits = []
        for _ in range(4):
            disk = self.disks[-1]
            disk.say(DiskState.ABSENT, "the disk is gone")
            disk.break_down()
            self.assertTrue(disk.stopped)
            disk.say(DiskState.STOPPED)
            self.assertEqual(self.keeper.report.state, "absent")
            self.assertEqual(self.keeper.report.error, "the disk is gone")
            waited = 0
            while self.disks[-1] is disk:
                self.clock.advance(1)
                waited += 1
            waits.append(waited)
            self.disks[-1].starting.callback(None)
        self.assertEqual(waits, [1, 2, 4, 8])
        self.assertEqual([disk.is_known for disk in self.disks], [False, True, True, True, True])
        opened = self.keeper.open_recording(DETAILS)
        self.assertEqual(self.successResultOf(opened), "recording 1")
        self.assertEqual(self.observer.heard, ["HDD_DISK absent: the disk is gone"])
        self.disks[-1].say(DiskState.OK)
        self.assertEqual(self.observer.heard[1:], ["HDD_DISK well"])
        self.disks[-1].written_gops = 1
        self.disks[-1].break_down()
        self.clock.advance(1)
        self.assertEqual(len(self.disks), 6, "it was well for a while: the waits begin anew")

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
