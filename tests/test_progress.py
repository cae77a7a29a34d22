"""The line that says how far long work is, and the pace that holds reading back."""

import io

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from axis_nvr.cli.progress import ProgressBar
from axis_nvr.storage.checking.pace import MAX_SAVED_SECONDS, Pace, _priority, idle_io


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class ProgressTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 100.0
        self.stream = Terminal()

    def make(self, blocks: int = 200, size_bytes: int = 1_000_000_000) -> ProgressBar:
        return ProgressBar(blocks, size_bytes, self.stream, lambda: self.now)

    def test_the_line(self) -> None:
        """Blocks of all, megabytes a second, and the time left at this rate."""
        bar = self.make()
        self.now += 10
        bar.advance(50, 250_000_000)
        line = "[######..................] 50 of 200 blocks  25.0 MB/s  0:00:30 left"
        self.assertEqual(bar.line(self.now), line)
        self.assertTrue(self.stream.getvalue().endswith(line))

    def test_without_bytes(self) -> None:
        """Where nothing is read, blocks alone tell."""
        bar = self.make(size_bytes=0)
        self.now += 10
        bar.advance(100)
        self.assertIn("100 of 200 blocks  0:00:10 left", self.stream.getvalue())
        self.assertNotIn("MB/s", self.stream.getvalue())

    def test_nothing_to_do_and_more_than_all(self) -> None:
        """Neither an empty disk nor one that grows meanwhile breaks it."""
        self.assertIn("0 of 0 blocks", self.make(0, 0).line(self.now))
        bar = self.make(1, 10)
        bar.advance(2, 20)
        self.assertIn("[" + "#" * 24 + "]", bar.line(self.now + 1))

    def test_drawn_now_and_then(self) -> None:
        """A line is not drawn for each cluster, and goes away for other lines."""
        bar = self.make()
        for _ in range(100):
            self.now += 0.01
            bar.advance(0, 1000)
        drawn = self.stream.getvalue().count("\r")
        self.assertTrue(4 <= drawn <= 6, drawn)
        bar.clear()
        self.assertTrue(self.stream.getvalue().endswith("\r\x1b[K"))

    def test_only_on_a_terminal(self) -> None:
        """No log is filled with it."""
        stream = io.StringIO()
        bar = ProgressBar(1, 1, stream, lambda: self.now)
        bar.advance(1, 1)
        bar.clear()
        self.assertEqual(stream.getvalue(), "")


class PaceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 0.0

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def test_the_rate_is_kept(self) -> None:
        """So many bytes a second, whatever the pieces are."""
        pace = Pace(1e6, lambda: self.now, self.wait)
        for size in (1000, 500_000, 3_000_000, 1, 499_000 - 1):
            pace.spend(size)
        self.assertAlmostEqual(self.now, 4.0)

    def test_no_burst_after_a_pause(self) -> None:
        """What was not read in time is not made up for."""
        pace = Pace(1e6, lambda: self.now, self.wait)
        self.now = 100.0
        pace.spend(10_000_000)
        self.assertAlmostEqual(self.now, 110.0 - MAX_SAVED_SECONDS)

    def test_as_fast_as_it_goes(self) -> None:
        """Without a rate nothing waits."""
        pace = Pace(None, lambda: self.now, self.wait)
        pace.spend(1 << 40)
        self.assertEqual(self.now, 0.0)

    def test_idle(self) -> None:
        """Reading is of idle class for as long as it was asked to be."""
        if _priority is None:
            raise SkipTest("the system calls are not known on this machine")
        get, _ = _priority
        before = get()
        with idle_io():
            self.assertEqual(get() >> 13, 3)
        self.assertEqual(get(), before)
