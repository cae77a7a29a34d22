"""Notifications by HTTP and HTTPS.

::

    GET <upload_url>?Message=<message>&<parameters>

or POST, PUT, PATCH with a body, or DELETE. Message and body may hold modifiers. The server's
challenge is answered, Digest or Basic. Only a status of 200 to 299 is a success; redirects are not
followed: a password would go along. Through a proxy ``https`` is tunnelled; it may ask for Basic.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, HTTPConnectionPool, ProxyAgent
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import implementer

from axis_nvr.protocols.http_connect import ConnectEndpoint
from axis_nvr.services.actions import values
from axis_nvr.services.actions.deliveries import DeliveryFailed, DeliveryRefused
from axis_nvr.services.actions.modifiers import Modifiers
from axis_nvr.services.actions.outgoing import Outgoing
from axis_nvr.services.rules.errors import InvalidActionConfiguration
from axis_nvr.session.digest import Authenticator, Credentials

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
#: Methods that carry the body.
_WITH_BODY = ("POST", "PUT", "PATCH")
#: Headers of one request.
MAX_HEADERS = 32
#: What is read of an answer's body, in bytes; we have no use for it.
MAX_ANSWER_BYTES = 64 * 1024
#: Statuses that speak of the moment, RFC 9110 §15, RFC 6585 §4.
_LATER_STATUSES = (408, 425, 429)
#: Headers that are ours to write.
_OWN_HEADERS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "te", "upgrade", "trailer"}
)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", re.ASCII)
#: What may stand in a URL as it is (RFC 3986 §2), and what is encoded already.
_URL_SAFE = "-._~:/?#[]@!$&'()*+,;=%"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy; `authorization` is the value of its header, empty for none."""

    host: str
    port: int
    authorization: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class HttpOrder:
    """What is sent where.

    :param url: ASCII, without fragment, account or arguments of ours.
    """

    message: str
    parameters: str = field(repr=False)
    method: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: str = field(repr=False)
    url: str = field(repr=False)
    host: str
    port: int
    credentials: Credentials | None
    proxy: Proxy | None
    code_point: int
    validate: bool

    @property
    def is_secure(self) -> bool:
        """Whether it goes by TLS."""
        return self.url.startswith("https:")

    @classmethod
    def read(cls, given: Mapping[str, str], scheme: str) -> "HttpOrder":
        """Read the parameters.

        :param scheme: ``http`` or ``https``.
        :raises InvalidActionConfiguration: one cannot be used.
        """
        method = given["method"].strip().upper() or "GET"
        if method not in METHODS:
            raise InvalidActionConfiguration(f"method must be one of {', '.join(METHODS)}")
        parameters = values.line("parameters", given["parameters"].strip().lstrip("?&"))
        if " " in parameters:
            raise InvalidActionConfiguration("parameters must be percent-encoded: no spaces")
        url, host, port = _url(given["upload_url"], scheme)
        login = values.line("login", given["login"])
        password = values.line("password", given["password"])
        return cls(
            given["message"],
            quote(parameters, safe=_URL_SAFE.replace("#", "")),
            method,
            _headers(given["http_headers"]),
            given["body"],
            url,
            host,
            port,
            Credentials(login, password) if login else None,
            _proxy(given),
            values.code_point("qos", given["qos"]),
            values.flag("validate_server_cert", given.get("validate_server_cert", "")),
        )


def _url(text: str, scheme: str) -> tuple[str, str, int]:
    """Read a URL: as it is sent, its host and its port."""
    text = values.line("upload_url", text.strip())
    try:
        parts = urlsplit(text)
        port = parts.port or (443 if scheme == "https" else 80)
    except ValueError:
        raise InvalidActionConfiguration("upload_url is no URL") from None
    if parts.scheme.lower() != scheme or not parts.hostname:
        raise InvalidActionConfiguration(f"upload_url must be a URL of {scheme} with a host")
    if "@" in parts.netloc:
        raise InvalidActionConfiguration("upload_url must not have an account: use login, password")
    host = values.host("upload_url", parts.hostname)
    place = f"[{host}]" if ":" in host else host
    suffix = f":{parts.port}" if parts.port else ""
    query = f"?{parts.query}" if parts.query else ""
    rest = quote(f"{parts.path or '/'}{query}", safe=_URL_SAFE.replace("#", ""))
    return f"{scheme}://{place}{suffix}{rest}", host, port


def _headers(text: str) -> tuple[tuple[str, str], ...]:
    """Read header lines."""
    lines = [line for line in re.split(r"\r\n|\n|\r", text) if line.strip()]
    if len(lines) > MAX_HEADERS:
        raise InvalidActionConfiguration(f"http_headers has more than {MAX_HEADERS} headers")
    found = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _HEADER_NAME.fullmatch(name) or name.lower() in _OWN_HEADERS:
            raise InvalidActionConfiguration("http_headers has a line that is no header of yours")
        found.append((name, values.line("http_headers", value.strip())))
    return tuple(found)


def _proxy(given: Mapping[str, str]) -> Proxy | None:
    if not given["proxy_host"].strip():
        return None
    host = values.host("proxy_host", given["proxy_host"])
    port = values.port("proxy_port", given["proxy_port"], 8080)
    login = values.line("proxy_login", given["proxy_login"])
    password = values.line("proxy_password", given["proxy_password"])
    authorization = base64.b64encode(f"{login}:{password}".encode()).decode() if login else ""
    return Proxy(host, port, f"Basic {authorization}" if login else "")


