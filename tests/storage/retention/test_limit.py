"""A limit of what recordings may take of a disk: kept to, whatever else is free."""

from typing import Any, cast

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.storage.retention.policy import Rules
from axis_nvr.storage.retention.usage import COUNT_SECONDS, used_bytes
from axis_nvr.storage.schema import REBUILD_STATE
from tests.storage.making import START_US
from tests.storage.retention.making import FOLDER, SPACING_US, SmallDisk


class LimitTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.disk = SmallDisk()
        self.addCleanup(self.disk.end)
        self.disk.record(6)
        self.rules = Rules()

    def used(self) -> int:
        return used_bytes(cast(Any, self.disk.files), FOLDER, self.disk.index)

    def test_how_much_is_used(self) -> None:
        """What the files take, of a block that is being written too."""
        self.assertEqual(self.used(), self.disk.files.used_bytes())
        running = self.disk.begin(at_us=START_US + SPACING_US // 2)
        self.disk.write(running, START_US + SPACING_US // 2)
        self.assertEqual(self.used(), self.disk.files.used_bytes())
        self.assertEqual(len(self.disk.media()), 7)

    def test_the_oldest_go(self) -> None:
        """As many as are too many, and no more; also if the limit is set while the disk is used."""
        blocks, size_bytes = self.disk.blocks(), self.used() // 6
        self.disk.retain(self.rules)
        self.assertEqual(self.disk.blocks(), blocks)
        for kept in (4, 4, 2):
            self.rules.limit_bytes = size_bytes * kept + size_bytes // 2
            self.disk.retain(self.rules)
            self.assertEqual(self.disk.blocks(), blocks[-kept:])
        self.rules.limit_bytes = 0
        self.disk.retain(self.rules)
        self.assertEqual(len(self.disk.media()), 2)
        self.assertEqual(self.disk.findings(), [])

    def test_what_is_written_counts(self) -> None:
        """A limit that was kept to is kept to again when more has been recorded."""
        self.rules.limit_bytes = self.used()
        self.disk.retain(self.rules)
        self.assertEqual(len(self.disk.media()), 6)
        self.disk.record(2, at_us=START_US + 100 * SPACING_US)
        self.disk.wait(COUNT_SECONDS)
        self.disk.retain(self.rules)
        self.assertEqual(len(self.disk.media()), 6)

    def test_not_by_hand_nor_of_a_part(self) -> None:
        """Nothing goes with the policy none, nor before the index knows what is oldest."""
        self.rules.limit_bytes, self.rules.is_automatic = 1, False
        self.disk.retain(self.rules)
        self.rules.is_automatic = True
        with self.disk.index.transaction():
            self.disk.index.set_state(REBUILD_STATE, "1")
        self.disk.retain(self.rules)
        self.assertEqual(len(self.disk.media()), 6)
        with self.disk.index.transaction():
            self.disk.index.set_state(REBUILD_STATE, None)
        self.disk.retain(self.rules)
        self.assertEqual(self.disk.media(), [])

    def test_locks_are_above_it(self) -> None:
        """What is locked stays, though it alone is more than the limit."""
        (recording,) = [row.recording_id for row in self.disk.index.recordings()]
        self.disk.locks.lock(recording, reason="x")
        self.rules.limit_bytes = 1
        with capturedLogs():
            self.disk.retain(self.rules)
        self.assertEqual(len(self.disk.media()), 6)
