"""Who may open a WebSocket: one with a token, or with credentials.

Browsers send credentials that they remember with every request to a host, also one that the page
of somebody else makes, and WebSockets are not kept to their own site as other requests are. So a
request with credentials that names another site as its ``Origin`` is refused. A token is enough
from anywhere: a page of another site cannot have got one.

Source: RFC 6455 §10.2.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

from axis_nvr.services.accounts import Account, Role
from axis_nvr.services.session_tokens import SessionTokens
from axis_nvr.vapix.call import Call, Endpoint, NeedsRole, Reply, html_reply, text_reply

#: The CGIs that make tokens; they are one service.
TOKEN_PATHS = ("/axis-cgi/wssession.cgi", "/axis-cgi/rtspwssession.cgi")


class TokenCgis:
    """``wssession.cgi`` and ``rtspwssession.cgi``."""

    def __init__(self, tokens: SessionTokens) -> None:
        self._tokens = tokens

    def endpoints(self) -> Iterable[Endpoint]:
        """Return what serves them."""
        return [Endpoint(path, self.answer, Role.VIEWER, ("GET",)) for path in TOKEN_PATHS]

    async def answer(self, call: Call) -> Reply:
        """Give a token for who asks."""
        return text_reply(self._tokens.issue(call.account))


def let_in(call: Call, tokens: SessionTokens, parameter: str) -> str | Reply:
    """Find out in whose name a WebSocket is asked for.

    :param parameter: the argument that names a token.
    :returns: the account; or why it may not be.
    :raises NeedsRole: nobody's.
    """
    token = call.arguments.get(parameter, "")
    account: Account | None = tokens.account_of(token) if token else None
    if account is not None:
        return account.name
    if call.role is None:
        raise NeedsRole(Role.VIEWER)
    if not _is_of_this_site(call.headers.get("origin", ""), call.host):
        return html_reply("<p>403 Forbidden: a page of another site needs a token</p>", 403)
    return call.account


def _is_of_this_site(origin: str, host: str) -> bool:
    """Tell whether a request comes from one of our pages, or from no page at all."""
    if not origin:
        return True
    try:
        return urlsplit(origin).netloc.lower() == host.lower() != ""
    except ValueError:
        return False