class HttpMessage(NamedTuple):
    """One request."""

    url: str
    body: bytes | None


class HttpNotifier:
    """Sends requests."""

    def __init__(self, order: HttpOrder, outgoing: Outgoing, modifiers: Modifiers) -> None:
        self.place = f"{'https' if order.is_secure else 'http'}://{order.host}:{order.port}"
        self._order = order
        self._outgoing = outgoing
        self._modifiers = modifiers

    def compose(self, utc_us: int) -> HttpMessage:
        """Write the request of one trigger."""
        order = self._order
        message = self._modifiers.expand(order.message, utc_us)
        added = [f"Message={quote(message, safe='')}"] if message else []
        added += [order.parameters] if order.parameters else []
        joint = "&" if "?" in order.url else "?"
        url = f"{order.url}{joint}{'&'.join(added)}" if added else order.url
        has_body = order.method in _WITH_BODY
        body = self._modifiers.expand(order.body, utc_us).encode() if has_body else None
        return HttpMessage(url, body)

    async def send(self, message: HttpMessage) -> None:
        """Send one; a challenge is answered once."""
        order, authenticator = self._order, Authenticator(self._order.credentials)
        response = await self._request(message, None)
        if response.code == 401 and order.credentials is not None:
            challenges = response.headers.getRawHeaders(b"www-authenticate", [])
            if authenticator.challenge(challenges):
                target = "/" + message.url.split("/", 3)[3]
                answer = authenticator.authorization(order.method, target, message.body or b"")
                response = await self._request(message, answer)
        status = response.code
        if 200 <= status < 300:
            return
        phrase = bytes(response.phrase).decode("latin-1")
        words = values.without_controls(f"{order.method} refused: {status} {phrase}".strip())[:200]
        is_for_now = status >= 500 or status in _LATER_STATUSES
        raise (DeliveryFailed if is_for_now else DeliveryRefused)(words)

    async def _request(self, message: HttpMessage, authorization: str | None) -> IResponse:
        order, headers = self._order, Headers()
        headers.addRawHeader("User-Agent", "axis_nvr")
        for name, value in order.headers:
            headers.addRawHeader(name, value)
        if authorization is not None:
            headers.setRawHeaders("Authorization", [authorization])
        body = None
        if message.body is not None:
            body = _Body(message.body)
            if not headers.hasHeader("Content-Type"):
                headers.addRawHeader("Content-Type", "text/plain; charset=utf-8")
        agent = self._agent(headers)
        method, url = order.method.encode(), message.url.encode()
        response: IResponse = await agent.request(method, url, headers, body)
        await _discard(response)
        return response

    def _agent(self, headers: Headers) -> Any:
        """Make what sends a request, each over a connection of its own."""
        order, reactor = self._order, self._outgoing.reactor
        pool = HTTPConnectionPool(reactor, persistent=False)
        if order.proxy is not None and not order.is_secure:
            if order.proxy.authorization:
                headers.setRawHeaders("Proxy-Authorization", [order.proxy.authorization])
            return ProxyAgent(self._way_out(order.proxy.host, order.proxy.port), reactor, pool)
        return Agent.usingEndpointFactory(reactor, _Ways(self._endpoint), pool)

    def _endpoint(self) -> IStreamClientEndpoint:
        order, proxy = self._order, self._order.proxy
        if proxy is None:
            way = self._way_out(order.host, order.port)
        else:
            outer = self._way_out(proxy.host, proxy.port)
            way = ConnectEndpoint(outer, order.host, order.port, proxy.authorization)
        if not order.is_secure:
            return way
        return self._outgoing.over_tls(way, order.host, validate=order.validate)

    def _way_out(self, host: str, port: int) -> IStreamClientEndpoint:
        return self._outgoing.endpoint(host, port, self._order.code_point)


@implementer(IAgentEndpointFactory)
class _Ways:
    """Says how a request travels: always the same way."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802
        endpoint: IStreamClientEndpoint = self._make()
        return endpoint


@implementer(IBodyProducer)
class _Body:
    """A body that is written at once: it is small."""

    def __init__(self, data: bytes) -> None:
        self.length = len(data)
        self._data = data

    def startProducing(self, consumer: IConsumer) -> "Deferred[None]":  # noqa: N802
        consumer.write(self._data)
        return succeed(None)

    def stopProducing(self) -> None:
        """Do nothing: all is written."""

    def pauseProducing(self) -> None:
        """Do nothing."""

    def resumeProducing(self) -> None:
        """Do nothing."""


async def _discard(response: IResponse) -> None:
    """Read an answer to its end, or as much as is enough."""
    reader = _Discard()
    response.deliverBody(reader)
    await reader.ended


class _Discard(Protocol):
    """Counts what comes, and ends the connection when it is enough."""

    def __init__(self) -> None:
        self._count = 0
        self.ended: Deferred[None] = Deferred(lambda _: self._cut())

    def _cut(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()

    def dataReceived(self, data: bytes) -> None:
        self._count += len(data)
        if self._count > MAX_ANSWER_BYTES:
            self._cut()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.ended.called:
            self.ended.callback(None)
