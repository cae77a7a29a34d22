"""Filters of rules, as clients write them and as we do."""

from xml.etree import ElementTree as ET

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.rules.model import CONCRETE, CONCRETE_SET, ITEM_FILTER, SIMPLE, FilterText
from axis_nvr.vapix.soap.document import read_document
from axis_nvr.vapix.soap.faults import SoapFault
from axis_nvr.vapix.soap.filters import filter_elements, read_filter, wsnt_fault
from axis_nvr.vapix.soap.names import PREFIXES, WSNT

TOPICS = 'xmlns:tns1="http://www.onvif.org/ver10/topics"'
AXIS = "http://www.axis.com/2009/event/topics"


def fault(name: str, reason: str) -> SoapFault:
    return wsnt_fault(name, reason, 1_700_000_000_123_456)


def read(content: str, declarations: str = "") -> FilterText:
    text = f'<w:Condition xmlns:w="{WSNT}" {declarations}>{content}</w:Condition>'
    return read_filter(read_document(text.encode()), fault)


def topic(text: str, more: str = "") -> str:
    return f"<w:TopicExpression {more}>{text}</w:TopicExpression>"


class ReadFilterTests(SynchronousTestCase):
    def refused(self, name: str, content: str, declarations: str = "") -> None:
        """Check that there is a fault of that name, which tells the time."""
        with self.assertRaises(SoapFault) as caught:
            read(content, declarations)
        detail = caught.exception.detail
        assert detail is not None, "it is in the detail"
        self.assertEqual(detail.tag, f"wsnt:{name}")
        self.assertEqual(
            [(child.tag, child.text) for child in detail],
            [("wsnt:Timestamp", "2023-11-14T22:13:20.123456Z")],
        )

    def test_dialects(self) -> None:
        """Each dialect is handed on; concrete is meant where none is named."""
        text = "tns1:Device/tnsaxis:IO/Port"
        self.assertEqual(read(topic(text)), FilterText(text, CONCRETE))
        for dialect in (CONCRETE, CONCRETE_SET, SIMPLE, "urn:x"):
            found = read(topic(text, f'Dialect=" {dialect} "'))
            self.assertEqual(found, FilterText(text, dialect))

    def test_prefixes(self) -> None:
        """A declared prefix stands for its namespace, wherever it is declared; ours need not be."""
        for text, declarations in (
            ("tns1:Device/tnsaxis:IO/Port//.", ""),
            ("tns1:Device/tnsaxis:IO/Port//.", TOPICS),
            ("x:Device/y:IO/Port//.", f'xmlns:x="{PREFIXES["tns1"]}" xmlns:y="{AXIS}"'),
            (
                "tnsaxis:Device/tns1:IO/Port//.",
                f'xmlns:tnsaxis="{PREFIXES["tns1"]}" xmlns:tns1="{AXIS}"',
            ),
        ):
            found = read(topic(text), declarations)
            self.assertEqual(found.topic, "tns1:Device/tnsaxis:IO/Port//.", text)
            self.assertEqual(read(topic(text, declarations)), found, "on the expression itself")
        self.assertEqual(read(topic("onvif:A|axis:B/axis:C")).topic, "onvif:A|axis:B/axis:C")

    def test_other_prefixes(self) -> None:
        """A prefix that nobody knows, or that is declared as something else, is refused."""
        name = "InvalidTopicExpressionFault"
        self.refused(name, topic("foo:Device"))
        self.refused(name, topic("w:Device"))
        self.refused(name, topic("tns1:Device"), 'xmlns:tns1="urn:other"')

    def test_texts(self) -> None:
        """White space around, CRLF, CDATA, escapes: the text is what is meant; quotes stay."""
        content = """boolean(//SimpleItem[@Name="a" and @Value='1'])"""
        for written in (
            content,
            f"\r\n\t {content}\r\n",
            f"<![CDATA[{content}]]>",
            content.replace('"', "&quot;").replace("'", "&#39;"),
        ):
            whole = f"{topic(' tns1:A')}<w:MessageContent>{written}</w:MessageContent>"
            self.assertEqual(read(whole).contents, (content,), written)

    def test_message_contents(self) -> None:
        """There may be several, or no topic beside them; their dialect is that of item filters."""
        one = f'<w:MessageContent Dialect="{ITEM_FILTER}">1</w:MessageContent>'
        two = "<w:MessageContent>2</w:MessageContent>"
        self.assertEqual(read(topic("tns1:A") + one + two).contents, ("1", "2"))
        self.assertEqual(read(one), FilterText("", CONCRETE, ("1",)))
        other = two.replace(">2", ' Dialect="urn:x">2')
        self.refused("InvalidMessageContentExpressionFault", topic("tns1:A") + other)

    def test_what_is_no_filter(self) -> None:
        """Nothing, two topics, or another element."""
        for content in (
            "",
            "tns1:Device",
            topic("tns1:A") * 2,
            topic("tns1:A") + "<w:ProducerProperties/>",
            topic("tns1:A").replace("w:", ""),
        ):
            self.refused("InvalidFilterFault", content)


class WriteFilterTests(SynchronousTestCase):
    def test_concrete(self) -> None:
        """The topic is told as concrete whatever was given; contents are unchanged."""
        found = filter_elements(FilterText("tns1:A|tns1:B//.", CONCRETE_SET, ("x", 'a"b')))
        self.assertEqual(
            [(e.tag, e.get("Dialect"), e.text) for e in found],
            [
                ("wsnt:TopicExpression", CONCRETE, "tns1:A|tns1:B//."),
                ("wsnt:MessageContent", ITEM_FILTER, "x"),
                ("wsnt:MessageContent", ITEM_FILTER, 'a"b'),
            ],
        )
        self.assertEqual(
            [e.tag for e in filter_elements(FilterText("", CONCRETE, ("x",)))],
            ["wsnt:MessageContent"],
        )
        self.assertIsInstance(found[0], ET.Element)
