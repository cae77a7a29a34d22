"""Notifications by e-mail (RFC 5321, RFC 5322).

``encryption`` is ``none``, ``ssl`` (TLS from the first byte) or ``tls`` (STARTTLS, and not without
it). With a login the server must let us sign in: CRAM-MD5, LOGIN, PLAIN, the first that it offers.
Several receivers are separated by commas or semicolons. One that is refused while others are taken
makes the delivery fail, and it is not tried again: the others have it already.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.protocol import Factory, connectionDone
from twisted.mail.smtp import (
    AUTHDeclinedError,
    CramMD5ClientAuthenticator,
    ESMTPClient,
    LOGINAuthenticator,
    PLAINAuthenticator,
    SMTPClientError,
)
from twisted.python.failure import Failure

from axis_nvr.services.actions import values
from axis_nvr.services.actions.deliveries import DeliveryFailed, DeliveryRefused
from axis_nvr.services.actions.modifiers import Modifiers
from axis_nvr.services.actions.outgoing import Outgoing
from axis_nvr.services.rules.errors import InvalidActionConfiguration

#: Receivers of one message.
MAX_RECEIVERS = 32
#: Lines of one answer of a server.
MAX_ANSWER_LINES = 100
_ADDRESS_CHARACTERS = 254
#: The ports where none is given, by encryption (RFC 8314 §3.3, RFC 6409, RFC 5321).
_PORTS = {"none": 25, "ssl": 465, "tls": 587}


@dataclass(frozen=True, slots=True)
class SmtpOrder:
    """What is sent where."""

    subject: str
    message: str
    receivers: tuple[str, ...]
    sender: str
    host: str
    port: int
    encryption: str
    validate: bool
    code_point: int
    login: str
    password: str = field(repr=False)

    @classmethod
    def read(cls, given: Mapping[str, str]) -> "SmtpOrder":
        """Read the parameters.

        :raises InvalidActionConfiguration: one cannot be used.
        """
        if any(given.get(name) for name in ("pop_host", "pop_login", "pop_password")):
            raise InvalidActionConfiguration("signing in by POP (pop_host …) is not supported")
        encryption = given["encryption"].strip() or "none"
        if encryption not in _PORTS:
            raise InvalidActionConfiguration("encryption must be none, ssl or tls")
        return cls(
            values.line("subject", given["subject"]),
            given["message"],
            _addresses(given["email_to"]),
            _address("email_from", given["email_from"]),
            values.host("host", given["host"]),
            values.port("port", given["port"], _PORTS[encryption]),
            encryption,
            values.flag("validate_server_cert", given["validate_server_cert"]),
            values.code_point("qos", given["qos"]),
            values.line("login", given["login"]),
            values.line("password", given["password"]),
        )


def _addresses(text: str) -> tuple[str, ...]:
    found = [part for part in text.replace(";", ",").split(",") if part.strip()]
    if not 0 < len(found) <= MAX_RECEIVERS:
        raise InvalidActionConfiguration(f"email_to must be 1 to {MAX_RECEIVERS} e-mail addresses")
    return tuple(_address("email_to", part) for part in found)


def _address(name: str, text: str) -> str:
    """Take ``user@host``; letters beyond ASCII would need an extension that servers often lack."""
    text = text.strip()
    user, at, host = text.rpartition("@")
    is_plain = text.isascii() and text.isprintable() and not set(text) & set(' <>()[],;:"\\')
    if not (user and at and host and is_plain and len(text) <= _ADDRESS_CHARACTERS):
        raise InvalidActionConfiguration(f"{name} must be an e-mail address, such as a@example.com")
    return text


class SmtpNotifier:
    """Sends e-mails."""

    def __init__(self, order: SmtpOrder, outgoing: Outgoing, modifiers: Modifiers) -> None:
        self.place = f"mail server {order.host}, port {order.port}"
        self._order = order
        self._outgoing = outgoing
        self._modifiers = modifiers

    def compose(self, utc_us: int) -> bytes:
        """Write a message; tried again it is the same one, so a server may know it again."""
        order, mail = self._order, EmailMessage(SMTP.clone(linesep="\n"))
        mail["From"] = order.sender
        mail["To"] = ", ".join(order.receivers)
        subject = self._modifiers.expand(order.subject, utc_us)
        mail["Subject"] = values.without_controls(subject)
        mail["Date"] = format_datetime(datetime.fromtimestamp(utc_us / 1e6, UTC))
        mail["Message-ID"] = make_msgid(domain=order.sender.rpartition("@")[2])
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answers of absentees, please
        mail.set_content(self._modifiers.expand(order.message, utc_us))
        return mail.as_bytes()

    async def send(self, message: bytes) -> None:
        """Send one."""
        order = self._order
        endpoint = self._outgoing.endpoint(order.host, order.port, order.code_point)
        validate = order.validate
        if order.encryption == "ssl":
            endpoint = self._outgoing.over_tls(endpoint, order.host, validate=validate)
        is_tls = order.encryption == "tls"
        context = self._outgoing.tls(order.host, validate=validate) if is_tls else None
        client = _Client(order, message, context)
        await endpoint.connect(Factory.forProtocol(lambda: client))
        await client.ended


class _Client(ESMTPClient):
    """Sends one message; `ended` tells how it went."""

    transport: Any
    #: No log of what is said: it would have the password in it.
    debug = False

    def __init__(
        self, order: SmtpOrder, message: bytes, context: IOpenSSLClientConnectionCreator | None
    ) -> None:
        ESMTPClient.__init__(self, order.password.encode(), context, b"[127.0.0.1]")
        self.ended: Deferred[None] = Deferred(lambda _: self.transport.abortConnection())
        self.requireTransportSecurity = order.encryption == "tls"
        self.requireAuthentication = bool(order.login)
        self.heloFallback = not order.login
        self._order = order
        self._message: bytes | None = message
        if order.login:
            name = order.login.encode()
            for kind in (CramMD5ClientAuthenticator, LOGINAuthenticator, PLAINAuthenticator):
                self.registerAuthenticator(kind(name))

    def connectionMade(self) -> None:
        host = self.transport.getHost().host  # an address literal, RFC 5321 §4.1.3
        self.identity = f"[{'IPv6:' if ':' in host else ''}{host}]".encode()
        super().connectionMade()

    def lineReceived(self, line: bytes) -> None:  # noqa: N802
        """Take a line of an answer; one without end is not read to its end."""
        if len(self.resp) >= MAX_ANSWER_LINES:
            self.transport.abortConnection()
            return
        super().lineReceived(line)

    def esmtpState_starttls(self, code: int, resp: bytes) -> None:  # noqa: N802
        """Begin TLS; what came before it, and belongs behind it, is somebody else's."""
        if self.clearLineBuffer():
            self.esmtpTLSFailed(code)
            return
        super().esmtpState_starttls(code, resp)

    def getMailFrom(self) -> str | None:  # noqa: N802
        """Give the sender, once."""
        return self._order.sender if self._message is not None else None

    def getMailTo(self) -> list[bytes]:  # noqa: N802
        """Give the receivers."""
        return [receiver.encode() for receiver in self._order.receivers]

    def getMailData(self) -> BytesIO:  # noqa: N802
        """Give the message."""
        return BytesIO(self._message or b"")

    def sentMail(self, code: int, resp: bytes, numOk: int, addresses: Any, log: Any) -> None:  # noqa: N802, N803
        """Hear what became of it."""
        self._message = None
        refused = [answer for answer in addresses if not 200 <= answer[1] < 300]
        if refused:
            address, code, resp = refused[0]
            self._fail(code, f"{_text(address)} is refused: {code} {_text(resp)}", again=not numOk)
        elif not 200 <= code < 300:
            self._fail(code, f"refused: {code} {_text(resp)}")
        elif not self.ended.called:
            self.ended.callback(None)

    def sendError(self, exc: Any) -> None:  # noqa: N802
        """Hear why it was not sent."""
        code = getattr(exc, "code", -1)
        if isinstance(exc, AUTHDeclinedError):
            self._fail(535, f"the login is refused: {code}")
        else:
            self._fail(code, f"{code} {_text(getattr(exc, 'resp', str(exc)))}")
        if isinstance(exc, SMTPClientError):
            super().sendError(exc)
        else:
            self.transport.abortConnection()

    def _fail(self, code: int, words: str, *, again: bool = True) -> None:
        """Tell that it failed; a code of 500 and more will not change (RFC 5321 §4.2.1)."""
        kind = DeliveryRefused if code >= 500 or not again else DeliveryFailed
        if not self.ended.called:
            self.ended.errback(kind(values.without_controls(words)[:300]))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        if not self.ended.called:
            self.ended.errback(reason)


def _text(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words
