"""Making a WebSocket of a connection whose request was let in."""

from collections.abc import Sequence

from twisted.web.server import Request

from axis_nvr.protocols.websocket import WebSocket
from axis_nvr.session.websocket_handshake import BadUpgrade, ServerHandshake
from axis_nvr.vapix.bounded_site import BoundedChannel
from axis_nvr.vapix.call import Reply, Upgrade, html_reply


def take_over(
    request: Request, upgrade: Upgrade, headers: Sequence[tuple[str, str]]
) -> Reply | None:
    """Make a WebSocket of the request's connection, or answer why not.

    :param headers: to be sent with the answer.
    :returns: None if HTTP has ended on this connection.
    """
    channel = request.channel
    try:
        if request.method != b"GET" or request.clientproto != b"HTTP/1.1":
            raise BadUpgrade("a WebSocket begins with GET and HTTP/1.1", 400)
        if not isinstance(channel, BoundedChannel):
            raise BadUpgrade("no connection to upgrade", 400)
        fields = request.requestHeaders.getAllRawHeaders()
        handshake = ServerHandshake((name, value) for name, values in fields for value in values)
        subprotocol = _chosen(handshake.subprotocols, upgrade.subprotocols)
    except BadUpgrade as bad:
        return html_reply(f"<p>{bad.status}: {bad}</p>", bad.status, *bad.headers)
    clock = channel.factory.reactor
    answer, dialogue = handshake.accept(
        subprotocol, upgrade.limits, clock.seconds(), deflate=upgrade.deflate, headers=headers
    )
    websocket = WebSocket(dialogue, upgrade.user, clock, upgrade.max_queued_bytes)
    channel.hand_over(request, answer, websocket)
    return None


def _chosen(spoken: Sequence[str], ours: Sequence[str]) -> str:
    """Choose a subprotocol: the client's best that is one of ours; none if one side has none.

    :raises BadUpgrade: none in common.
    """
    if not spoken or not ours:
        return ""
    for name in spoken:
        if name in ours:
            return name
    raise BadUpgrade(f"the subprotocols here are {', '.join(ours)}", 400)
