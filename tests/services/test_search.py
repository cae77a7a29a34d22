"""A search over several disks: one order, any page."""

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.library import Library
from axis_nvr.services.search import Results
from axis_nvr.storage.errands import Errands
from axis_nvr.storage.reading.search import Search
from tests.services.shelves import AtOnce
from tests.storage.making import START_US
from tests.storage.reading.rows import MINUTE_US, Drawn, fill
from tests.storage.reading.streams import UnsyncedFiles

DRAWN = st.builds(Drawn, start=st.integers(0, 40), length=st.one_of(st.none(), st.integers(0, 9)))
DISKS = st.lists(st.lists(DRAWN, max_size=12), min_size=1, max_size=4)


class ResultsTests(SynchronousTestCase):
    def library(self, disks: list[list[Drawn]]) -> tuple[Library, list[tuple[int, str]]]:
        """A library of indexes; start and name of all, oldest first."""
        reactor: Any = AtOnce()
        in_thread: Any = maybeDeferred
        folders = [Path(self.mktemp()) for _ in disks]
        errands = {
            f"D{n}": Errands(reactor, folder, lambda name: None) for n, folder in enumerate(folders)
        }
        library = Library(UnsyncedFiles(), errands, in_thread)
        every: list[tuple[int, int, int, str]] = []
        for number, (folder, drawn) in enumerate(zip(folders, disks, strict=True)):
            folder.mkdir()
            index, rows = fill(folder / "index.db", drawn)
            index.close()
            library.disk_opened(f"D{number}", folder)
            every += [
                (row.start_us or 0, number, at, f"D{number}/{row.recording_id}")
                for at, row in enumerate(rows)
            ]
        return library, [(start, name) for start, _, _, name in sorted(every)]

    def page(self, library: Library, search: Search, first: int, size: int) -> list[str]:
        async def ask() -> list[str]:
            results = Results(library.chosen(), search, size)
            await results.skip(first - 1)
            names: list[str] = []
            async for hit in results:
                names.append(f"{hit.shelf.disk}/{hit.found.row.recording_id}")
                if len(names) == size:
                    break
            return names

        return self.successResultOf(Deferred.fromCoroutine(ask()))

    @settings(max_examples=40, deadline=None)
    @given(DISKS, st.integers(1, 9), st.booleans(), st.one_of(st.none(), st.integers(0, 40)))
    def test_every_recording_once(
        self, disks: list[list[Drawn]], size: int, newest_first: bool, after: int | None
    ) -> None:
        """Whatever the size of the pages, put together they are all there is, in order."""
        library, every = self.library(disks)
        start_us = None if after is None else START_US + after * MINUTE_US
        search = Search(start_us=start_us, newest_first=newest_first)
        count = self.successResultOf(
            Deferred.fromCoroutine(Results(library.chosen(), search).count())
        )
        firsts = range(1, count + 2, size)
        pages = [self.page(library, search, first, size) for first in firsts]
        found = [name for page in pages for name in page]
        self.assertEqual(len(found), count)
        self.assertEqual(len(set(found)), count)
        starts = {name: start for start, name in every}
        times = [starts[name] for name in found]
        self.assertEqual(times, sorted(times, reverse=newest_first))
        self.assertTrue(all(len(page) == size for page in pages[: count // size]))
        if after is None:
            self.assertEqual(set(found), set(starts))
            whole = self.page(library, search, 1, 1000)
            self.assertEqual(found, whole)
        for name in library.shelves:
            self.successResultOf(library.shelves[name].reader.close())

    def test_behind_the_end(self) -> None:
        """There is nothing."""
        library, _ = self.library([[Drawn(0, 1)], [Drawn(1, 1)]])
        self.assertEqual(self.page(library, Search(), 4, 5), [])
        self.assertEqual(self.page(library, Search(), 10**9, 5), [])
