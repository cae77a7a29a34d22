"""SRTP: the vectors of the RFCs, the roll-over counter, and what is not authentic or not new."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.srtp import (
    AUTHENTICATION,
    CIPHER,
    MAX_SOURCES,
    REPLAY_WINDOW_PACKETS,
    SALT,
    SrtpKey,
    SrtpReceiver,
    SrtpSender,
    SrtpStatistics,
    derive,
    keys_of,
)
from axis_nvr.wire.mikey import CryptoSession, MasterKey, MikeyMessage, SrtpPolicy
from axis_nvr.wire.rtp import build_packet

#: RFC 3711 §B.3.
MASTER_KEY = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139")
MASTER_SALT = bytes.fromhex("0EC675AD498AFEEBB6960B3AABE6")
KEY = SrtpKey(MasterKey(MASTER_KEY, MASTER_SALT))
OTHER = SrtpKey(MasterKey(bytes(16), bytes(14)))
NAMED = SrtpKey(MasterKey(bytes(range(16)), bytes(range(14)), b"\0\0\0\x2f"))
SSRC = 0xCAFEBABE
REPORT = bytes.fromhex("81c8000bcafebabe") + b"\xab" * 16


def packet(
    number: int, ssrc: int = SSRC, payload: bytes = b"payload", *, extension: bytes = b""
) -> bytes:
    return build_packet(
        marker=False,
        payload_type=96,
        sequence_number=number,
        timestamp=number,
        ssrc=ssrc,
        payload=payload,
        extension=extension,
    )


class VectorTests(SynchronousTestCase):
    def test_key_stream(self) -> None:
        """RFC 3711 §B.2: AES in counter mode, here as the derivation of 48 bytes of salt."""
        key = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C")
        salt = bytes.fromhex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD")
        expected = (
            "E03EAD0935C95E80E166B16DD92B4EB4"
            "D23513162B02D0F72A43A2FE4A5F97AB"
            "41E95B3BB0A2E8DD477901E4FCA894C0"
        )
        self.assertEqual(derive(key, salt, 0, 48).hex().upper(), expected)

    def test_derivation(self) -> None:
        """RFC 3711 §B.3: cipher key, salt and authentication key."""
        for label, expected in (
            (CIPHER, "C61E7A93744F39EE10734AFE3FF7A087"),
            (SALT, "30CBBC08863D8C85D49DB34A9AE1"),
            (
                AUTHENTICATION,
                "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCE"
                "E049646C43D9327AD175578EF72270986371C10C9A369AC2F94A8C5FBCDDDC25"
                "6D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2",
            ),
        ):
            found = derive(MASTER_KEY, MASTER_SALT, label, len(expected) // 2)
            self.assertEqual(found.hex().upper(), expected)

    def test_derivation_of_256_bits(self) -> None:
        """RFC 6188 §7.2."""
        key = "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6"
        salt = bytes.fromhex("3b04803de51ee7c96423ab5b78d2")
        for label, expected in (
            (CIPHER, "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4"),
            (SALT, "fa31791685ca444a9e07c6c64e93"),
            (AUTHENTICATION, "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"),
        ):
            found = derive(bytes.fromhex(key), salt, label, len(expected) // 2)
            self.assertEqual(found.hex(), expected)

    def test_packet(self) -> None:
        """The packet that SRTP libraries check themselves by (libsrtp, Go's and Rust's)."""
        plain = bytes.fromhex("800f1234decafbadcafebabe") + b"\xab" * 16
        protected = bytes.fromhex(
            "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb"
        )
        self.assertEqual(SrtpSender(KEY).protect(plain), protected)
        self.assertEqual(SrtpReceiver([KEY]).unprotect(protected), plain)

    def test_report(self) -> None:
        """The same of RTCP."""
        protected = bytes.fromhex(
            "81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798"
        )
        self.assertEqual(SrtpSender(KEY).protect_rtcp(REPORT), protected)
        self.assertEqual(SrtpReceiver([KEY]).unprotect_rtcp(protected), REPORT)


class RoundTripTests(SynchronousTestCase):
    def test_policies(self) -> None:
        """Short tags, long keys, names of keys, and no secrecy: what is sent is received."""
        for size in (16, 24, 32):
            for mki in (b"", b"abcd", b"a"):
                for policy in (
                    SrtpPolicy(size),
                    SrtpPolicy(size, tag_bytes=4),
                    SrtpPolicy(size, rtp_encrypted=False, rtcp_encrypted=False),
                ):
                    key = SrtpKey(MasterKey(b"k" * size, b"s" * 14, mki), policy)
                    sender, receiver = SrtpSender(key), SrtpReceiver([key])
                    for number in (65535, 0):
                        sent = sender.protect(packet(number))
                        self.assertEqual(len(sent) - len(packet(0)), sender.overhead_bytes)
                        self.assertEqual(b"payload" in sent, not policy.rtp_encrypted)
                        self.assertEqual(receiver.unprotect(memoryview(sent)), packet(number))
                        report = sender.protect_rtcp(REPORT)
                        self.assertEqual(receiver.unprotect_rtcp(memoryview(report)), REPORT)

    def test_short_tag_of_a_report(self) -> None:
        """GStreamer shortens the tags of reports with those of packets; both are taken."""
        short = SrtpKey(KEY.master, SrtpPolicy(tag_bytes=4))
        sent = SrtpSender(short).protect_rtcp(REPORT)
        self.assertEqual(SrtpReceiver([short]).unprotect_rtcp(sent), REPORT)
        self.assertEqual(SrtpReceiver([short]).unprotect_rtcp(sent[:-6]), REPORT)
        self.assertIsNone(SrtpReceiver([KEY]).unprotect_rtcp(sent[:-6]))

    def test_header_stays_readable(self) -> None:
        """Header and extension are sent as they are."""
        extended = packet(1, extension=b"\xab\xac\0\1time")
        sent = SrtpSender(KEY).protect(extended)
        self.assertEqual(sent[:20], extended[:20])
        self.assertNotIn(b"payload", sent)
        self.assertEqual(SrtpReceiver([KEY]).unprotect(sent), extended)

    def test_empty_payload(self) -> None:
        """A packet that is a header only is one."""
        sent = SrtpSender(KEY).protect(packet(1, payload=b""))
        self.assertEqual(SrtpReceiver([KEY]).unprotect(sent), packet(1, payload=b""))

    @settings(max_examples=15, deadline=None)
    @given(st.integers(0, 65535), st.lists(st.integers(0, 3000), min_size=1, max_size=60))
    def test_sequence(self, first: int, gaps: list[int]) -> None:
        """The sequence wraps as often as it likes, and packets are lost on the way."""
        sender, receiver = SrtpSender(KEY), SrtpReceiver([KEY])
        number = first
        for gap in gaps:
            number += gap + 1
            self.assertEqual(
                receiver.unprotect(sender.protect(packet(number & 0xFFFF))),
                packet(number & 0xFFFF),
            )

    @settings(max_examples=15, deadline=None)
    @given(st.permutations(range(65520, 65560)))
    def test_order(self, numbers: list[int]) -> None:
        """In any order, over the wrap too, each packet is taken once."""
        sender, receiver = SrtpSender(KEY), SrtpReceiver([KEY])
        sent = {number: sender.protect(packet(number & 0xFFFF)) for number in range(65500, 65560)}
        for number in range(65500, 65520):
            self.assertIsNotNone(receiver.unprotect(sent[number]))
        for number in numbers:
            self.assertEqual(receiver.unprotect(sent[number]), packet(number & 0xFFFF))
        for number in numbers:
            self.assertIsNone(receiver.unprotect(sent[number]))
        self.assertEqual(receiver.statistics, SrtpStatistics(60, 0, 40))

    def test_roll_over_told(self) -> None:
        """Who joins late is told how often the sequence has wrapped; it may wrap meanwhile."""
        sender = SrtpSender(KEY)
        for number in range(0, 3 * 65536, 16384):
            sent = sender.protect(packet(number & 0xFFFF))
        for told, is_taken in ((1, True), (2, True), (0, False), (3, False)):
            message = MikeyMessage(1, (CryptoSession(0, SSRC, told),), (KEY.master,))
            receiver = SrtpReceiver(keys_of(message))
            self.assertEqual(receiver.unprotect(sent) is not None, is_taken, told)


class KeyTests(SynchronousTestCase):
    def test_the_key_that_fits(self) -> None:
        """Of several keys the one that fits is found, and another one where that changes."""
        receiver = SrtpReceiver([OTHER, NAMED, KEY])
        for ssrc, key in enumerate((KEY, NAMED, NAMED, KEY, OTHER)):
            sender = SrtpSender(key)
            self.assertEqual(receiver.unprotect(sender.protect(packet(9, ssrc))), packet(9, ssrc))
        self.assertEqual(receiver.statistics, SrtpStatistics(5, 0, 0))

    def test_wrong_name(self) -> None:
        """A packet under another name (MKI) is refused, whatever its tag."""
        other_name = SrtpKey(MasterKey(NAMED.master.key, NAMED.master.salt, b"\0\0\0\x30"))
        receiver = SrtpReceiver([NAMED])
        self.assertIsNone(receiver.unprotect(SrtpSender(other_name).protect(packet(1))))
        self.assertIsNone(receiver.unprotect_rtcp(SrtpSender(other_name).protect_rtcp(REPORT)))
        self.assertEqual(receiver.statistics, SrtpStatistics(0, 2, 0))

    def test_no_key_is_shown(self) -> None:
        """A key is shown without what is secret."""
        self.assertNotIn(repr(MASTER_KEY), repr(KEY))
        self.assertNotIn(repr(MASTER_SALT), repr(KEY))


class RefusalTests(SynchronousTestCase):
    @settings(max_examples=150, deadline=None)
    @given(st.booleans(), st.integers(0, 10_000), st.integers(1, 255), st.booleans())
    def test_damage(self, is_rtcp: bool, place: int, change: int, is_cut: bool) -> None:
        """A packet with one byte changed, or cut, is refused and counted."""
        sender, receiver = SrtpSender(NAMED), SrtpReceiver([KEY, NAMED])
        sent = bytearray(sender.protect_rtcp(REPORT) if is_rtcp else sender.protect(packet(5)))
        place %= len(sent)
        if is_cut:
            del sent[place:]
        else:
            sent[place] ^= change
        take = receiver.unprotect_rtcp if is_rtcp else receiver.unprotect
        self.assertIsNone(take(bytes(sent)))
        self.assertEqual(receiver.statistics, SrtpStatistics(0, 1, 0))

    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=80))
    def test_any_bytes(self, data: bytes) -> None:
        """Anything else is refused too."""
        receiver = SrtpReceiver([KEY, NAMED])
        self.assertIsNone(receiver.unprotect(data))
        self.assertIsNone(receiver.unprotect_rtcp(data))
        self.assertEqual(receiver.statistics, SrtpStatistics(0, 2, 0))

    def test_repeated(self) -> None:
        """What comes again is counted and dropped, of packets and of reports."""
        sender, receiver = SrtpSender(KEY), SrtpReceiver([KEY])
        sent, report = sender.protect(packet(5)), sender.protect_rtcp(REPORT)
        for is_new in (True, False):
            self.assertEqual(receiver.unprotect(sent) is not None, is_new)
            self.assertEqual(receiver.unprotect_rtcp(report) is not None, is_new)
        self.assertEqual(receiver.statistics, SrtpStatistics(2, 0, 2))

    def test_too_late(self) -> None:
        """A packet from before the window is dropped: nobody knows whether it has come."""
        sender, receiver = SrtpSender(KEY), SrtpReceiver([KEY])
        sent = [sender.protect(packet(number)) for number in range(REPLAY_WINDOW_PACKETS + 1)]
        receiver.unprotect(sent[-1])
        self.assertIsNone(receiver.unprotect(sent[0]))
        self.assertEqual(receiver.unprotect(sent[1]), packet(1))

    def test_forged_packet_moves_nothing(self) -> None:
        """A forged sequence number far ahead does not move the window or the counter."""
        sender, receiver = SrtpSender(KEY), SrtpReceiver([KEY])
        receiver.unprotect(sender.protect(packet(10)))
        forged = packet(30_000) + bytes(10)
        self.assertIsNone(receiver.unprotect(forged))
        self.assertEqual(receiver.unprotect(sender.protect(packet(11))), packet(11))

    def test_sources_are_bounded(self) -> None:
        """Of many sources the first are forgotten, so that memory is bounded."""
        receiver = SrtpReceiver([KEY])
        sent = [SrtpSender(KEY).protect(packet(1, ssrc)) for ssrc in range(MAX_SOURCES + 1)]
        self.assertTrue(all(receiver.unprotect(each) for each in sent))
        self.assertIsNone(receiver.unprotect(sent[-1]))
        self.assertIsNotNone(receiver.unprotect(sent[0]))
