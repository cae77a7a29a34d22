"""Notifications, written and read, and documents as cameras and others send them."""

from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire import notification
from axis_nvr.wire.notification import (
    EMPTY_DOCUMENT,
    UNKNOWN_TIME_US,
    Notification,
    Operation,
    build_document,
    parse_document,
    read_time,
    write_time,
)
from axis_nvr.wire.xml_text import xml_text

TT = "{http://www.onvif.org/ver10/schema}"
WSNT = "{http://docs.oasis-open.org/wsn/b-2}"
VMD = "tnsaxis:CameraApplicationPlatform/VMD/Camera1ProfileANY"
MOTION = Notification(
    VMD, 1_700_000_000_000_005, Operation.CHANGED, (("a", '"<&\n'),), (("active", "1"),)
)

#: A document of a camera (form of AXIS OS), and what it says.
FROM_A_CAMERA = b"""<?xml version="1.0" encoding="UTF-8"?>
<tt:MetadataStream xmlns:tt="http://www.onvif.org/ver10/schema">
<tt:Event><wsnt:NotificationMessage xmlns:tns1="http://www.onvif.org/ver10/topics"
 xmlns:tnsaxis="http://www.axis.com/2009/event/topics"
 xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2" xmlns:wsa5="http://www.w3.org/2005/08/addressing">
<wsnt:SubscriptionReference><wsa5:Address>uri://x/Sub</wsa5:Address></wsnt:SubscriptionReference>
<wsnt:Topic Dialect="http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple">
 tns1:Device/tnsaxis:IO/tnsaxis:Port </wsnt:Topic>
<wsnt:ProducerReference><wsa5:Address>uri://x/Producer</wsa5:Address></wsnt:ProducerReference>
<wsnt:Message><tt:Message UtcTime="2023-11-14T22:13:20.5Z" PropertyOperation="Initialized">
<tt:Source><tt:SimpleItem Name="port" Value="0"/></tt:Source><tt:Key></tt:Key>
<tt:Data><tt:SimpleItem Name="state" Value="true"/></tt:Data></tt:Message></wsnt:Message>
</wsnt:NotificationMessage></tt:Event></tt:MetadataStream>
"""
PORT = Notification(
    "tns1:Device/tnsaxis:IO/Port",
    1_700_000_000_500_000,
    Operation.INITIALIZED,
    (("port", "0"),),
    (("state", "true"),),
)


def document(body: str, root: str = "MetadataStream") -> bytes:
    """A document around a body, all prefixes declared."""
    return (
        f'<tt:{root} xmlns:tt="http://www.onvif.org/ver10/schema"'
        ' xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2"'
        ' xmlns:o="http://www.onvif.org/ver10/topics"'
        ' xmlns:a="http://www.axis.com/2009/event/topics"'
        f">{body}</tt:{root}>"
    ).encode()


def event(message: str, topic: str = "o:A") -> str:
    """An ``tt:Event`` with one notification."""
    return (
        f"<tt:Event><wsnt:NotificationMessage><wsnt:Topic>{topic}</wsnt:Topic>"
        f"<wsnt:Message>{message}</wsnt:Message></wsnt:NotificationMessage></tt:Event>"
    )


class WritingTests(SynchronousTestCase):
    def test_read_by_an_xml_parser(self) -> None:
        """Topic, time, operation and items stand where a client looks for them."""
        root = ElementTree.fromstring(build_document([MOTION], "some-uuid"))
        self.assertEqual(root.tag, f"{TT}MetadataStream")
        topic = root.find(f"{TT}Event/{WSNT}NotificationMessage/{WSNT}Topic")
        message = root.find(f"{TT}Event/{WSNT}NotificationMessage/{WSNT}Message/{TT}Message")
        assert topic is not None
        assert message is not None
        self.assertEqual(topic.text, VMD)
        self.assertEqual(message.get("UtcTime"), "2023-11-14T22:13:20.000005Z")
        self.assertEqual(message.get("PropertyOperation"), "Changed")
        self.assertEqual([child.tag for child in message], [f"{TT}{n}" for n in SECTIONS])
        items = [(i.get("Name"), i.get("Value")) for i in message.iter(f"{TT}SimpleItem")]
        self.assertEqual(items, [("a", '"<&\n'), ("active", "1")])
        address = root.find(".//{http://www.w3.org/2005/08/addressing}Address")
        assert address is not None
        self.assertEqual(address.text, "uri://some-uuid/ProducerReference")

    def test_an_event_without_a_state(self) -> None:
        """It has no ``PropertyOperation`` at all."""
        self.assertNotIn(
            b"PropertyOperation", build_document([MOTION._replace(operation=None)], "")
        )

    def test_an_empty_document(self) -> None:
        """It holds nothing, and is read as that."""
        self.assertEqual(len(ElementTree.fromstring(EMPTY_DOCUMENT)), 0)
        self.assertEqual(parse_document(EMPTY_DOCUMENT), [])


