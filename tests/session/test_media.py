"""A session's media: units in time, gaps, reports, and what cameras do."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import RemoteProtocolError
from axis_nvr.media.units import AccessUnit, Codec, GapReason
from axis_nvr.session import media as media_module
from axis_nvr.session.media import HOLD_SECONDS, REPORT_INTERVAL_SECONDS, TrackEnded
from axis_nvr.wire.ntp import ntp_from_utc_us
from axis_nvr.wire.rtcp import ReceiverReport, SourceDescription, build_bye, parse_compound
from axis_nvr.wire.rtp_extensions import ReplayExtension, build_replay
from tests.session.depacketizers.payloads import H264_PPS, H264_SPS, IDR, P, fu_a, sample
from tests.session.streams import SSRC, START_US, Recorder, Sender, interleaved, report, track

IDR_NAL = IDR + bytes(range(16, 80))
P_NAL = P + bytes(range(60, 100))
SETS = [H264_SPS, H264_PPS]
NOW_US = START_US + 100_000_000  # at now = 100
METADATA = replace(track(2, Codec.ONVIF_METADATA, payload_type=98), kind="application")
AUDIO = track(1, Codec.PCMA, payload_type=8, clock_rate=8000)


def frames(packets: list[bytes], channel: int = 0) -> bytes:
    return b"".join(interleaved(channel, packet) for packet in packets)


class Camera:
    """A recorder with a video track that gets a key frame first, and pictures each 1/30 s."""

    def __init__(self, *tracks: object) -> None:
        self.recorder = Recorder([track(), *tracks])  # type: ignore[list-item]
        self.media = self.recorder.media
        self.video = Sender(sequence_number=100)
        self.count = 0

    def picture(self, *, key: bool = False) -> list[bytes]:
        payloads = [*SETS, *fu_a(IDR_NAL, 20)] if key else fu_a(P_NAL, 20)
        self.count += 1
        return self.video.unit(payloads, 3000 * (self.count - 1))

    def start(self) -> None:
        """Two pictures and a report: from here on units leave at once."""
        data = frames(self.picture(key=True)) + frames(self.picture())
        self.recorder.feed(data + frames([report(0, NOW_US)], 1))
        assert len(self.recorder.units) == 2, self.recorder.units

    def feed(self, packets: list[bytes], now: float = 100.0) -> None:
        self.recorder.feed(frames(packets), now)


class TimeTests(SynchronousTestCase):
    def test_units_wait_for_the_first_report(self) -> None:
        """So that even the first one has the camera's own time; then each leaves at once."""
        camera = Camera()
        camera.feed(camera.picture(key=True))
        camera.feed(camera.picture(), 100.03)
        self.assertEqual(camera.recorder.units, [])
        camera.recorder.feed(frames([report(9000, NOW_US - 40_000)], 1), 100.1)
        self.assertEqual(
            [unit.utc_us for unit in camera.recorder.units],
            [NOW_US - 140_000, NOW_US - 140_000 + 33_333],
        )
        camera.feed(camera.picture(), 100.1)
        self.assertEqual(len(camera.recorder.units), 3)

    def test_a_report_before_the_first_packet(self) -> None:
        """It is kept, and the first units need not wait."""
        camera = Camera()
        camera.recorder.feed(frames([report(0, NOW_US - 70_000)], 1))
        camera.feed(camera.picture(key=True) + camera.picture())
        self.assertEqual([u.utc_us for u in camera.recorder.units][:1], [NOW_US - 70_000])

    def test_units_do_not_wait_long(self) -> None:
        """Without any report they leave after a while, with the time of their arrival."""
        camera = Camera()
        camera.feed(camera.picture(key=True) + camera.picture())
        camera.media.receiver_reports(102.0)
        self.assertEqual(camera.media.next_timeout(), 100.0 + HOLD_SECONDS)
        camera.media.time_out(100.0 + HOLD_SECONDS - 0.01, NOW_US)
        self.assertEqual(camera.recorder.units, [])
        camera.media.time_out(100.0 + HOLD_SECONDS, NOW_US + 1_000_000)
        self.assertEqual([u.utc_us for u in camera.recorder.units][:1], [NOW_US])

    def test_the_wait_begins_with_the_first_packet(self) -> None:
        """However long the camera takes from PLAY to it."""
        camera = Camera()
        camera.media.time_out(10.0, NOW_US - 90_000_000)
        camera.feed(camera.picture(key=True) + camera.picture())
        self.assertEqual(camera.recorder.units, [])
        self.assertEqual(camera.media.next_timeout(), 12.0)  # our report
        camera.media.receiver_reports(12.0)
        camera.media.time_out(100.0 + HOLD_SECONDS, NOW_US + 1_000_000)
        self.assertEqual(len(camera.recorder.units), 2)

    def test_units_that_wait_have_a_limit(self) -> None:
        """A burst at the start is not all held."""
        self.patch(media_module, "HOLD_BYTES", 200)
        camera = Camera()
        for _ in range(5):
            camera.feed(camera.picture(key=True))
        self.assertGreater(len(camera.recorder.units), 2)

    def test_each_track_that_sends_is_waited_for(self) -> None:
        """Units of all tracks leave in the order they came, when all have reported."""
        camera = Camera(AUDIO)
        sound = Sender(payload_type=8, ssrc=5)
        camera.feed(camera.picture(key=True) + camera.picture())
        camera.recorder.feed(frames([sound.packet(b"a", 0, False)], 2))
        camera.recorder.feed(frames([report(0, NOW_US)], 1))
        self.assertEqual(camera.recorder.units, [])
        camera.recorder.feed(frames([report(0, NOW_US, 5)], 3))
        self.assertEqual([unit.track for unit in camera.recorder.units], [0, 0, 1])

    def test_documents_alone_do_not_wait(self) -> None:
        """A session that brings events only hands them on at once: each tells its own time."""
        recorder = Recorder([METADATA])
        recorder.feed(frames(Sender(98).unit([b"<tt:MetadataStream/>"], 0), 4))
        self.assertEqual([unit.data for unit in recorder.units], [b"<tt:MetadataStream/>"])
        self.assertIsNone(recorder.media._hold_end)
        beside = Recorder([track(), METADATA])
        beside.feed(frames(Sender(98).unit([b"<tt:MetadataStream/>"], 0), 4))
        self.assertEqual(beside.units, [])

    def test_replay_extension_tells_the_time(self) -> None:
        """Axis with ``onvifreplayext=1`` tells it with the first packet: nothing waits."""
        camera = Camera()
        extension = build_replay(ReplayExtension(ntp_from_utc_us(NOW_US - 250_000)))
        packets = [camera.video.packet(p, 3000, p is IDR_NAL, extension) for p in (*SETS, IDR_NAL)]
        camera.feed(packets)
        camera.count = 2
        camera.feed(camera.picture())
        self.assertEqual(camera.recorder.units[0].utc_us, NOW_US - 250_000)
        self.assertEqual(camera.media.statistics()[0].reports, 1)

    def test_quirk_25_b_frames(self) -> None:
        """Units keep decoding order; the time of each is that of its own timestamp."""
        camera = Camera()
        camera.start()
        packets: list[bytes] = []
        for stamp in (15_000, 9_000, 12_000, 24_000):
            packets += camera.video.unit([P_NAL], stamp)
        camera.feed(packets)
        times = [unit.utc_us - NOW_US for unit in camera.recorder.units[2:]]
        self.assertEqual(times, [166_667, 100_000, 133_333, 266_667])


