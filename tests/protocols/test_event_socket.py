"""A camera's events over WebSocket: what is asked, what the camera may say, and the end."""

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import ConfigError, PeerRefused, RemoteProtocolError
from axis_nvr.media.units import AccessUnit
from axis_nvr.protocols.address import CameraAddress, CertificateValidation, StreamProtocol
from axis_nvr.protocols.event_socket import EventSocket, open_event_socket
from axis_nvr.session.websocket import ABNORMAL, NORMAL, Oversized

AGREED = '{"apiVersion": "1.0", "method": "events:configure", "data": {}}'
REFUSED = '{"apiVersion": "1.0", "error": {"code": 2104, "message": "no such topic"}}'


class FakeWebSocket:
    """Notes what is sent, and how it ends."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.ended = ""

    def send(self, message: str) -> None:
        self.sent.append(json.loads(message))

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"


class SocketTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.units: list[AccessUnit] = []
        self.lost: list[Failure] = []
        self.clock = Clock()
        self.session = EventSocket("axis:A//.", self.clock, self.units.extend, self.lost.append)
        self.websocket = FakeWebSocket()
        self.session.opened(self.websocket)  # type: ignore[arg-type]

    def topics(self) -> list[str]:
        filters = [request["params"]["eventFilterList"] for request in self.websocket.sent]
        return [only["topicFilter"] for (only,) in filters]

    def test_asked_and_told(self) -> None:
        """The first text is the answer; what comes after it are events, as they are."""
        self.assertEqual(self.topics(), ["axis:A//."])
        self.assertNoResult(self.session.configured)
        self.session.received(AGREED)
        self.successResultOf(self.session.configured)
        for message in ("{}", b"bytes", Oversized(1 << 20), '{"topic": "ü"}'):
            self.session.received(message)
        self.assertEqual([unit.data for unit in self.units], [b"{}", '{"topic": "ü"}'.encode()])

    def test_a_filter_that_is_refused(self) -> None:
        """All events are asked for instead; if these are refused too, that is that."""
        self.session.received(REFUSED)
        self.assertEqual(self.topics(), ["axis:A//.", "//."])
        self.session.received(REFUSED)
        failure = self.failureResultOf(self.session.configured, PeerRefused)
        self.assertIn("2104 no such topic", str(failure.value))

    def test_an_answer_that_is_none(self) -> None:
        """It is told as the camera's fault."""
        self.session.received("what?")
        self.failureResultOf(self.session.configured, RemoteProtocolError)

    def test_lost_before_it_began(self) -> None:
        """Before the camera has agreed it is the opening that fails, and nothing else."""
        self.session.closed(ABNORMAL, "reset")
        self.failureResultOf(self.session.configured, ConnectionLost)
        self.assertEqual(self.lost, [])

    def test_lost(self) -> None:
        """Its owner is told once."""
        self.session.received(AGREED)
        self.session.closed(1001, "restarts")
        (failure,) = self.lost
        self.assertIn("1001 restarts", str(failure.value))
        self.successResultOf(self.session.close())

    def test_closed_by_us(self) -> None:
        """That is no loss, and is over when the connection is."""
        self.session.received(AGREED)
        gone = self.session.close()
        self.assertEqual(self.websocket.ended, "closed")
        self.assertNoResult(gone)
        self.session.closed(NORMAL, "")
        self.successResultOf(gone)
        self.assertEqual(self.lost, [])

    def test_aborted(self) -> None:
        """It ends at once, for the reason that is given."""
        self.session.received(AGREED)
        reason = Failure(RemoteProtocolError("silent"))
        self.session.abort(reason)
        self.assertEqual((self.websocket.ended, self.lost), ("aborted", [reason]))
        self.session.closed(ABNORMAL, "")
        self.assertEqual(len(self.lost), 1)


class OpeningTests(SynchronousTestCase):
    def open(self, url: str, **options: Any) -> "Deferred[EventSocket]":
        address = CameraAddress(url, StreamProtocol.RTSPH, **options)
        opening = open_event_socket(MemoryReactorClock(), address, "//.", print, print)
        return Deferred.fromCoroutine(opening)

    def test_an_address_that_cannot_be(self) -> None:
        """A certificate is not validated where there is none."""
        opening = self.open("ws://192.0.2.1:80/x", validation=CertificateValidation.STANDARD)
        self.failureResultOf(opening, ConfigError)
