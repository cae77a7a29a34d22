"""Which pictures are sent."""

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.units import AccessUnit, VideoFormat
from axis_nvr.session.replay.frames import Chooser, is_discardable
from axis_nvr.session.replay.order import Frames
from tests.storage.making import unit
from tests.storage.reading.streams import H264, H265, SOUND

#: Headers of NAL units: what is referred to and what is not, in both codecs.
KEPT = {H264: b"\x61", H265: b"\x02\x01"}  # nal_ref_idc 3, type 1; TRAIL_R
SPARE = {H264: b"\x01", H265: b"\x00\x01"}  # nal_ref_idc 0; TRAIL_N
KEY = {H264: b"\x65", H265: b"\x26\x01"}  # IDR
SEI = {H264: b"\x06", H265: b"\x4e\x01"}


def picture(at: int, head: bytes, form: VideoFormat, *, sync: bool = False) -> AccessUnit:
    """A picture that is shown as the at-th, behind a SEI."""
    nals = [SEI[form] + b"\x80", head + b"\x80slice"]
    data = b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals)
    return unit(at * 40_000, sync=sync, data=data, form=form)


def shown(units: list[AccessUnit]) -> list[int]:
    return [one.utc_us // 40_000 for one in units]


class FramesTests(SynchronousTestCase):
    def test_what_nothing_refers_to(self) -> None:
        """The header of the first slice tells, whatever stands before it."""
        for form in (H264, H265):
            self.assertTrue(is_discardable(picture(1, SPARE[form], form)))
            self.assertFalse(is_discardable(picture(1, KEPT[form], form)))
            self.assertFalse(is_discardable(picture(1, KEY[form], form, sync=True)))
        self.assertFalse(is_discardable(unit(0, data=b"\0\0\0\xff", form=H264)))

    def test_predicted(self) -> None:
        """B-pictures that nothing refers to go; P-pictures and those of a pyramid stay."""
        for form in (H264, H265):
            units = [
                picture(0, KEY[form], form, sync=True),
                picture(4, KEPT[form], form),
                picture(2, KEPT[form], form),  # a B-picture of a pyramid
                picture(1, SPARE[form], form),
                picture(3, SPARE[form], form),
                picture(5, SPARE[form], form),  # a P-picture that nothing refers to
            ]
            chosen = Chooser(Frames.PREDICTED).choose(units)
            self.assertEqual(shown(chosen), [0, 4, 2, 5])

    def test_leading_pictures(self) -> None:
        """Pictures shown before the key frame that they follow are B-pictures too."""
        units = [
            picture(0, KEY[H265], H265, sync=True),
            picture(4, b"\x2a\x01", H265, sync=True),  # CRA
            picture(3, b"\x10\x01", H265),  # RASL_N
        ]
        self.assertEqual(shown(Chooser(Frames.PREDICTED).choose(units)), [0, 4])

    def test_intra(self) -> None:
        """Key frames only; sound is not concerned."""
        sound = unit(50_000, track=1, sync=True, form=SOUND)
        units = [picture(0, KEY[H264], H264, sync=True), sound, picture(1, KEPT[H264], H264)]
        self.assertEqual(Chooser(Frames.INTRA).choose(units), [units[0], sound])

    def test_apart(self) -> None:
        """The interval counts from the last that was sent, in either direction; gaps end it."""
        keys = [picture(at * 25, KEY[H264], H264, sync=True) for at in range(7)]
        for units in (keys, keys[::-1]):
            chooser = Chooser(Frames.INTRA, 1_500_000)
            chosen = [one for key in units for one in chooser.choose([key])]
            self.assertEqual(chosen, units[::2])
        chooser = Chooser(Frames.INTRA, 1_500_000)
        self.assertEqual(chooser.choose(keys[:2]), keys[:1])
        chooser.section()
        self.assertEqual(chooser.choose(keys[1:2]), keys[1:2])
