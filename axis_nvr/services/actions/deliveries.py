"""Messages on their way out: one after the other, tried again, given up, never waited for.

What waits is bounded: where more comes than goes the oldest is dropped, and counted. What cannot be
delivered is tried again, at growing intervals, and given up after `TRIES`; what the other side
refuses for good is given up at once. Nothing that waits survives a restart.
"""

from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from axis_nvr.errors import NvrError
from axis_nvr.services.stream_errors import words_of

#: Messages of one rule that wait, the one that is being sent not counted.
MAX_WAITING = 100
#: How often a message is tried.
TRIES = 4
#: How long is waited before another try, in seconds: this, then twice as long, and so on.
FIRST_PAUSE_SECONDS = 2.0
#: How long one try may take, in seconds.
TRY_SECONDS = 20.0


class DeliveryRefused(NvrError):
    """The other side has refused a message, and will each time: it is not sent again."""


class DeliveryFailed(NvrError):
    """A message was not delivered this time."""


#: Sends one message; what it raises says why it was not delivered. It is cancelled after a while.
Send = Callable[[Any], Coroutine["Deferred[Any]", Any, None]]


@dataclass(slots=True)
class Counts:
    """What became of messages."""

    delivered: int = 0
    failed: int = 0
    dropped: int = 0


class Deliveries:
    """Delivers the messages of one rule.

    :param name: of the rule, for the log.
    :param place: where they go, for the log: no secret in it.
    :param failed: told of each message that was given up, with words without secrets.
    """

    log = Logger()

    def __init__(
        self,
        name: str,
        place: str,
        send: Send,
        clock: IReactorTime,
        failed: Callable[[str], None],
    ) -> None:
        self.counts = Counts()
        self._name = name
        self._place = place
        self._send = send
        self._clock = clock
        self._failed = failed
        self._waiting: deque[Any] = deque()
        self._work: Deferred[None] | None = None
        self._is_ended = False

    def add(self, message: Any) -> None:
        """Take a message; it is not waited for."""
        if self._is_ended:
            return
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft()
            self.counts.dropped += 1
            if self.counts.dropped == 1 or self.counts.dropped % MAX_WAITING == 0:
                self.log.warn(
                    "{rule}: {count} messages to {place} were dropped: more come than go",
                    rule=self._name,
                    count=self.counts.dropped,
                    place=self._place,
                )
        self._waiting.append(message)
        if self._work is None:
            self._work = Deferred.fromCoroutine(self._deliver_all())
            if self._work.called:  # all was sent without waiting
                self._work = None

    def end(self) -> None:
        """Give up what is under way and what waits; nobody is told of it."""
        self._is_ended = True
        self._waiting.clear()
        work, self._work = self._work, None
        if work is not None:
            work.addErrback(lambda failure: None)  # what it raises on the way out
            work.cancel()

    async def _deliver_all(self) -> None:
        while self._waiting:
            await self._deliver(self._waiting.popleft())
        self._work = None

    async def _deliver(self, message: Any) -> None:
        words = ""
        for attempt in range(TRIES):
            if attempt:
                await self._pause(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1))
            try:
                await self._try(message)
                self.counts.delivered += 1
                self.log.debug("{rule}: told {place}", rule=self._name, place=self._place)
                return
            except DeliveryRefused as error:
                words = str(error)
                break
            except NvrError as error:
                words = str(error)
            if self._is_ended:
                return
        self.counts.failed += 1
        words = f"{self._place}: {words}"
        self.log.error("{rule}: not delivered: {error}", rule=self._name, error=words)
        self._failed(words)

    async def _try(self, message: Any) -> None:
        """Try once.

        :raises NvrError: it was not delivered.
        """
        sending = Deferred.fromCoroutine(self._send(message))
        is_late = False

        def late() -> None:
            nonlocal is_late
            is_late = True
            sending.cancel()

        timer = self._clock.callLater(TRY_SECONDS, late)
        try:
            await sending
        except NvrError:
            raise
        except CancelledError:
            if not is_late:
                raise
            raise DeliveryFailed(f"no answer within {TRY_SECONDS:g} s") from None
        except Exception as error:  # what sends it raises whatever its library does
            if is_late:
                raise DeliveryFailed(f"no answer within {TRY_SECONDS:g} s") from None
            raise DeliveryFailed(_words(error)) from error
        finally:
            if timer.active():
                timer.cancel()

    def _pause(self, seconds: float) -> "Deferred[None]":
        paused: Deferred[None] = Deferred(lambda _: timer.cancel())
        timer = self._clock.callLater(seconds, paused.callback, None)
        return paused


def _words(error: BaseException) -> str:
    """Say what went wrong in one line: of an error that wraps others, the first of those."""
    reasons = getattr(error, "reasons", None)
    if reasons and isinstance(reasons[0], Failure) and reasons[0].value is not None:
        error = reasons[0].value
    return words_of(error)
