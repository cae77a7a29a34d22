"""Opening a WebSocket to a server, such as the event stream of a camera."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from axis_nvr.errors import NvrError, RemoteProtocolError
from axis_nvr.protocols.websocket import IWebSocketUser, WebSocket
from axis_nvr.session.digest import Authenticator
from axis_nvr.session.websocket import Limits, WebSocketDialogue
from axis_nvr.session.websocket_handshake import ClientHandshake, UpgradeRefused

#: Seconds within which a server must have answered the request for a WebSocket.
HANDSHAKE_SECONDS = 10.0
#: How often a WebSocket is asked for in a row, each time with a better answer to a challenge.
MAX_ATTEMPTS = 3


class _Opening(Protocol):
    """A client's connection: the handshake, and then whatever the WebSocket makes of it."""

    transport: Any

    def __init__(
        self, handshake: ClientHandshake, user: IWebSocketUser, limits: Limits, clock: Any
    ) -> None:
        self.opened: Deferred[WebSocket] = Deferred(lambda _: self.transport.abortConnection())
        self._handshake = handshake
        self._user = user
        self._limits = limits
        self._clock = clock
        self._websocket: WebSocket | None = None

    def connectionMade(self) -> None:
        """Ask for a WebSocket."""
        self.transport.write(self._handshake.request())

    def dataReceived(self, data: bytes) -> None:
        """Take bytes from the server."""
        if self._websocket is not None:
            self._websocket.dataReceived(data)
        elif not self.opened.called:
            try:
                dialogue = self._handshake.receive(data, self._limits, self._clock.seconds())
            except NvrError:
                self.opened.errback(Failure())
                self.transport.abortConnection()
            else:
                if dialogue is not None:
                    self._open(dialogue)

    def _open(self, dialogue: WebSocketDialogue) -> None:
        websocket = self._websocket = WebSocket(dialogue, self._user, self._clock)
        websocket.makeConnection(self.transport)
        self.opened.callback(websocket)
        websocket.dataReceived(b"")  # what came behind the answer

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell who waits."""
        if self._websocket is not None:
            self._websocket.connectionLost(reason)
        elif not self.opened.called:
            self.opened.errback(reason)


async def connect(
    reactor: Any,
    endpoint: IStreamClientEndpoint,
    host: str,
    target: str,
    user: IWebSocketUser,
    *,
    authenticator: Authenticator | None = None,
    headers: Sequence[tuple[str, str]] = (),
    subprotocols: Sequence[str] = (),
    deflate: bool = False,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> WebSocket:
    """Open a WebSocket to a server. Cancelled, it stops trying.

    :param endpoint: of the server, in TLS or not; a challenge is answered on a new connection.
    :param host: of the URL, with its port if that is not the scheme's own.
    :param target: path and query.
    :param authenticator: answers challenges; it may remember one from before.
    :returns: the WebSocket; the user has been told of it.
    :raises UpgradeRefused: the server said no.
    :raises RemoteProtocolError: it did not answer, or not with a WebSocket.
    """
    for attempt in range(MAX_ATTEMPTS):
        answer = None if authenticator is None else authenticator.authorization("GET", target)
        more = [("Authorization", answer)] if answer else []
        handshake = ClientHandshake(
            host, target, headers=[*headers, *more], subprotocols=subprotocols, deflate=deflate
        )
        try:
            return await _open(reactor, endpoint, _Opening(handshake, user, limits, reactor))
        except UpgradeRefused as refused:
            again = (
                refused.status == 401
                and authenticator is not None
                and attempt < MAX_ATTEMPTS - 1
                and authenticator.challenge(refused.challenges, bool(attempt and answer))
            )
            if not again:
                raise
    raise AssertionError("the last attempt ends the loop")


async def _open(reactor: Any, endpoint: IStreamClientEndpoint, opening: _Opening) -> WebSocket:
    factory = Factory.forProtocol(lambda: opening)
    factory.noisy = False
    await endpoint.connect(factory)
    opening.opened.addTimeout(HANDSHAKE_SECONDS, reactor)
    try:
        return await opening.opened
    except DeferredTimeout:
        raise RemoteProtocolError(f"no answer within {HANDSHAKE_SECONDS:.0f} seconds")
