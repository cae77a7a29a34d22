"""MIKEY messages, and how SDP and RTSP carry them."""

import contextlib
from base64 import b64decode
from collections.abc import Callable

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire.key_mgmt import (
    build_attribute,
    build_key_mgmt,
    parse_attribute,
    parse_key_mgmt,
)
from axis_nvr.wire.mikey import (
    CryptoSession,
    MasterKey,
    MikeyMessage,
    SrtpPolicy,
    build_mikey,
    parse_mikey,
)

#: The client's key of an example in ONVIF's Streaming Specification, with an MKI of four bytes.
ONVIF = (
    "AQAFAP1td9ABAADCD1UcAAAAAAoAAdOOGc75XD0BAAAAGAABAQEBEAIBAQMBFAcBAQgBAQoBAQsBCgAAACcAIQAe30C5"
    "9UrClE0e27UP5h/Wty9UL8+dfzg+2ttmmo3kBAAAAC8A"
)
#: From the description of GStreamer's RTSP server 1.22: with RAND, and the length of the tag where
#: that of the authentication key belongs.
GSTREAMER = (
    "AQAFAA3b6HMBAAChiiSWAAAAAAsA7q3LvNw0sOEKEKyeT9OD0K4egj/Ot+GX+QYBAAAAFQABAQEBEAIBAQMBCgcBAQgB"
    "AQoBAQAAACIAIAAeahrqAaLBFC7aMQz25R30UmiYAkdLcY5uVtmhpG2yAA=="
)
KEY = MasterKey(bytes(range(16)), bytes(range(16, 30)), b"name")
MESSAGE = MikeyMessage(
    0x01020304, (CryptoSession(0, 0xCAFE, 5),), (KEY,), ntp_64=1 << 62, rand=b"r" * 16
)

