"""The horizon: before which hour the index knows all that is on its disk."""

from datetime import UTC

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, StorageErrorKind
from axis_nvr.storage.horizon import HORIZON_STATE, Horizon, read_horizon
from axis_nvr.storage.index import Index
from axis_nvr.storage.index_news import GATHER_SECONDS
from axis_nvr.storage.layout import local_stamp
from axis_nvr.storage.recording import RecordingWriter
from tests.storage.making import START_US, Bench, video_gop

HOUR_US = 3600 * 1_000_000
DAY_US = 24 * HOUR_US


class MovedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.bench = Bench(self.mktemp(), is_told=False)
        self.bench.disk.start()
        self.addCleanup(self.bench.disk.stop)
        self.horizon = self.bench.disk.place.horizon

    def write(self, recording: RecordingWriter, at_us: int) -> None:
        """Write a group so long after the start, in a block of its own."""
        self.assertEqual(self.bench.write(recording, video_gop(START_US + at_us)), [None])

    def tell(self) -> None:
        """Let the index be told what waits, since it is due."""
        self.bench.monotonic_seconds += GATHER_SECONDS
        self.bench.disk.process([])

    def hour(self, at_us: int) -> str:
        return local_stamp(START_US + at_us, UTC)[:11]

    def read(self) -> str | None:
        """The horizon as the index has it; it is the one that the writer goes by."""
        hour = read_horizon(self.bench.disk.place.index)
        self.assertEqual(hour, self.horizon.hour)
        return hour

    def test_the_first(self) -> None:
        """Of a new disk it is a day ago; it stays over a stop."""
        self.assertEqual(self.read(), self.hour(-28 * HOUR_US))
        self.bench.disk.stop()
        bench = Bench(str(self.bench.folder))
        bench.disk.start()
        self.addCleanup(bench.disk.stop)
        self.assertEqual(bench.disk.place.horizon.hour, self.hour(-28 * HOUR_US))

    def test_a_clock_that_is_set_back(self) -> None:
        """It is moved before a file is made there, and the rows wait as any others."""
        recording = self.bench.open()
        self.write(recording, 0)
        self.write(recording, -3 * DAY_US)
        self.assertEqual(self.read(), self.hour(-3 * DAY_US - 28 * HOUR_US))
        self.assertEqual(list(self.bench.disk.place.index.blocks()), [])

    def test_an_index_that_refuses(self) -> None:
        """Then what is made is told with its batch, and the pictures are kept."""

        def refuse(*values: object) -> None:
            raise StorageError(StorageErrorKind.LOCKED, self.bench.folder, "busy")

        recording = self.bench.open()
        refusing = self.patch(self.bench.disk.place.index, "set_state", refuse)
        self.assertFalse(self.horizon.reach("20000101_00"))
        self.bench.write(recording, video_gop(START_US - 3 * DAY_US))
        self.assertEqual(len(list(self.bench.disk.place.index.blocks())), 1)
        refusing.restore()
        self.write(recording, -3 * DAY_US + HOUR_US)
        self.assertLess(self.read() or "", self.hour(-3 * DAY_US))

    def test_a_disk_that_is_full_from_the_start(self) -> None:
        """An index that has none yet, and takes none, opens all the same; nothing waits then."""

        def refuse(index: Index, name: str, value: str | None) -> None:
            raise StorageError(StorageErrorKind.FULL, self.bench.folder, "full")

        index = self.bench.disk.place.index
        with index.transaction():
            index.set_state(HORIZON_STATE, None)
        self.bench.disk.stop()
        refusing = self.patch(Index, "set_state", refuse)
        self.bench = Bench(str(self.bench.folder), is_told=False)
        self.bench.disk.start()
        self.addCleanup(self.bench.disk.stop)
        recording = self.bench.open()
        self.assertIsNone(read_horizon(self.bench.disk.place.index))
        refusing.restore()
        self.horizon = self.bench.disk.place.horizon
        self.write(recording, 0)
        self.assertEqual(self.read(), self.hour(-28 * HOUR_US))

    def test_it_moves_on(self) -> None:
        """Behind what was told, a day at a time, and not before repair has looked."""
        recording, first = self.bench.open(), self.read()
        for days in (1, 2):
            self.write(recording, days * DAY_US)
        self.write(recording, 4 * DAY_US)
        self.tell()
        self.assertEqual(self.read(), first)
        self.bench.disk.premises().settled()
        self.write(recording, 5 * DAY_US)
        self.tell()
        moved = self.read()
        self.assertEqual(moved, self.hour(5 * DAY_US - 28 * HOUR_US))
        self.write(recording, 5 * DAY_US + 20 * HOUR_US)
        self.tell()
        self.assertEqual(self.read(), moved)

    def test_not_for_who_asks(self) -> None:
        """Only the writer moves it on: it knows that no file is being made meanwhile."""
        self.bench.disk.premises().settled()
        self.write(self.bench.open(), 9 * DAY_US)
        before = self.read()
        self.bench.disk.catch_up()
        self.assertEqual(self.read(), before)

    def test_the_beginning_of_time(self) -> None:
        """There is nothing before the very first hour."""
        for hour in ("00010101_00", "00000000_00", "99999999_99"):
            horizon = Horizon(self.bench.disk.place.index, "99999999_99")
            self.assertTrue(horizon.reach(hour))
            self.assertLessEqual(horizon.hour, hour)
