"""The chore that removes: when, how much, how fast, and what it does about trouble."""

import errno
import os

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.removal import EMPTIED, note_blocks
from axis_nvr.storage.retention.ballast import BALLAST_BYTES, BALLAST_NAME, Ballast
from axis_nvr.storage.retention.chore import (
    BATCH_BLOCKS,
    LOOK_SECONDS,
    MAX_STUCK,
    SETTLING_SECONDS,
    SOON_SECONDS,
    STUCK_SECONDS,
    Retention,
)
from axis_nvr.storage.retention.patience import CLOCK_SECONDS
from axis_nvr.storage.retention.policy import Rules
from axis_nvr.storage.schema import REBUILD_STATE
from tests.durability import proves
from tests.storage.faults.database import sqlite_error
from tests.storage.faults.fault_files import Call
from tests.storage.making import START_US, video_gop
from tests.storage.retention.making import FOLDER, SECOND, SPACING_US, SmallDisk

DAY = 86_400


class RetentionCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.disk = SmallDisk()
        self.addCleanup(self.disk.end)

    def fill(self, free: float) -> int:
        """Make the disk so large that a part of it is free; give the bytes that are missing."""
        used = self.disk.files.used_bytes()
        self.disk.files.total_bytes = int(used / (1 - free))
        space = self.disk.files.space(FOLDER)
        return Rules().missing_bytes(space, 0)

    def believe_the_clock(self, rules: Rules) -> None:
        """Let the chore look at the clock for long enough."""
        self.disk.retain(rules)
        self.disk.wait(CLOCK_SECONDS)


