"""Signs of life that keep an RTSP session from timing out.

Servers differ in what they count as one, and in what they bear:

- GET_PARAMETER without a body is the ping of RFC 2326 §10.8, but a GW Security GW4089IP answers it
  and drops the session all the same, and others refuse it with 454.
- OPTIONS does the same for most, and not for EvoStream, which takes GET_PARAMETER though it does
  not list it.
- SET_PARAMETER makes some servers drop the connection: it is the last resort, and only if listed.

So at half the session's timeout a *round* is begun: each method that the server lists is sent, one
after the other, and when all are refused the remaining ones are tried. What is refused is left out
of later rounds as long as something else works. RTCP receiver reports count too; they are sent by
the media part at least each `RECEIVER_REPORT_INTERVAL_SECONDS`.

Source: RFC 2326 §10.1, §10.8, §12.37; ONVIF Streaming Specification §5.2.2.2.
"""

from collections.abc import Callable

#: Receiver reports go out at least this often, in seconds: some cameras end the stream after
#: longer silence (quirk 4: gortsplib issue 265).
RECEIVER_REPORT_INTERVAL_SECONDS = 5.0
#: Bounds of the time between two rounds, in seconds: the upper one for routers that forget
#: connections, the lower one for servers that announce nonsense.
MAX_INTERVAL_SECONDS = 30.0
MIN_INTERVAL_SECONDS = 1.0
#: The longest time between two rounds of a session that is quiet while all is well, in seconds: by
#: what it answers is known that it lives.
QUIET_INTERVAL_SECONDS = 10.0
#: How much earlier than half the timeout a round may begin, as a part of that half, so that many
#: cameras are not asked in one moment.
_JITTER = 0.2


class KeepAlive:
    """Says which method to send when.

    :param public: the methods that the server lists; empty if it lists none.
    :param options_work: whether it has answered OPTIONS with 200.
    :param server: its Server header.
    :param timeout_seconds: of the session.
    :param jitter: gives numbers from 0 to 1.
    :param quiet: nothing may come for long: the session brings events and no pictures.
    """

    def __init__(
        self,
        public: frozenset[str],
        *,
        options_work: bool,
        server: str,
        timeout_seconds: float,
        jitter: Callable[[], float],
        quiet: bool = False,
    ) -> None:
        usual = ["GET_PARAMETER"] if "GET_PARAMETER" in public or not options_work else []
        if "evostream" in server.lower() and not usual:
            # Quirk 2: EvoStream Media Server takes GET_PARAMETER without listing it, and OPTIONS
            # does not keep its sessions.
            usual = ["GET_PARAMETER"]
        self._usual = [*usual, "OPTIONS"] if options_work else usual
        spare = ["SET_PARAMETER"] if "SET_PARAMETER" in public else []
        self._spare = [m for m in (*spare, "OPTIONS", "GET_PARAMETER") if m not in self._usual]
        self._timeout_seconds = timeout_seconds
        self._longest_seconds = QUIET_INTERVAL_SECONDS if quiet else MAX_INTERVAL_SECONDS
        self._jitter = jitter
        self._refused: set[str] = set()
        self._forbidden = False
        self._queue: list[str] = []
        self._reserve: list[str] = []
        self._statuses: list[int] = []
        #: When the next round begins; None while one runs, and before the first.
        self.next_at: float | None = None
        #: Whether the server says by every method that it does not know the session.
        self.session_lost = False

    @property
    def interval_seconds(self) -> float:
        """The longest time between the beginnings of two rounds."""
        half = self._timeout_seconds / 2
        return min(max(half, MIN_INTERVAL_SECONDS), self._longest_seconds)

    def schedule(self, now: float) -> None:
        """Plan the next round, up to a fifth earlier than the interval."""
        self.next_at = now + self.interval_seconds * (1 - _JITTER * self._jitter())

    def begin(self) -> str | None:
        """Begin a round.

        :returns: the method to send; None if credentials were refused: then only receiver reports
            are left.
        """
        self.next_at = None
        self._statuses = []
        methods = [] if self._forbidden else [*self._usual, *self._spare]
        usable = [m for m in methods if m in self._usual and m not in self._refused]
        self._queue = usable or methods  # with everything refused, begin anew
        self._reserve = [m for m in methods if m not in self._queue]
        return self._next()

    def answered(self, method: str, status: int, now: float, forbidden: bool = False) -> str | None:
        """Take what came of a method: 200, an error, or 0 for nothing at all.

        No answer is no refusal: some cameras never answer these requests (quirk 4), and whether
        the stream lives is told by its media.

        :param forbidden: credentials were refused: nothing is tried again, since cameras lock out
            who guesses.
        :returns: the method to send now; None if the round is over, and the next one is planned.
        """
        if status >= 300:
            self._refused.add(method)
        elif status:
            self._refused.discard(method)
        if forbidden:
            self._forbidden = True
            return None
        self._statuses.append(status)
        following = self._next()
        if following is None:
            self.session_lost = set(self._statuses) == {454}
            self.schedule(now)
        return following

    def _next(self) -> str | None:
        """Return the next method of the round; the reserve counts when all others were refused."""
        if not self._queue and self._statuses and min(self._statuses) >= 300:
            self._queue, self._reserve = self._reserve, []
        return self._queue.pop(0) if self._queue else None
