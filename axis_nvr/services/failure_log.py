"""What the log hears of something that fails again and again: the same only now and then."""

from collections.abc import Hashable

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from axis_nvr.services.stream_errors import ErrorKind, StreamError

#: The same failure again is logged only so often, in seconds.
REPEAT_LOG_SECONDS = 600.0
#: What needs a person is an error in the log, what mends itself a warning.
NEEDS_A_PERSON = frozenset(
    {ErrorKind.CONFIGURATION, ErrorKind.AUTHENTICATION, ErrorKind.REFUSED, ErrorKind.TLS}
)


class LastSaid:
    """Remembers what was said last, so that it is not said again and again."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._said: tuple[Hashable, float] | None = None

    def is_due(self, what: Hashable) -> bool:
        """Tell whether something is to be said, and take it as said then."""
        now = self._clock.seconds()
        if self._said is not None:
            said, since = self._said
            if said == what and now - since < REPEAT_LOG_SECONDS:
                return False
        self._said = what, now
        return True

    def forget(self) -> None:
        """Have whatever comes next be said."""
        self._said = None


class FailureLog:
    """Logs the failures of one stream; the same one again now and then."""

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._last = LastSaid(clock)

    def played(self) -> None:
        """Log whatever comes next: the stream has played."""
        self._last.forget()

    def failed(self, camera: str, error: StreamError, delay: float | None) -> None:
        """Log a failure, unless the same one was not long ago.

        :param delay: after which it is tried again, in seconds; None: never.
        """
        if not self._last.is_due((error.kind, error.words)):
            return
        tell = self.log.error if error.kind in NEEDS_A_PERSON else self.log.warn
        tell(
            "{camera}: {kind}: {words}; {outlook}",
            camera=camera,
            kind=error.kind,
            words=error.words,
            outlook="not tried again" if delay is None else f"tried again in {delay:.1f} s",
        )
