"""How event streams end when the recorder does."""

from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.goodbye import GOODBYE_SECONDS, LOOK_SECONDS
from axis_nvr.session.websocket import GOING_AWAY
from axis_nvr.vapix.websocket.events import PATH, EventStreams
from axis_nvr.vapix.websocket.service import WebSockets
from tests.vapix.sockets import SocketTestCase


class ServiceTests(SocketTestCase):
    def setUp(self) -> None:
        super().setUp()
        tokens = self.house.gatekeeper.tokens
        streams = EventStreams(EventBus(lambda: 0), tokens)
        self.service = WebSockets(self.clock, streams, (streams.endpoint(),))
        self.service.startService()
        self.serve(*self.service.endpoints)

    def test_waits_for_its_clients(self) -> None:
        """It has stopped when the last client has said good-bye too, or after a second."""
        for answers in (True, False):
            self.client = self.connect()
            self.open(f"{PATH}?sources=events", "vera")
            stopping = self.service.stopService()
            self.client.read()
            assert self.client.dialogue is not None
            self.assertEqual(self.client.dialogue.close_code, GOING_AWAY)
            self.clock.advance(LOOK_SECONDS)
            self.assertNoResult(stopping)
            if answers:
                self.client.flush()
                self.client.end()
                self.clock.advance(LOOK_SECONDS)
            else:
                self.clock.pump([LOOK_SECONDS] * round(GOODBYE_SECONDS / LOOK_SECONDS))
            self.successResultOf(stopping)
            self.service.startService()
        self.client.end()

    def test_without_clients(self) -> None:
        """With nobody there it stops at once."""
        self.successResultOf(self.service.stopService())
