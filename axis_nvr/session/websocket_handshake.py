"""The handshake that makes a WebSocket of an HTTP connection, from both ends.

::

    GET /path HTTP/1.1                          ──►
    Connection: Upgrade
    Upgrade: websocket
    Sec-WebSocket-Version: 13
    Sec-WebSocket-Key: <16 random bytes>
                                                ◄──  HTTP/1.1 101 Switching Protocols
                                                     Sec-WebSocket-Accept: <hash of the key>

Source: RFC 6455 §4.
"""

from collections.abc import Iterable, Sequence

import h11
from wsproto import WSConnection
from wsproto.connection import Connection, ConnectionType
from wsproto.events import AcceptConnection, RejectConnection, Request
from wsproto.utilities import RemoteProtocolError as BrokenRule

from axis_nvr.errors import LocalProtocolError, PeerRefused, RemoteProtocolError
from axis_nvr.session.websocket import Deflate, Limits, WebSocketDialogue, agreed_deflate

#: Bytes of the head that a server may answer with.
MAX_HEAD_BYTES = 16384

_WANTED = (b"connection", b"upgrade", b"sec-websocket-key", b"sec-websocket-version")


class BadUpgrade(RemoteProtocolError):
    """A request that does not open a WebSocket.

    :param status: to answer with.
    :param headers: to be sent with it.
    """

    def __init__(self, message: str, status: int, headers: tuple[tuple[str, str], ...] = ()):
        super().__init__(message)
        self.status = status
        self.headers = headers


class ServerHandshake:
    """A client's request for a WebSocket.

    :param headers: of the request.
    :raises BadUpgrade: it is none.
    :ivar subprotocols: those that the client speaks, the best first.
    """

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        present = [(name.lower(), value) for name, value in headers]
        if not any(name == b"upgrade" for name, _ in present):
            raise BadUpgrade("a WebSocket is served here", 426, (("Upgrade", "websocket"),))
        if not any(name == b"host" for name, _ in present):
            raise BadUpgrade("no Host", 400)
        wanted = [(name, value) for name, value in present if name in _WANTED]
        self._handshake = WSConnection(ConnectionType.SERVER)
        try:
            self._handshake.initiate_upgrade_connection([(b"host", b"us"), *wanted], "/")
        except BrokenRule as broken:
            hint = broken.event_hint
            if isinstance(hint, RejectConnection) and hint.status_code == 426:
                raise BadUpgrade(str(broken), 426, (("Sec-WebSocket-Version", "13"),))
            raise BadUpgrade(str(broken), 400)
        except (h11.ProtocolError, ValueError):
            raise BadUpgrade("no request for a WebSocket", 400)
        self.subprotocols = _elements(present, b"sec-websocket-protocol")
        self._offers = _elements(present, b"sec-websocket-extensions")

    def accept(
        self,
        subprotocol: str,
        limits: Limits,
        now: float,
        *,
        deflate: bool,
        headers: Sequence[tuple[str, str]] = (),
    ) -> tuple[bytes, WebSocketDialogue]:
        """Agree.

        :param subprotocol: one of `subprotocols`, or empty for none.
        :param deflate: whether messages may be compressed, if the client offers it.
        :param headers: to be sent with the answer.
        :returns: the answer, and what follows it.
        """
        extra = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers]
        if subprotocol:
            extra.append((b"Sec-WebSocket-Protocol", subprotocol.encode()))
        agreed = agreed_deflate(self._offers) if deflate else None
        if agreed is not None:
            extra.append((b"Sec-WebSocket-Extensions", agreed[1].encode()))
        answer = self._handshake.send(AcceptConnection(extra_headers=extra))
        connection = Connection(ConnectionType.SERVER, [agreed[0]] if agreed else [])
        return answer, WebSocketDialogue(connection, limits, now)


class UpgradeRefused(PeerRefused):
    """A server said no to a WebSocket.

    :param challenges: its ``WWW-Authenticate`` headers, if it asks who we are.
    """

    def __init__(self, status: int, challenges: tuple[str, ...]) -> None:
        super().__init__("GET", status, "no WebSocket")
        self.challenges = challenges


class ClientHandshake:
    """Our request for a WebSocket.

    :param host: of the URL, with its port if that is not the scheme's own.
    :param target: path and query.
    :param subprotocols: those that we speak, the best first.
    :param deflate: whether compression is offered.
    """

    def __init__(
        self,
        host: str,
        target: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
        deflate: bool = False,
    ) -> None:
        self._handshake = WSConnection(ConnectionType.CLIENT)
        self._received = 0
        self._request = Request(
            host=host,
            target=target,
            extensions=[Deflate(True, None, True)] if deflate else [],
            extra_headers=[(name.encode(), value.encode("latin-1")) for name, value in headers],
            subprotocols=list(subprotocols),
        )

    def request(self) -> bytes:
        """Give what is to be sent.

        :raises LocalProtocolError: host, target or a header are none.
        """
        try:
            return self._handshake.send(self._request)
        except (h11.ProtocolError, ValueError) as error:
            raise LocalProtocolError(f"no request can be made: {error}")

    def receive(self, data: bytes, limits: Limits, now: float) -> WebSocketDialogue | None:
        """Take bytes, cut anywhere.

        :returns: the connection once it is open; it holds what came behind the answer, which
            its `WebSocketDialogue.receive` gives with the next bytes, be they none.
        :raises UpgradeRefused: the server said no.
        :raises RemoteProtocolError: what came is no answer.
        """
        self._received += len(data)
        try:
            self._handshake.receive_data(data)
            events = list(self._handshake.handshake.events())
        except (BrokenRule, h11.ProtocolError, ValueError) as error:
            raise RemoteProtocolError(f"no answer to a request for a WebSocket: {error}")
        for event in events:
            if isinstance(event, RejectConnection):
                challenges = [
                    value.decode("latin-1")
                    for name, value in event.headers
                    if name.lower() == b"www-authenticate"
                ]
                raise UpgradeRefused(event.status_code, tuple(challenges))
        connection = self._handshake.connection
        if connection is not None:
            return WebSocketDialogue(connection, limits, now)
        if self._received > MAX_HEAD_BYTES:
            raise RemoteProtocolError("an answer without an end")
        return None


def _elements(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> list[str]:
    """Give the elements of all headers of a name."""
    values = [value.decode("latin-1") for name, value in headers if name == wanted]
    return [part.strip() for value in values for part in value.split(",") if part.strip()]
