"""Who may watch over RTSP: Digest as Axis devices ask for it there, lock-out and audit as on HTTP.

RTSP requests are asked for Digest without ``qop``, OPTIONS never. A tunnel is asked as every
request of HTTP is, and not again within. All of it needs the rights of a viewer, which every
account has.

A nonce grows old, but not for the connection that it was accepted on: clients send keep-alives with
the one that they have, and not all of them try again when it is stale.
"""

from collections.abc import Callable

from axis_nvr.errors import WireError
from axis_nvr.protocols.rtp_delivery import IClientConnection
from axis_nvr.services.accounts import Accounts, Role
from axis_nvr.services.audit import Audit
from axis_nvr.services.lockout import Lockout
from axis_nvr.session.server.challenger import Challenger, Verdict
from axis_nvr.session.server.dialogue import Guard
from axis_nvr.session.server.sessions import RequestRefused, ServerSession
from axis_nvr.vapix.call import Reply
from axis_nvr.vapix.door import Door, Knock
from axis_nvr.wire.authentication import decode_text, parse_authorization
from axis_nvr.wire.rtsp import Request


class RtspAdmission:
    """Lets viewers in.

    :param door: of the HTTP server; tunnels pass it.
    :param lockout: counts failures, those over HTTP too.
    :param key: random bytes; whoever has them can make nonces.
    :param now: a clock that never steps, in seconds; the one of the door.
    """

    def __init__(
        self,
        door: Door,
        accounts: Accounts,
        audit: Audit,
        lockout: Lockout,
        key: bytes,
        now: Callable[[], float],
    ) -> None:
        self._door = door
        self._accounts = accounts
        self._audit = audit
        self._lockout = lockout
        self._now = now
        self._challenger = Challenger(accounts.realm, key)

    def guard(self, connection: IClientConnection) -> Guard:
        """Return what each RTSP request of a connection is to pass."""
        accepted_nonce = ""

        def let_in(request: Request, session: ServerSession | None, now: float) -> None:
            nonlocal accepted_nonce
            name, accepted_nonce = self._check(request, session, connection, accepted_nonce)
            connection.account = name

        return let_in

    def tunnel(self, request: Request, connection: IClientConnection) -> str:
        """Let in an HTTP request that opens one half of a tunnel.

        :returns: the account.
        :raises RequestRefused: as the door says no.
        """
        authorization = request.headers.get("Authorization")
        knock = Knock(
            request.method,
            request.uri,
            authorization,
            connection.client_host,
            connection.is_secure,
        )
        admitted = self._door.admit(knock, Role.VIEWER, before_setup=False)
        if isinstance(admitted, Reply):
            raise RequestRefused(admitted.status, headers=admitted.headers)
        assert admitted.account is not None
        return admitted.account.name

    def _check(
        self,
        request: Request,
        session: ServerSession | None,
        connection: IClientConnection,
        accepted_nonce: str,
    ) -> tuple[str, str]:
        """Check one request; returns the account and the nonce it was let in with.

        :raises RequestRefused: 401 with a challenge, or 403 while nobody is listened to.
        """
        if self._accounts.needs_setup:
            setup = ("Axis-Setup", "vapix")
            raise self._refusal("Unauthorized: there is no administrator yet", setup)
        header, address = request.headers.get("Authorization"), connection.client_host
        claimed, nonce = _claims(header)
        if self._lockout.is_closed(address, claimed, self._now()):
            raise RequestRefused(403, "Forbidden: too many failed attempts, wait a minute")
        verdict, name = self._challenger.check(
            header,
            request.method,
            request.uri,
            self._now(),
            self._accounts.secret_of,
            presentation=session.url.url if session is not None else "",
            body=request.body,
        )
        is_known = verdict is Verdict.STALE and nonce == accepted_nonce != ""
        if verdict is Verdict.ACCEPTED or is_known:
            self._lockout.succeeded(address, name)
            return name, nonce
        if verdict is Verdict.WRONG:
            self._lockout.failed(address, name, self._now())
            self._audit.note(name, address, "log in", "RTSP", "wrong credentials")
        raise self._refusal("", stale=verdict is Verdict.STALE)

    def _refusal(
        self, reason: str, *headers: tuple[str, str], stale: bool = False
    ) -> RequestRefused:
        challenge = self._challenger.challenge(self._now(), stale=stale)
        return RequestRefused(401, reason, [("WWW-Authenticate", challenge), *headers])


def _claims(header: str) -> tuple[str, str]:
    """Read account and nonce that a request claims; empty where it claims none."""
    try:
        answer = parse_authorization(header)
    except WireError:
        return "", ""
    if answer.scheme != "digest":
        return answer.username, ""
    name = decode_text(answer.get("username").encode("latin-1", "replace"))
    return name, answer.get("nonce")
