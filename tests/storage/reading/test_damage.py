"""Reading what is broken, removed, still growing, or no recording at all."""

import threading
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from axis_nvr.errors import StorageError
from axis_nvr.media.gop import Gop
from axis_nvr.media.units import AccessUnit, GapReason
from axis_nvr.storage.block_reader import BlockReader
from axis_nvr.storage.files import Files
from axis_nvr.storage.reading.cursor import Cursor, Edge
from axis_nvr.storage.reading.gops import StoredGop
from tests.durability import proves
from tests.storage.making import START_US
from tests.storage.reading.streams import (
    SECOND,
    Drawn,
    Readings,
    backward,
    forward,
    make_stream,
    units_of,
)
from tests.storage.reading.test_cursor import CursorCase

#: Ten groups, of which one comes in two clusters; two blocks.
STREAM = [
    *[Drawn(pictures=3, sounds=2)] * 3,
    Drawn(pictures=4, sounds=2, parts=2),
    *[Drawn(pictures=3)] * 3,
    Drawn(pause_us=400 * SECOND),
    *[Drawn(pictures=2)] * 2,
]


class DamageCase(CursorCase):
    def setUp(self) -> None:
        super().setUp()
        self.start_over()

    def start_over(self) -> None:
        self.gops = make_stream(STREAM)
        self.name = self.record(self.gops)
        self.first, self.second = self.bench.blocks()
        self.cursor = self.read().recording(self.name)

    def units(self, gops: list[Gop]) -> list[AccessUnit]:
        return [unit for gop in gops for unit in gop.units]

    def clusters(self, path: Path) -> list[tuple[int, int]]:
        """From where to where each cluster is."""
        with BlockReader(Files(), path) as block:
            return [(span.offset, span.end) for span in block.clusters()]

    def change(self, path: Path, at: int, by: int = 0x40) -> None:
        """Change a byte of a file."""
        data = bytearray(path.read_bytes())
        data[at] ^= by
        path.write_bytes(data)


class ClusterTests(DamageCase):
    @proves(
        6,
        fault="a byte of a cluster is not what was written",
        moment="while the block is played, forward or backward",
        outcome="that cluster is left out and told as a gap, all others are played",
    )
    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 7), st.integers(0, 2**20), st.integers(1, 255))
    def test_any_changed_byte_costs_one_cluster(self, cluster: int, at: int, by: int) -> None:
        """Wherever it is, in a frame, a size or an ID; whether the block has Cues or not."""
        self.make_bench()
        self.start_over()
        offset, end = self.clusters(self.first)[cluster]
        self.change(self.first, offset + at % (end - offset), by)
        found = forward(self.cursor)
        lost = {(u.track, bytes(u.data)) for u in self.units(self.gops)}
        lost -= {(u.track, bytes(u.data)) for u in units_of(found)}
        self.assertLessEqual(lost, {(u.track, bytes(u.data)) for u in self.gops[cluster].units})
        gaps = [g for gop in found for g in gop.gaps if g.reason is GapReason.DAMAGED]
        self.assertEqual(len(gaps), 1 if lost else 0)
        for gap in gaps:
            self.assertLessEqual(gap.start_us, self.gops[cluster].end_us)
            self.assertGreaterEqual(gap.end_us + 500, self.gops[cluster].start_us)
        back = [bytes(u.data) for gop in backward(self.cursor)[::-1] for u in gop.units]
        self.assertEqual(back, [bytes(u.data) for gop in found for u in gop.units])

    @proves(
        6,
        fault="the Cues of a block are broken",
        moment="before it is played",
        outcome="it is found and played all the same",
    )
    def test_broken_cues(self) -> None:
        """The clusters are walked along instead; a block without any Cues is read so too."""
        with BlockReader(Files(), self.first) as block:
            cues_at = [span.offset for span in block.spans()][-1]
        for at in (cues_at + 20, cues_at):
            self.change(self.first, at)
            self.assert_units(
                units_of(forward(self.read().recording(self.name))), self.units(self.gops)
            )

    def test_damage_noted_before(self) -> None:
        """What the scrub has found is left out, though it may look well now."""
        offset, _ = self.clusters(self.first)[1]
        with self.bench.disk.place.index.transaction():
            self.bench.disk.place.index.execute(
                "INSERT INTO nvr_damage SELECT NULL, id, 0, 0, ?, ?, 'unreadable', 0 FROM blocks"
                " WHERE filename = ?",
                offset + 50,
                4,
                self.first.stem,
            )
        found = forward(self.cursor)
        self.assert_units(units_of(found), self.units(self.gops[:1] + self.gops[2:]))
        (gap,) = found[1].gaps
        self.assertEqual((gap.reason, found[1].units), (GapReason.DAMAGED, []))
        self.assertLess(gap.end_us - self.gops[1].end_us, 500)

    @proves(
        6,
        fault="the front of a block is broken",
        moment="before it is played",
        outcome="the block is told as a gap, playing goes on behind it",
    )
    def test_a_broken_front(self) -> None:
        """Without tracks nothing can be decoded; there is a gap as long as the block."""
        for at in (2, 60, 400):
            self.change(self.first, at)
        found = forward(self.cursor)
        self.assertEqual(found[0].gaps[0].reason, GapReason.DAMAGED)
        self.assert_units(units_of(found), self.units(self.gops[8:]))
        self.assertEqual(len(backward(self.cursor)), len(found))


