"""Event streaming over WebSocket: ``/vapix/ws-data-stream?sources=events``.

A client says which events it wants and is told of them, first of the states that match. A message
is written once, however many clients get it. Nothing is told of an instance that was deleted: the
messages have no word for it.
"""

from twisted.logger import Logger

from axis_nvr.protocols.websocket import WebSocket
from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.session_tokens import SessionTokens
from axis_nvr.session.websocket import (
    GOING_AWAY,
    UNSUPPORTED_DATA,
    Limits,
    Oversized,
    Received,
    SharedText,
)
from axis_nvr.vapix.call import Call, Endpoint, Reply, Upgrade, html_reply
from axis_nvr.vapix.json_api import JsonError
from axis_nvr.vapix.websocket.entry import let_in
from axis_nvr.vapix.websocket.event_messages import INTERNAL_ERROR, TOO_LARGE, Request, notify
from axis_nvr.wire.event_filter import EventFilter
from axis_nvr.wire.notification import Notification, Operation

PATH = "/vapix/ws-data-stream"
#: Clients at a time.
MAX_CLIENTS = 600
#: A request of more is answered as too large, one of sixteen times as much ends the connection.
LIMITS = Limits(message_bytes=1 << 16, fatal_bytes=1 << 20)
#: Bytes that wait for a client which does not read: the states of a large recorder go in at once.
MAX_QUEUED_BYTES = 1 << 19


class EventStreams:
    """Serves the event stream."""

    log = Logger()

    def __init__(self, bus: EventBus, tokens: SessionTokens) -> None:
        self._bus = bus
        self._tokens = tokens
        self._clients: dict[_Client, None] = {}
        bus.subscribe(self._tell)

    def endpoint(self) -> Endpoint:
        """Return what serves it; who may use it is found out in `answer`."""
        return Endpoint(PATH, self.answer, None, ("GET",))

    async def answer(self, call: Call) -> Reply | Upgrade:
        """Open a stream."""
        account = let_in(call, self._tokens, "wssession")
        if isinstance(account, Reply):
            return account
        sources = [part.strip() for part in call.arguments.get("sources", "").split(",")]
        if set(sources) != {"events"}:
            return html_reply("<p>400 Bad Request: sources=events is what there is</p>", 400)
        if self.count >= MAX_CLIENTS:
            return html_reply("<p>503 Service Unavailable: too many event streams</p>", 503)
        return Upgrade(
            _Client(self, account, call.address),
            deflate=True,
            limits=LIMITS,
            max_queued_bytes=MAX_QUEUED_BYTES,
        )

    @property
    def count(self) -> int:
        """How many clients there are."""
        return len(self._clients)

    def close(self) -> None:
        """End all streams: the recorder stops."""
        for client in list(self._clients):
            client.websocket.close(GOING_AWAY, "the recorder stops")

    def add(self, client: "_Client") -> None:
        """Tell a client from now on what it wants."""
        self._clients[client] = None

    def remove(self, client: "_Client") -> None:
        """Tell it nothing more."""
        self._clients.pop(client, None)

    def states(self) -> list[Notification]:
        """Give the states of all that lives."""
        return self._bus.states()

    def _tell(self, notification: Notification) -> None:
        """Tell all who want to know."""
        if notification.operation is Operation.DELETED:
            return
        message = None
        for client in list(self._clients):
            count = client.wants(notification)
            if count and message is None:
                message = SharedText(notify(notification))
            for _ in range(count):
                client.websocket.send(message)  # type: ignore[arg-type]


class _Client:
    """One client, and what it wants."""

    websocket: WebSocket

    def __init__(self, streams: EventStreams, account: str, address: str) -> None:
        self._streams = streams
        self._account = account
        self._address = address
        self._filters: tuple[EventFilter, ...] = ()

    def wants(self, notification: Notification) -> int:
        """Count its subscriptions that a notification belongs to."""
        return sum(wanted.matches(notification) for wanted in self._filters)

    def opened(self, websocket: WebSocket) -> None:
        """Begin; nothing is told before the client says what it wants."""
        self.websocket = websocket
        self._streams.add(self)

    def received(self, message: Received) -> None:
        """Take a request, answer it, and tell the states that it asks for."""
        if isinstance(message, bytes):
            self.websocket.close(UNSUPPORTED_DATA, "text only")
            return
        request = Request()
        try:
            if isinstance(message, Oversized):
                raise JsonError(TOO_LARGE, f"Message too large: {message.size} characters")
            request.read(message)
        except JsonError as error:
            self.websocket.send(request.failure(error.code, error.message))
            return
        except Exception:  # the outermost frame of a request
            EventStreams.log.failure("while an event stream was configured")
            self.websocket.send(request.failure(INTERNAL_ERROR, "Internal error"))
            return
        self._filters = request.filters
        self.websocket.send(request.success())
        for state in self._streams.states():
            for _ in range(self.wants(state)):
                self.websocket.send(notify(state))

    def blocked(self) -> None:
        """Nothing to hold back: what waits is limited."""

    def writable(self) -> None:
        """Nothing was held back."""

    def closed(self, code: int, reason: str) -> None:
        """End."""
        self._streams.remove(self)
        EventStreams.log.debug(
            "the event stream of {account} at {address} ended: {code} {reason}",
            account=self._account,
            address=self._address,
            code=code,
            reason=reason,
        )
