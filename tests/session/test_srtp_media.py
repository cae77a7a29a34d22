"""The media of a session with protected tracks."""

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.units import AccessUnit, Codec
from axis_nvr.session.media import REPORT_INTERVAL_SECONDS, MediaReceiver, TrackEnded
from axis_nvr.session.srtp import SrtpKey, SrtpReceiver, SrtpSender, SrtpStatistics
from axis_nvr.session.srtp_keys import TrackProtection
from axis_nvr.session.srtp_media import UNAUTHENTIC_SECONDS, ProtectedMediaReceiver
from axis_nvr.wire.mikey import MasterKey
from axis_nvr.wire.rtcp import ReceiverReport, build_bye, parse_compound
from tests.session.depacketizers.payloads import H264_PPS, H264_SPS, IDR, P, fu_a
from tests.session.streams import SSRC, START_US, Sender, interleaved, report, track

CAMERA = SrtpKey(MasterKey(b"c" * 16, b"c" * 14))
OWN = SrtpKey(MasterKey(b"o" * 16, b"o" * 14, b"name"))
WRONG = SrtpKey(MasterKey(b"w" * 16, b"w" * 14))
AUDIO = track(1, Codec.PCMA, payload_type=8, clock_rate=8000)
SETS = [H264_SPS, H264_PPS]


class Session:
    """A protected video track and a plain audio track, and what they deliver."""

    def __init__(self, key: SrtpKey = CAMERA, *, is_protected: bool = True) -> None:
        self.units: list[AccessUnit] = []
        self.media = (
            ProtectedMediaReceiver(
                [track(), AUDIO],
                self.units.extend,
                "nvr@test",
                0x1234,
                {0: TrackProtection((OWN, CAMERA), OWN)},
            )
            if is_protected
            else MediaReceiver([track(), AUDIO], self.units.extend, "nvr@test", 0x1234)
        )
        for index in (0, 1):
            self.media.assign(index, 2 * index, 2 * index + 1)
        self.sender = SrtpSender(key) if is_protected else None
        self.video, self.audio = Sender(), Sender(payload_type=8, ssrc=7)
        self.count = 0

    def picture(self) -> list[bytes]:
        """The packets of the next picture, as they are sent."""
        payloads = [*SETS, *fu_a(IDR + bytes(range(99)), 20)] if not self.count else []
        payloads += fu_a(P + bytes(range(60, 140)), 20) if self.count else []
        self.count += 1
        packets = self.video.unit(payloads, 3000 * self.count)
        return [self.sender.protect(it) for it in packets] if self.sender else packets

    def report(self) -> bytes:
        """A sender report of the video, as it is sent."""
        data = report(3000, START_US)
        return self.sender.protect_rtcp(data) if self.sender else data

    def play(self, pictures: int, *, by_datagrams: bool = False) -> None:
        """Send pictures, sound between them, and reports of both."""
        for number in range(pictures):
            now = 100 + number / 30
            now_us = round(1e6 * now)
            sound = self.audio.packet(bytes(160), 160 * number, marker=False)
            packets = self.picture()
            if by_datagrams:
                for packet in packets:
                    self.media.receive_rtp(0, packet, now, now_us)
                self.media.receive_rtp(1, sound, now, now_us)
                self.media.receive_rtcp(0, self.report(), now, now_us)
                self.media.receive_rtcp(1, report(0, START_US, 7), now, now_us)
                continue
            data = b"".join(interleaved(0, packet) for packet in packets)
            data += interleaved(2, sound) + interleaved(1, self.report())
            data += interleaved(3, report(0, START_US, 7))
            self.media.receive(data[:50], now, now_us)
            self.media.receive(data[50:], now, now_us)
        self.media.finish()


