"""When to wait rather than remove: for freed room to show, and for a clock to be believed."""

#: What was removed may take so long to show as free, in seconds.
SETTLE_SECONDS = 5.0
#: For so long after the start and after a step of the clock it is not believed.
CLOCK_SECONDS = 600.0
#: The clock steps if it and one that never steps part by so much between two looks.
CLOCK_STEP_SECONDS = 60.0


class Settling:
    """Tells whether what was removed shows as free yet.

    A file that somebody still reads is freed once they close it, and some file systems free what
    was removed a little later. More is not to be removed meanwhile.
    """

    def __init__(self) -> None:
        self._free_bytes = 0
        self._until = 0.0

    def expect(self, free_bytes: int, removed_bytes: int, now: float) -> None:
        """Note that something was removed.

        :param free_bytes: what was free before.
        :param now: of a clock that never steps, in seconds.
        """
        self._free_bytes = free_bytes + removed_bytes // 2  # of the rest much may be taken again
        self._until = now + SETTLE_SECONDS

    def is_over(self, free_bytes: int, now: float) -> bool:
        """Tell whether it shows, or has had its time."""
        if free_bytes >= self._free_bytes:
            self._until = 0.0
        return now >= self._until


class ClockWatch:
    """Tells whether the clock may be believed.

    A machine whose clock is wrong when it starts mostly has it set within minutes, and what goes by
    the clock until then would go by a wrong one.
    """

    def __init__(self) -> None:
        self._offset: float | None = None
        self._believed_at = 0.0

    def look(self, utc: float, now: float) -> None:
        """Compare the clock with one that never steps, both in seconds."""
        offset, before = utc - now, self._offset
        self._offset = offset
        if before is None or abs(offset - before) > CLOCK_STEP_SECONDS:
            self._believed_at = now + CLOCK_SECONDS

    def is_believed(self, now: float) -> bool:
        """Tell whether it has run without a step for long enough."""
        return self._offset is not None and now >= self._believed_at
