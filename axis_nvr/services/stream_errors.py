"""What went wrong with a camera: the one place that turns an exception into a kind and words.

The kind decides how soon it is tried again (`axis_nvr.services.backoff`), the words are for people
and never hold a password: what is raised below tells addresses, statuses and the camera's own
words.
"""

import os
from dataclasses import dataclass
from enum import StrEnum

from OpenSSL import SSL
from twisted.internet import defer, error

from axis_nvr.errors import (
    ConfigError,
    LocalProtocolError,
    PeerRefused,
    RemoteProtocolError,
    WireError,
)
from axis_nvr.protocols.failures import EventsMissing, MediaMissing, NoAnswer
from axis_nvr.protocols.tls import CertificateRefused
from axis_nvr.wire.rtsp import redacted

#: The words of an error are cut here, in characters: a camera chooses them.
MAX_WORDS = 300


class ErrorKind(StrEnum):
    """Where the way to the pictures ended."""

    CONFIGURATION = "configuration"  # it cannot work as configured
    DNS = "dns"  # the host name has no address
    CONNECTION = "connection"  # no TCP connection, or it went
    TLS = "tls"  # no TLS, or the certificate is refused
    AUTHENTICATION = "authentication"  # the camera does not know this account
    REFUSED = "refused"  # the camera said no to what was asked
    BUSY = "busy"  # the camera has no session left
    MEDIA = "media"  # it plays, but nothing usable comes
    PROTOCOL = "protocol"  # it said something that cannot be understood
    TIMEOUT = "timeout"  # it did not answer
    INTERNAL = "internal"  # a bug of ours


@dataclass(frozen=True, slots=True)
class StreamError:
    """One failure, for status and log.

    :param when_us: UTC, microseconds since 1970.
    """

    kind: ErrorKind
    words: str
    when_us: int


#: Statuses that speak of the account: RFC 2326 §7.1.1.
AUTHENTICATION_STATUSES = frozenset({401, 403, 407})
#: Statuses that speak of the moment: too little bandwidth, a camera that starts or has no session.
BUSY_STATUSES = frozenset({453, 500, 502, 503, 504})
#: Statuses of a session that is gone: a new one may be had at once.
SESSION_STATUSES = frozenset({408, 454, 455, 459, 460})

#: The first line that fits decides; subclasses stand before their bases.
KINDS: tuple[tuple[tuple[type[BaseException], ...], ErrorKind], ...] = (
    ((ConfigError,), ErrorKind.CONFIGURATION),
    ((error.DNSLookupError, error.UnknownHostError), ErrorKind.DNS),
    ((CertificateRefused, SSL.Error), ErrorKind.TLS),
    ((EventsMissing,), ErrorKind.REFUSED),
    ((MediaMissing,), ErrorKind.MEDIA),
    (
        (NoAnswer, error.TimeoutError, error.TCPTimedOutError, defer.TimeoutError, TimeoutError),
        ErrorKind.TIMEOUT,
    ),
    ((RemoteProtocolError, WireError), ErrorKind.PROTOCOL),
    ((LocalProtocolError,), ErrorKind.INTERNAL),
    ((error.ConnectError, error.ConnectionClosed, OSError), ErrorKind.CONNECTION),
)


def kind_of(problem: BaseException) -> ErrorKind:
    """Say what kind of failure an exception is; what nobody expected is a bug of ours."""
    if isinstance(problem, PeerRefused):
        return _kind_of_refusal(problem.status)
    for classes, kind in KINDS:
        if isinstance(problem, classes):
            return kind
    return ErrorKind.INTERNAL


def _kind_of_refusal(status: int) -> ErrorKind:
    if status in AUTHENTICATION_STATUSES:
        return ErrorKind.AUTHENTICATION
    if status in BUSY_STATUSES:
        return ErrorKind.BUSY
    if status in SESSION_STATUSES:
        return ErrorKind.PROTOCOL
    return ErrorKind.REFUSED


#: What a connection's end and its failure are called; Twisted's words are for programmers.
ENDS: tuple[tuple[type[BaseException], str], ...] = (
    (error.ConnectionDone, "the camera ended the connection"),
    (error.ConnectionClosed, "the connection broke off"),
    (error.UnknownHostError, "its host name has no address"),
    (error.TimeoutError, "no answer"),
)


def _network_words(problem: BaseException) -> str:
    """Say what the system said of a connection, or how it ended; empty: neither."""
    number = getattr(problem, "osError", None)
    if isinstance(problem, error.ConnectError) and isinstance(number, int):
        return os.strerror(number)
    return next((words for kind, words in ENDS if isinstance(problem, kind)), "")


def words_of(problem: BaseException) -> str:
    """Say it to people: one line, of bounded length, without user and password of a URL."""
    if isinstance(problem, SSL.Error) and problem.args and isinstance(problem.args[0], list):
        text = "TLS: " + ", ".join(str(entry[-1]) for entry in problem.args[0])
    else:
        text = _network_words(problem) or str(problem).rstrip(".") or type(problem).__name__
    if kind_of(problem) is ErrorKind.INTERNAL:
        text = f"an error inside the recorder, see its log: {type(problem).__name__}: {text}"
    shown = "".join(c if c.isprintable() else " " for c in redacted(text))
    return shown if len(shown) <= MAX_WORDS else shown[: MAX_WORDS - 1] + "…"