class GapTests(SynchronousTestCase):
    def test_loss_is_told_by_the_next_unit(self) -> None:
        """From the last unit before it to the first one after it."""
        camera = Camera()
        camera.start()
        broken = camera.picture()
        camera.feed(broken[:1] + broken[2:] + camera.picture() + camera.picture())
        units = camera.recorder.units[2:]
        self.assertEqual([unit.timestamp for unit in units], [9000, 12_000])
        gap = units[0].gap
        assert gap is not None
        self.assertEqual((gap.reason, gap.lost_packets), (GapReason.PACKETS_LOST, 1))
        self.assertEqual((gap.start_us, gap.end_us), (NOW_US + 33_333, NOW_US + 100_000))
        self.assertIsNone(units[1].gap)
        statistics = camera.media.statistics()[0]
        self.assertEqual((statistics.lost, statistics.discarded_units), (1, 1))

    def test_damage_without_loss(self) -> None:
        """A packet that breaks its format costs its picture, and the next one tells."""
        camera = Camera()
        camera.start()
        bad = camera.video.packet(b"\x7c", 6000, False)
        camera.count = 3
        camera.feed([bad, *camera.picture()])
        gap = camera.recorder.units[2].gap
        assert gap is not None
        self.assertEqual((gap.reason, gap.lost_packets), (GapReason.DAMAGED, 0))
        self.assertEqual(camera.media.statistics()[0].malformed, 1)

    def test_another_source(self) -> None:
        """An SSRC that changes in mid-stream is followed, and told (quirk 18)."""
        camera = Camera()
        camera.start()
        camera.video.ssrc, camera.video.sequence_number = 99, 7000
        camera.feed(camera.picture() + camera.picture())
        reasons = [unit.gap and unit.gap.reason for unit in camera.recorder.units]
        self.assertEqual(reasons, [None, None, GapReason.SOURCE_CHANGED, None])

    def test_a_stream_joined_in_the_middle_has_no_gap(self) -> None:
        """Nothing is missing before the first unit, for nothing was there."""
        camera = Camera()
        camera.feed(camera.picture()[1:] + camera.picture(key=True) + camera.picture())
        camera.media.finish()
        self.assertEqual([unit.gap for unit in camera.recorder.units], [None, None])

    def test_the_end(self) -> None:
        """What is whole when a session ends is delivered, held or not."""
        camera = Camera()
        camera.feed(camera.picture(key=True))
        camera.media.finish()
        self.assertEqual(camera.recorder.datas(), [sample(IDR_NAL)])

    def test_finished_within_a_delivery(self) -> None:
        """Who has enough may end the session from where units are delivered."""
        camera = Camera()
        camera.start()
        last = camera.picture()
        deliveries: list[Sequence[AccessUnit]] = []

        def stop(units: Sequence[AccessUnit]) -> None:
            deliveries.append(units)
            camera.media.finish()

        for media_track in camera.media._tracks.values():
            self.patch(media_track, "_deliver", stop)
        self.patch(camera.media, "_deliver", stop)
        camera.feed(last + camera.picture() + camera.picture())
        self.assertEqual(len(deliveries), 1)


