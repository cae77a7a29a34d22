"""What ends the WebSockets when the recorder stops."""

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from axis_nvr.vapix.call import Endpoint
from axis_nvr.vapix.websocket.events import EventStreams

#: Seconds that clients have to hear that the recorder stops, and between two looks whether they
#: have.
GOODBYE_SECONDS = 1.0
LOOK_SECONDS = 0.02


class WebSockets(Service):
    """Says good-bye to those who listen to events; the RTSP server does to its own clients.

    :ivar endpoints: what serves all of it.
    """

    def __init__(self, reactor: Any, streams: EventStreams, endpoints: tuple[Endpoint, ...]):
        self.endpoints = endpoints
        self._reactor = reactor
        self._streams = streams

    def stopService(self) -> "Deferred[None]":
        """End the event streams, and give their clients a moment to hear it."""
        super().stopService()
        self._streams.close()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        until = self._reactor.seconds() + GOODBYE_SECONDS
        while self._streams.count and self._reactor.seconds() < until:
            await deferLater(self._reactor, LOOK_SECONDS)
