"""The WebSockets: events and RTSP, behind the HTTP server."""

from axis_nvr.assembly.foundation import Foundation
from axis_nvr.protocols.rtsp_server import RtspServerFactory
from axis_nvr.services.session_tokens import SessionTokens
from axis_nvr.vapix.websocket.entry import TokenCgis
from axis_nvr.vapix.websocket.events import EventStreams
from axis_nvr.vapix.websocket.rtsp import RtspOverWebSocket
from axis_nvr.vapix.websocket.service import WebSockets


def make_websockets(
    base: Foundation, tokens: SessionTokens, server: RtspServerFactory
) -> WebSockets:
    """Put the WebSockets together.

    :param server: the RTSP server; it lets in whom HTTP has let in.
    """
    streams = EventStreams(base.bus, tokens)
    endpoints = (
        *TokenCgis(tokens).endpoints(),
        streams.endpoint(),
        RtspOverWebSocket(server, tokens).endpoint(),
    )
    return WebSockets(base.reactor, streams, endpoints)
