"""Notifications to real servers: over HTTP and HTTPS, through proxies, by e-mail, by TCP."""

import ssl
import time
from collections.abc import Callable
from contextlib import closing
from email import message_from_bytes
from email.policy import default
from logging import ERROR, getLogger
from pathlib import Path
from socket import AF_INET, SOCK_STREAM, socket
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, Session
from cryptography import x509
from OpenSSL import crypto
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet import reactor as the_reactor
from twisted.internet.defer import Deferred, DeferredQueue, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from twisted.web.guard import (
    BasicCredentialFactory,
    DigestCredentialFactory,
    HTTPAuthSessionWrapper,
)
from twisted.web.http import HTTPFactory
from twisted.web.proxy import Proxy
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request, Site
from zope.interface import implementer

from axis_nvr.services.actions.catalogue import Actions
from axis_nvr.services.actions.deliveries import FIRST_PAUSE_SECONDS
from axis_nvr.services.actions.interfaces import IAction
from axis_nvr.services.actions.modifiers import Identity, Modifiers
from axis_nvr.services.actions.outgoing import Outgoing
from axis_nvr.services.rules.errors import RuleError
from axis_nvr.services.rules.templates import ACTION_TEMPLATES
from axis_nvr.services.triggered_recording import TriggeredOrder
from tests.protocols.certificates import Issued, issue

reactor: Any = the_reactor
#: 2011-12-25 10:05:09 UTC.
WHEN_US = 1_324_807_509_000_000
CA = issue("Site CA", authority=True)
SERVER = issue("server", issuer=CA, addresses=("127.0.0.1",))
PREFIX = "com.axis.action.fixed.notification."


class NoRecorders:
    """Nothing is recorded here."""

    def find(self, group_id: str) -> None:
        raise RuleError("no group")

    def check(self, order: TriggeredOrder) -> None:
        raise RuleError("no recorder")

    def arm(self, order: TriggeredOrder) -> Any:
        raise RuleError("no recorder")

    def arm_group(self, group_id: str, rule: str, action: str) -> Any:
        raise RuleError("no recorder")