class RemovalTests(DamageCase):
    @proves(
        8,
        fault="retention removes a block",
        moment="between two pictures that are played from it",
        outcome="a gap is told, playing goes on behind it",
    )
    def test_a_file_that_vanishes(self) -> None:
        """Before it was opened, or when some of it was read already; row and file or file only."""
        for read_before in (0, 1, 3):
            for is_row_gone in (False, True):
                self.make_bench()
                self.start_over()
                before = forward(self.cursor, read_before)
                self.first.unlink()
                if is_row_gone:
                    with self.bench.disk.place.index.transaction():
                        self.bench.disk.place.index.drop_block(self.first.stem)
                found = [*before, *forward(self.cursor)]
                kept = [*self.units(self.gops[:read_before]), *self.units(self.gops[8:])]
                self.assert_units(units_of(found), kept)
                reasons = {gap.reason for gop in found for gap in gop.gaps}
                if not is_row_gone or read_before:
                    self.assertIn(GapReason.REMOVED, reasons)
                self.assertIs(self.cursor.next_gop(), Edge.END)

    def test_a_recording_that_vanishes(self) -> None:
        """All of it removed at once is an end, and not an error."""
        forward(self.cursor, 2)
        for path in (self.first, self.second):
            path.unlink()
        with self.bench.disk.place.index.transaction():
            for path in (self.first, self.second):
                self.bench.disk.place.index.drop_block(path.stem)
            self.bench.disk.place.index.drop_recording(self.name)
        for gop in forward(self.cursor):
            self.assertEqual(list(gop.units), [])
        self.assertIs(self.cursor.next_gop(), Edge.END)
        self.cursor.seek(START_US)
        self.assertIs(self.cursor.next_gop(), Edge.END)
        self.assertIs(self.cursor.previous_gop(), Edge.BEGIN)

    def test_an_unreadable_file(self) -> None:
        """A file that may not be opened is a gap too."""

        class Refusing(Files):
            def open_read(self, path: Path) -> int:
                raise PermissionError(13, "Permission denied")

        readings = Readings(self.bench.folder, Refusing())
        self.addCleanup(readings.close)
        found = forward(readings.recording(self.name))
        self.assertEqual([gop.gaps[0].reason for gop in found], [GapReason.DAMAGED] * 2)


