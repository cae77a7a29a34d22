"""Documents that are sent while they are made."""

from collections.abc import AsyncIterator
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.vapix.xml_cgi import element
from axis_nvr.vapix.xml_stream import PIECE_CHARS, streamed, written

NAMES = st.sampled_from(["a", "recording", "x1"])
TEXTS = st.one_of(st.text(max_size=8), st.text(st.sampled_from("&<>\"'\r\n\t a]"), max_size=8))
ELEMENTS = st.recursive(
    st.builds(lambda n, t, a: element(n, t, **a), NAMES, TEXTS, st.dictionaries(NAMES, TEXTS)),
    lambda inner: st.builds(element, NAMES, st.lists(inner, max_size=3)),
    max_leaves=6,
)


class StreamTests(SynchronousTestCase):
    @settings(max_examples=150, deadline=None)
    @given(ELEMENTS)
    def test_written_as_by_the_library(self, made: ET.Element) -> None:
        """Character for character."""
        self.assertEqual(written(made), ET.tostring(made, encoding="unicode"))

    def pieces(self, number: int, within: ET.Element | None) -> list[bytes]:
        async def children() -> AsyncIterator[ET.Element]:
            for at in range(number):
                yield element("one", number=str(at), text="ä" * 100)

        async def gather() -> list[bytes]:
            body = streamed("recording/x1.xsd", children(), within).body
            assert not isinstance(body, bytes)
            return [piece async for piece in body]

        return self.successResultOf(Deferred.fromCoroutine(gather()))

    def test_whole(self) -> None:
        """Put together it is one document, with its elements where they belong."""
        for number in (0, 1, 1000):
            pieces = self.pieces(number, element("all", count=str(number)))
            root = ET.fromstring(b"".join(pieces))
            (outer,) = root
            self.assertEqual(
                (root.tag, outer.tag, outer.get("count")), ("root", "all", str(number))
            )
            self.assertEqual([one.get("number") for one in outer], [str(n) for n in range(number)])
            root = ET.fromstring(b"".join(self.pieces(number, None)))
            self.assertEqual([one.get("number") for one in root], [str(n) for n in range(number)])

    def test_in_pieces(self) -> None:
        """No piece is much larger than is meant, however long the document is."""
        pieces = self.pieces(5000, None)
        self.assertGreater(len(pieces), 10)
        self.assertLess(max(map(len, pieces)), 3 * PIECE_CHARS)
