"""A WebSocket on a transport, at either end.

A server's has been an HTTP connection before: `axis_nvr.vapix.bounded_site` gives it away. A
client's is opened by `axis_nvr.protocols.websocket_client`. Who uses one gets whole messages and
sends whole messages. What a peer does not read is kept up to a limit; then the peer is given up,
with a reason in the log.
"""

from collections import deque
from collections.abc import Callable
from typing import Any
from typing import Protocol as Interface

from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from axis_nvr.session.websocket import (
    ABNORMAL,
    CLOSE_SECONDS,
    INTERNAL_ERROR,
    NORMAL,
    POLICY_VIOLATION,
    Received,
    SharedText,
    State,
    WebSocketDialogue,
)

#: Bytes that wait for a peer that does not read, beside those in the transport.
MAX_QUEUED_BYTES = 1 << 18


class IWebSocketUser(Interface):
    """Takes what comes through a WebSocket."""

    def opened(self, websocket: "WebSocket") -> None:
        """Begin: messages can be sent."""

    def received(self, message: Received) -> None:
        """Take a message; what this raises ends the connection."""

    def blocked(self) -> None:
        """Hold back what can be held back: the peer does not keep up."""

    def writable(self) -> None:
        """Go on: the peer has caught up."""

    def closed(self, code: int, reason: str) -> None:
        """End; called once, and nothing comes after it.

        :param code: of RFC 6455 §7.4.1; 1006 if there was no closing handshake.
        """


@implementer(IPushProducer)
class WebSocket(Protocol):
    """An open WebSocket.

    :param clock: pings a silent peer.
    :param max_queued_bytes: that wait for a peer which does not read.
    """

    log = Logger()
    transport: Any

    def __init__(
        self,
        dialogue: WebSocketDialogue,
        user: IWebSocketUser,
        clock: Any,
        max_queued_bytes: int = MAX_QUEUED_BYTES,
    ) -> None:
        self._dialogue = dialogue
        self._user = user
        self._clock = clock
        self._max_queued_bytes = max_queued_bytes
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._blocked = False
        self._leaving = False  # we have closed the transport, or it has closed
        self._timer: IDelayedCall | None = None

    # What Twisted calls.

    def connectionMade(self) -> None:
        """Begin."""
        self.transport.registerProducer(self, True)
        self._tell(self._user.opened, self)
        self._flush()

    def dataReceived(self, data: bytes) -> None:
        """Take bytes from the peer."""
        if self._leaving:
            return
        for message in self._dialogue.receive(data, self._clock.seconds()):
            if not self._leaving:
                self._tell(self._user.received, message)
        self._flush()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the user."""
        if self._dialogue.state is State.OPEN:
            self._dialogue.fail(ABNORMAL, reason.getErrorMessage())
        self._leaving = True
        self._drop_queue()
        self._stop_timer()
        self._tell(self._user.closed, self._dialogue.close_code, self._dialogue.close_reason)

    def pauseProducing(self) -> None:
        """Keep what is sent: the peer does not keep up."""
        if not self._blocked:
            self._blocked = True
            self._tell(self._user.blocked)

    def resumeProducing(self) -> None:
        """Send what has been kept, and let the user go on."""
        self._blocked = False
        while self._queue and not self._blocked:
            data = self._queue.popleft()
            self._queued_bytes -= len(data)
            self.transport.write(data)
        if not self._blocked and not self._leaving:
            self._tell(self._user.writable)

    def stopProducing(self) -> None:
        """Nothing to do: `connectionLost` follows."""

    # What the user calls.

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._dialogue.state is State.OPEN

    @property
    def peer(self) -> Any:
        """The address of the peer."""
        return self.transport.getPeer()

    @property
    def host(self) -> Any:
        """Our own address."""
        return self.transport.getHost()

    def send(self, message: str | bytes | SharedText) -> None:
        """Send a message; none behind the end."""
        if self.is_open:
            self._dialogue.send(message)
            self._flush()

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """End the connection; what was sent before arrives, if the peer reads it in time."""
        self._dialogue.close(code, reason, self._clock.seconds())
        self._flush()

    def abort(self) -> None:
        """End the connection at once."""
        self._leaving = True
        self.transport.abortConnection()

    def pause(self) -> None:
        """Read nothing until `resume`."""
        self.transport.pauseProducing()

    def resume(self) -> None:
        """Read again."""
        self.transport.resumeProducing()

    # Writing, time, and the end.

    def _flush(self) -> None:
        """Send what is to be sent; leave if that was the last."""
        if self._leaving:
            return
        if output := self._dialogue.take_output():
            self._write(output)
        if self._dialogue.is_closed:
            self._leave()
        if self._timer is None or not self.is_open:
            self._schedule()

    def _write(self, data: bytes) -> None:
        if not self._blocked:
            self.transport.write(data)
            return
        self._queue.append(data)
        self._queued_bytes += len(data)
        if self._queued_bytes > self._max_queued_bytes:
            reason = f"over {self._max_queued_bytes} bytes were not read"
            peer = getattr(self.peer, "host", "")
            self.log.warn("the WebSocket of {peer} is closed: {reason}", peer=peer, reason=reason)
            self._drop_queue()
            self._dialogue.fail(POLICY_VIOLATION, reason)

    def _drop_queue(self) -> None:
        self._queue.clear()
        self._queued_bytes = 0

    def _leave(self) -> None:
        """Close the transport; a peer that does not take the rest in time loses it."""
        self._leaving = True
        self.transport.write(b"".join(self._queue) + self._dialogue.take_output())
        self._drop_queue()
        self.transport.unregisterProducer()  # TLS would wait for it for ever
        self.transport.resumeProducing()  # or the peer's end goes unseen
        self.transport.loseConnection()

    def _schedule(self) -> None:
        """Look again when something is due; what becomes due later meanwhile is found out then."""
        now = self._clock.seconds()
        due = self._dialogue.next_timeout()
        if self._leaving:
            due = now + CLOSE_SECONDS
        if due is None:
            return
        if self._timer is not None and self._timer.getTime() > due:
            self._stop_timer()
        if self._timer is None:
            self._timer = self._clock.callLater(max(0.0, due - now), self._time_out)

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _time_out(self) -> None:
        self._timer = None
        if self._leaving:
            self.transport.abortConnection()
        else:
            self._dialogue.time_out(self._clock.seconds())
            self._flush()

    def _tell(self, told: Callable[..., None], *arguments: object) -> None:
        """Call the user; one that fails loses this connection and no other."""
        try:
            told(*arguments)
        except Exception:  # the outermost frame of this connection
            self.log.failure("while the user of a WebSocket was called")
            self._dialogue.fail(INTERNAL_ERROR, "internal error")