numbers = st.integers(0, 2**32 - 1)
messages = st.builds(
    MikeyMessage,
    numbers,
    st.lists(st.builds(CryptoSession, st.just(0), numbers, numbers), max_size=3).map(tuple),
    st.lists(
        st.builds(
            MasterKey,
            st.binary(min_size=32, max_size=32),
            st.binary(min_size=14, max_size=14),
            st.binary(max_size=4),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
    st.builds(
        lambda tag, rtp, rtcp: {0: SrtpPolicy(32, tag, rtp, rtcp)},
        st.sampled_from([4, 10]),
        st.booleans(),
        st.booleans(),
    ),
    st.integers(0, 2**64 - 1),
    st.binary(max_size=20),
)


#: Where in ONVIF's example the parameters of the policy begin and end, and its cipher of keys is.
PARAMETERS, KEY_CIPHER = slice(34, 58), 59


def changed(place: int, value: int) -> bytes:
    """ONVIF's example with another byte."""
    data = bytearray(b64decode(ONVIF))
    data[place] = value
    return bytes(data)


def with_parameter(kind: int, value: int) -> bytes:
    """ONVIF's example with another value of a parameter of its policy."""
    kinds = b64decode(ONVIF)[PARAMETERS][::3]
    return changed(PARAMETERS.start + 3 * kinds.index(kind) + 2, value)


class MessageTests(SynchronousTestCase):
    def test_onvif(self) -> None:
        """The example of ONVIF is read, and written again byte for byte."""
        message = parse_mikey(b64decode(ONVIF))
        self.assertEqual(message.sessions, (CryptoSession(0, 0xC20F551C, 0),))
        (key,) = message.keys
        self.assertEqual(key.key.hex(), "df40b9f54ac2944d1edbb50fe61fd6b7")
        self.assertEqual(key.salt.hex(), "2f542fcf9d7f383edadb669a8de4")
        self.assertEqual(key.mki, b"\0\0\0\x2f")
        self.assertEqual(message.policy, SrtpPolicy(16, 10))
        self.assertEqual(build_mikey(message), b64decode(ONVIF))

    def test_gstreamer(self) -> None:
        """What GStreamer 1.22 calls the length of a key is that of the tag."""
        message = parse_mikey(b64decode(GSTREAMER))
        self.assertEqual(message.policy, SrtpPolicy(16, 10))
        self.assertEqual(message.keys[0].key.hex(), "6a1aea01a2c1142eda310cf6e51df452")
        self.assertEqual(message.keys[0].mki, b"")
        self.assertEqual(len(message.rand), 16)
        data = b64decode(GSTREAMER).replace(b"\x03\x01\x0a\x07", b"\x03\x01\x04\x07")
        self.assertEqual(parse_mikey(data).policy.tag_bytes, 4)
        # where the length of the tag stands too, that counts
        self.assertEqual(parse_mikey(with_parameter(3, 4)).policy.tag_bytes, 10)

    @settings(max_examples=100, deadline=None)
    @given(messages)
    def test_there_and_back(self, message: MikeyMessage) -> None:
        """What is written is read as it was."""
        self.assertEqual(parse_mikey(build_mikey(message)), message)

    def test_salt_apart(self) -> None:
        """RFC 3830 has the salt behind the key with a length of its own: that is read too."""
        joined = b"\0\x20\0\x1e" + KEY.key + KEY.salt
        apart = b"\0\x30\0\x10" + KEY.key + b"\0\x0e" + KEY.salt
        message = MikeyMessage(1, (CryptoSession(),), (MasterKey(KEY.key, KEY.salt),))
        data = build_mikey(message)
        self.assertIn(joined, data)
        data = data.replace(len(joined).to_bytes(2, "big") + joined, b"\0\x24" + apart)
        self.assertEqual(parse_mikey(data).keys, message.keys)

    def test_no_key_is_shown(self) -> None:
        """A message is shown without its keys."""
        shown = repr(MESSAGE)
        self.assertNotIn(repr(KEY.key), shown)
        self.assertNotIn("salt", shown)
        self.assertIn("name", shown)

    def test_refused_with_words(self) -> None:
        """What cannot be used is refused, and the words say why."""
        for data, words in (
            (with_parameter(0, 6), "SRTP cipher 6 is not supported"),
            (with_parameter(2, 0), "SRTP authentication 0 is not supported"),
            (with_parameter(10, 0), "SRTP authentication of RTP 0 is not supported"),
            (with_parameter(1, 32), "key and salt of 30 bytes"),
            (changed(KEY_CIPHER, 1), "under cipher 1"),
            (b64decode(ONVIF)[:40], "breaks off"),
            (b"", "breaks off"),
            (bytes(5000), "5000 bytes"),
            (b"\x01\x06" + b64decode(ONVIF)[2:], "of type 6"),
            (b"\x01\0\0\0" + bytes(6), "without a key"),
            (b"\x01\0\x14\0" + bytes(6), "payload of type 20"),
            (b"\x01\0\x0b\0" + bytes(6) + b"\x0b\0" * 40, "over 16 MIKEY payloads"),
        ):
            with self.subTest(words=words):
                error = self.assertRaises(WireError, parse_mikey, data)
                self.assertIn(words, str(error))

    @settings(max_examples=300, deadline=None)
    @given(st.data())
    def test_any_bytes(self, data: st.DataObject) -> None:
        """Damaged messages are read or refused, and nothing else is raised."""
        good = bytearray(b64decode(data.draw(st.sampled_from([ONVIF, GSTREAMER]))))
        for _ in range(data.draw(st.integers(1, 4))):
            place = data.draw(st.integers(0, len(good) - 1))
            good[place] = data.draw(st.integers(0, 255))
        end = data.draw(st.sampled_from([len(good), place]))
        with contextlib.suppress(WireError):
            parse_mikey(bytes(good[:end]))


class CarriageTests(SynchronousTestCase):
    def test_description(self) -> None:
        """The value of an attribute is read as it was written."""
        self.assertEqual(parse_attribute(build_attribute(MESSAGE)), MESSAGE)
        self.assertEqual(parse_attribute(f"mikey {ONVIF}"), parse_mikey(b64decode(ONVIF)))

    def test_header(self) -> None:
        """A header is read as it was written, and in the forms that others write."""
        self.assertEqual(parse_key_mgmt(build_key_mgmt(MESSAGE, "rtsp://h/stream=0")), MESSAGE)
        expected = parse_mikey(b64decode(ONVIF))
        for header in (
            f'prot=mikey;uri="";data="{ONVIF}"',
            f"prot=mikey; data={ONVIF}",
            f'Prot = MIKEY ; uri="rtsp://h/a;b,c" ; data="{ONVIF}"',
            f'prot=other; data="AAAA", prot=mikey; uri="rtsp://h/"; data="{ONVIF}"',
        ):
            self.assertEqual(parse_key_mgmt(header), expected, header)

    def test_uri_that_would_be_cut(self) -> None:
        """A URL with what the header is made of is left out."""
        for uri in ("rtsp://h/a,b", "rtsp://h/a;b", 'rtsp://h/"'):
            self.assertTrue(build_key_mgmt(MESSAGE, uri).startswith('prot=mikey; uri=""; data="'))

    @settings(max_examples=200, deadline=None)
    @given(st.sampled_from([parse_attribute, parse_key_mgmt]), st.text(max_size=60))
    @example(parse_attribute, "mikey ä")
    @example(parse_attribute, "mikey A")
    @example(parse_key_mgmt, 'prot=mikey; data="A"')
    def test_any_text(self, parse: Callable[[str], MikeyMessage], text: str) -> None:
        """Any other text is refused."""
        for value in (text, f"mikey {text}", f'prot=mikey; data="{text}"'):
            self.assertRaises(WireError, parse, value)
