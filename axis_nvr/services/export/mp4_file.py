"""A fragmented MP4 file of recordings, signed, made while it is read.

A fragment is a group of pictures with its sound; time jumps over gaps. What is missing is told in
``moov/udta``, as JSON in a box of our own, and by the seal at the end (ONVIF Export File Format):
who exported what and when, and a signature over every byte before and after it.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from axis_nvr.errors import NvrError
from axis_nvr.media.mp4 import Mp4Writer
from axis_nvr.media.units import AccessUnit, Format
from axis_nvr.services.export.content import Content, Placed
from axis_nvr.services.export_seal import Sealer
from axis_nvr.storage.files import IFiles
from axis_nvr.storage.layout import utc_text
from axis_nvr.storage.reading.blocks import Group
from axis_nvr.storage.reading.gops import Decoder, read_range
from axis_nvr.storage.reading.moving import Piece
from axis_nvr.wire.isobmff import box
from axis_nvr.wire.onvif_export import ExportInfo, ExportSource, build_meta

#: The type of the box that tells what is missing.
GAPS_UUID = UUID("6e9f1c0e-1d53-5c4b-9d41-7a2f0c6b8e11")
#: The most gaps that are told.
MAX_GAPS = 10_000

#: Hears of what turned out to be broken: block, and what is wrong.
Complain = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Seal:
    """How a file is sealed.

    :param info: who exports and when; its sources and its start are filled in.
    """

    sealer: Sealer
    info: ExportInfo


class Mp4File:
    """A file that is made while it is read, from its beginning to its end.

    :param device: names the camera of its tracks.
    :param seal: signs it; None: it is not signed.
    :raises NotInMp4: its pictures have no place in an MP4 file.
    :ivar left_out: the sound that has none.
    """

    def __init__(
        self,
        files: IFiles,
        content: Content,
        device: str,
        seal: Seal | None,
        complain: Complain = lambda block, problem: None,
    ) -> None:
        self._files = files
        self._content = content
        self._device = device
        self._seal = seal
        self._complain = complain
        formats: dict[int, Sequence[Format]] = {
            at: track.formats for at, track in enumerate(content.tracks) if track.formats
        }
        self._writer = Mp4Writer(formats, content.start_us)
        self.left_out = self._writer.left_out

    def pieces(self) -> Iterator[Piece]:
        """Give the file; once."""
        digest = hashlib.sha256()
        for piece in self._unsealed():
            if self._seal is not None:
                digest.update(piece)
            yield piece
        if self._seal is None:
            return
        sealer, info = self._seal.sealer, self._info(self._seal.info)
        meta, place = build_meta(info, sealer.certificate, sealer.signature_bytes)
        digest.update(meta)
        signature = sealer.sign(digest.digest())
        yield meta[:place] + signature + meta[place + len(signature) :]

    def _info(self, info: ExportInfo) -> ExportInfo:
        tracks = self._writer.track_ids.values()
        return ExportInfo(
            info.unit_name,
            info.unit_url,
            info.unit_mac,
            info.time_us,
            info.operator,
            self._content.start_us,
            tuple(ExportSource(track, self._device) for track in tracks),
        )

    def _unsealed(self) -> Iterator[Piece]:
        yield self._writer.head(self._told())
        for placed in self._content.placed:
            part = placed.part
            decoder = Decoder(part.head, part.date_us)
            ends = [*part.times[1:], part.end_us]
            for group, begin_us, end_us in zip(part.groups, part.times, ends, strict=True):
                units = self._units(placed, decoder, group, (begin_us, end_us))
                yield from self._writer.fragment(units, end_us + placed.later_us)

    def _units(
        self, placed: Placed, decoder: Decoder, group: Group, times: tuple[int, int]
    ) -> Iterator[AccessUnit]:
        """Read a group; what cannot be read is told, and left out."""
        part = placed.part
        try:
            content = read_range(self._files, part.path, group, decoder, times, part.damaged)
        except NvrError as error:
            self._complain(part.stretch.block_id, str(error))
            return
        for gap in content.gaps:
            self._complain(part.stretch.block_id, gap.detail)
        tracks = _tracks_of(placed)
        for unit in content.units:
            utc_us = unit.utc_us + placed.later_us
            yield unit._replace(track=tracks[unit.track], utc_us=utc_us)

    def _told(self) -> bytes:
        """Tell what is missing."""
        if not self._content.gaps:
            return b""
        gaps = [
            {
                "starttime": utc_text(gap.start_us),
                "stoptime": utc_text(gap.end_us),
                "reason": str(gap.reason),
                "lostpackets": gap.lost_packets,
                "detail": gap.detail,
            }
            for gap in self._content.gaps[:MAX_GAPS]
        ]
        return box(b"uuid", GAPS_UUID.bytes, json.dumps({"gaps": gaps}).encode())


def _tracks_of(placed: Placed) -> dict[int, int]:
    """Give the file's tracks by those of the block, both counted from 0, the main one first."""
    head = placed.part.head
    numbers = sorted(
        (track.number for track in head.tracks),
        key=lambda number: (number != head.main_track, number),
    )
    return {at: placed.numbers[number] - 1 for at, number in enumerate(numbers)}
