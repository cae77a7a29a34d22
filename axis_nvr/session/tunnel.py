"""RTSP through HTTP, the client's side: one connection down, one up.

::

    down   GET /path HTTP/1.0             ──►
           x-sessioncookie: C             ◄──  HTTP/1.0 200 OK
                                          ◄──  RTSP replies and interleaved frames, raw, for ever
    up     POST /path HTTP/1.0            ──►
           x-sessioncookie: C
           Content-Length: 32767
           T1BUSU9OUyA…  (base64)         ──►  RTSP requests; no reply

Each request may be asked for credentials; an RTSP request inside may be asked again, which is none
of this module's business. The length announced for the upward body is a convention: no end is
meant by it, and clients in wide use send past it. A camera that takes it at its word closes the
connection there, and another is opened with the same cookie.

Requests sent upward are kept until something comes down, so that they can be sent again when the
upward connection is refused for its credentials or closed before it was read.

Source: "Tunnelling RTSP and RTP over HTTP", Apple, 1999.
"""

from base64 import b64encode
from enum import Enum, auto
from urllib.parse import urlsplit

from axis_nvr.errors import PeerRefused, RemoteProtocolError
from axis_nvr.session.digest import Authenticator
from axis_nvr.wire.rtsp import Headers, Request, Response, encode, find_head_end, parse_head

#: The body length announced for the upward connection, in bytes.
ANNOUNCED_BYTES = 32767
#: Bytes kept to be sent again.
MAX_UNCONFIRMED_BYTES = 64 * 1024
#: How often one direction is opened in a row without getting anywhere.
MAX_ATTEMPTS = 3

_MEDIA_TYPE = "application/x-rtsp-tunnelled"


class Step(Enum):
    """What the shell has to do with a connection of the tunnel."""

    WAIT = auto()  # nothing
    OPEN = auto()  # this direction works
    AGAIN = auto()  # close it, open another and send the request anew


class TunnelClient:
    """Says what to send on the two connections of a tunnel and reads what they answer.

    :param url: of the stream; its path and query are asked for by HTTP too.
    :param cookie: what ties the two connections together: text nobody else would choose.
    :param authenticator: answers challenges of the HTTP server; None: a 401 is final.
    """

    def __init__(
        self, url: str, cookie: str, authenticator: Authenticator | None, user_agent: str = ""
    ) -> None:
        parts = urlsplit(url)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._host = parts.netloc.rpartition("@")[2]
        self._cookie = cookie
        self._authenticator = authenticator
        self._user_agent = user_agent
        self._head = bytearray()
        self._up_head = bytearray()
        self._refused = {"GET": 0, "POST": 0}  # how often each got a 401
        self._posts = 0  # opened in a row without anything coming down
        self._unconfirmed = bytearray()

    def down_request(self) -> bytes:
        """Return what begins a new downward connection."""
        self._head.clear()
        return self._request("GET", [("Accept", _MEDIA_TYPE)])

    def receive_down(self, data: bytes) -> tuple[Step, bytes]:
        """Take bytes of the downward connection until it is open.

        :returns: the step, and what follows the head once it is `Step.OPEN`.
        :raises PeerRefused: the server said no.
        :raises RemoteProtocolError: it answered with something else than a tunnel.
        :raises WireError: what came is no HTTP.
        """
        self._head += data
        end = find_head_end(self._head)
        if end is None:
            return Step.WAIT, b""
        step = self._judge("GET", bytes(self._head[:end]))
        rest = bytes(self._head[end:])
        self._head.clear()
        return step, rest if step is Step.OPEN else b""

    def up_request(self) -> bytes:
        """Return what begins a new upward connection; what `waiting` returns goes out behind it.

        The two are not to be sent in one piece: a server that has read the head out of a TLS record
        may not look for more in the same one (GStreamer 1.22, which Axis cameras use).
        """
        self._up_head.clear()
        self._posts += 1
        if self._posts > MAX_ATTEMPTS:
            raise RemoteProtocolError(
                "the upward connection of the tunnel is closed again and again"
            )
        fields = [
            ("Content-Type", _MEDIA_TYPE),
            ("Content-Length", str(ANNOUNCED_BYTES)),
            ("Expires", "Sun, 9 Jan 1972 00:00:00 GMT"),
        ]
        return self._request("POST", fields)

    def waiting(self) -> bytes:
        """Return what has been sent upward and not confirmed, as the connection carries it."""
        return b64encode(self._unconfirmed)

    def receive_up(self, data: bytes) -> Step:
        """Take what the upward connection answers, if it ever does.

        :raises PeerRefused: the server said no.
        :raises WireError: what came is no HTTP.
        """
        self._up_head += data
        end = find_head_end(self._up_head)
        if end is None:
            return Step.WAIT
        head = bytes(self._up_head[:end])
        self._up_head.clear()
        return self._judge("POST", head)

    def send(self, data: bytes) -> bytes:
        """Return `data` as the upward connection carries it.

        :raises RemoteProtocolError: so much is sent and nothing comes back.
        """
        self._unconfirmed += data
        if len(self._unconfirmed) > MAX_UNCONFIRMED_BYTES:
            raise RemoteProtocolError(f"{MAX_UNCONFIRMED_BYTES} bytes sent and nothing came back")
        return b64encode(data)

    def confirm(self) -> None:
        """Note that something came down: what was sent upward has arrived."""
        if self._unconfirmed:
            self._unconfirmed.clear()
        self._posts = self._refused["POST"] = 0

    @property
    def unconfirmed(self) -> bool:
        """Whether something was sent upward and nothing has come down since."""
        return bool(self._unconfirmed)

    def _request(self, method: str, fields: list[tuple[str, str]]) -> bytes:
        headers = Headers([("Host", self._host), ("x-sessioncookie", self._cookie), *fields])
        headers.add("Pragma", "no-cache")
        headers.add("Cache-Control", "no-cache")
        if self._user_agent:  # some cameras answer 401 to a client without a name (quirk 22)
            headers.add("User-Agent", self._user_agent)
        if self._authenticator is not None:
            authorization = self._authenticator.authorization(method, self._target)
            if authorization:
                headers.add("Authorization", authorization)
        return encode(Request(method, self._target, headers, version="HTTP/1.0"))

    def _judge(self, method: str, head: bytes) -> Step:
        """Say what follows from a response head."""
        response = parse_head(head)
        if not isinstance(response, Response):
            raise RemoteProtocolError(f"a request where the answer to {method} was due")
        if 200 <= response.status < 300:
            if method == "GET" and response.headers.get("Content-Type").startswith("text/html"):
                raise RemoteProtocolError("a web page came where a tunnel was asked for")
            return Step.OPEN
        answered = self._refused[method] > 0
        self._refused[method] += 1
        if (
            response.status == 401
            and self._authenticator is not None
            and self._refused[method] < MAX_ATTEMPTS
            and self._authenticator.challenge(
                response.headers.get_all("WWW-Authenticate"), answered
            )
        ):
            return Step.AGAIN
        raise PeerRefused(method, response.status, response.reason)
