"""What the packetizers lay into packets, our own depacketizers take out again."""

from collections.abc import Iterable
from fractions import Fraction

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.units import Codec
from axis_nvr.session.depacketizers import Frame, depacketizer_for
from axis_nvr.session.packetizers import aac, g711, h264, h265, metadata
from axis_nvr.session.server.description import (
    OfferedTrack,
    aac_track,
    describe,
    h264_track,
    h265_track,
    metadata_track,
    pcmu_track,
)
from axis_nvr.session.server.presentation_url import parse_url
from axis_nvr.session.tracks import describe_tracks
from axis_nvr.simulator import bitstream
from axis_nvr.wire import nal
from axis_nvr.wire.sdp import parse_session

URL = parse_url("rtsp://h/axis-media/media.amp")


def through(offered: OfferedTrack, frames: Iterable[list[bytes]]) -> list[Frame]:
    """Describe a track, send frames of payloads, and return what a client makes of them."""
    text = describe([offered], URL, number=1, address="10.0.0.2")
    (track,) = describe_tracks(parse_session(text), URL.content_base)
    depacketizer = depacketizer_for(track)
    found: list[Frame] = []
    for time, payloads in enumerate(frames):
        for place, payload in enumerate(payloads):
            marker = place == len(payloads) - 1
            found += depacketizer.push(memoryview(payload), 3000 * time, marker, 0)
    return [*found, *depacketizer.flush()]


class RoundTripTests(SynchronousTestCase):
    def test_video(self) -> None:
        """Slices, order and key frames survive, at any packet size, aggregated or not."""
        for codec, packetize, offer in (
            (Codec.H264, h264.packetize, h264_track),
            (Codec.H265, h265.packetize, h265_track),
        ):
            stream = bitstream.video_bitstream(codec, 640, 360)
            offered = offer(stream.parameter_sets, Fraction(30))
            for limit, aggregate in ((100, False), (1388, False), (1388, True), (60000, True)):
                payloads = [
                    packetize(stream.units(picture), limit, aggregate=aggregate)
                    for picture in range(40)
                ]
                found = through(offered, payloads)
                self.assertEqual(
                    [bytes(frame.data) for frame in found],
                    [nal.join_sample(stream.pictures[picture]) for picture in range(40)],
                )
                self.assertEqual([n for n, frame in enumerate(found) if frame.sync], [0])
                self.assertFalse(any(frame.damaged or frame.lost for frame in found))

    def test_sound(self) -> None:
        """AAC frames survive whole and in pieces, G.711 samples packet by packet."""
        offered = aac_track(bitstream.AAC_CONFIG, 16000, 1)
        frames = list(bitstream.aac_frames())
        for limit in (100, 1388):
            found = through(offered, [aac.packetize(frame, limit) for frame in frames])
            self.assertEqual([bytes(frame.data) for frame in found], frames)
        samples = bitstream.g711_payloads()
        pieces = [[piece] for whole in samples for piece in g711.packetize(whole, 160)]
        found = through(pcmu_track(), pieces)
        self.assertEqual([bytes(frame.data) for frame in found], samples)

    def test_metadata(self) -> None:
        """Documents survive, however many packets they take."""
        documents = [b"<a/>", b"<b>" + 5000 * b"x" + b"</b>"]
        offered = metadata_track()
        found = through(offered, [metadata.packetize(text, 1388) for text in documents])
        self.assertEqual([bytes(frame.data) for frame in found], documents)