class ReceptionTests(SynchronousTestCase):
    def test_same_units(self) -> None:
        """The units are those of the same stream without protection, however it comes."""
        plain = Session(is_protected=False)
        plain.play(40)
        self.assertEqual(len(plain.units), 80)
        for key in (CAMERA, OWN):
            for by_datagrams in (False, True):
                session = Session(key)
                session.play(40, by_datagrams=by_datagrams)
                self.assertEqual(session.units, plain.units)
                self.assertEqual(session.media.statistics()[0].lost, 0)
                self.assertEqual(session.media.statistics()[0].reports, 40)

    def test_wrong_keys(self) -> None:
        """Of a track under an unknown key nothing is taken, all is counted, and that is told."""
        session = Session(WRONG)
        session.play(100)
        media = session.media
        assert isinstance(media, ProtectedMediaReceiver)
        self.assertEqual({unit.track for unit in session.units}, {1})
        statistics = media.protection_statistics()
        self.assertEqual(list(statistics), [0])
        self.assertEqual(statistics[0].accepted, 0)
        self.assertGreater(statistics[0].refused, 500)
        self.assertEqual(media.unauthentic_tracks(100 + UNAUTHENTIC_SECONDS / 2), {})
        self.assertEqual(
            media.unauthentic_tracks(100 + UNAUTHENTIC_SECONDS),
            {0: statistics[0].refused - 100},  # reports aside
        )

    def test_two_wrong_packets(self) -> None:
        """Two packets are too few to say that nothing is authentic."""
        media = Session().media
        assert isinstance(media, ProtectedMediaReceiver)
        for count, expected in ((1, {}), (2, {}), (3, {0: 3})):
            media.receive_rtp(0, bytes(50), 100.0, 0)
            self.assertEqual(media.unauthentic_tracks(1000.0), expected, count)

    def test_some_wrong_packets(self) -> None:
        """Forged packets among good ones are counted and cost nothing else."""
        session = Session()
        forger = SrtpSender(WRONG)
        for number in range(10):
            now = 100.0 + number
            for packet in session.picture():
                forged = forger.protect(session.video.packet(bytes(9), 0, marker=True))
                session.video.sequence_number -= 1
                session.media.receive_rtp(0, forged, now, 0)
                session.media.receive_rtp(0, packet, now, 0)
        session.media.finish()
        media = session.media
        assert isinstance(media, ProtectedMediaReceiver)
        self.assertEqual(len(session.units), 10)
        self.assertEqual(media.statistics()[0].lost, 0)
        self.assertGreater(media.protection_statistics()[0].refused, 10)
        self.assertEqual(media.unauthentic_tracks(1000.0), {})

    def test_plain_where_protected_was_agreed(self) -> None:
        """Media that comes in the clear after all is not taken: anyone could have sent it."""
        session = Session()
        session.sender = None
        session.play(10)
        self.assertEqual({unit.track for unit in session.units}, {1})

    def test_goodbye(self) -> None:
        """A goodbye counts if it is authentic."""
        for key, events in ((CAMERA, [TrackEnded(0, "")]), (WRONG, [])):
            session = Session()
            session.media.receive(b"".join(interleaved(0, it) for it in session.picture()), 1.0, 0)
            goodbye = SrtpSender(key).protect_rtcp(build_bye([SSRC]))
            session.media.receive(interleaved(1, goodbye), 1.0, 0)
            self.assertEqual(session.media.take_events(), events)


class ReportTests(SynchronousTestCase):
    def test_reports_are_protected(self) -> None:
        """Our reports about a protected track are under our key, those about others are plain."""
        session = Session()
        now = 100.0 + REPORT_INTERVAL_SECONDS
        session.media.receive(b"".join(interleaved(0, it) for it in session.picture()), 100.0, 0)
        protected, plain = (data for _, data in session.media.receiver_reports(now))
        opened = SrtpReceiver([OWN]).unprotect_rtcp(protected)
        assert opened is not None
        (about,) = [it for it in parse_compound(opened) if isinstance(it, ReceiverReport)]
        self.assertEqual((about.ssrc, about.blocks[0].ssrc), (0x1234, SSRC))
        self.assertIsInstance(parse_compound(plain)[0], ReceiverReport)

    def test_interleaved_reports(self) -> None:
        """The same as frames."""
        session = Session()
        session.media.receive(b"".join(interleaved(0, it) for it in session.picture()), 100.0, 0)
        frames = session.media.interleaved_reports(100.0 + REPORT_INTERVAL_SECONDS)
        size = int.from_bytes(frames[2:4], "big")
        receiver = SrtpReceiver([OWN])
        self.assertIsNotNone(receiver.unprotect_rtcp(frames[4 : 4 + size]))
        self.assertEqual(receiver.statistics, SrtpStatistics(1, 0, 0))