class RoomTests(RetentionCase):
    @proves(
        9,
        fault="the disk gets full",
        moment="while it holds unlocked blocks",
        outcome="the oldest go until there is room for some minutes, and no more than that",
    )
    def test_as_much_as_is_needed(self) -> None:
        """The oldest blocks go until there is room, and not one more."""
        for number in range(4):
            self.disk.record(5, at_us=START_US + number * SECOND)
        blocks = self.disk.blocks()
        sizes = {name: len(data) for name, data in self.disk.files.files().items()}
        missing = self.fill(0.1)
        self.disk.retain(Rules())
        left = self.disk.blocks()
        removed = blocks[: -len(left)]
        self.assertEqual(removed + left, blocks)
        self.assertEqual(self.disk.media(), sorted(left))
        freed = sum(sizes[f"{name}.mkv"] for name in removed)
        self.assertGreaterEqual(freed, missing)
        self.assertLess(freed - sizes[f"{removed[-1]}.mkv"], missing)
        self.assertEqual(self.disk.findings(), [])

    def test_nothing_while_there_is_room(self) -> None:
        """A disk with room keeps all it has."""
        self.disk.record(5)
        self.fill(0.3)
        retention = self.disk.retain(Rules())
        self.assertEqual(len(self.disk.blocks()), 5)
        self.assertIn("free", str(retention.progress))

    def test_by_hand(self) -> None:
        """With the policy none a full disk stays full, and what was noted by hand still goes."""
        self.disk.record(5)
        self.fill(0.0)
        self.disk.retain(Rules(is_automatic=False, max_age_days=1))
        self.assertEqual(len(self.disk.media()), 5)
        note_blocks(self.disk.index, self.disk.blocks()[:1], ())
        self.disk.retain(Rules(is_automatic=False))
        self.assertEqual(len(self.disk.media()), 4)

    def test_what_waits_for_the_index(self) -> None:
        """When all that the index knows is locked, it is told what else there is."""
        self.disk.locks.lock(self.disk.record(2), reason="x")
        locked = self.disk.blocks()
        self.disk.bench.is_told = False
        at_us = START_US + 10 * SPACING_US
        recording = self.disk.begin(at_us=at_us)
        for number in range(3):
            gop = video_gop(at_us + number * SPACING_US)
            self.assertEqual(self.disk.bench.write(recording, gop), [None])
        self.disk.bench.close(recording)
        self.assertEqual(self.disk.blocks(), locked)
        self.fill(0.001)
        self.disk.retain(Rules())
        self.disk.wait(LOOK_SECONDS)
        self.disk.retain(Rules())
        self.assertEqual(self.disk.blocks()[:2], locked)
        self.assertLess(len(self.disk.media()), 5)

    @proves(
        9,
        fault="the disk gets full",
        moment="while all of it is locked or being recorded",
        outcome="nothing is removed; it is said, and goes on as soon as a lock is taken away",
    )
    def test_all_is_locked(self) -> None:
        """Where nothing may go nothing goes, however full the disk is."""
        recording = self.disk.record(3)
        lock = self.disk.locks.lock(recording, reason="x")
        running = self.disk.begin(at_us=START_US + SECOND)
        self.disk.write(running, START_US + SECOND)
        self.fill(0.0)
        rules = Rules()
        with capturedLogs() as logged:
            self.disk.retain(rules)
            retention = self.disk.retain(rules)
        self.assertEqual(len(self.disk.media()), 4)
        self.assertEqual(len([1 for event in logged if event["log_level"].name == "error"]), 1)
        self.assertIn("all is locked", str(retention.progress))
        self.disk.locks.unlock(lock.token)
        retention = self.disk.retain(rules)
        self.assertLess(len(self.disk.media()), 4)
        self.assertNotIn("all is locked", str(retention.progress))

    def test_a_running_recording_begins_later(self) -> None:
        """A recording that has run for long loses its oldest blocks, and goes on."""
        running = self.disk.begin()
        for number in range(8):
            self.disk.write(running, START_US + number * SPACING_US)
        self.fill(0.0)
        self.disk.retain(Rules())
        self.assertIsNone(self.disk.bench.close(running))
        (row,) = self.disk.bench.disk.place.index.recordings()
        self.assertGreater(row.start_us or 0, START_US)
        self.assertEqual(self.disk.findings(), [])

    @proves(
        9,
        fault="the index is lost",
        moment="while the disk gets full",
        outcome="until it is made anew most of the reserve is used up before anything is removed",
    )
    def test_an_index_that_knows_a_part(self) -> None:
        """What is oldest in half an index may be new: it goes only if it must."""
        self.disk.record(20)
        self.fill(0.1)
        with self.disk.index.transaction():
            self.disk.index.set_state(REBUILD_STATE, "")
        rules = Rules(max_age_days=1)
        self.disk.now += 5 * DAY
        self.believe_the_clock(rules)
        self.disk.retain(rules)
        self.assertEqual(len(self.disk.media()), 20)
        self.fill(0.01)
        self.disk.retain(rules)
        self.assertLess(len(self.disk.media()), 20)
        self.assertGreater(len(self.disk.media()), 16)
        with self.disk.index.transaction():
            self.disk.index.set_state(REBUILD_STATE, None)
        self.disk.wait(61)
        self.disk.retain(rules)
        self.assertEqual(self.disk.media(), [])

    def test_room_that_does_not_show(self) -> None:
        """Where removed files still take room, such as while they are read, no more go at once."""
        self.disk.record(40)
        total = self.disk.files.used_bytes()
        self.patch(self.disk.files, "used_bytes", lambda: total)
        self.disk.files.total_bytes = total
        retention = Retention(self.disk.premises(), Rules(), lambda: self.disk.monotonic_seconds)
        delays = [retention.step() for _ in range(6)]
        self.assertEqual(delays[-1], SETTLING_SECONDS)
        self.assertGreaterEqual(len(self.disk.media()), 40 - BATCH_BLOCKS)

    def test_room_that_showed_and_was_taken(self) -> None:
        """Room that showed at once and was taken again is not waited for."""
        self.disk.record(40)
        self.fill(0.1)
        rules = Rules()
        retention = self.disk.retain(rules)
        left = len(self.disk.media())
        self.disk.files.total_bytes = self.disk.files.used_bytes()
        self.assertEqual(retention.step(), 0.0)
        self.assertLess(len(self.disk.media()), left)

    def test_a_faster_ingest_keeps_more_free(self) -> None:
        """The more is written, the more room is kept, and the sooner the disk is looked at."""
        self.disk.record(20)
        self.fill(0.3)
        written = 0
        premises = self.disk.premises()
        object.__setattr__(premises, "written_bytes", lambda: written)
        retention = Retention(premises, Rules(), lambda: self.disk.monotonic_seconds)
        self.patch(self.disk.files, "used_bytes", lambda: 4 << 37)
        self.patch(self.disk.files, "total_bytes", 5 << 37)
        self.assertEqual(retention.step(), SOON_SECONDS)
        self.disk.wait(10)
        self.assertEqual(retention.step(), LOOK_SECONDS)
        self.disk.wait(10)
        written = 10 << 30
        delay = retention.step()
        assert delay is not None
        self.assertLess(delay, LOOK_SECONDS)
        self.disk.wait(10)
        written = 40 << 30
        self.assertEqual(retention.step(), 0.0)
        self.assertLess(len(self.disk.media()), 20)

    @proves(
        9,
        fault="a power cut, and what was noted is not removed yet",
        moment="at the start",
        outcome="it is removed",
    )
    def test_unfinished_removals_are_taken_up(self) -> None:
        """What an earlier run noted goes with the first steps."""
        self.disk.record(3)
        note_blocks(self.disk.index, self.disk.blocks()[:2], ())
        self.disk.retain(Rules())
        self.assertEqual(len(self.disk.media()), 1)

    def test_an_emptied_recording_ends(self) -> None:
        """A recording that lost all its blocks while it ran leaves nothing when it ends."""
        recording = self.disk.record(1)
        with self.disk.index.transaction():
            self.disk.index.execute("UPDATE recordings SET stoptime = NULL")
        self.fill(0.0)
        rules = Rules()
        self.disk.retain(rules)
        self.assertEqual(self.disk.media(), [])
        self.assertIsNotNone(next(self.disk.bench.disk.place.index.recordings(recording), None))
        with self.disk.index.transaction():
            self.disk.index.execute("DELETE FROM recordings")
        self.disk.retain(rules)
        self.assertNotIn("recording.xml", self.disk.files.files())
        self.assertIsNone(self.disk.index.state(EMPTIED + recording))


