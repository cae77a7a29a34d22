"""What the log hears of a stream that fails again and again."""

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from axis_nvr.services.stream_errors import ErrorKind, StreamError

#: The same failure again is logged only so often, in seconds.
REPEAT_LOG_SECONDS = 600.0
#: What needs a person is an error in the log, what mends itself a warning.
NEEDS_A_PERSON = frozenset(
    {ErrorKind.CONFIGURATION, ErrorKind.AUTHENTICATION, ErrorKind.REFUSED, ErrorKind.TLS}
)


class FailureLog:
    """Logs the failures of one stream; the same one again now and then."""

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._logged: tuple[ErrorKind, str, float] | None = None

    def played(self) -> None:
        """Log whatever comes next: the stream has played."""
        self._logged = None

    def failed(self, camera: str, error: StreamError, delay: float | None) -> None:
        """Log a failure, unless the same one was not long ago.

        :param delay: after which it is tried again, in seconds; None: never.
        """
        now = self._clock.seconds()
        if (
            self._logged is not None
            and self._logged[:2] == (error.kind, error.words)
            and now - self._logged[2] < REPEAT_LOG_SECONDS
        ):
            return
        self._logged = (error.kind, error.words, now)
        tell = self.log.error if error.kind in NEEDS_A_PERSON else self.log.warn
        tell(
            "{camera}: {kind}: {words}; {outlook}",
            camera=camera,
            kind=error.kind,
            words=error.words,
            outlook="not tried again" if delay is None else f"tried again in {delay:.1f} s",
        )