class GrowthTests(CursorCase):
    def test_a_reader_beside_the_writer(self) -> None:
        """A cursor in another thread follows a recording to its end and misses nothing."""
        gops = make_stream(
            [Drawn(pictures=3, sounds=2, pause_us=(at % 7 == 6) * 6 * SECOND) for at in range(40)]
        )
        recording = self.bench.open()
        self.bench.write(recording, gops[0])
        readings = self.read()
        found: list[StoredGop] = []
        written = threading.Event()

        def follow(cursor: Cursor) -> None:
            for _ in range(1_000_000):
                gop = cursor.next_gop()
                if isinstance(gop, StoredGop):
                    found.append(gop)
                elif gop is Edge.END:
                    return
                elif not written.is_set():
                    written.wait(0.0005)

        thread = threading.Thread(target=follow, args=(readings.recording(recording.recording_id),))
        thread.start()
        for gop in gops[1:]:
            self.assertEqual(self.bench.write(recording, gop), [None])
        self.bench.close(recording)
        written.set()
        thread.join(30)
        self.assertFalse(thread.is_alive())
        self.assert_units(units_of(found), [unit for gop in gops for unit in gop.units])

    def test_no_more_yet(self) -> None:
        """The end of what is there is told apart from the end of the recording."""
        gops = make_stream([Drawn()] * 4)
        recording = self.bench.open()
        self.bench.write(recording, gops[0])
        cursor = self.read().recording(recording.recording_id)
        for gop in gops[1:]:
            self.assertEqual(len(forward(cursor)), 1)
            self.assertIs(cursor.next_gop(), Edge.LATER)
            self.bench.write(recording, gop)
        self.assertEqual(len(forward(cursor)), 1)
        self.bench.close(recording)
        self.assertIs(cursor.next_gop(), Edge.END)
        self.assertEqual(len(backward(cursor)), 4)

    def test_a_group_that_goes_on(self) -> None:
        """Who follows gets a long group part by part; who comes later gets it as one."""
        (first, second) = make_stream([Drawn(pictures=4, sounds=2, parts=2)])
        recording = self.bench.open()
        self.bench.write(recording, first)
        cursor = self.read().recording(recording.recording_id)
        (begin,) = forward(cursor)
        self.bench.write(recording, second)
        (rest,) = forward(cursor)
        self.assertEqual((begin.starts_at_sync, rest.starts_at_sync), (True, False))
        self.assert_units([*begin.units, *rest.units], [*first.units, *second.units])
        (whole,) = backward(cursor)
        self.assert_units(list(whole.units), [*first.units, *second.units])

    def test_before_anything_is_there(self) -> None:
        """A cursor may wait for a recording that has no block yet, or for a device."""
        readings = self.read()
        recording = self.bench.open()
        cursors = [readings.recording(recording.recording_id), readings.device()]
        self.assertEqual([cursor.next_gop() for cursor in cursors], [Edge.END] * 2)
        self.bench.write(recording, *make_stream([Drawn()]))
        self.assertEqual([len(forward(cursor)) for cursor in cursors], [1, 1])

    @proves(
        5,
        fault="the recorder dies",
        moment="in the middle of a write, and the block is not repaired yet",
        outcome="what of it is whole is played",
    )
    def test_a_torn_tail(self) -> None:
        """Of an open block whole clusters are read; what is behind them is not there yet."""
        gops = make_stream([Drawn()] * 5)
        recording = self.bench.open()
        self.bench.write(recording, *gops)
        (path,) = self.bench.blocks()
        whole = path.read_bytes()
        with BlockReader(Files(), path) as block:
            begin = [span.offset for span in block.clusters()][-1]
        for size in range(begin, len(whole), 17):
            path.write_bytes(whole[:size])
            cursor = self.read().recording(recording.recording_id)
            self.assertEqual(len(forward(cursor)), 4)
            self.assertIs(cursor.next_gop(), Edge.LATER)

    def test_a_block_that_wants_repair(self) -> None:
        """Nothing behind its good bytes is read, whatever stands there."""
        gops = make_stream([Drawn()] * 5)
        recording = self.bench.open()
        self.bench.write(recording, *gops)
        (path,) = self.bench.blocks()
        with BlockReader(Files(), path) as block:
            good = [span.end for span in block.clusters()][2]
        index = self.bench.disk.place.index
        with index.transaction():
            index.close_block(path.stem, gops[2].end_us, good)
            index.mark_unfinished(path.stem, good, "the disk failed")
        found = forward(self.read().recording(recording.recording_id))
        self.assert_units(units_of(found), [unit for gop in gops[:3] for unit in gop.units])


class HostileTests(DamageCase):
    @settings(max_examples=30, deadline=None)
    @given(st.data())
    def test_any_bytes(self, data: st.DataObject) -> None:
        """A file of any content gives groups or gaps: no error, no end of time, no loop."""
        path, whole = self.first, self.__dict__.setdefault("whole", self.first.read_bytes())
        content = bytearray(whole)
        for _ in range(data.draw(st.integers(1, 6))):
            at = data.draw(st.integers(0, len(content) - 1))
            content[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=40))
        path.write_bytes(content)
        cursor = self.read().recording(self.name)
        found = forward(cursor, 100)
        self.assertLess(len(found), 100)
        self.assertEqual(len(backward(cursor, 100)), len(found))
        cursor.seek(data.draw(st.integers(-(2**40), 2**52)))
        assert self.readings is not None
        self.readings.close()

    def test_names_that_are_none(self) -> None:
        """An index that names files elsewhere opens none of them."""
        index = self.bench.disk.place.index
        with index.transaction():
            index.execute("UPDATE blocks SET filename = '../../' || filename")
        for gop in forward(self.cursor):
            self.assertEqual(list(gop.units), [])

    def test_an_index_that_is_gone(self) -> None:
        """Without an index a reader says so."""
        self.assertRaises(StorageError, Readings, Path(self.mktemp()))
