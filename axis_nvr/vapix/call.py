"""A request as an API sees it, and its answer; nothing of the HTTP server is in either."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from axis_nvr.protocols.websocket import MAX_QUEUED_BYTES, IWebSocketUser
from axis_nvr.services.accounts import Role
from axis_nvr.session.websocket import Limits
from axis_nvr.vapix.arguments import Arguments


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was let in.

    :param method: ``GET``, ``POST``, …; a ``HEAD`` is given as ``GET``.
    :param path: decoded, without query.
    :param arguments: of the query, and of the body if it is a form.
    :param body: as it came; at most `axis_nvr.vapix.bounded_site.MAX_BODY_BYTES`.
    :param account: who asks, empty for nobody.
    :param role: what they may do; None for nobody.
    :param address: where they are.
    :param host: what they call us, with the port if they named it.
    :param is_secure: whether it came by TLS.
    :param headers: the first of each name, names in lower case.
    """

    method: str
    path: str
    arguments: Arguments
    body: bytes = b""
    account: str = ""
    role: Role | None = None
    address: str = ""
    host: str = ""
    is_secure: bool = False
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    :param body: whole, or in pieces that are asked for as fast as the client takes them; the
        iterator is closed when the client leaves.
    :param headers: beside Content-Type and those on every answer.
    """

    body: bytes | AsyncIterator[bytes]
    content_type: str
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Upgrade:
    """An answer that makes a WebSocket of the connection, if the request asks for one.

    :param user: takes what comes through it.
    :param subprotocols: one of them is agreed to, unless the client names none at all.
    :param deflate: whether messages are compressed for a client that offers it.
    :param max_queued_bytes: that wait for a client which does not read.
    """

    user: IWebSocketUser
    subprotocols: tuple[str, ...] = ()
    deflate: bool = False
    limits: Limits = Limits()  # noqa: RUF009 - frozen
    max_queued_bytes: int = MAX_QUEUED_BYTES


class NeedsRole(Exception):
    """An endpoint that lets anybody in found that this request needs an account.

    :param role: the least that is needed.
    """

    def __init__(self, role: Role) -> None:
        super().__init__(role)
        self.role = role


#: Answers a call. What it raises, `NeedsRole` apart, is a bug: 500.
Answer = Callable[[Call], Awaitable[Reply | Upgrade]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path and who answers there.

    :param path: as Klein writes routes.
    :param role: the least that one must be; None lets anybody in.
    :param methods: those that are answered; others get 405.
    :param before_setup: whether it answers while there is no administrator.
    """

    path: str
    answer: Answer
    role: Role | None
    methods: tuple[str, ...] = ("GET", "POST")
    before_setup: bool = False


def text_reply(text: str, status: int = 200) -> Reply:
    """Answer with plain text."""
    return Reply(text.encode(), "text/plain; charset=utf-8", status)


def html_reply(text: str, status: int = 200, *headers: tuple[str, str]) -> Reply:
    """Answer with a page that holds one sentence; `text` is HTML."""
    page = (
        f"<!DOCTYPE html>\n<html><head><title>axis_nvr</title></head><body>{text}</body></html>\n"
    )
    return Reply(page.encode(), "text/html; charset=utf-8", status, headers)
