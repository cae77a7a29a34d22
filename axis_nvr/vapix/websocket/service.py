"""What ends the WebSockets when the recorder stops."""

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from axis_nvr.services.goodbye import say_goodbye
from axis_nvr.vapix.call import Endpoint
from axis_nvr.vapix.websocket.events import EventStreams


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
        return Deferred.fromCoroutine(say_goodbye(self._reactor, lambda: self._streams.count))
