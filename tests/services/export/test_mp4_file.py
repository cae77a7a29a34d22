"""Recordings as MP4 files: what is in them, and their seal."""

import json
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.mp4 import NotInMp4
from axis_nvr.media.units import AudioFormat, Codec
from axis_nvr.services.certificate import export_certificate
from axis_nvr.services.export.mp4_file import GAPS_UUID, Mp4File, Seal
from axis_nvr.services.export_seal import Sealer, verify
from axis_nvr.services.state_folder import StateFolder
from axis_nvr.wire.isobmff import BoxPlace, read_header
from axis_nvr.wire.onvif_export import ExportInfo
from tests.services.export.exporting import Store, joined
from tests.storage.making import START_US, gop_of, unit
from tests.storage.reading.streams import SECOND, Drawn, make_stream

INFO = ExportInfo("axis_nvr", "", "AC:CC:8E:01:23:45", START_US, "vera", 0, ())


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[BoxPlace]:
    end = len(data) if end is None else end
    while start < end:
        place = read_header(data[start : start + 16], start, end)
        assert place is not None
        yield place
        start = place.end


class Mp4FileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = Store(self.mktemp())
        self.addCleanup(self.store.close)
        state = StateFolder(Path(self.mktemp()))
        state.open()
        self.sealer = Sealer(export_certificate(state, "ACCC8E012345"))

    def export(self, recording_id: str, *, signed: bool = True) -> bytes:
        content = self.store.content(recording_id)
        seal = Seal(self.sealer, INFO) if signed else None
        return joined(Mp4File(self.store.files, content, "front", seal).pieces())

    def test_all_pictures(self) -> None:
        """Every picture is in it, group by group; sound that MP4 does not know is left out."""
        name = self.store.record(make_stream([Drawn(5, sounds=3)] * 4))
        data = self.export(name)
        media = b"".join(data[b.content : b.end] for b in boxes(data) if b.type == b"mdat")
        units = [u for u in self.store.units(name) if u.track == 0]
        self.assertEqual(media, b"".join(bytes(u.data) for u in units))
        kinds = [place.type for place in boxes(data)]
        self.assertEqual(kinds, [b"ftyp", b"moov", *[b"moof", b"mdat"] * 4, b"meta"])

    def test_the_seal_is_good(self) -> None:
        """What is sealed is verified, with the camera, the time and who exported it."""
        name = self.store.record(make_stream([Drawn(5)] * 4))
        data = self.export(name)
        sealed, verdicts = verify(lambda start, size: data[start : start + size], len(data))
        self.assertEqual([(v.is_valid, v.covers_all) for v in verdicts], [(True, True)])
        self.assertEqual((sealed.info.operator, sealed.info.sources[0].name), ("vera", "front"))
        assert sealed.start_us is not None
        self.assertLess(abs(sealed.start_us - START_US), 1000)

    def test_a_flipped_bit_is_seen(self) -> None:
        """A change anywhere in the media makes the seal invalid."""
        data = bytearray(self.export(self.store.record(make_stream([Drawn(5)] * 2))))
        media = next(place for place in boxes(bytes(data)) if place.type == b"mdat")
        data[media.content] ^= 1
        _, verdicts = verify(lambda start, size: bytes(data[start : start + size]), len(data))
        self.assertFalse(verdicts[0].is_valid)

    def test_not_signed(self) -> None:
        """Without a seal it ends with its media."""
        data = self.export(self.store.record(make_stream([Drawn(5)])), signed=False)
        self.assertEqual([place.type for place in boxes(data)][-1], b"mdat")

    def test_gaps_are_told(self) -> None:
        """What is missing stands in the file, and time jumps over it."""
        name = self.store.record(make_stream([Drawn(5), Drawn(5, pause_us=60 * SECOND)]))
        data = self.export(name)
        moov = next(place for place in boxes(data) if place.type == b"moov")
        udta = next(p for p in boxes(data, moov.content, moov.end) if p.type == b"udta")
        (told,) = boxes(data, udta.content, udta.end)
        self.assertEqual(data[told.content : told.content + 16], GAPS_UUID.bytes)
        (gap,) = json.loads(data[told.content + 16 : told.end])["gaps"]
        self.assertEqual((gap["reason"], gap["lostpackets"]), ("disconnected", 3))

    def test_pictures_that_mp4_does_not_know(self) -> None:
        """Motion JPEG and sound of G.726 alone have no place in it."""
        form = AudioFormat(Codec.G726, b"", 8000, 1, 4)
        units = [
            unit(START_US + n * 20_000, sync=True, data=bytes(80), form=form) for n in range(9)
        ]
        name = self.store.record([gop_of(units, START_US + 180_000)])
        with self.assertRaises(NotInMp4):
            self.export(name)

    def test_a_block_removed_meanwhile(self) -> None:
        """What cannot be read is left out; the file is still whole, and sealed."""
        name = self.store.record(make_stream([Drawn(5), Drawn(5, pause_us=400 * SECOND)]))
        content = self.store.content(name)
        told: list[tuple[str, str]] = []
        seal = Seal(self.sealer, INFO)
        made = Mp4File(self.store.files, content, "front", seal, lambda *words: told.append(words))
        self.store.bench.blocks()[0].unlink()
        data = joined(made.pieces())
        self.assertEqual(len(told), 1)
        _, verdicts = verify(lambda start, size: data[start : start + size], len(data))
        self.assertTrue(verdicts[0].is_valid)
        self.assertEqual([place.type for place in boxes(data)].count(b"moof"), 1)
