"""XML of clients: what is read of it, and what is not taken."""

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.vapix.soap.document import (
    MAX_ATTRIBUTES,
    MAX_DECLARATIONS,
    MAX_DEPTH,
    MAX_DOCUMENT_BYTES,
    MAX_ELEMENTS,
    MAX_NAME_CHARACTERS,
    read_document,
)

BOMB = b"""<!DOCTYPE a [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><a>&c;</a>"""


class ReadDocumentTests(SynchronousTestCase):
    def refused(self, data: bytes, words: str) -> None:
        with self.assertRaisesRegex(WireError, words):
            read_document(data)

    def test_names_and_texts(self) -> None:
        """Names have their namespaces, by a prefix or the default; texts are whole, without CRs."""
        root = read_document(
            b'<a xmlns="urn:a" xmlns:b="urn:b">\r\n1<b:c y="2" b:z="3"><![CDATA[<&>]]>&amp;</b:c>4'
            b'<d xmlns=""/></a>'
        )
        self.assertEqual((root.qualified, root.text), (("urn:a", "a"), "\n14"))
        c, d = root.children
        self.assertEqual((c.qualified, c.text), (("urn:b", "c"), "<&>&"))
        self.assertEqual(c.attributes, {"y": "2", "{urn:b}z": "3"})
        self.assertEqual(d.qualified, ("", "d"))

    def test_prefixes(self) -> None:
        """Each element knows what is declared there: by itself or by those around it, no others."""
        root = read_document(
            b'<a xmlns:p="urn:1"><b xmlns:q="urn:2"><c/></b><d xmlns:p="urn:3"/><e/></a>'
        )
        b, d, e = root.children
        self.assertEqual(
            b.children[0].prefixes.items() & {("p", "urn:1"), ("q", "urn:2")},
            {("p", "urn:1"), ("q", "urn:2")},
        )
        self.assertEqual(d.prefixes["p"], "urn:3")
        self.assertEqual(e.prefixes["p"], "urn:1")
        self.assertNotIn("q", e.prefixes)

    def test_document_types(self) -> None:
        """Are refused, whatever is in them; so are entities that nobody has declared."""
        for data in (
            BOMB,
            b"<!DOCTYPE a><a/>",
            b"<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>",
            b"<!DOCTYPE a SYSTEM 'http://127.0.0.1/x.dtd'><a/>",
        ):
            self.refused(data, "a document type declaration")
        self.refused(b"<a>&e;</a>", "undefined entity")

    def test_limits(self) -> None:
        """What is at a limit is read, what is beyond it is not."""
        for name, limit, make in (
            ("levels of elements", MAX_DEPTH, lambda n: b"<a>" * n + b"</a>" * n),
            ("elements", MAX_ELEMENTS, lambda n: b"<a>" + b"<b/>" * (n - 1) + b"</a>"),
            (
                "attributes",
                MAX_ATTRIBUTES,
                lambda n: b"<a " + b" ".join(b'a%d=""' % i for i in range(n)) + b"/>",
            ),
            (
                "declarations of namespaces",
                MAX_DECLARATIONS,
                lambda n: b"<a " + b" ".join(b'xmlns:a%d="u"' % i for i in range(n)) + b"/>",
            ),
            ("characters in a name", MAX_NAME_CHARACTERS, lambda n: b"<" + b"a" * n + b"/>"),
            ("characters in a name", MAX_NAME_CHARACTERS, lambda n: b"<a " + b"x" * n + b'=""/>'),
            (
                "characters in a name",
                MAX_NAME_CHARACTERS,
                lambda n: b'<a xmlns:p="' + b"x" * n + b'"/>',
            ),
        ):
            read_document(make(limit))
            self.refused(make(limit + 1), f"over {limit} {name}")
        read_document(b"<a>" + b"x" * (MAX_DOCUMENT_BYTES - 7) + b"</a>")
        self.refused(b"<a>" + b"x" * (MAX_DOCUMENT_BYTES - 6) + b"</a>", "bytes")

    def test_encodings(self) -> None:
        """UTF-8 is read, with a mark at its beginning too, and UTF-16; nothing else is."""
        text = '<?xml version="1.0" encoding="{}"?><a>ü</a>'
        for data in (
            text.format("utf-8").encode(),
            b"\xef\xbb\xbf<a>\xc3\xbc</a>",
            text.format("utf-16").encode("utf-16"),
        ):
            self.assertEqual(read_document(data).text, "ü")
        for data in (
            text.format("iso-8859-1").encode("latin-1"),
            b"<a>\xff\xfe</a>",
            b"<a>\xed\xa0\x80</a>",
            b"<a>\x00</a>",
            b"<a>&#0;</a>",
        ):
            self.refused(data, "no XML")

    @settings(max_examples=200, deadline=None)
    @given(
        st.binary(max_size=60)
        | st.text("<>/a:=\"'&;![]-?x \n", max_size=60).map(str.encode)
        | st.lists(
            st.sampled_from(
                [
                    b"<a>",
                    b"</a>",
                    b"<b:a",
                    b" xmlns:b='u'",
                    b" c='1'",
                    b">",
                    b"/>",
                    b"t",
                    b"<![CDATA[",
                ]
            ),
            max_size=12,
        ).map(b"".join)
    )
    def test_anything(self, data: bytes) -> None:
        """Whatever comes is read or refused with our own error."""
        with contextlib.suppress(WireError):
            read_document(data)
