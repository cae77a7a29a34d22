"""Events over RTSP."""

from urllib.parse import quote

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services import event_presentation
from axis_nvr.services.event_declaration import BOOLEAN, EventDeclaration, ItemDeclaration
from axis_nvr.session.packetizers import metadata
from axis_nvr.wire.notification import EMPTY_DOCUMENT, Notification, Operation, parse_document
from tests.services.live.harness import Client, Recorder

PORT = "tns1:Device/tnsaxis:IO/VirtualInput"
DISK = "tns1:Device/tnsaxis:Status/Disk"
EVENTS = "video=0&audio=0&event=on"


class EventTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.recorder = Recorder()
        state = (ItemDeclaration("active", BOOLEAN, is_state=True),)
        for topic in (PORT, DISK):
            self.recorder.bus.declare(EventDeclaration(topic, is_property=True, data=state))
        self.recorder.bus.declare(EventDeclaration("tns1:Device/Hello", data=state))
        self.addCleanup(self.nothing_is_left)

    def nothing_is_left(self) -> None:
        self.recorder.end()
        self.assertEqual(self.recorder.clock.getDelayedCalls(), [])

    def set_port(self, active: str, port: str = "1") -> None:
        self.recorder.bus.set_state(PORT, (("active", active),), (("port", port),))

    def listen(self, query: str = EVENTS) -> Client:
        client = self.recorder.connect()
        client.play(query)
        return client

    def documents(self, client: Client, channel: int = 0) -> list[bytes]:
        found, parts = [], b""
        for packet in client.packets(channel):
            parts += bytes(packet.payload)
            if packet.marker:
                found.append(parts)
                parts = b""
        return found

    def told(self, client: Client, channel: int = 0) -> list[Notification]:
        documents = self.documents(client, channel)
        self.assertEqual(documents[0], EMPTY_DOCUMENT)
        return [one for text in documents[1:] for one in parse_document(text)]

    def test_states_first_then_what_happens(self) -> None:
        """Each state once, each change at once in a document of its own."""
        self.set_port("1")
        self.set_port("0", port="2")
        client = self.listen()
        self.set_port("0")
        self.recorder.bus.delete(PORT, (("port", "2"),))
        self.recorder.bus.emit("tns1:Device/Hello", (("active", "1"),))
        self.assertEqual(
            [(one.topic, one.operation, one.source, one.data) for one in self.told(client)],
            [
                (PORT, Operation.INITIALIZED, (("port", "1"),), (("active", "1"),)),
                (PORT, Operation.INITIALIZED, (("port", "2"),), (("active", "0"),)),
                (PORT, Operation.CHANGED, (("port", "1"),), (("active", "0"),)),
                (PORT, Operation.DELETED, (("port", "2"),), (("active", "0"),)),
                ("tns1:Device/Hello", None, (), (("active", "1"),)),
            ],
        )
        self.assertEqual(len(self.documents(client)), 6)

    def test_the_description(self) -> None:
        """One track of metadata, as Axis devices describe it."""
        client = self.recorder.connect()
        body = client.request("DESCRIBE", client.url(EVENTS)).body
        self.assertEqual(body.count(b"\nm="), 1)
        self.assertIn(b"m=application 0 RTP/AVP 98\r\n", body)
        self.assertIn(b"a=rtpmap:98 vnd.onvif.metadata/90000\r\n", body)

    def test_filters(self) -> None:
        """By topic in the words of URLs, and by content; what cannot be read is 400."""
        self.recorder.bus.set_state(DISK, (("active", "1"),))
        topic = quote("onvif:Device/axis:IO//.", safe="")
        content = quote('boolean(//SimpleItem[@Name="port" and @Value="2"])', safe="")
        by_topic = self.listen(f"{EVENTS}&eventtopic={topic}")
        by_both = self.listen(f"{EVENTS}&eventtopic={topic}&eventcontent={content}")
        self.set_port("1")
        self.set_port("1", port="2")
        self.assertEqual([one.source[0][1] for one in self.told(by_topic)], ["1", "2"])
        self.assertEqual([one.source[0][1] for one in self.told(by_both)], ["2"])
        client = self.recorder.connect()
        for wrong in ("eventtopic=a%20b", "eventcontent=boolean("):
            response = client.request("DESCRIBE", client.url(f"{EVENTS}&{wrong}"))
            self.assertEqual(response.status, 400)

    def test_beside_pictures(self) -> None:
        """As the track behind those of the camera."""
        stream = self.recorder.record("device=front")
        sent = stream.group(1)
        self.set_port("1")
        client = self.listen("device=front&event=on")
        self.assertEqual({channel for channel, _ in client.frames}, {0, 1})
        client.lose()
        client = self.recorder.connect()
        client.play("device=front&event=on", tracks=2)
        self.assertEqual(client.pictures(), sent)
        self.assertEqual(len(self.told(client, 2)), 1)
        self.assertEqual(len(client.sender_reports(3)), 1)

    def test_a_pause(self) -> None:
        """Nothing is told meanwhile; PLAY begins with all states again."""
        self.set_port("1")
        client = self.listen()
        client.request("PAUSE", client.url(EVENTS))
        self.set_port("0")
        self.assertEqual(len(self.documents(client)), 2)
        client.request("PLAY", client.url(EVENTS))
        documents = self.documents(client)[2:]
        self.assertEqual(documents[0], EMPTY_DOCUMENT)
        (state,) = parse_document(documents[1])
        self.assertEqual((state.operation, state.data), ("Initialized", (("active", "0"),)))

    def test_long_documents(self) -> None:
        """Go over several packets, the last one marked."""
        client = self.listen()
        self.recorder.bus.emit("tns1:Device/Hello", (("active", "x" * 5000),))
        packets = client.packets()[1:]
        self.assertEqual([packet.marker for packet in packets], [False] * 4 + [True])
        self.assertEqual(len(self.told(client)), 1)

    def test_who_does_not_keep_up(self) -> None:
        """Is told later what is bearable, and disconnected beyond that, so that it knows."""
        client = self.listen()
        client.protocol.pauseProducing()
        for number in range(100):
            self.set_port(str(number % 2))
        client.protocol.resumeProducing()
        self.assertEqual(len(self.told(client)), 100)
        self.patch(event_presentation, "MAX_WAITING_DOCUMENTS", 50)
        client.protocol.pauseProducing()
        for number in range(60):
            self.set_port(str(number % 2))
        self.assertTrue(client.transport.disconnecting)
        self.assertEqual(self.recorder.events.count, 0)

    def test_the_end(self) -> None:
        """Who listens is told with a BYE."""
        client = self.listen()
        self.recorder.events.stop()
        self.assertEqual(client.byes(), ["the recorder stops"])

    def test_many_listeners(self) -> None:
        """A document is made and laid into packets once for all of them."""
        made: list[int] = []
        packetize = metadata.packetize

        def count(document: bytes, limit: int) -> list[bytes]:
            made.append(limit)
            return packetize(document, limit)

        self.patch(metadata, "packetize", count)
        clients = [self.listen() for _ in range(50)]
        made.clear()
        self.set_port("1")
        self.assertEqual(made, [1388])
        self.assertEqual({len(self.told(client)) for client in clients}, {1})