SECTIONS = ("Source", "Key", "Data")
TEXTS = st.text(max_size=12).map(xml_text)
ITEMS = st.lists(st.tuples(TEXTS.filter(bool), TEXTS), max_size=4).map(tuple)
NOTIFICATIONS = st.builds(
    Notification,
    st.sampled_from((VMD, "tns1:Device/tnsaxis:IO/Port", "Motion")),
    st.integers(0, 250_000_000_000_000_000),
    st.sampled_from((None, *Operation)),
    ITEMS,
    ITEMS,
    ITEMS,
)


class ReadingTests(SynchronousTestCase):
    def test_from_a_camera(self) -> None:
        """A document of a camera gives its topic, time, operation and items."""
        self.assertEqual(parse_document(FROM_A_CAMERA), [PORT])

    @settings(max_examples=100, deadline=None)
    @given(st.lists(NOTIFICATIONS, max_size=4), st.text(max_size=5))
    def test_what_is_written_is_read(self, told: list[Notification], uuid: str) -> None:
        """Whatever text there is in it."""
        self.assertEqual(parse_document(build_document(told, uuid)), told)

    @settings(max_examples=150, deadline=None)
    @given(st.data())
    def test_any_bytes(self, data: st.DataObject) -> None:
        """A document that is cut or changed anywhere is read or a `WireError`."""
        whole = bytearray(FROM_A_CAMERA)
        for _ in range(data.draw(st.integers(1, 3))):
            place = data.draw(st.integers(0, len(whole)))
            length = data.draw(st.sampled_from((0, 1, 20)))
            whole[place : place + length] = data.draw(
                st.one_of(st.binary(max_size=3), st.sampled_from((b"<a>", b'"', b"</", b"&x;")))
            )
        try:
            found = parse_document(bytes(whole))
        except WireError:
            return
        self.assertLessEqual(len(found), 2)

    def test_cut_anywhere(self) -> None:
        """A document that breaks off is refused, wherever it does."""
        whole = FROM_A_CAMERA.rstrip()
        for end in range(len(whole)):
            self.assertRaises(WireError, parse_document, whole[:end])

    def test_several(self) -> None:
        """Several events, notifications of one event and messages of one notification are read."""
        message = '<tt:Message UtcTime="1970-01-01T00:00:00.00000{}Z"/>'
        several = event(message.format(1) + message.format(2)) + event(message.format(3), "a:B/C")
        several += several.replace("</tt:Event><tt:Event>", "")
        self.assertEqual(
            parse_document(document(several)),
            [
                Notification(topic, utc_us)
                for topic, utc_us in (("tns1:A", 1), ("tns1:A", 2), ("tnsaxis:B/C", 3)) * 2
            ],
        )

    def test_prefixes_are_those_of_the_document(self) -> None:
        """Topics are told with the usual prefixes, whatever the document calls the name spaces."""
        for topic, expected in (
            ("o:Device/a:IO/a:Port", "tns1:Device/tnsaxis:IO/Port"),
            ("o:Device/a:IO/Port", "tns1:Device/tnsaxis:IO/Port"),
            ("tns1:Device/tnsaxis:IO/Port", "tns1:Device/tnsaxis:IO/Port"),
            ("other:Device/Port", "other:Device/Port"),
        ):
            (found,) = parse_document(document(event("<tt:Message/>", topic)))
            self.assertEqual(found.topic, expected)

    def test_containers_may_be_absent_or_empty(self) -> None:
        """Then there are no items."""
        for inside in ("", "<tt:Source/><tt:Key/><tt:Data></tt:Data>", "<tt:Data/>"):
            told = parse_document(document(event(f"<tt:Message>{inside}</tt:Message>")))
            self.assertEqual(told, [Notification("tns1:A", UNKNOWN_TIME_US)])

    def test_all_sections(self) -> None:
        """Items are told apart by where they stand; what else stands there is skipped."""
        simple = '<tt:SimpleItem Name="{0}" Value="1" Other="x"/>'
        items = "".join(
            f"<tt:{name}>{simple.format(name)}<tt:ElementItem Name='e'>{simple.format('no')}"
            f"</tt:ElementItem><tt:SimpleItem Value='1'/><SimpleItem Name='n'/></tt:{name}>"
            for name in SECTIONS
        )
        (told,) = parse_document(document(event(f"<tt:Message>{items}</tt:Message>")))
        self.assertEqual(told.source, (("Source", "1"),))
        self.assertEqual(told.key, (("Key", "1"),))
        self.assertEqual(told.data, (("Data", "1"),))

    def test_the_topic_may_come_last(self) -> None:
        """Then it is still that of the message, and never that of the notification before."""
        late = (
            "<tt:Event><wsnt:NotificationMessage><wsnt:Message><tt:Message/></wsnt:Message>"
            "<wsnt:Topic>o:<!-- x -->B<x>C</x></wsnt:Topic></wsnt:NotificationMessage></tt:Event>"
        )
        without = event("<tt:Message/>").replace("<wsnt:Topic>o:A</wsnt:Topic>", "")
        told = parse_document(document(event("<tt:Message/>") + without + late))
        self.assertEqual([n.topic for n in told], ["tns1:A", "tns1:B"])

    def test_a_broken_topic_spoils_no_other(self) -> None:
        """A notification whose topic is none is skipped, the others are told."""
        told = parse_document(document(event("<tt:Message/>", "a b") + event("<tt:Message/>")))
        self.assertEqual([n.topic for n in told], ["tns1:A"])

    def test_other_things_in_the_stream(self) -> None:
        """Analytics, PTZ and extensions are skipped, also if they hold something like events."""
        inner = event("<tt:Message/>")
        other = (
            '<tt:VideoAnalytics><tt:Frame UtcTime="x"><tt:Object/></tt:Frame></tt:VideoAnalytics>'
            f"<tt:PTZ/><tt:Extension>{inner}</tt:Extension><x:Event xmlns:x='y'>{inner}</x:Event>"
        )
        self.assertEqual(len(parse_document(document(other + inner + other))), 1)

    def test_the_root(self) -> None:
        """It is compared without case: the specification writes it both ways."""
        self.assertEqual(parse_document(document("", "MetaDataStream")), [])
        for data in (document("", "Other"), b"<MetadataStream/>", b"", b"\0"):
            self.assertRaises(WireError, parse_document, data)

    def test_operations(self) -> None:
        """The operation is read without case; an unknown one is none."""
        for text, expected in (
            ("Deleted", Operation.DELETED),
            ("changed", Operation.CHANGED),
            ("", None),
            ("Other", None),
        ):
            data = document(event(f'<tt:Message PropertyOperation="{text}"/>'))
            self.assertIs(parse_document(data)[0].operation, expected)


