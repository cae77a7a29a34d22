"""Filters of what notifications say, as clients write them."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire.event_filter import EventFilter
from axis_nvr.wire.item_filter import MAX_CHARACTERS, MAX_DEPTH, ItemFilter
from axis_nvr.wire.notification import Notification
from axis_nvr.wire.topics import TopicFilter


def item(name: str, value: str) -> str:
    """The path that looks for one item."""
    return f'//SimpleItem[@Name="{name}" and @Value="{value}"]'


A = f"boolean({item('a', '1')})"
B = f"boolean({item('b', '1')})"
C = f"boolean({item('c', '1')})"


class ItemFilterTests(SynchronousTestCase):
    def holds(self, text: str, **items: str) -> bool:
        return ItemFilter.parse(text).matches(items.items())

    def test_one_item(self) -> None:
        """Name and value must be those of the same item."""
        self.assertTrue(self.holds(A, x="1", a="1"))
        self.assertFalse(self.holds(A, a="0", x="1"))
        self.assertFalse(self.holds(A))

    def test_as_clients_write_it(self) -> None:
        """Single quotes, prefixes, spaces, line ends, and several predicates."""
        for text in (
            "boolean(//SimpleItem[@Name='a' and @Value='1'])",
            "boolean(//tt:SimpleItem[@Name='a' and @Value=\"1\"])",
            "\r\n boolean ( //SimpleItem [ @Name = 'a'\tand @Value = '1' ] ) ",
            "boolean(//SimpleItem[@Value='1' and @Name='a'])",
            "boolean(//SimpleItem[@Name='a'][@Value='1'])",
            "(boolean(//SimpleItem[@Name='a' and (@Value='1' or @Value='2')]))",
            "boolean(//SimpleItem[@Name='a' and not(@Value='0')])",
            "//SimpleItem[@Name='a']",
        ):
            self.assertTrue(self.holds(text, a="1"), text)
            self.assertFalse(self.holds(text, b="1"), text)
            if text != "//SimpleItem[@Name='a']":
                self.assertFalse(self.holds(text, a="0", b="1"), text)

    def test_booleans(self) -> None:
        """``true`` and ``1`` are the same, on either side, and so are ``false`` and ``0``."""
        for wanted in ("1", "true"):
            for value, expected in (("1", True), ("true", True), ("0", False), ("false", False)):
                self.assertEqual(self.holds(f"boolean({item('a', wanted)})", a=value), expected)
        self.assertFalse(self.holds(f"boolean({item('true', '1')})", **{"1": "1"}))

    def test_and_binds_tighter_than_or(self) -> None:
        """Every combination of three items gives what the words say."""
        for text, expected in (
            (f"{A} or {B} and {C}", lambda a, b, c: a or (b and c)),
            (f"{A} and {B} or {C}", lambda a, b, c: (a and b) or c),
            (f"({A} or {B}) and {C}", lambda a, b, c: (a or b) and c),
            (f"not({A}) and not({B} or {C})", lambda a, b, c: not a and not (b or c)),
            (f"not({A} and {B}) or {C}", lambda a, b, c: not (a and b) or c),
        ):
            for bits in range(8):
                a, b, c = (bool(bits & 1 << place) for place in range(3))
                said = {"a": str(int(a)), "b": str(int(b)), "c": str(int(c))}
                self.assertEqual(self.holds(text, **said), expected(a, b, c), (text, said))

    def test_a_value_of_any_text(self) -> None:
        """A value in quotes may hold brackets, words of the grammar and the other quotes."""
        odd = "a] and (not 'x' = //"
        self.assertTrue(self.holds(f"boolean({item('a', odd)})", a=odd))
        self.assertTrue(self.holds("//SimpleItem[@Name='a' and @Value='']", a=""))

    def test_element_items(self) -> None:
        """There are none."""
        self.assertFalse(self.holds('boolean(//ElementItem[@Name="a"])', a="1"))

    def test_nothing_wanted(self) -> None:
        """A blank filter lets everything pass."""
        self.assertTrue(self.holds(" \n"))

    def test_refused(self) -> None:
        """What is not of the grammar is refused, and so is what is too long or too deep."""
        for text in (
            "x",
            A + " and",
            A + " " + B,
            "and " + A,
            f"boolean({A}",
            "boolean()",
            "//SimpleItem",
            "//SimpleItem[]",
            "//SimpleItem[@Name]",
            "//SimpleItem[@Name=a]",
            "//SimpleItem[@Name='a]",
            "//SimpleItem[@Other='a']",
            "//SimpleItem[boolean(@Name='a')]",
            "//Other[@Name='a']",
            "/SimpleItem[@Name='a']",
            "'a'",
            "=",
            "(" * (MAX_DEPTH + 1) + A + ")" * (MAX_DEPTH + 1),
            "//SimpleItem[@Name='" + "a" * MAX_CHARACTERS + "']",
        ):
            self.assertRaises(WireError, ItemFilter.parse, text)
        self.assertTrue(self.holds("(" * (MAX_DEPTH - 1) + A + ")" * (MAX_DEPTH - 1), a="1"))

    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(
            st.sampled_from(
                ["boolean(", "not(", "(", ")", "//SimpleItem[", "]", "@Name=", "'a'", "and", "or"]
            ),
            max_size=40,
        )
    )
    def test_any_text(self, words: list[str]) -> None:
        """Any text is a filter or a `WireError`."""
        try:
            item_filter = ItemFilter.parse(" ".join(words))
        except WireError:
            return
        self.assertIsInstance(item_filter.matches([("a", "1")]), bool)


class EventFilterTests(SynchronousTestCase):
    def test_topic_and_all_contents(self) -> None:
        """The topic and every content filter must let it pass; key and source are looked at too."""
        told = Notification(
            "tns1:A/B", 0, None, source=(("a", "1"),), data=(("b", "1"),), key=(("c", "1"),)
        )
        a, b, c = map(ItemFilter.parse, (A, B, C))
        other = ItemFilter.parse("//SimpleItem[@Name='d']")
        for event_filter, expected in (
            (EventFilter(None), True),
            (EventFilter(None, (a, b, c)), True),
            (EventFilter(None, (a, other)), False),
            (EventFilter(TopicFilter.parse("onvif:A//."), (a,)), True),
            (EventFilter(TopicFilter.parse("onvif:X//."), (a,)), False),
        ):
            self.assertEqual(event_filter.matches(told), expected, event_filter)
