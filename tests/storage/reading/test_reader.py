"""Reading from the reactor's thread."""

from functools import partial
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import TestCase

from axis_nvr.errors import StorageError
from axis_nvr.storage.files import Files
from axis_nvr.storage.index import Index
from axis_nvr.storage.reading.catalogue import count_recordings
from axis_nvr.storage.reading.cursor import Edge
from axis_nvr.storage.reading.gops import StoredGop
from axis_nvr.storage.reading.reader import Reader, ReadingCursor
from axis_nvr.storage.reading.search import Search, find
from tests.storage.making import Bench
from tests.storage.reading.streams import Drawn, UnsyncedFiles, make_stream


class ReaderTests(TestCase):
    def setUp(self) -> None:
        self.bench = Bench(self.mktemp(), UnsyncedFiles())
        self.bench.disk.start()
        self.addCleanup(self.bench.disk.stop)
        self.pool = ThreadPool(1, 4)
        self.pool.start()
        self.addCleanup(self.pool.stop)
        in_thread = partial(deferToThreadPool, cast(IReactorFromThreads, reactor), self.pool)
        self.reader = Reader(Files(), self.bench.folder, in_thread)
        self.addCleanup(self.reader.close)

    def record(self, groups: int) -> str:
        recording = self.bench.open()
        self.bench.write(recording, *make_stream([Drawn()] * groups))
        self.bench.close(recording)
        return recording.recording_id

    async def all_of(self, cursor: ReadingCursor) -> list[StoredGop]:
        found = []
        while isinstance(gop := await cursor.next_gop(), StoredGop):
            found.append(gop)
        return found

    async def test_questions(self) -> None:
        """Any question to the index is asked in a thread, with what it takes."""
        name = self.record(3)
        page = await self.reader.ask(find, Search(device="front"), limit=5)
        self.assertEqual([found.row.recording_id for found in page.found], [name])
        self.assertEqual(await self.reader.ask(count_recordings), 1)

    async def test_cursors(self) -> None:
        """Many cursors are read at the same time, each in its order."""
        name = self.record(30)
        cursors = [self.reader.recording(name) for _ in range(10)]
        cursors += [self.reader.device("front") for _ in range(10)]
        reading = [Deferred.fromCoroutine(self.all_of(cursor)) for cursor in cursors]
        for one in reading:
            gops = await one
            self.assertEqual(len(gops), 30)
            self.assertEqual(gops, sorted(gops, key=lambda gop: gop.start_us))

    async def test_what_is_asked_at_once_is_done_in_order(self) -> None:
        """A seek and steps that are asked for together do not mix."""
        cursor = self.reader.recording(self.record(5))
        all_gops = await self.all_of(self.reader.device("front"))
        asked: list[Deferred[Any]] = [
            cursor.seek(all_gops[2].start_us),
            cursor.next_gop(),
            cursor.next_gop(),
            cursor.previous_gop(),
        ]
        found = [await one for one in asked]
        starts = [gop.start_us for gop in found[1:] if isinstance(gop, StoredGop)]
        self.assertEqual(starts, [all_gops[at].start_us for at in (2, 3, 3)])

    async def test_a_step_that_was_not_begun_is_taken_back(self) -> None:
        """Cancelled before its turn, it does not move the cursor."""
        cursor = self.reader.recording(self.record(5))
        first, second = cursor.next_gop(), cursor.next_gop()
        second.addErrback(lambda failure: None)
        second.cancel()
        begin = await first
        following = await cursor.next_gop()
        assert isinstance(begin, StoredGop)
        assert isinstance(following, StoredGop)
        self.assertEqual(following.start_us, begin.end_us)

    async def test_an_index_that_fails(self) -> None:
        """A failure is told, and the next question is asked on a new connection."""

        def fail(index: Index) -> None:
            list(index.query("SELECT nothing FROM nowhere"))

        name = self.record(1)
        for _ in range(5):
            with self.assertRaises(StorageError):
                await self.reader.ask(fail)
        cursor = self.reader.recording(name)
        self.assertEqual(len(await self.all_of(cursor)), 1)
        self.assertIs(await cursor.next_gop(), Edge.END)