class ReportTests(SynchronousTestCase):
    def test_quirk_4_reports_go_out_within_five_seconds(self) -> None:
        """Each track is reported on, with our name, even before anything of it has come."""
        camera = Camera(AUDIO)
        self.assertEqual(camera.media.receiver_reports(0.0), [])
        camera.start()
        due = camera.media.next_timeout()
        assert due is not None
        self.assertEqual(camera.media.receiver_reports(due - 0.01), [])
        reports = camera.media.receiver_reports(due)
        self.assertEqual([index for index, _ in reports], [0, 1])
        first, name = parse_compound(reports[0][1])
        assert isinstance(first, ReceiverReport)
        self.assertEqual((first.ssrc, first.blocks[0].ssrc), (0x1234, SSRC))
        self.assertEqual(name, SourceDescription(((0x1234, "nvr@test"),)))
        empty, _ = parse_compound(reports[1][1])
        self.assertEqual(empty, ReceiverReport(0x1234))
        self.assertLessEqual(camera.media.next_timeout() or 99e9, due + 5)
        self.assertEqual(camera.media.interleaved_reports(due + 1), b"")
        framed = camera.media.interleaved_reports(due + REPORT_INTERVAL_SECONDS)
        self.assertEqual(framed[:2], b"$\x01")
        size = int.from_bytes(framed[2:4], "big")
        self.assertEqual(framed[4 + size : 6 + size], b"$\x03")

    def test_bye(self) -> None:
        """It is told as an event, once, for the track it is about."""
        camera = Camera()
        camera.start()
        camera.recorder.feed(frames([build_bye([SSRC], "over"), build_bye([4711])], 1))
        self.assertEqual(camera.media.take_events(), [TrackEnded(0, "over")])
        self.assertEqual(camera.media.take_events(), [])

    def test_quirk_23_reports_only_advise(self) -> None:
        """Unknown sources (Tapo), cut and senseless reports change nothing and are counted."""
        camera = Camera()
        camera.start()
        for data in (report(0, 5, 0xBAD), report(0, NOW_US)[:9], b"\x80", b"", b"\x81\xc8\xff\xff"):
            camera.recorder.feed(frames([data], 1))
        camera.feed(camera.picture())
        self.assertIsNone(camera.recorder.units[2].gap)
        self.assertEqual(camera.recorder.units[2].utc_us, NOW_US + 66_667)
        self.assertGreaterEqual(camera.media.session_statistics.ignored_reports, 3)

    def test_reports_on_the_channel_of_packets(self) -> None:
        """Both kinds on one channel are told apart."""
        camera = Camera()
        camera.feed(camera.picture(key=True) + camera.picture() + [report(0, NOW_US - 9)])
        self.assertEqual([u.utc_us for u in camera.recorder.units][:1], [NOW_US - 9])
        self.assertEqual(camera.media.statistics()[0].malformed, 0)

    def test_one_report_channel_for_two_tracks(self) -> None:
        """A report is for the track whose source it names, whichever way it comes."""
        camera = Camera(AUDIO)
        sound = Sender(payload_type=8, ssrc=5)
        camera.start()
        camera.recorder.feed(frames([sound.packet(b"a", 0, False)], 2))
        camera.recorder.feed(frames([report(0, NOW_US, 5)], 1))
        self.assertEqual(camera.media.statistics()[1].reports, 1)


