"""A line that says how far long work is; only on a terminal, so that no log is filled with it."""

import time
from collections.abc import Callable
from typing import TextIO

_BAR_WIDTH = 24
#: The line is drawn anew at most so often, in seconds.
_DRAW_SECONDS = 0.2


class ProgressBar:
    """Draws how much is done of how much, how fast, and how long the rest takes.

    :param total: blocks there are.
    :param total_bytes: bytes of them; 0 if they are not read.
    :param stream: where it is drawn, if that is a terminal.
    :param monotonic: a clock that never steps, in seconds.
    :param what: what is counted, where it is not blocks.
    """

    def __init__(
        self,
        total: int,
        total_bytes: int,
        stream: TextIO,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        what: str = "blocks",
    ) -> None:
        self._total = (total, total_bytes)
        self._done = (0, 0)
        self._what = what
        self._stream = stream
        self._monotonic = monotonic
        self._is_shown = stream.isatty()
        self._began = monotonic()
        self._drawn: float | None = None

    def advance(self, blocks: int = 0, size_bytes: int = 0) -> None:
        """Say that so much more is done."""
        self._done = (self._done[0] + blocks, self._done[1] + size_bytes)
        self._show()

    def reach(self, done: int, total: int) -> None:
        """Say how much is done of how much, where that is not known from the beginning."""
        self._done, self._total = (done, 0), (total, 0)
        self._show()

    def _show(self) -> None:
        if not self._is_shown:
            return
        now = self._monotonic()
        if self._drawn is None or now - self._drawn >= _DRAW_SECONDS:
            self._drawn = now
            self._draw(self.line(now))

    def clear(self) -> None:
        """Make room for something else to be printed; the line comes back by itself."""
        if self._is_shown and self._drawn is not None:
            self._draw("")
            self._drawn = None

    def line(self, now: float) -> str:
        """Give the line as it is at a time."""
        (blocks, size_bytes), (total, total_bytes) = self._done, self._total
        seconds = max(now - self._began, 1e-3)
        share = size_bytes / total_bytes if total_bytes else blocks / total if total else 1.0
        share = min(share, 1.0)
        full = int(share * _BAR_WIDTH)
        bar = "#" * full + "." * (_BAR_WIDTH - full)
        speed = f"  {size_bytes / 1e6 / seconds:.1f} MB/s" if total_bytes else ""
        left = f"  {_duration(seconds * (1 - share) / share)} left" if share else ""
        return f"[{bar}] {blocks} of {total} {self._what}{speed}{left}"

    def _draw(self, line: str) -> None:
        self._stream.write(f"\r\x1b[K{line}")
        self._stream.flush()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds + 0.5), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
