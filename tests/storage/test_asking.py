"""Another process asks a recorder to tell its index what waits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.units import Gap, GapReason
from axis_nvr.storage.asking import ASK_NAME, ASK_SECONDS, PATIENCE_SECONDS, answer, ask_to_tell
from axis_nvr.storage.files import Files, IFiles
from axis_nvr.storage.index import Index
from tests.storage.making import START_US, Bench, video_gop


@contextmanager
def answering(bench: Bench) -> Iterator[None]:
    """Let a disk go on as it does in its own thread, with a clock that runs fast."""
    is_over = Event()

    def go_on() -> None:
        while not is_over.wait(0.01):
            bench.monotonic_seconds += ASK_SECONDS
            bench.disk.process([])

    thread = Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


class AskingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.bench = Bench(self.mktemp(), is_told=False)
        self.bench.disk.start()
        self.addCleanup(self.bench.disk.stop)
        self.files = cast(IFiles, Files())
        self.seconds = 0.0

    def ask(self, meanwhile: Callable[[], object] = lambda: None) -> bool:
        """Ask, with a clock of our own."""

        def sleep(delay: float) -> None:
            self.seconds += delay
            meanwhile()

        folder = self.bench.folder
        return ask_to_tell(self.files, folder, monotonic=lambda: self.seconds, sleep=sleep)

    def blocks(self) -> int:
        """How many blocks another process finds in the index."""
        index = Index.open_read_only(self.files, self.bench.folder / "index.db")
        try:
            return len(list(index.blocks()))
        finally:
            index.close()

    def process(self) -> None:
        """Let the recorder do a batch, a little later."""
        self.bench.monotonic_seconds += ASK_SECONDS
        self.bench.disk.process([])

    def test_it_is_told(self) -> None:
        """After the answer all is there that was acknowledged before."""
        self.bench.write(self.bench.open(), video_gop(START_US))
        self.assertEqual(self.blocks(), 0)
        self.assertTrue(self.ask(self.process))
        self.assertEqual(self.blocks(), 1)
        self.assertFalse((self.bench.folder / ASK_NAME).exists())

    def test_two_ask_at_once(self) -> None:
        """Who finds that others have asked asks again: their answer may have come too soon."""
        (self.bench.folder / ASK_NAME).touch()
        told = []

        def tell() -> None:
            answer(self.files, self.bench.folder, lambda: told.append(1))

        self.assertTrue(self.ask(tell))
        self.assertEqual(len(told), 2)

    def test_nobody_records(self) -> None:
        """Nothing waits then, and nothing is written."""
        self.bench.disk.stop()
        before = list(self.bench.folder.iterdir())
        self.assertTrue(self.ask())
        self.assertEqual((list(self.bench.folder.iterdir()), self.seconds), (before, 0.0))

    def test_no_answer(self) -> None:
        """A recorder that hangs is waited for so long, and nothing is left behind."""
        self.assertFalse(self.ask())
        self.assertGreaterEqual(self.seconds, PATIENCE_SECONDS)
        self.assertFalse((self.bench.folder / ASK_NAME).exists())

    def test_who_may_not_ask(self) -> None:
        """Reads what is there, and is told so."""

        class Forbidden(Files):
            def is_locked(self, path: object) -> bool:
                raise PermissionError(13, "Permission denied")

        self.files = cast(IFiles, Forbidden())
        self.assertFalse(self.ask())

    def test_in_its_own_time(self) -> None:
        """A disk that only waits looks once a second whether somebody asks."""
        self.bench.write(self.bench.open(), video_gop(START_US))
        self.assertEqual(self.bench.disk.index_delay(), ASK_SECONDS)
        with answering(self.bench):
            self.assertTrue(ask_to_tell(self.files, self.bench.folder))
        self.assertEqual(self.blocks(), 1)

    def test_gaps_are_told(self) -> None:
        """Though they may wait a minute, who asks sees those that are known now."""
        recording = self.bench.open()
        gap = Gap(START_US, START_US + 5, GapReason.PACKETS_LOST, 7)
        self.bench.write(recording, video_gop(START_US, gaps=[gap]))
        self.assertTrue(self.ask(self.process))
        index = Index.open_read_only(self.files, self.bench.folder / "index.db")
        self.addCleanup(index.close)
        self.assertEqual(list(index.gaps(recording.recording_id)), [gap])
