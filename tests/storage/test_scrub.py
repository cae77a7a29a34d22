"""The scrub: every block in turn, at a rate, giving way, remembered, and damage kept."""

import json
from typing import cast

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.storage.checking.damage import damaged_blocks
from axis_nvr.storage.checking.findings import Loss
from axis_nvr.storage.checking.scrub import (
    BUSY_SECONDS,
    DAY_SECONDS,
    MIN_BYTES_A_SECOND,
    PLAN_SECONDS,
    Scrub,
)
from axis_nvr.storage.files import Files, IFiles
from axis_nvr.storage.housekeeping import Premises
from axis_nvr.storage.index import Index
from tests.durability import proves
from tests.storage.damage import damage_of
from tests.storage.making import START_US, Bench, video_gop

SECOND = 1_000_000


class ScrubTests(SynchronousTestCase):
    """A disk of three blocks of two groups each, and one that is being written."""

    def setUp(self) -> None:
        self.bench = Bench(self.mktemp())
        self.bench.disk.start()
        self.addCleanup(self.bench.disk.stop)
        recording = self.bench.open()
        for at in range(4):
            for part in range(2):
                start_us = START_US + at * 60 * SECOND + part * 2 * SECOND
                self.bench.write(recording, video_gop(start_us))
        self.bench.tell_index()
        *self.blocks, self.open_block = self.bench.blocks()
        self.now = 1e9
        self.is_busy = False
        self.index = Index.join(self.bench.files, self.bench.folder / "index.db")
        self.addCleanup(self.index.close)

    def make(self, days: int = 30) -> Scrub:
        premises = Premises(
            cast(IFiles, Files()),
            self.bench.folder,
            self.index,
            lambda: self.now,
            lambda: (),
            is_busy=lambda: self.is_busy,
        )
        return Scrub(premises, days)

    def round(self, scrub: Scrub) -> list[float]:
        """Do what there is to do; give the waits in between."""
        waits: list[float] = []
        for _ in range(100):
            waits.append(scrub.step())
            if waits[-1] >= PLAN_SECONDS:
                return waits
            self.now += waits[-1]
        raise AssertionError("it never rests")

    def bend(self, at: int) -> None:
        """Turn a bit of the second group of a block over."""
        data = bytearray(self.blocks[at].read_bytes())
        data[data.index(b"%d/1" % (START_US + (60 * at + 2) * SECOND))] ^= 1
        self.blocks[at].write_bytes(data)

    def test_all_well(self) -> None:
        """Each closed block is read once, cluster by cluster; nothing is told of them."""
        scrub = self.make()
        with capturedLogs() as logs:
            waits = self.round(scrub)
        read = [wait for wait in waits if 0 < wait < 1]
        self.assertEqual(len(read), 6)
        sizes = [size * MIN_BYTES_A_SECOND for size in read]
        self.assertLess(sum(sizes), sum(len(block.read_bytes()) for block in self.blocks))
        self.assertEqual(logs, [])
        self.assertEqual(scrub.progress and scrub.progress.words, "the disk is looked over")

    @proves(6, fault="a bit flips on the disk", moment="any", outcome="found within the round")
    def test_damage(self) -> None:
        """Damage is logged by recording, block and time, kept in the index, and counted."""
        self.bend(1)
        scrub = self.make()
        with capturedLogs() as logs:
            self.round(scrub)
        (event,) = logs
        self.assertEqual(event["log_level"].name, "error")
        self.assertEqual(event["block"], self.blocks[1].stem)
        self.assertEqual(event["recording"], self.blocks[1].parent.parent.name)
        self.assertEqual(event["start"], "2024-05-06T07:09:11.012345Z")
        (loss,) = damage_of(self.index, self.blocks[1].stem)
        start_us = START_US + 62 * SECOND
        self.assertEqual((loss.start_us, loss.end_us), (start_us, start_us + 2 * SECOND))
        data = self.blocks[1].read_bytes()
        self.assertEqual(data[loss.offset : loss.offset + 4], b"\x1f\x43\xb6\x75")
        self.assertEqual(data[loss.offset + loss.size_bytes :][:4], b"\x1c\x53\xbb\x6b")
        assert scrub.progress is not None
        self.assertEqual(scrub.progress.words, "the disk is looked over, 1 damaged block")

    def test_damage_that_is_no_more(self) -> None:
        """What a later round finds takes the place of what an earlier one did."""
        data = self.blocks[0].read_bytes()
        self.bend(0)
        scrub = self.make(1)
        with capturedLogs():
            self.round(scrub)
            self.assertEqual(damaged_blocks(self.index), 1)
            self.blocks[0].write_bytes(data)
            self.now += DAY_SECONDS
            self.assertEqual(scrub.step(), 0.0)
            self.round(scrub)
        self.assertEqual(damaged_blocks(self.index), 0)

    def test_a_lost_file(self) -> None:
        """A file that is gone is a loss from its start to its stop."""
        size = self.blocks[2].stat().st_size
        self.blocks[2].unlink()
        with capturedLogs() as logs:
            self.round(self.make())
        self.assertEqual(len(logs), 1)
        start_us = START_US + 120 * SECOND
        losses = damage_of(self.index, self.blocks[2].stem)
        self.assertEqual(losses, [Loss(start_us, start_us + 4 * SECOND, 0, size)])

    def test_gives_way(self) -> None:
        """Nothing is read while the writer has its hands full."""
        scrub = self.make()
        self.is_busy = True
        self.assertEqual({scrub.step() for _ in range(20)}, {BUSY_SECONDS})
        self.is_busy = False
        self.assertLess(scrub.step(), BUSY_SECONDS)

    def test_keeps_to_its_days(self) -> None:
        """A round lasts as long as it is given, and then the next one begins at the front."""
        scrub = self.make(2)
        began = self.now
        self.round(scrub)
        while (wait := scrub.step()) > 0:
            self.assertLessEqual(wait, PLAN_SECONDS)
            self.now += wait
        self.assertAlmostEqual(self.now - began, 2 * DAY_SECONDS, delta=1)
        waits = self.round(scrub)
        self.assertEqual(len([wait for wait in waits if 0 < wait < 1]), 6)

    def test_the_rate_follows_the_disk(self) -> None:
        """A disk of many bytes is read faster, but never too fast."""
        with self.index.transaction():
            self.index.execute("UPDATE blocks SET filesize = 1 << 40")
        size = self.make_rate(1)
        self.assertAlmostEqual(size, 3 * 2**40 / DAY_SECONDS, delta=1e5)
        with self.index.transaction():
            self.index.execute("UPDATE blocks SET filesize = 1 << 50")
        self.assertEqual(self.make_rate(1), 40e6)

    def make_rate(self, days: int) -> float:
        """The bytes a second of a fresh scrub, by how long it waits for a cluster's."""
        waits: list[float] = []
        with capturedLogs():
            scrub = self.make(days)
            waits.append(scrub.step())
        first = self.blocks[0].read_bytes()
        begin = first.index(b"\x1f\x43\xb6\x75")
        size = first.index(b"\x1f\x43\xb6\x75", begin + 1) - begin
        return size / waits[0]

    def test_goes_on_after_a_restart(self) -> None:
        """The place and the round's begin are remembered; nonsense begins a new round."""
        scrub = self.make()
        for _ in range(4):  # two clusters, the block's end, a cluster of the next
            scrub.step()
        state = json.loads(self.index.state("scrub") or "")
        self.assertEqual(state, {"began": 1e9, "position": 1})
        self.now += 1000
        waits = self.round(self.make())
        self.assertEqual(len([wait for wait in waits if 0 < wait < 1]), 4)
        for nonsense in ("", "[]", '{"began": "x"}', "{"):
            with self.index.transaction():
                self.index.set_state("scrub", nonsense)
            waits = self.round(self.make())
            self.assertEqual(len([wait for wait in waits if 0 < wait < 1]), 6)

    def test_a_clock_that_stepped_back(self) -> None:
        """A clock that was wrong does not put the next round off for years."""
        scrub = self.make(1)
        self.round(scrub)
        self.now -= 1e8
        self.round(scrub)
        self.now += DAY_SECONDS
        self.assertEqual(scrub.step(), 0.0)

    def test_removed_meanwhile(self) -> None:
        """A block that retention takes while it is read is no damage, and stops nothing."""
        scrub = self.make()
        scrub.step()
        with self.index.transaction():
            self.index.drop_block(self.blocks[0].stem)
        for block in self.blocks[:2]:
            block.unlink()
        with self.index.transaction():
            self.index.drop_block(self.blocks[1].stem)
        with capturedLogs() as logs:
            self.round(scrub)
        self.assertEqual(logs, [])
