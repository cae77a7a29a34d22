"""The hot path of interleaved media, held equal to the general one."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.units import AccessUnit, Codec, Format, GapReason
from axis_nvr.session import pictures as pictures_module
from axis_nvr.session.depacketizers import nal_units
from axis_nvr.session.media import SessionStatistics
from axis_nvr.session.media_track import MediaTrack, TrackStatistics
from tests.session.depacketizers import payloads as p
from tests.session.picture_streams import (
    BEGIN,
    CODECS,
    REPLY,
    TEXT_SSRC,
    WARM_UP_PICTURES,
    Picture,
    Stream,
    payloads,
    streams,
    warmed_up,
)
from tests.session.streams import Recorder, Sender, interleaved, track

Change = Callable[[list[bytes]], list[bytes]]
Outcome = tuple[list[AccessUnit], dict[int, TrackStatistics], SessionStatistics, int]


def receive(codec: Codec, reads: list[bytes], warm_up: bytes = b"") -> Outcome:
    """What comes of a stream, in these reads 10 ms apart."""
    tracks = [track(0, codec), track(1, Codec.PCMA, payload_type=8, clock_rate=8000)]
    recorder = Recorder(tracks)
    recorder.feed(warm_up, 99.9)
    messages = 0
    for index, data in enumerate(reads):
        messages += len(recorder.feed(data, 100.0 + 0.01 * index))
    recorder.media.finish()
    media = recorder.media
    return recorder.units, media.statistics(), media.session_statistics, messages


def shown(unit: AccessUnit) -> tuple[int, bytes, bool, Format]:
    """What of a unit does not depend on when it came."""
    return unit.timestamp, bytes(unit.data), unit.sync, unit.format


def timeless(outcome: Outcome) -> tuple[object, ...]:
    """What of an outcome does not depend on when anything came."""
    units, tracks, session, messages = outcome
    gaps = [(unit.gap.reason, unit.gap.lost_packets) for unit in units if unit.gap is not None]
    counts = [replace(it, jitter_ms=0, last_unit=None, drift_ppm=0) for it in tracks.values()]
    return [shown(unit) for unit in units], gaps, counts, session, messages


class EqualityTests(SynchronousTestCase):
    def general(self, codec: Codec, reads: list[bytes], warm_up: bytes = b"") -> Outcome:
        """The same with every packet going the general way."""
        patch = self.patch(MediaTrack, "run", lambda track, channel, is_held: None)
        try:
            return receive(codec, reads, warm_up)
        finally:
            patch.restore()

    @settings(max_examples=200, deadline=None)
    @given(streams(), st.lists(st.integers(0, 3000), max_size=10))
    def test_the_hot_path_is_the_general_one(self, stream: Stream, cuts: list[int]) -> None:
        """Same units, same gaps, same statistics, wherever the stream is cut.

        Where the beginning of a picture waits for the rest of it, it arrives later: what depends
        on that, and nothing else, may differ.
        """
        codec, data, warm_up = stream.codec, stream.data, stream.warm_up
        places = sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)})
        reads = [data[begin:end] for begin, end in pairwise(places)]
        general = self.general(codec, reads, warm_up)
        self.assertEqual(timeless(receive(codec, reads, warm_up)), timeless(general))
        patch = self.patch(pictures_module, "MAX_CUT_BYTES", 0)
        try:
            self.assertEqual(receive(codec, reads, warm_up), general)
        finally:
            patch.restore()

    @settings(max_examples=40, deadline=None)
    @given(streams(), st.integers(1, 60))
    def test_cuts_change_nothing(self, stream: Stream, size: int) -> None:
        """The same units come out whole or in small reads; only their arrival differs."""
        codec, data, warm_up = stream.codec, stream.data, stream.warm_up
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        whole, cut = receive(codec, [data], warm_up)[0], receive(codec, pieces, warm_up)[0]
        self.assertEqual(
            [shown(unit) for unit in whole if not unit.track],
            [shown(unit) for unit in cut if not unit.track],
        )

    def test_it_is_used_when_steady(self) -> None:
        """Then no packet of a picture goes the general way, however the reads are cut."""
        for codec in CODECS:
            for size in (7, 1000, 100_000):
                sender = Sender(sequence_number=10)
                recorder = Recorder([track(0, codec)])
                recorder.feed(warmed_up(codec, sender))
                frames = []
                sizes = [[500], [5], [300, 300], [900], [1], [2000], [7000]]
                for index, slices in enumerate(sizes):
                    parts = payloads(codec, Picture(slices, False, False, False), False, 20)
                    frames += [interleaved(0, q) for q in sender.unit(parts, 3000 * index)]
                data = b"".join(frames)
                patch = self.patch(MediaTrack, "receive_packet", None)
                for start in range(0, len(data), size):
                    recorder.feed(data[start : start + size])
                self.assertEqual(len(recorder.units), WARM_UP_PICTURES + len(sizes))
                patch.restore()

    def test_whole_pictures_go_as_a_whole(self) -> None:
        """One whose beginning was seen before is taken at once, and no other in its place."""
        for codec, nal in CODECS.items():
            sender = Sender(sequence_number=120)
            recorder = Recorder([track(0, codec)])
            recorder.feed(warmed_up(codec, sender))
            pictures = [nal.fragment(nal.other + b"\x42" * size, 20) for size in (90, 30, 4000)]
            first, *others = [
                b"".join(interleaved(0, q) for q in sender.unit(parts, 3000 * index))
                for index, parts in enumerate([*pictures[:1], *pictures * 3])
            ]
            recorder.feed(first)
            patches = (
                self.patch(pictures_module.Pictures, "_take_part", lambda self, data, place: place),
                self.patch(MediaTrack, "receive_packet", None),
            )
            recorder.feed(b"".join(others))
            for patch in patches:
                patch.restore()
            sizes = [len(unit.data) for unit in recorder.units[WARM_UP_PICTURES + 1 :]]
            head = 4 + len(nal.other)
            self.assertEqual(sizes, [head + 90, head + 30, head + 4000] * 3)
            self.assertEqual(recorder.media.statistics()[0].lost, 0)

    def test_what_was_forgotten_meanwhile(self) -> None:
        """Pictures that begin in many ways push out what was known of one; it is learned anew."""
        for codec, nal in CODECS.items():
            sender = Sender(sequence_number=120)
            recorder = Recorder([track(0, codec)])
            recorder.feed(warmed_up(codec, sender))
            long = nal.fragment(nal.other + b"\x42" * 90, 20)
            others = [[nal.other[:-1] + bytes((b,)) + b"\x42" * 30] for b in range(128, 256)]
            for index, parts in enumerate([long, long, *others, long, long]):
                packets = sender.unit(parts, 3000 * index)
                recorder.feed(b"".join(interleaved(0, packet) for packet in packets))
            sizes = [len(unit.data) for unit in recorder.units[WARM_UP_PICTURES:]]
            head = 4 + len(nal.other)
            self.assertEqual(sizes, [head + 90] * 2 + [head + 30] * 128 + [head + 90] * 2)

    def test_a_picture_cut_anywhere(self) -> None:
        """Wherever the read ends, the picture is the same, and so is the next one."""
        sender = Sender(sequence_number=65_000)
        recorder = Recorder([track()])
        recorder.feed(warmed_up(Codec.H264, sender))
        fragments = p.fu_a(p.P + bytes(50), 20)
        for cut in range(len(b"".join(fragments)) + 16 * len(fragments)):
            picture = sender.unit(fragments, 3000 * cut)
            data = b"".join(interleaved(0, packet) for packet in picture)
            recorder.feed(data[:cut])
            recorder.feed(data[cut:])
            self.assertEqual(
                recorder.datas()[WARM_UP_PICTURES + cut :], [p.sample(p.P + bytes(50))]
            )

    def test_a_picture_that_never_ends(self) -> None:
        """What came of it before the session ended is counted, as everything that came is."""
        sender = Sender(sequence_number=120)
        recorder = Recorder([track()])
        recorder.feed(warmed_up(Codec.H264, sender))
        fragments = p.fu_a(p.P + b"\x42" * 90, 20)
        for stamp in (0, 3000):
            packets = [interleaved(0, q) for q in sender.unit(fragments, stamp)]
            recorder.feed(b"".join(packets[: -1 if stamp else None]))
        before = recorder.media.statistics()[0].packets
        recorder.media.finish()
        self.assertEqual(recorder.media.statistics()[0].packets - before, len(fragments) - 1)
        self.assertEqual(len(recorder.units), WARM_UP_PICTURES + 1)

    def test_sources_of_any_name(self) -> None:
        """An SSRC may be any number, one that reads as text with a meaning included."""
        for first in range(256):
            sender = Sender(sequence_number=120, ssrc=first << 24 | TEXT_SSRC & 0xFFFFFF)
            recorder = Recorder([track()])
            recorder.feed(warmed_up(Codec.H264, sender))
            fragments = p.fu_a(p.P + b"\x42" * 90, 20)
            for number in range(3):
                packets = sender.unit(fragments, 3000 * number)
                recorder.feed(b"".join(interleaved(0, packet) for packet in packets))
            self.assertEqual(len(recorder.units), WARM_UP_PICTURES + 3)

    def test_a_picture_that_is_cut_goes_as_a_whole(self) -> None:
        """What came of it waits for the rest, wherever it is cut, if it is not too much."""
        sender = Sender(sequence_number=120)
        recorder = Recorder([track()])
        recorder.feed(warmed_up(Codec.H264, sender))
        fragments = p.fu_a(p.P + b"\x42" * 90, 20)
        packets = [interleaved(0, q) for q in sender.unit(fragments, 0)]
        recorder.feed(b"".join(packets))
        self.patch(MediaTrack, "receive_packet", None)
        size = len(b"".join(packets))
        taken: list[int] = []
        take_part = pictures_module.Pictures._take_part

        def counted(self: pictures_module.Pictures, data: bytes, place: int) -> int:
            following = take_part(self, data, place)
            taken.append(following - place)
            return following

        self.patch(pictures_module.Pictures, "_take_part", counted)
        for turn, most in enumerate((pictures_module.MAX_CUT_BYTES, 50)):
            self.patch(pictures_module, "MAX_CUT_BYTES", most)
            for cut in range(1, size):
                stamp = 3000 * (cut + turn * size)
                data = b"".join(interleaved(0, q) for q in sender.unit(fragments, stamp))
                recorder.feed(data[:cut])
                recorder.feed(data[cut:])
            self.assertEqual(any(taken), bool(turn))
        self.assertEqual(len(recorder.units), WARM_UP_PICTURES + 1 + 2 * (size - 1))
        self.assertEqual(recorder.media.statistics()[0].lost, 0)

    def test_a_reply_within_a_picture_does_not_wait(self) -> None:
        """Nor does a frame of another channel, wherever in the picture it stands."""
        sender = Sender(sequence_number=120)
        recorder = Recorder([track(), track(1, Codec.PCMA, payload_type=8, clock_rate=8000)])
        recorder.feed(warmed_up(Codec.H264, sender))
        fragments = p.fu_a(p.P + b"\x42" * 90, 20)
        recorder.feed(b"".join(interleaved(0, q) for q in sender.unit(fragments, 0)))
        for number in range(len(fragments)):
            packets = [interleaved(0, q) for q in sender.unit(fragments, 3000 + 3000 * number)]
            self.assertEqual(recorder.feed(b"".join(packets[:number])), [])
            self.assertEqual(len(recorder.feed(REPLY)), 1)
            recorder.feed(b"".join(packets[number:]))
        self.assertEqual(len(recorder.units), WARM_UP_PICTURES + 1 + len(fragments))

    def test_what_is_not_quite_a_picture(self) -> None:
        """Any byte of a head that differs, in any of the frames, keeps it from being taken."""
        picture = p.fu_a(p.P + b"\x42" * 50, 20)
        for number in range(16 * len(picture)):

            def patched(packets: list[bytes], at: int = number) -> list[bytes]:
                index, offset = len(picture) + at // 16, at % 16
                packet = packets[index]
                odd = packet[:offset] + bytes((packet[offset] ^ 1,)) + packet[offset + 1 :]
                return [*packets[:index], odd, *packets[index + 1 :]]

            self.odd((0, picture), (3000, picture), (6000, picture), change=patched)

    def test_units_of_their_own(self) -> None:
        """A picture of one slice and no more becomes a unit without the general way of ending."""
        sender = Sender(sequence_number=10)
        recorder = Recorder([track()])
        recorder.feed(warmed_up(Codec.H264, sender))
        self.patch(nal_units.NalUnitDepacketizer, "complete", None)
        for parts in ([p.P + b"\x42"], p.fu_a(p.P + bytes(50), 10)):
            recorder.feed(b"".join(interleaved(0, q) for q in sender.unit(parts, len(parts))))
        self.assertEqual(
            recorder.datas()[WARM_UP_PICTURES:],
            [p.sample(p.P + b"\x42"), p.sample(p.P + bytes(50))],
        )

    def test_it_is_used_at_once(self) -> None:
        """Of the first packets of a stream all that continue a fragmented NAL unit."""
        sender = Sender(sequence_number=10)
        nal = p.IDR + bytes(1000)
        stream = b"".join(interleaved(0, packet) for packet in sender.unit(p.fu_a(nal, 10), 9000))
        slow: list[int] = []
        take = MediaTrack.receive_packet

        def counted(track: MediaTrack, data: memoryview, now: float, now_us: int) -> None:
            slow.append(len(data))
            take(track, data, now, now_us)

        self.patch(MediaTrack, "receive_packet", counted)
        recorder = Recorder([track()])
        recorder.feed(stream)
        self.assertEqual(len(slow), 1)
        self.assertEqual(recorder.media.statistics()[0].packets, 101)

    def test_the_sequence_number_wraps(self) -> None:
        """A run ends there: a carry must not be taken for the next payload type."""
        sender = Sender(sequence_number=65_530)
        packets = [sender.packet(f, 9000, False) for f in p.fu_a(p.IDR + bytes(200), 10)[:12]]
        packets[6] = packets[6][:1] + b"\x61" + packets[6][2:]
        reads = [b"".join(interleaved(0, packet) for packet in packets)]
        outcome = receive(Codec.H264, reads)
        self.assertEqual(outcome, self.general(Codec.H264, reads))
        self.assertEqual(outcome[1][0].foreign, 1)

    def test_a_foreign_packet_within_a_picture(self) -> None:
        """Loss before it, and its timestamp, are not forgotten."""
        sender = Sender(sequence_number=10)
        packets = [sender.packet(f, 9000, False) for f in p.fu_a(p.IDR + bytes(200), 10)[:12]]
        foreign = packets[5][:1] + b"\x61" + packets[5][2:4] + b"\0\0\0\5" + packets[5][8:]
        for lost in ([], [4]):
            changed = [*packets[:5], foreign, *packets[6:]]
            kept = [packet for index, packet in enumerate(changed) if index not in lost]
            reads = [interleaved(0, packet) for packet in kept]
            outcome = receive(Codec.H264, reads)
            self.assertEqual(outcome, self.general(Codec.H264, reads))
            self.assertEqual(outcome[1][0].lost, len(lost))

    def test_fragments_behind_the_end(self) -> None:
        """A middle fragment that follows the last one begins nowhere, and is not appended."""
        for loss in (False, True):
            sender = Sender(sequence_number=10)
            fragments = p.fu_a(p.IDR + bytes(100), 10)
            packets = sender.unit(fragments, 9000)
            packets += [sender.packet(f, 9000, False) for f in fragments[1:4]]
            packets += sender.unit(p.fu_a(p.P + bytes(100), 10), 12_000)
            if loss:
                del packets[len(fragments) - 2]
            reads = [b"".join(interleaved(0, packet) for packet in packets)]
            self.assertEqual(receive(Codec.H264, reads), self.general(Codec.H264, reads))

    def test_a_fragment_that_changes_its_timestamp(self) -> None:
        """It is not of the picture that began, which lacks its end."""
        sender = Sender(sequence_number=10)
        warm_up = warmed_up(Codec.H264, sender)
        fragments = p.fu_a(p.P + bytes(20), 10)
        packets = [sender.packet(fragments[0], BEGIN, False)]
        packets += sender.unit(fragments[1:], BEGIN + 100)
        packets += sender.unit([p.P + b"\x42"], BEGIN + 3000)
        reads = [b"".join(interleaved(0, packet) for packet in packets)]
        outcome = receive(Codec.H264, reads, warm_up)
        self.assertEqual(outcome, self.general(Codec.H264, reads, warm_up))
        self.assertEqual(outcome[0][-1].timestamp, BEGIN + 3000)
        self.assertEqual(len(outcome[0]), WARM_UP_PICTURES + 1)

    def odd(self, *units: tuple[int, list[bytes]], change: Change = lambda it: it) -> Outcome:
        """What comes of such units after a steady stream, which must be the same either way."""
        sender = Sender(sequence_number=10)
        warm_up = warmed_up(Codec.H264, sender)
        packets = [q for ticks, parts in units for q in sender.unit(parts, BEGIN + ticks)]
        reads = [b"".join(interleaved(0, q) for q in change(packets))]
        outcome = receive(Codec.H264, reads, warm_up)
        self.assertEqual(outcome, self.general(Codec.H264, reads, warm_up))
        return outcome[0][WARM_UP_PICTURES:], *outcome[1:]

    def test_more_behind_the_mark(self) -> None:
        """Another picture of the same time is a unit; another slice is lost, and the trust too."""
        picture, later = p.fu_a(p.P + bytes(50), 20), p.fu_a(p.LATER_P + bytes(50), 20)
        self.assertEqual(len(self.odd((0, [p.P + b"1"]), (0, [p.P + b"2"]))[0]), 2)
        units = [(3000 * (index // 2), (picture, later)[index % 2]) for index in range(12)]
        self.assertEqual([len(unit.data) for unit in self.odd(*units)[0][2:]], [114] * 4)

    def test_a_picture_that_lacks_its_beginning(self) -> None:
        """After a loss a first slice is asked for, also where packets begin well."""
        picture, later = p.fu_a(p.P + bytes(50), 20), p.fu_a(p.LATER_P + bytes(50), 20)
        units = [(0, picture), (3000, later), (6000, picture)]
        outcome = self.odd(*units, change=lambda packets: packets[1:])
        self.assertEqual([unit.timestamp - BEGIN for unit in outcome[0]], [6000])

    def test_a_loss_before_an_empty_packet(self) -> None:
        """It is not forgotten: the slice that follows must begin its picture, and does not."""
        picture, later = p.fu_a(p.P + bytes(50), 20), p.fu_a(p.LATER_P + bytes(50), 20)
        units = [(0, [p.P + b"1"]), (0, [p.P + b"2"]), (0, [b""]), (3000, later), (6000, picture)]
        outcome = self.odd(*units, change=lambda packets: [packets[0], *packets[2:]])
        self.assertEqual([unit.timestamp - BEGIN for unit in outcome[0]], [0, 6000])

    def test_start_codes_that_come_late(self) -> None:
        """A camera that has sent one is searched for more from its next picture on."""
        two = p.P + b"1" * 400 + b"\0\0\1" + p.LATER_P + b"2" * 400
        soon = p.P + b"1" + b"\0\0\1" + p.LATER_P + b"2" * 400
        units = [(3000 * at, p.fu_a(nal, 50)) for at, nal in enumerate((two, two, soon, two))]
        datas = [bytes(unit.data) for unit in self.odd(*units)[0]]
        self.assertEqual(datas[:2], [p.sample(two)] * 2)
        self.assertEqual(datas[2], p.sample(p.P + b"1", p.LATER_P + b"2" * 400))
        self.assertEqual(datas[3], p.sample(p.P + b"1" * 400, p.LATER_P + b"2" * 400))

    def test_a_picture_of_another_source(self) -> None:
        """All of its packets are alike, and still it is not the stream that was listened to."""
        picture = p.fu_a(p.P + bytes(50), 20)

        def from_another(packets: list[bytes]) -> list[bytes]:
            odd = [packet[:8] + b"\0\0\0\7" + packet[12:] for packet in packets[3:6]]
            return [*packets[:3], *odd, *packets[6:]]

        outcome = self.odd(*((3000 * at, picture) for at in range(4)), change=from_another)
        self.assertGreater(outcome[1][0].foreign, 0)

    def test_after_a_long_pause(self) -> None:
        """The turns of the timestamp are counted once for a read, not for each picture in it."""
        picture, pause = p.fu_a(p.P + bytes(50), 20), 30_000
        sender = Sender(sequence_number=10)
        recorder = Recorder([track()])
        recorder.feed(warmed_up(Codec.H264, sender))
        stamps = [BEGIN + 90_000 * pause + 3000 * at & 0xFFFF_FFFF for at in range(3)]
        packets = [packet for stamp in stamps for packet in sender.unit(picture, stamp)]
        recorder.feed(b"".join(interleaved(0, packet) for packet in packets), 100.0 + pause)
        first, second, third = (unit.timestamp for unit in recorder.units[WARM_UP_PICTURES:])
        self.assertEqual((second - first, third - second), (3000, 3000))

    def test_encryption_that_begins(self) -> None:
        """Pictures that are taken in bulk are judged too."""
        noise = p.fu_a(p.P[:1] + b"\0" * 50, 20)
        count = nal_units.ENCRYPTION_WINDOW * nal_units.JUDGED_EVERY
        outcome = self.odd(*((3000 * at, noise) for at in range(count)))
        self.assertTrue(outcome[1][0].suspected_encrypted)

    def test_a_leap(self) -> None:
        """What timelines tell comes with the unit."""
        units = [(3000 * index + (index > 1) * 0x8000000, [p.P + b"1"]) for index in range(4)]
        gaps = [unit.gap and unit.gap.reason for unit in self.odd(*units)[0]]
        self.assertEqual(gaps.count(GapReason.TIMESTAMP_JUMP), 1)

    def test_a_key_frame_that_begins_the_general_way(self) -> None:
        """It is one although the packets that were taken in bulk do not say so."""

        def extended(packets: list[bytes]) -> list[bytes]:
            first = packets[1]
            first = bytes((first[0] | 0x10,)) + first[1:12] + b"\xab\xac\0\1abcd" + first[12:]
            return [packets[0], first, *packets[2:]]

        key = p.fu_a(p.IDR + bytes(50), 20)
        outcome = self.odd((0, [p.P + b"1"]), (3000, key), (6000, [p.P + b"1"]), change=extended)
        self.assertEqual([unit.sync for unit in outcome[0]], [False, True, False])

    def test_a_last_fragment_without_marker(self) -> None:
        """It ends its NAL unit and not the picture: another slice follows."""
        sender = Sender(sequence_number=10)
        first = p.fu_a(p.P + bytes(50), 10)
        pictures = [
            CODECS[Codec.H264].sets + first,
            first,
            *[first + p.fu_a(p.LATER_P + bytes(50), 10)] * 3,
        ]
        data = b""
        for index, parts in enumerate(pictures):
            data += b"".join(interleaved(0, q) for q in sender.unit(parts, 9000 * index))
        outcome = receive(Codec.H264, [data])
        self.assertEqual(outcome, self.general(Codec.H264, [data]))
        self.assertEqual([len(unit.data) for unit in outcome[0]], [57, 57, 114, 114, 114])

    def test_a_whole_picture_that_is_too_large(self) -> None:
        """It is thrown away; one of just the size is not."""
        self.patch(nal_units, "MAX_UNIT_BYTES", 300)
        self.patch(pictures_module, "MAX_UNIT_BYTES", 300)
        for size, kept in ((296, 3), (297, 2)):
            large = p.fu_a(p.P + bytes(size - len(p.P)), 20)
            usual = p.fu_a(p.P + bytes(50), 20)
            outcome = self.odd((0, usual), (3000, large), (6000, usual))
            self.assertEqual(len(outcome[0]), kept)

    def test_the_largest_unit(self) -> None:
        """A unit does not grow past its limit on the hot path either."""
        self.patch(pictures_module, "MAX_UNIT_BYTES", 10_000_000)
        self.patch(nal_units, "MAX_UNIT_BYTES", 10_000_000)
        sender = Sender()
        recorder = Recorder([track()])
        content = bytes(60_000)
        recorder.feed(interleaved(0, sender.packet(b"\x7c\x85\x88" + content, 1, False)))
        for _ in range(300):
            recorder.feed(interleaved(0, sender.packet(b"\x7c\x05" + content, 1, False)))
        (media_track,) = recorder.media._tracks.values()
        depacketizer = media_track.depacketizer
        assert isinstance(depacketizer, nal_units.NalUnitDepacketizer)
        self.assertEqual((depacketizer.unit, depacketizer.fragments), ([], []))
        self.assertEqual(recorder.media.statistics()[0].packets, 301)
