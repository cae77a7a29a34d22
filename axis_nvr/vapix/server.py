"""The HTTP server: requests in, through the door, to the endpoints, and answers out.

A body that comes in pieces is asked for as fast as the client takes it, and given up when the
client leaves.
"""

from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import Any

from klein import Klein
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import Request
from werkzeug.exceptions import NotFound
from zope.interface import implementer

from axis_nvr.errors import WireError
from axis_nvr.services.accounts import Role
from axis_nvr.services.gatekeeper import Knock
from axis_nvr.vapix.arguments import FORM_TYPE, Arguments
from axis_nvr.vapix.bounded_site import BoundedSite
from axis_nvr.vapix.call import Call, Endpoint, NeedsRole, Reply, Upgrade, html_reply
from axis_nvr.vapix.door import Admitted, Door
from axis_nvr.vapix.upgrade import take_over
from axis_nvr.wire.authentication import decode_text

#: On every answer, as on Axis devices, and no store: what we answer is of this moment.
HEADERS = (
    (b"Cache-Control", b"no-store"),
    (b"Content-Security-Policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"Referrer-Policy", b"strict-origin-when-cross-origin"),
    (b"Server", b"axis_nvr"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"X-Frame-Options", b"SAMEORIGIN"),
    (b"X-XSS-Protection", b"1; mode=block"),
)


_log = Logger()


#: Bytes of a body that are given to the system at once, if it takes them: Twisted's own limit of
#: 128 KiB costs a turn of the reactor for each.
SEND_BYTES = 1 << 20


class HttpServer:
    """Serves endpoints behind a door."""

    log = Logger()

    def __init__(self, door: Door, endpoints: Iterable[Endpoint]) -> None:
        self._door = door
        self._app = Klein()
        for endpoint in endpoints:
            self._add(endpoint)
        self._app.handle_errors(NotFound)(self._nothing_here)

    def _add(self, endpoint: Endpoint) -> None:
        def serve(request: Any, **parts: str) -> "Deferred[bytes | None]":
            return Deferred.fromCoroutine(self._serve(request, endpoint))

        self._app.route(endpoint.path, endpoint=endpoint.path)(serve)

    def _nothing_here(self, request: Any, failure: Failure) -> "Deferred[bytes | None]":
        """Answer for a path that is none: only who has an account learns that it is none."""
        missing = Endpoint("", _not_found, Role.VIEWER, ("GET", "POST", "PUT", "PATCH", "DELETE"))
        return Deferred.fromCoroutine(self._serve(request, missing))

    async def _serve(self, request: Request, endpoint: Endpoint) -> bytes | None:
        """Answer a request; Klein writes what this returns, and finishes what is not."""
        reply: Reply | Upgrade | None
        try:
            headers, reply = await self._answer(request, endpoint)
            if isinstance(reply, Upgrade):
                reply = take_over(request, reply, headers)
                if reply is None:
                    return None
        except CancelledError:  # the client has gone
            raise
        except Exception:  # the outermost frame of a request
            self.log.failure("while {path} was answered", path=_text(request.path))
            headers, reply = (), html_reply("<p>500 Internal Server Error</p>", 500)
        return await self._send(request, reply, headers)

    async def _answer(
        self, request: Request, endpoint: Endpoint
    ) -> tuple[tuple[tuple[str, str], ...], Reply | Upgrade]:
        method = _text(request.method)
        knock = Knock(
            method,
            _text(request.uri),
            _header(request, b"authorization"),
            _address(request),
            request.isSecure(),
        )
        admitted = self._door.admit(knock, endpoint.role, before_setup=endpoint.before_setup)
        if isinstance(admitted, Reply):
            return (), admitted
        method = "GET" if method == "HEAD" else method
        if method not in endpoint.methods:
            allowed = ", ".join(endpoint.methods)
            return (), html_reply("<p>405 Method Not Allowed</p>", 405, ("Allow", allowed))
        try:
            call = _call(request, method, knock, admitted)
        except WireError as error:
            return (), html_reply(f"<p>400 Bad Request: {error}</p>", 400)
        try:
            return admitted.headers, await _to_the_end(endpoint.answer(call))
        except NeedsRole as need:
            return (), self._door.turn_away(knock, admitted, need.role)

    async def _send(
        self, request: Request, reply: Reply, headers: tuple[tuple[str, str], ...]
    ) -> bytes:
        request.setResponseCode(reply.status)
        for name, value in HEADERS:
            request.setHeader(name, value)
        request.setHeader("Content-Type", reply.content_type)
        told: dict[str, list[str]] = {}
        for field, text in (*headers, *reply.headers):
            told.setdefault(field, []).append(text)
        for field, texts in told.items():
            request.responseHeaders.setRawHeaders(field, texts)
        if isinstance(reply.body, bytes):
            request.setHeader("Content-Length", str(len(reply.body)))
            return reply.body
        if request.method == b"HEAD":
            await _close(reply.body)
        else:
            await Outflow(request, reply.body).run()
        return b""

    def site(self) -> BoundedSite:
        """Return the server's factory; for TCP or TLS."""
        return BoundedSite(self._app.resource())


def _to_the_end(answer: Awaitable[Reply | Upgrade]) -> "Deferred[Reply | Upgrade]":
    """Have an answer worked out even if the client leaves: half a change must not be left.

    :returns: the answer; cancelling it only stops the waiting.
    """

    async def work() -> None:
        try:
            reply = await answer
        except Exception as error:  # raised where it is waited for
            if waiting.called and not isinstance(error, NeedsRole):
                _log.failure("while a request was answered whose client has gone")
            waiting.errback(error)
        else:
            if waiting.called and isinstance(reply, Reply) and not isinstance(reply.body, bytes):
                await _close(reply.body)
            waiting.callback(reply)

    waiting: Deferred[Reply | Upgrade] = Deferred()
    Deferred.fromCoroutine(work())
    return waiting


async def _not_found(call: Call) -> Reply:
    return html_reply("<p>404 Not Found</p>", 404)


def _call(request: Request, method: str, knock: Knock, admitted: Admitted) -> Call:
    content_type = _header(request, b"content-type").partition(";")[0].strip().lower()
    assert request.content is not None
    body = request.content.read()
    query = request.uri.partition(b"?")[2]
    account = admitted.account
    return Call(
        method=method,
        path=_text(request.path),
        arguments=Arguments(query, body if content_type == FORM_TYPE else b""),
        body=body,
        account="" if account is None else account.name,
        role=None if account is None else account.role,
        address=knock.address,
        host=_header(request, b"host"),
        is_secure=knock.is_secure,
        headers={
            decode_text(name).lower(): decode_text(values[0])
            for name, values in request.requestHeaders.getAllRawHeaders()
        },
    )


def _header(request: Request, name: bytes) -> str:
    """Give the last header of a name, one character for a byte; empty if there is none."""
    return _text(request.requestHeaders.getRawHeaders(name, [b""])[-1])


def _text(data: bytes) -> str:
    return data.decode("latin-1")


def _address(request: Request) -> str:
    return getattr(request.getClientAddress(), "host", None) or ""


async def _close(pieces: AsyncIterator[bytes]) -> None:
    close = getattr(pieces, "aclose", None)
    if close is not None:
        await close()


@implementer(IPushProducer)
class Outflow:
    """Sends pieces to a client as fast as it takes them."""

    log = Logger()

    def __init__(self, request: Request, pieces: AsyncIterator[bytes]) -> None:
        self._request = request
        self._pieces = pieces
        self._room: Deferred[None] | None = None
        self._is_gone = False

    async def run(self) -> None:
        """Send everything; an error in the middle breaks the connection off, so that it is seen."""
        request, gone = self._request, Deferred[None]()
        request.notifyFinish().addErrback(lambda failure: gone.callback(None))
        gone.addCallback(lambda _: self.stopProducing())
        request.registerProducer(self, True)
        if request.transport is not None:
            request.transport.SEND_LIMIT = SEND_BYTES  # type: ignore[attr-defined]
        try:
            async for piece in self._pieces:
                if self._is_gone:
                    break
                request.write(piece)
                if self._room is not None:
                    await self._room
        except CancelledError:  # the client has gone
            raise
        except Exception:  # the outermost frame of a body
            self.log.failure("while {path} was sent", path=_text(request.path))
            if request.transport is not None and not self._is_gone:
                request.transport.abortConnection()  # type: ignore[attr-defined]
            await gone
        finally:
            await _close(self._pieces)
        if self._is_gone:
            await gone  # the connection tells its producer first, and then the request
        else:
            request.unregisterProducer()

    def pauseProducing(self) -> None:
        """Wait: the client is slower than we are."""
        if self._room is None:
            self._room = Deferred()

    def resumeProducing(self) -> None:
        """Go on."""
        room, self._room = self._room, None
        if room is not None:
            room.callback(None)

    def stopProducing(self) -> None:
        """End: the client has gone."""
        self._is_gone = True
        self.resumeProducing()
