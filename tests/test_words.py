"""Numbers as people read them."""

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.words import count_words, duration_words, size_words


class WordsTests(SynchronousTestCase):
    def test_sizes(self) -> None:
        """A size has the largest unit of which there is one, and there is none above terabytes."""
        for size_bytes, words in (
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (64 * 2**20, "67.1 MB"),
            (2_500_000_000, "2.5 GB"),
            (8e12, "8.0 TB"),
            (5e15, "5000.0 TB"),
        ):
            self.assertEqual(size_words(size_bytes), words)

    def test_durations(self) -> None:
        """A duration has two units: nobody wants the seconds of a week."""
        for seconds, words in (
            (0.9, "0 min 0 s"),
            (59, "0 min 59 s"),
            (3_599, "59 min 59 s"),
            (3_600, "1 h 0 min"),
            (86_400, "1 day 0 h"),
            (8 * 86_400 + 3 * 3600 + 5, "8 days 3 h"),
        ):
            self.assertEqual(duration_words(seconds), words)

    def test_counts(self) -> None:
        """One is one, and thousands are grouped."""
        for number, words in ((0, "0 gaps"), (1, "1 gap"), (12_345, "12,345 gaps")):
            self.assertEqual(count_words(number, "gap"), words)