class AgeTests(RetentionCase):
    def test_max_age(self) -> None:
        """What ended longer ago goes; a block of which a moment is to be kept stays."""
        self.disk.record(3)
        rules = Rules(max_age_days=1)
        second_ends = START_US / 1e6 + SPACING_US / 1e6 + 2
        self.disk.now = second_ends + DAY - CLOCK_SECONDS - 0.1
        self.believe_the_clock(rules)
        self.disk.retain(rules)
        self.assertEqual(len(self.disk.media()), 2)
        self.disk.wait(61)
        self.disk.retain(rules)
        self.assertEqual(len(self.disk.media()), 1)
        self.assertEqual(self.disk.findings(), [])

    def test_a_groups_retention_time(self) -> None:
        """A group's recordings go after its own time, also where it is changed later."""
        self.disk.record(2)
        self.disk.record(20, "short", at_us=START_US + SECOND)
        self.disk.record(2, "long", at_us=START_US + 2 * SECOND)
        seconds = {"short": 20 * DAY}
        rules = Rules(max_age_days=30, group_seconds=seconds)
        self.disk.now += 10 * DAY
        self.believe_the_clock(rules)
        self.disk.retain(rules)
        self.assertEqual(len(self.disk.media()), 24)
        seconds["short"] = 5 * DAY
        self.disk.wait(61)
        self.disk.retain(rules)
        groups = {row.group for row in self.disk.bench.disk.place.index.recordings()}
        self.assertEqual((len(self.disk.media()), groups), (4, {"", "long"}))

    def test_locked_and_old(self) -> None:
        """What is locked is kept, however old it is."""
        recording = self.disk.record(3)
        span = (START_US + SPACING_US, START_US + SPACING_US + SECOND)
        self.disk.locks.lock(recording, *span, reason="x")
        held = self.disk.blocks()[1]
        self.disk.now += 100 * DAY
        rules = Rules(max_age_days=1, group_seconds={"": 1})
        self.believe_the_clock(rules)
        self.disk.retain(rules)
        self.assertEqual(self.disk.media(), [held])

    @proves(
        9,
        fault="the clock steps by years",
        moment="at the start, or while the recorder runs",
        outcome="nothing is removed for its age until the clock has run for ten minutes",
    )
    def test_a_clock_that_is_wrong(self) -> None:
        """A clock that was wrong for a moment has removed nothing."""
        self.disk.record(3)
        rules = Rules(max_age_days=1)
        self.believe_the_clock(rules)
        self.disk.now += 5000 * DAY
        for _ in range(19):
            self.disk.retain(rules)
            self.disk.wait(LOOK_SECONDS)
        self.disk.now -= 5000 * DAY
        for _ in range(40):
            self.disk.retain(rules)
            self.disk.wait(LOOK_SECONDS)
        self.assertEqual(len(self.disk.media()), 3)