class CameraTests(SynchronousTestCase):
    def test_quirk_7_channels_of_nobody(self) -> None:
        """Frames on them are counted and dropped."""
        camera = Camera()
        camera.start()
        camera.recorder.feed(frames(camera.picture(), 8))
        self.assertEqual(len(camera.recorder.units), 2)
        self.assertEqual(camera.media.session_statistics.unassigned_frames, 3)

    def test_quirk_27_foreign_payload_types(self) -> None:
        """Packets of payload type 50 beside 96 (Geovision) are dropped, and no loss."""
        camera = Camera()
        camera.start()
        packets = camera.picture()
        camera.video.payload_type = 50
        foreign = camera.video.packet(b"xyz", 1, True)
        camera.video.payload_type = 96
        camera.feed([*packets, foreign, *camera.picture()])
        self.assertEqual([unit.gap for unit in camera.recorder.units], 4 * [None])
        self.assertEqual(camera.media.statistics()[0].foreign, 1)

    def test_loss_before_a_foreign_packet_is_not_forgotten(self) -> None:
        """It is told by the next picture."""
        camera = Camera()
        camera.start()
        camera.picture()  # lost
        camera.video.payload_type = 50
        foreign = camera.video.packet(b"xyz", 1, True)
        camera.video.payload_type = 96
        camera.feed([foreign, *camera.picture()])
        gap = camera.recorder.units[2].gap
        assert gap is not None
        self.assertEqual(gap.lost_packets, 3)

    def test_quirk_27_packets_of_10000_bytes(self) -> None:
        """Tapo sends them."""
        camera = Camera()
        camera.start()
        nal = P + bytes(range(1, 251)) * 100
        camera.feed(camera.video.unit(fu_a(nal, 9986), 6000))
        self.assertEqual(camera.recorder.datas()[2], sample(nal))

    def test_quirk_33_a_dead_track_holds_nothing_up(self) -> None:
        """Video goes on where sound never comes, and where it stops."""
        camera = Camera(AUDIO)
        camera.start()
        camera.feed(camera.picture(), 109.0)
        self.assertEqual(len(camera.recorder.units), 3)
        self.assertIsNone(camera.media.statistics()[1].last_unit)
        self.assertEqual(camera.media.statistics()[0].last_unit, 109.0)

    def test_datagrams_out_of_order(self) -> None:
        """They are put in order; a hole is waited for, then given up."""
        camera = Camera()
        media = camera.media
        packets = [*camera.picture(key=True), *camera.picture()]
        packets[2:4] = packets[3], packets[2]
        for packet in [*packets, packets[3]]:
            media.receive_rtp(0, packet, 100.0, NOW_US)
        media.receive_rtcp(0, report(0, NOW_US), 100.0, NOW_US)
        self.assertEqual(camera.recorder.datas(), [sample(IDR_NAL), sample(P_NAL)])
        statistics = media.statistics()[0]
        self.assertEqual((statistics.reordered, statistics.duplicates), (1, 1))
        broken, whole = camera.picture(), camera.picture()
        for packet in [*broken[:1], *broken[2:], *whole]:
            media.receive_rtp(0, packet, 100.1, NOW_US + 100_000)
        self.assertEqual(len(camera.recorder.units), 2)
        due = media.next_timeout()
        assert due is not None
        self.assertLess(due, 100.5)
        media.time_out(due, NOW_US + 300_000)
        gap = camera.recorder.units[2].gap
        assert gap is not None
        self.assertEqual((camera.recorder.units[2].timestamp, gap.lost_packets), (9000, 1))
        self.assertEqual(media.statistics()[0].lost, 1)

    def test_nothing_understands_a_track(self) -> None:
        """It is refused by name when the receiver is made."""
        with self.assertRaises(RemoteProtocolError):
            Recorder([replace(track(), codec=None)])

    def test_statistics(self) -> None:
        """What came is counted, on the hot path as on the other."""
        camera = Camera()
        camera.start()
        statistics = camera.media.statistics()[0]
        self.assertEqual((statistics.packets, statistics.frames), (9, 2))
        self.assertEqual(statistics.octets, sum(map(len, SETS)) + (4 * 2 + 66) + (3 * 2 + 42))
        self.assertEqual((statistics.lost, statistics.duplicates, statistics.foreign), (0, 0, 0))
        self.assertEqual(statistics.jitter_ms >= 0, True)
        self.assertFalse(statistics.suspected_encrypted)


class FuzzTests(SynchronousTestCase):
    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 4),
                st.one_of(
                    st.binary(max_size=40),
                    st.binary(max_size=30).map(lambda b: b"\x80\x60" + b),
                    st.binary(max_size=30).map(lambda b: b"\x80\xc8" + b),
                ),
            ),
            max_size=12,
        )
    )
    def test_any_packets(self, packets: list[tuple[int, bytes]]) -> None:
        """Whatever comes on whichever channel, and as datagrams, nothing is raised."""
        camera = Camera(AUDIO)
        for channel, packet in packets:
            camera.recorder.feed(interleaved(channel, packet))
            camera.media.receive_rtp(channel % 2, packet, 101.0, NOW_US)
            camera.media.receive_rtcp(channel % 2, packet, 101.0, NOW_US)
        camera.media.time_out(105.0, NOW_US)
        camera.media.receiver_reports(105.0)
        camera.media.finish()
