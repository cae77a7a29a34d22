"""Who may watch over RTSP: Digest as Axis devices ask for it there.

RTSP requests are asked for Digest without ``qop``, OPTIONS never. A tunnel is asked as every
request of HTTP is, and not again within. All of it needs the rights of a viewer, which every
account has.

A nonce grows old, but not for the connection that it was accepted on: clients send keep-alives with
the one that they have, and not all of them try again when it is stale.
"""

from axis_nvr.protocols.rtp_delivery import IClientConnection
from axis_nvr.services.accounts import Role
from axis_nvr.services.gatekeeper import RTSP, Gatekeeper, Knock, Standing
from axis_nvr.session.server.dialogue import Guard
from axis_nvr.session.server.sessions import RequestRefused, ServerSession
from axis_nvr.vapix.call import Reply
from axis_nvr.vapix.door import Door
from axis_nvr.wire.rtsp import Request


class RtspAdmission:
    """Lets viewers in."""

    def __init__(self, gatekeeper: Gatekeeper) -> None:
        self._gatekeeper = gatekeeper
        self._door = Door(gatekeeper)

    def guard(self, connection: IClientConnection) -> Guard:
        """Return what each RTSP request of a connection is to pass."""
        held_nonce = ""

        def let_in(request: Request, session: ServerSession | None, now: float) -> None:
            nonlocal held_nonce
            presentation = session.url.url if session is not None else ""
            knock = _knock(request, connection, presentation, held_nonce)
            finding = self._gatekeeper.judge(knock, RTSP)
            if finding.account is None or finding.answer is None:
                raise self._refusal(knock, finding.standing)
            held_nonce = finding.answer.get("nonce")
            connection.account = finding.account.name

        return let_in

    def tunnel(self, request: Request, connection: IClientConnection) -> str:
        """Let in an HTTP request that opens one half of a tunnel.

        :returns: the account.
        :raises RequestRefused: as the door says no.
        """
        admitted = self._door.admit(_knock(request, connection), Role.VIEWER, before_setup=False)
        if isinstance(admitted, Reply):
            raise RequestRefused(admitted.status, headers=admitted.headers)
        assert admitted.account is not None
        return admitted.account.name

    def _refusal(self, knock: Knock, standing: Standing) -> RequestRefused:
        if standing is Standing.SHUT_OUT:
            return RequestRefused(403, "Forbidden: too many failed attempts, wait a minute")
        is_stale = standing is Standing.STALE
        headers = self._gatekeeper.challenges(knock, RTSP, stale=is_stale)
        if standing is not Standing.NO_ADMINISTRATOR:
            return RequestRefused(401, headers=headers)
        headers.append(("Axis-Setup", "vapix"))
        return RequestRefused(401, "Unauthorized: there is no administrator yet", headers)


def _knock(
    request: Request, connection: IClientConnection, presentation: str = "", held_nonce: str = ""
) -> Knock:
    return Knock(
        request.method,
        request.uri,
        request.headers.get("Authorization"),
        connection.client_host,
        connection.is_secure,
        presentation,
        request.body,
        held_nonce,
    )