class HardeningTests(SynchronousTestCase):
    def refused(self, data: bytes) -> None:
        self.assertRaises(WireError, parse_document, data)

    def test_no_document_types(self) -> None:
        """No document type, so no entities: neither a bomb nor a file."""
        for inside in (
            b"",
            b'[<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]',
            b'[<!ENTITY a SYSTEM "file:///etc/passwd">]',
            b'SYSTEM "http://127.0.0.1/x.dtd"',
        ):
            self.refused(b"<!DOCTYPE x " + inside + b">" + document(event("<tt:Message/>")))
        self.refused(document("&undefined;"))

    def test_limits(self) -> None:
        """Bytes, depth, elements, notifications, items and lengths each have one."""
        deep = notification.MAX_DEPTH
        item = '<tt:SimpleItem Name="n" Value="v"/>'

        def items(count: int) -> bytes:
            return document(event(f"<tt:Message><tt:Data>{item * count}</tt:Data></tt:Message>"))

        def name(count: int) -> bytes:
            return items(1).replace(b'"v"', b'"' + b"x" * count + b'"')

        def messages(count: int) -> bytes:
            return document(event("<tt:Message/>" * count))

        def padded(size: int) -> bytes:
            return document("").ljust(size)

        for make, most in (
            (lambda n: document("<x>" * (n - 1) + "</x>" * (n - 1)), deep),
            (lambda n: document("<x/>" * (n - 1)), notification.MAX_ELEMENTS),
            (messages, notification.MAX_NOTIFICATIONS),
            (items, notification.MAX_ITEMS),
            (name, notification.MAX_TEXT_CHARACTERS),
            (padded, notification.MAX_DOCUMENT_BYTES),
        ):
            parse_document(make(most))
            self.refused(make(most + 1))

    def test_other_encodings(self) -> None:
        """What is not UTF-8 is refused, whatever encoding it names."""
        self.refused(b'<?xml version="1.0" encoding="no-such"?>' + document("\xe9")[:-1])
        self.refused(document("e").replace(b">e<", b">\xe9<"))


class TimeTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """Any number of digits of a second, ``Z``, an offset or nothing."""
        for text, expected in (
            ("2023-11-14T22:13:20Z", 1_700_000_000_000_000),
            ("2023-11-14T22:13:20.1Z", 1_700_000_000_100_000),
            ("2023-11-14T22:13:20.123456Z", 1_700_000_000_123_456),
            ("2023-11-14T22:13:20.123456789Z", 1_700_000_000_123_456),
            ("2023-11-14T22:13:20", 1_700_000_000_000_000),
            ("2023-11-15T00:13:20.5+02:00", 1_700_000_000_500_000),
            (" 2023-11-14T22:13:20Z\n", 1_700_000_000_000_000),
            ("", UNKNOWN_TIME_US),
            ("yesterday", UNKNOWN_TIME_US),
            ("2023-13-14T22:13:20Z", UNKNOWN_TIME_US),
            ("0001-01-01T00:00:00+14:00", -62_135_647_200_000_000),
        ):
            self.assertEqual(read_time(text), expected, text)
        self.assertEqual(write_time(1_700_000_000_123_456), "2023-11-14T22:13:20.123456Z")
