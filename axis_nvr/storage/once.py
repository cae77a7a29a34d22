"""Something that happens once, for any number of those who wait for it."""

from typing import cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure


class Once:
    """Something that happens once and that any number may wait for, before it and after."""

    def __init__(self) -> None:
        self._waiting: list[Deferred[None]] = []
        self._result: list[Failure | None] = []

    @property
    def has_happened(self) -> bool:
        """Whether it has happened, or failed."""
        return bool(self._result)

    def wait(self) -> "Deferred[None]":
        """Give a Deferred that fires when it has happened; cancelling it is nobody else's loss."""
        waiter: Deferred[None] = Deferred()
        if self._result:
            waiter.callback(cast(None, self._result[0]))
        else:
            self._waiting.append(waiter)
        return waiter

    def fire(self, result: Failure | None) -> None:
        """Say that it has happened, or failed."""
        if self._result:
            return
        self._result.append(result)
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.called:
                waiter.callback(cast(None, result))