class NotificationTestCase(TestCase):
    timeout = 120

    def setUp(self) -> None:
        self.clock = Clock()  # of retries; connections go by the reactor's
        self.trusted = b""
        self.failures: DeferredQueue[str] = DeferredQueue()
        modifiers = Modifiers(lambda: Identity("ACCC8E012345", "nvr", "10.0.0.9"), time.gmtime)
        outgoing = Outgoing(reactor, lambda: self.trusted)
        self.actions = Actions(NoRecorders(), NoRecorders().find, outgoing, modifiers, self.clock)

    def make(self, kind: str, **given: str) -> IAction:
        """Make a notification; what is not given is empty."""
        template = next(t for t in ACTION_TEMPLATES if t.token == f"{PREFIX}{kind}")
        values = {**dict.fromkeys(template.parameters, ""), **given}
        action = self.actions.make(template.token, values, "Hall", self.failures.put)
        self.addCleanup(action.end)
        return action

    def listen(self, factory: Any, context: Any = None) -> int:
        """Serve on a port of 127.0.0.1."""
        listen = reactor.listenTCP if context is None else reactor.listenSSL
        extra = [] if context is None else [context]
        port = listen(0, factory, *extra, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        number: int = port.getHost().port
        return number

    async def pause_begins(self) -> None:
        """Wait until nothing but the pause before another try is under way."""
        for _ in range(1000):
            (call,) = self.clock.getDelayedCalls()
            if call.getTime() - self.clock.seconds() < 10:
                return
            await self.turn()
        self.fail("no pause")

    async def turn(self) -> None:
        turned: Deferred[None] = Deferred()
        reactor.callLater(0.01, turned.callback, None)
        await turned

    async def clock_waits(self, seconds: float) -> None:
        await self.pause_begins()
        self.clock.advance(seconds)


class Noting(Resource):
    """Notes each request, and answers it with what is asked of it."""

    isLeaf = True  # noqa: N815

    def __init__(self) -> None:
        super().__init__()
        self.requests: DeferredQueue[tuple[bytes, bytes, bytes, Any]] = DeferredQueue()
        self.statuses: list[int] = []
        self.answer: Callable[[Request], Any] = lambda request: b"thanks"

    def render(self, request: Request) -> Any:
        assert request.content is not None
        body = request.content.read()
        headers = request.requestHeaders
        request.setResponseCode(self.statuses.pop(0) if self.statuses else 200)
        self.requests.put((request.method, request.uri, body, headers))
        return self.answer(request)


@implementer(IRealm)
class Realm:
    def __init__(self, resource: Resource) -> None:
        self._resource = resource

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:  # noqa: N802, N803
        return IResource, self._resource, lambda: None


def guarded(resource: Resource, *factories: Any) -> IResource:
    """Let in who says root and geheim."""
    checker = InMemoryUsernamePasswordDatabaseDontUse(root=b"geheim")
    wrapper: IResource = HTTPAuthSessionWrapper(Portal(Realm(resource), [checker]), factories)
    return wrapper


class HttpTests(NotificationTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.noting = Noting()
        self.port = self.listen(Site(self.noting))
        self.url = f"http://127.0.0.1:{self.port}/notify?a=b"

    async def test_get(self) -> None:
        """The message is an argument, behind it the others; modifiers are replaced."""
        action = self.make("http", upload_url=self.url, message="ö & %F #m", parameters="c=%41")
        action.fire(WHEN_US, None)
        method, uri, body, headers = await self.noting.requests.get()
        message = b"%C3%B6%20%26%202011-12-25%2001%3A23%3A45"
        self.assertEqual((method, body), (b"GET", b""))
        self.assertEqual(uri, b"/notify?a=b&Message=" + message + b"&c=%41")
        self.assertEqual(headers.getRawHeaders(b"user-agent"), [b"axis_nvr"])

    async def test_body_headers_and_digest(self) -> None:
        """A body with a type of its own; the challenge is answered, also where Basic stands by."""
        digest, basic = DigestCredentialFactory(b"md5", b"r"), BasicCredentialFactory(b"r")
        port = self.listen(Site(guarded(self.noting, basic, digest)))
        action = self.make(
            "http",
            upload_url=f"http://127.0.0.1:{port}/a?x=1",
            method="post",
            http_headers="Content-Type: application/json\r\nX-Place: hall",
            body='{"at": "%T"}',
            login="root",
            password="geheim",
        )
        action.fire(WHEN_US, None)
        method, uri, body, headers = await self.noting.requests.get()
        self.assertEqual((method, uri, body), (b"POST", b"/a?x=1", b'{"at": "10:05:09"}'))
        self.assertEqual(headers.getRawHeaders(b"content-type"), [b"application/json"])
        self.assertEqual(headers.getRawHeaders(b"x-place"), [b"hall"])
        (answer,) = headers.getRawHeaders(b"authorization")
        self.assertTrue(answer.startswith(b"Digest "))

    async def test_refused(self) -> None:
        """A wrong password is told once, without it, and not tried again; so is a redirect."""
        port = self.listen(Site(guarded(self.noting, BasicCredentialFactory(b"r"))))
        url = f"http://127.0.0.1:{port}/?token=streng-geheim"
        with capturedLogs() as logs:
            self.make("http", upload_url=url, login="root", password="falsch").fire(WHEN_US, None)
            words = await self.failures.get()
        ours = repr([event for event in logs if "log_io" not in event])  # not the server's
        self.assertIn("401", ours)
        self.assertNotIn("falsch", ours)
        self.assertNotIn("streng-geheim", ours)
        self.assertNotIn("factory", ours)
        self.assertEqual(words, f"http://127.0.0.1:{port}: GET refused: 401 Unauthorized")
        self.noting.statuses = [302]
        self.make("http", upload_url=self.url).fire(WHEN_US, None)
        self.assertIn("GET refused: 302", await self.failures.get())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_tried_again(self) -> None:
        """A server that is not well is asked again after a while, with the same words."""
        self.noting.statuses = [503, 500]
        action = self.make("http", upload_url=self.url, message="%s")
        action.fire(WHEN_US, None)
        for attempt in range(2):
            await self.noting.requests.get()
            await self.pause_begins()
            self.clock.advance(FIRST_PAUSE_SECONDS * 2**attempt)
        _, uri, _, _ = await self.noting.requests.get()
        self.assertEqual(uri, b"/notify?a=b&Message=1324807509")

    async def test_an_answer_without_end(self) -> None:
        """It is not read to its end: the next message goes out."""

        def endless(request: Request) -> Any:
            request.registerProducer(Endless(request), False)
            return NOT_DONE_YET

        self.noting.answer = endless
        action = self.make("http", upload_url=self.url)
        action.fire(WHEN_US, None)
        action.fire(WHEN_US, None)
        for _ in range(2):
            await self.noting.requests.get()

    async def test_certificates(self) -> None:
        """Checked if that is asked for, against what is installed; else any will do."""
        url = f"https://127.0.0.1:{self.listen(Site(self.noting), context(SERVER))}/"
        checked = self.make("https", upload_url=url, validate_server_cert="1")
        checked.fire(WHEN_US, None)
        for pause in (2, 4, 8):
            await self.clock_waits(pause)
        self.assertIn("the server's certificate is refused", await self.failures.get())
        self.make("https", upload_url=url, validate_server_cert="0").fire(WHEN_US, None)
        await self.noting.requests.get()
        self.trusted = CA.pem
        checked.fire(WHEN_US, None)
        await self.noting.requests.get()

    async def test_proxies(self) -> None:
        """HTTP by a proxy as it is, HTTPS through it, with its own login."""
        tunnels = Tunnels()
        plain: Any = HTTPFactory()
        plain.protocol = Proxy
        given = {"proxy_host": "127.0.0.1", "proxy_login": "p", "proxy_password": "q"}
        port = self.listen(plain)
        self.make("http", upload_url=self.url, proxy_port=str(port), **given).fire(WHEN_US, None)
        _, uri, _, _ = await self.noting.requests.get()
        self.assertEqual(uri, b"/notify?a=b")
        secure = self.listen(Site(self.noting), context(SERVER))
        self.trusted = CA.pem
        action = self.make(
            "https",
            upload_url=f"https://127.0.0.1:{secure}/x",
            validate_server_cert="1",
            proxy_port=str(self.listen(tunnels)),
            **given,
        )
        action.fire(WHEN_US, None)
        _, uri, _, _ = await self.noting.requests.get()
        self.assertEqual(uri, b"/x")
        (head,) = tunnels.heads
        self.assertIn(f"CONNECT 127.0.0.1:{secure} HTTP/1.1\r\n".encode(), head)
        self.assertIn(b"Proxy-Authorization: Basic cDpx", head)
        await gatherResults([tunnels.ended.get(), tunnels.ended.get()])


class Endless:
    """Goes on for ever."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def resumeProducing(self) -> None:
        self._request.write(b"x" * 65536)

    def stopProducing(self) -> None:
        """End."""


def context(issued: Issued) -> CertificateOptions:
    key = crypto.PKey.from_cryptography_key(issued.key)
    certificate: x509.Certificate = issued.certificate
    return CertificateOptions(
        privateKey=key, certificate=crypto.X509.from_cryptography(certificate)
    )


class Tunnels(Factory):
    """A proxy that connects."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.ended: DeferredQueue[None] = DeferredQueue()

    def buildProtocol(self, addr: object) -> Protocol:
        return Tunnel(self)


class Tunnel(Protocol):
    """Reads where to, connects, and passes on."""

    transport: ITCPTransport

    def __init__(self, tunnels: Tunnels, other: "Tunnel | None" = None) -> None:
        self._tunnels = tunnels
        self._other = other
        self._head = b""

    def dataReceived(self, data: bytes) -> None:
        if self._other is not None:
            self._other.transport.write(data)
            return
        self._head += data
        if self._head.endswith(b"\r\n\r\n"):
            self._tunnels.heads.append(self._head)
            port = int(self._head.split(b" ")[1].rpartition(b":")[2])
            there = Tunnel(self._tunnels, self)
            server = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
            opening: Deferred[Any] = server.connect(Factory.forProtocol(lambda: there))
            opening.addCallback(self._opened)

    def _opened(self, other: "Tunnel") -> None:
        self._other = other
        self.transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._tunnels.ended.put(None)
        if self._other is not None:
            self._other.transport.loseConnection()


class Mailbox:
    """Takes mails, from aiosmtpd's thread."""

    def __init__(self) -> None:
        self.mails: DeferredQueue[Envelope] = DeferredQueue()
        self.sessions: list[Session] = []

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        if address.startswith("nobody"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.sessions.append(session)
        reactor.callFromThread(self.mails.put, envelope)
        return "250 OK"


def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    is_right = (data.login, data.password) == (b"root", b"geheim")
    return AuthResult(success=is_right, handled=False)


class SmtpTests(NotificationTestCase):
    def setUp(self) -> None:
        super().setUp()
        getLogger("mail.log").setLevel(ERROR)
        self.mailbox = Mailbox()
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "server.pem").write_bytes(SERVER.pem + SERVER.key_pem)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(folder / "server.pem")

    def serve(self, **options: Any) -> dict[str, str]:
        """Start a server; give what a notification needs to find it."""
        with closing(socket(AF_INET, SOCK_STREAM)) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = Controller(self.mailbox, hostname="127.0.0.1", port=port, **options)
        server.start()
        self.addCleanup(server.stop)
        found = {"host": "127.0.0.1", "port": str(port)}
        return {**found, "email_from": "nvr@example.com", "email_to": "a@example.com"}

    async def test_mail(self) -> None:
        """Subject and text with their modifiers, beyond ASCII too, and dots that begin a line."""
        given = self.serve()
        given["email_to"] = "a@example.com;b@example.com"
        text = "Grüße\r\n.\r\n..\n%F"
        self.make("smtp", subject="Bewegung: Tür %T", message=text, **given).fire(WHEN_US, None)
        envelope = await self.mailbox.mails.get()
        self.assertEqual(envelope.mail_from, "nvr@example.com")
        self.assertEqual(envelope.rcpt_tos, ["a@example.com", "b@example.com"])
        mail: Any = message_from_bytes(bytes(envelope.original_content or b""), policy=default)
        self.assertEqual(mail["Subject"], "Bewegung: Tür 10:05:09")
        self.assertEqual(mail["Date"], "Sun, 25 Dec 2011 10:05:09 +0000")
        lines = mail.get_content().replace("\r\n", "\n").rstrip("\n").split("\n")
        self.assertEqual(lines, ["Grüße", ".", "..", "2011-12-25"])

    async def test_encryption_and_login(self) -> None:
        """TLS from the start or by STARTTLS, the certificate checked, then signed in."""
        self.trusted = CA.pem
        login = {"login": "root", "password": "geheim", "validate_server_cert": "1"}
        options = {"authenticator": authenticate, "auth_require_tls": True}
        by_command = self.serve(tls_context=self.tls, require_starttls=True, **options)
        at_once = self.serve(
            ssl_context=self.tls, authenticator=authenticate, auth_require_tls=False
        )
        for encryption, given in (("tls", by_command), ("ssl", at_once)):
            action = self.make("smtp", encryption=encryption, message="x", **login, **given)
            action.fire(WHEN_US, None)
            await self.mailbox.mails.get()
        self.assertEqual([s.authenticated for s in self.mailbox.sessions], [True, True])

    async def test_refused(self) -> None:
        """A wrong password, no encryption where it must be, a receiver that is not: told once."""
        given = self.serve(authenticator=authenticate, auth_require_tls=False)
        login = {"login": "root", "password": "falsches-geheimnis"}
        with capturedLogs() as logs:
            self.make("smtp", **login, **given).fire(WHEN_US, None)
            words = await self.failures.get()
        self.assertIn("the login is refused", repr(logs))
        self.assertNotIn("geheimnis", repr(logs))
        self.assertIn("the login is refused", words)
        self.assertNotIn("geheim", words)
        self.make("smtp", encryption="tls", **given).fire(WHEN_US, None)
        self.assertIn("does not support secure", await self.failures.get())
        given["email_to"] = "a@example.com, nobody@example.com"
        self.make("smtp", message="x", **given).fire(WHEN_US, None)
        self.assertIn("nobody@example.com is refused: 550 no such user", await self.failures.get())
        await self.mailbox.mails.get()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class TcpTests(NotificationTestCase):
    async def test_message(self) -> None:
        """The message as it is, and the end; with a code point too."""
        received: DeferredQueue[bytes] = DeferredQueue()

        class Listening(Protocol):
            data = b""

            def dataReceived(self, data: bytes) -> None:
                self.data += data

            def connectionLost(self, reason: Failure = connectionDone) -> None:
                received.put(self.data)

        port = self.listen(Factory.forProtocol(Listening))
        for code_point in ("", "46"):
            given = {"host": "127.0.0.1", "port": str(port), "qos": code_point}
            self.make("tcp", message="Tür %H:%M", **given).fire(WHEN_US, None)
            self.assertEqual(await received.get(), "Tür 10:05".encode())

    async def test_nobody_there(self) -> None:
        """It is tried, and tried again, and told."""
        with closing(socket(AF_INET, SOCK_STREAM)) as free:
            free.bind(("127.0.0.1", 0))
            action = self.make(
                "tcp", message="x", host="127.0.0.1", port=str(free.getsockname()[1])
            )
            action.fire(WHEN_US, None)
            for pause in (2, 4, 8):
                await self.clock_waits(pause)
            self.assertIn("Connection refused", await self.failures.get())
