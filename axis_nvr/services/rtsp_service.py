"""The RTSP server from start to stop: it says good-bye before it goes."""

from collections.abc import Iterable
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred

from axis_nvr.protocols.rtsp_server import RtspServerFactory
from axis_nvr.services.event_presentation import EventStreams
from axis_nvr.services.goodbye import say_goodbye
from axis_nvr.services.live.feeds import LiveFeeds


class RtspService(MultiService):
    """Listens where its listeners do, and ends every presentation when it stops.

    :param server: the server, which also serves tunnels on other ports.
    :param listeners: of its own ports.
    """

    def __init__(
        self,
        reactor: Any,
        server: RtspServerFactory,
        feeds: LiveFeeds,
        events: EventStreams,
        listeners: Iterable[IService],
    ) -> None:
        super().__init__()
        self.server = server
        self.feeds = feeds
        self.events = events
        self._reactor = reactor
        for listener in listeners:
            self.addService(listener)

    def stopService(self) -> "Deferred[Any]":
        """Say good-bye to all clients, give them a moment to hear it, and listen no more."""
        self.feeds.stop()
        self.events.stop()
        for connection in self.server.connections:
            connection.disconnect()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await say_goodbye(self._reactor, lambda: self.server.connections)
        self.server.close()
        await super().stopService()
