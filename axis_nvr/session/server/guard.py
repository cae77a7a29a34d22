"""Who may do what on an RTSP server: Digest as Axis devices ask for it.

::

    OPTIONS                    never asked
    anything else, no answer   401, WWW-Authenticate: Digest realm="AXIS_<SERIAL>", nonce="…",
                               stale=FALSE
    a nonce grown old          401, …, stale=TRUE

Source: RFC 2069 §2.1; RFC 2326 §D.
"""

from collections.abc import Callable

from axis_nvr.session.digest import Credentials, secret_hash
from axis_nvr.session.server.challenger import Challenger, Verdict
from axis_nvr.session.server.sessions import RequestRefused, ServerSession
from axis_nvr.wire.rtsp import Request


class DigestGuard:
    """Lets requests pass that prove a password.

    :param challenger: without ``qop`` for RTSP, with it for HTTP.
    :param secret_of: gives the `secret_hash` of a user name, None for an unknown user.
    """

    def __init__(self, challenger: Challenger, secret_of: Callable[[str], str | None]) -> None:
        self._challenger = challenger
        self._secret_of = secret_of

    def __call__(self, request: Request, session: ServerSession | None, now: float) -> None:
        """Check one request.

        :param session: whose presentation URL the client may name in place of the request's.
        :raises RequestRefused: 401 with a challenge.
        """
        verdict, _ = self._challenger.check(
            request.headers.get("Authorization"),
            request.method,
            request.uri,
            now,
            self._secret_of,
            presentation=session.url.url if session is not None else "",
            body=request.body,
        )
        if verdict is not Verdict.ACCEPTED:
            raise self.refusal(now, stale=verdict is Verdict.STALE)

    def refusal(self, now: float, *, stale: bool = False) -> RequestRefused:
        """Return the 401 that asks for credentials."""
        challenge = self._challenger.challenge(now, stale=stale)
        return RequestRefused(401, headers=[("WWW-Authenticate", challenge)])


def single_user(credentials: Credentials, realm: str) -> Callable[[str], str | None]:
    """Return the `secret_of` of a device with one account."""
    secret = secret_hash(credentials, realm)
    return lambda username: secret if username == credentials.username else None
