"""The event stream: who gets it, what is asked and what is told."""

import json
from typing import Any

from axis_nvr.services.event_bus import EventBus
from axis_nvr.services.event_declaration import EventDeclaration, ItemDeclaration
from axis_nvr.vapix.websocket import events
from axis_nvr.vapix.websocket.entry import TokenCgis
from axis_nvr.vapix.websocket.event_messages import MAX_FILTERS, Request, notify
from axis_nvr.vapix.websocket.events import PATH, EventStreams
from axis_nvr.wire.notification import Notification
from tests.vapix.sockets import Client, SocketTestCase

UTC_US = 1_700_000_000_123_456
MOTION = "tnsaxis:UniversalMotionDetection"
READY = "tns1:Device/tnsaxis:Status/SystemReady"
ALARM = "tns1:Device/tnsaxis:HardwareFailure/StorageFailure"
TARGET = f"{PATH}?sources=events"


class EventsTestCase(SocketTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.bus = EventBus(lambda: UTC_US)
        device = (ItemDeclaration("device", "xsd:string"),)
        self.bus.declare(EventDeclaration(MOTION, is_property=True, source=device))
        self.bus.declare(EventDeclaration(READY, is_property=True))
        self.bus.declare(EventDeclaration(ALARM))
        self.bus.set_state(MOTION, (("active", "1"), ("zone", "a")), (("device", "yard"),))
        self.bus.set_state(READY, (("ready", "1"),))
        self.tokens = self.house.gatekeeper.tokens
        self.streams = EventStreams(self.bus, self.tokens)
        self.serve(self.streams.endpoint(), *TokenCgis(self.tokens).endpoints())

    def configure(self, *filters: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
        """Configure the stream of `client`, and give what comes."""
        params = {"eventFilterList": list(filters)}
        request = {"apiVersion": "1.0", "method": "events:configure", "params": params}
        self.client.send(json.dumps(request | more))
        return self.read()

    def read(self, client: Client | None = None) -> list[dict[str, Any]]:
        return [json.loads(str(text)) for text in (client or self.client).read()]


class EntryTests(EventsTestCase):
    def test_who_has_an_account(self) -> None:
        """Credentials of a viewer are enough; without any the answer is a challenge."""
        self.assertIn("WWW-Authenticate: Digest realm=", self.open(TARGET))
        self.assertIn("HTTP/1.1 101 ", self.open(TARGET, "vera"))

    def test_a_token(self) -> None:
        """A token stands for an account, wherever it is in the query; an old one is challenged."""
        token = self.tokens.issue("vera")
        for target in (f"{TARGET}&wssession={token}", f"{PATH}?wssession={token}&sources=events"):
            self.client = self.connect()
            self.assertIn("HTTP/1.1 101 ", self.open(target))
        self.house.now += 15
        self.client = self.connect()
        head = self.open(f"{TARGET}&wssession={token}")
        self.assertIn("HTTP/1.1 401 ", head)
        self.assertIn("WWW-Authenticate: Digest realm=", head)
        self.assertIn("HTTP/1.1 401 ", self.open(f"{TARGET}&wssession=1"))

    def test_pages_of_other_sites(self) -> None:
        """What a browser remembers does not open a stream for the page of another site."""
        for origin in ("http://evil.example", "null", "http://nvr:81", "http://["):
            head = self.open(TARGET, "vera", ("Origin", origin))
            self.assertIn("HTTP/1.1 403 ", head, origin)
        token = self.tokens.issue("vera")
        foreign = ("Origin", "http://player.example")
        head = self.open(f"{TARGET}&wssession={token}", "", foreign)
        self.assertIn("HTTP/1.1 101 ", head)
        self.client = self.connect()
        self.assertIn("HTTP/1.1 101 ", self.open(TARGET, "vera", ("Origin", "http://NVR")))

    def test_sources(self) -> None:
        """Events are the only source; an unknown one, or none, is answered 400."""
        for query in ("", "?sources=", "?sources=video", "?sources=events,video"):
            self.assertIn("HTTP/1.1 400 ", self.open(PATH + query, "vera"), query)
        self.assertIn("HTTP/1.1 101 ", self.open(f"{PATH}?sources=events,events", "vera"))

    def test_too_many(self) -> None:
        """Beyond the limit of clients the answer is 503, until one goes."""
        self.patch(events, "MAX_CLIENTS", 1)
        self.open(TARGET, "vera")
        first, self.client = self.client, self.connect()
        self.assertIn("HTTP/1.1 503 ", self.open(TARGET, "vera"))
        first.end()
        self.assertIn("HTTP/1.1 101 ", self.open(TARGET, "vera"))


class ConfigureTests(EventsTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.open(TARGET, "vera")

    def test_nothing_before_it_is_asked_for(self) -> None:
        """A client that has not said what it wants is told nothing."""
        self.bus.emit(ALARM)
        self.assertEqual(self.read(), [])

    def test_the_answer_comes_first(self) -> None:
        """The answer echoes the context; then each state that matches comes once."""
        answer, *told = self.configure({"topicFilter": "//."}, context="c 1")
        self.assertEqual(
            answer,
            {"apiVersion": "1.0", "context": "c 1", "method": "events:configure", "data": {}},
        )
        topics = [message["params"]["notification"]["topic"] for message in told]
        self.assertEqual(sorted(topics), sorted([MOTION, READY]))

    def test_a_notification(self) -> None:
        """Names, order and kinds are those of the page: strings, the state first, milliseconds."""
        self.configure({"topicFilter": ""})
        self.bus.set_state(MOTION, (("active", "0"), ("zone", "b")), (("device", "yard"),))
        text = '{"apiVersion": "1.0", "method": "events:notify", "params": {"notification": '
        text += '{"timestamp": 1700000000123, "topic": "tnsaxis:UniversalMotionDetection", '
        text += '"message": {"source": {"device": "yard"}, "key": {}, '
        text += '"data": {"active": "0", "zone": "b"}}}}}'
        self.assertEqual(self.client.read(), [text])

    def test_filters(self) -> None:
        """Topics and contents choose; prefixes of URLs are taken; each entry is a subscription."""
        yard = 'boolean(//SimpleItem[@Name="device" and @Value="yard"])'
        for filters, count in (
            ([{"topicFilter": "axis:UniversalMotionDetection"}], 1),
            ([{"topicFilter": "onvif:Device//."}], 1),
            ([{"topicFilter": f"{MOTION}|{READY}"}], 2),
            ([{"topicFilter": "//"}], 2),
            ([{"contentFilter": yard}], 1),
            ([{"topicFilter": READY, "contentFilter": yard}], 0),
            ([{"topicFilter": "", "contentFilter": ""}], 2),
            ([{"topicFilter": MOTION}, {"contentFilter": yard}], 2),
            ([], 0),
        ):
            answer, *told = self.configure(*filters)
            self.assertEqual((answer.get("data"), len(told)), ({}, count), filters)

    def test_a_later_configure_replaces(self) -> None:
        """Only the last list counts; an event that matches two entries is told twice."""
        self.configure({"topicFilter": ALARM})
        self.configure({"topicFilter": READY}, {"topicFilter": "//."})
        self.bus.emit(ALARM)
        self.assertEqual(len(self.read()), 1)
        self.bus.set_state(READY, (("ready", "0"),))
        self.assertEqual(len(self.read()), 2)
        self.configure()
        self.bus.emit(ALARM)
        self.assertEqual(self.read(), [])

    def test_what_is_gone(self) -> None:
        """Of an instance that is deleted nothing is told, now or to who comes later."""
        self.configure({"topicFilter": MOTION})
        self.bus.delete(MOTION, (("device", "yard"),))
        self.assertEqual(self.read(), [])
        self.assertEqual(len(self.configure({"topicFilter": MOTION})), 1)

    def test_errors(self) -> None:
        """Each kind of wrong request has its code; a list that was refused changes nothing."""
        self.configure({"topicFilter": ALARM})
        configure = {"apiVersion": "1.0", "method": "events:configure", "context": "x"}
        filters = lambda *given: configure | {"params": {"eventFilterList": list(given)}}  # noqa: E731
        for request, code in (
            ("{", 2101),
            ("[]", 2101),
            ("[" * 5000, 2101),
            ('{"a":' * 40 + "1" + "}" * 40, 2101),
            ("\ufeff\x00", 2101),
            ({}, 2103),
            ({"apiVersion": 1, "method": "events:configure"}, 2104),
            ({"apiVersion": "2.0", "method": "events:configure"}, 2100),
            ({"apiVersion": "1.0"}, 2103),
            ({"apiVersion": "1.0", "method": "events:stop"}, 2102),
            ({"apiVersion": "1.0", "method": 5}, 2102),
            (configure, 2103),
            (configure | {"params": []}, 2103),
            (configure | {"params": {"eventFilterList": {}}}, 2104),
            (filters("x"), 2104),
            (filters({}), 2103),
            (filters({"topicFilter": 1}), 2104),
            (filters({"topicFilter": "a b:c"}), 2104),
            (filters({"contentFilter": "boolean("}), 2104),
            (filters(*[{"topicFilter": ""}] * (MAX_FILTERS + 1)), 2104),
            ("x" * 70_000, 2107),
        ):
            text = request if isinstance(request, str) else json.dumps(request)
            self.client.send(text)
            (answer,) = self.read()
            self.assertEqual(answer["error"]["code"], code, text[:80])
            self.assertEqual(answer["apiVersion"], "1.0")
            if isinstance(request, dict):
                self.assertEqual(answer.get("context"), request.get("context"))
        self.bus.emit(ALARM)
        self.assertEqual(len(self.read()), 1)

    def test_versions(self) -> None:
        """Any minor of version 1 is taken, also 1 alone."""
        for version in ("1", "1.0", "1.7"):
            self.assertIn("data", self.configure(apiVersion=version)[0])

    def test_an_error_of_our_own(self) -> None:
        """What goes wrong in us is answered 1100, is in the log, and the stream goes on."""
        self.configure({"topicFilter": ALARM})
        self.patch(Request, "read", lambda self, text: 1 / 0)
        self.assertEqual(self.configure()[0]["error"]["code"], 1100)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.bus.emit(ALARM)
        self.assertEqual(len(self.read()), 1)

    def test_odd_text(self) -> None:
        """A context that is no text for UTF-8 is echoed all the same."""
        self.client.send('{"apiVersion": "1.0", "method": "x", "context": "\\ud800"}')
        self.assertEqual(self.read()[0]["context"], "\ud800")

    def test_binary_messages(self) -> None:
        """They end the stream with 1003."""
        self.client.send(b"x")
        self.client.read()
        assert self.client.dialogue is not None
        self.assertEqual(self.client.dialogue.close_code, 1003)

    def test_the_recorder_stops(self) -> None:
        """All are told that we go away."""
        self.streams.close()
        self.client.read()
        assert self.client.dialogue is not None
        self.assertEqual(self.client.dialogue.close_code, 1001)


class CrowdTests(EventsTestCase):
    def test_a_slow_reader_harms_nobody(self) -> None:
        """Who does not read is dropped at a limit; all others hear everything."""
        clients = []
        for _ in range(3):
            self.open(TARGET, "vera")
            self.configure({"topicFilter": ALARM})
            clients.append(self.client)
            self.client = self.connect()
        producer: Any = clients[1].transport.producer
        producer.pauseProducing()
        for _ in range(30):
            self.bus.emit(ALARM, (("disk", "x" * 20_000),))
        self.assertTrue(clients[1].transport.disconnecting)
        for client in (clients[0], clients[2]):
            self.assertEqual(len(self.read(client)), 30)
        clients[1].end()

    def test_one_message_for_all(self) -> None:
        """A notification is written once, and the same bytes go to all."""
        written = []

        def counted(told: Notification) -> str:
            written.append(told)
            return notify(told)

        self.patch(events, "notify", counted)
        clients = []
        for _ in range(20):
            self.open(TARGET, "vera")
            self.configure({"topicFilter": ALARM})
            clients.append(self.client)
            self.client = self.connect()
        self.bus.emit(ALARM)
        self.assertEqual(len(written), 1)
        self.assertEqual(len({client.transport.value() for client in clients}), 1)