class TroubleTests(RetentionCase):
    @proves(
        9,
        fault="nothing can be removed (EACCES)",
        moment="while room is needed",
        outcome="it is told, some blocks are noted and no more, and it goes on once that is healed",
    )
    def test_nothing_can_be_removed(self) -> None:
        """A disk that removes nothing does not lose its index, nor is the chore never done."""
        self.disk.record(3 * MAX_STUCK)
        self.fill(0.0)

        def refuse(call: Call) -> None:
            if call.operation == "remove":
                raise OSError(errno.EACCES, os.strerror(errno.EACCES))

        self.disk.files.injector = refuse
        retention = Retention(self.disk.premises(), Rules(), lambda: self.disk.monotonic_seconds)
        told = 0
        for _ in range(40):
            try:
                retention.step()
            except StorageError as error:
                self.assertIs(error.kind, StorageErrorKind.READ_ONLY)
                told += 1
            self.disk.wait(6)
        self.assertLessEqual(told, 4)
        self.assertEqual(len(self.disk.blocks()), 3 * MAX_STUCK - MAX_STUCK)
        self.assertIn("cannot be removed", str(retention.progress))
        self.disk.files.injector = None
        self.disk.wait(STUCK_SECONDS)
        self.disk.retention = retention
        self.disk.retain(retention._rules)
        self.assertEqual(self.disk.media(), sorted(self.disk.blocks()))
        self.assertEqual(self.disk.findings(), [])

    @proves(
        9,
        fault="the disk is full to the last byte, so that the index cannot be written",
        moment="while room is needed",
        outcome="a ballast file makes room for the index, and the disk heals itself",
    )
    def test_full_to_the_last_byte(self) -> None:
        """The ballast goes, the blocks go, and the ballast comes back."""
        self.disk.record(10)
        rules = Rules()
        self.disk.retain(rules)
        self.assertEqual(len(self.disk.files.files()[BALLAST_NAME]), BALLAST_BYTES)
        self.fill(0.0)

        def full(call: Call) -> None:
            if call.operation == "commit" and BALLAST_NAME in self.disk.files.files():
                raise sqlite_error("SQLITE_FULL", "database or disk is full")

        self.disk.files.injector = full
        self.disk.retain(rules)
        self.assertLess(len(self.disk.media()), 10)
        self.assertEqual(self.disk.media(), sorted(self.disk.blocks()))
        self.disk.files.injector = None
        self.disk.files.total_bytes = 1 << 40
        self.disk.retain(rules)
        self.assertIn(BALLAST_NAME, self.disk.files.files())

    def test_ballast_only_where_there_is_room(self) -> None:
        """A small disk is not given any, and one that is there is not laid twice."""
        ballast = Ballast(self.disk.files, FOLDER)
        ballast.lay(BALLAST_BYTES)
        self.assertFalse(ballast.drop())
        ballast.lay(1 << 40)
        ballast.lay(1 << 40)
        self.assertTrue(ballast.drop())
        self.assertFalse(ballast.drop())
