"""Exports: recordings given away as files, to clients and to an external disk.

Theory of operation. An export is planned in one go, from the index and the fronts of the blocks:
what is in it, how it is cut, how long it is. Then it is read piece by piece, each piece when it is
its turn among all who read that disk; a recording is written by another thread, which none of them
can hold up. How many exports there are at once has a limit, and so has what their plans take.
"""

import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from twisted.logger import Logger

from axis_nvr.media.units import Gap
from axis_nvr.services.export.content import Content, NothingToExport, lay_out
from axis_nvr.services.export.flow import Flow
from axis_nvr.services.export.matroska_file import MatroskaFile
from axis_nvr.services.export.order import (
    CONTENT_TYPES,
    FORMATS,
    MP4,
    CannotExport,
    ExportOrder,
    Why,
)
from axis_nvr.services.export.zip_file import zip_pieces
from axis_nvr.services.library import Library, Located, NoRecording, Shelf
from axis_nvr.storage.files import IFiles
from axis_nvr.storage.index import Index
from axis_nvr.storage.layout import utc_datetime
from axis_nvr.storage.reading.device_trail import DeviceTrail
from axis_nvr.storage.reading.moving import Piece
from axis_nvr.storage.reading.parts import Part, TooLong, find_parts, first_group, joined
from axis_nvr.storage.reading.trail import RecordingTrail, Trail

if TYPE_CHECKING:
    from axis_nvr.services.export_seal import Sealer

#: Exports that are being read at once.
MAX_EXPORTS = 200
#: Groups of pictures in all of them: 150 bytes of memory each.
MAX_GROUPS = 4_000_000
#: Recordings of one export.
MAX_RECORDINGS = 1000

#: Goes through what is wanted, given what gives the index.
MakeTrail = Callable[[Callable[[], Index]], Trail]
#: Gives a range of a file, or all of it up from a place.
MakePieces = Callable[[int, int | None], Iterator[Piece]]


class _Source(NamedTuple):
    """Where something of what is wanted is, and whose it is."""

    shelf: Shelf
    make_trail: MakeTrail
    device: str


@dataclass(frozen=True, slots=True)
class Maker:
    """Who makes exports.

    :param product: such as ``axis_nvr 1.2``.
    :param serial: twelve hexadecimal digits.
    :param sealer: signs what can be signed; made when it is first needed, for that takes a while.
    """

    product: str
    serial: str
    sealer: "Callable[[], Sealer]"


@dataclass(frozen=True, slots=True)
class Export:
    """A file that can be read.

    :param file_name: with its ending.
    :param size_bytes: None if that is not known before it is read.
    :param estimated_bytes: about how long it is.
    :param etag: another one for other bytes; empty: no two are the same.
    :param pieces: gives a range of it, or all.
    """

    file_name: str
    content_type: str
    size_bytes: int | None
    estimated_bytes: int
    etag: str
    start_us: int
    stop_us: int
    groups: int
    pieces: MakePieces
    shelf: Shelf


class Exports:
    """Makes them.

    :param utc: the time of day, in seconds since 1970.
    :ivar active: how many are being read.
    """

    log = Logger()

    def __init__(
        self,
        files: IFiles,
        library: Library,
        maker: Maker,
        utc: Callable[[], float] = time.time,
    ) -> None:
        self.active = 0
        self._groups = 0
        self._files = files
        self._library = library
        self._maker = maker
        self._utc = utc

    async def bounds(self, order: ExportOrder) -> None:
        """Make sure that the times of an order are not outside of what was recorded.

        :raises CannotExport: they are, or there is no such recording.
        """
        located = await self._located(order)
        starts = [one.found.row.start_us or 0 for one in located]
        stops = [one.found.row.stop_us for one in located]
        if order.stop_us is not None and starts and order.stop_us < min(starts):
            raise CannotExport(Why.STOP_BEFORE_BEGIN)
        if order.start_us is None or not stops:
            return
        known = [stop for stop in stops if stop is not None]
        end_us = max(known) if len(known) == len(stops) else int(self._utc() * 1e6)
        if order.start_us > end_us:
            raise CannotExport(Why.START_BEHIND_END)

    async def plan(self, order: ExportOrder) -> Export:
        """Plan an export.

        :raises CannotExport: it cannot be made.
        :raises StorageError: the disk cannot be read.
        """
        if self.active >= MAX_EXPORTS or self._groups >= MAX_GROUPS:
            raise CannotExport(Why.TOO_MANY)
        found: list[Part | Gap] = []
        sources = await self._sources(order)
        try:
            for source in sources:
                found += await source.shelf.reader.ask(self._found, source, order)
        except TooLong as error:
            raise CannotExport(Why.TOO_MANY, str(error)) from error
        parts = _chosen(found, order)
        if not any(isinstance(part, Part) for part in parts):
            raise CannotExport(Why.NO_RECORDING)
        first = sources[0]
        try:
            planned: Export = await first.shelf.reader.run(
                lambda: self._planned(order, first, lay_out(self._files, joined(parts)))
            )
        except NothingToExport as error:
            raise CannotExport(Why.NO_RECORDING, str(error)) from error
        return planned

    def read(self, export: Export, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Read an export, or a range of it.

        :returns: pieces; whoever does not take all of them closes it.
        """

        def begun() -> None:
            self.active += 1
            self._groups += export.groups

        def ended() -> None:
            self.active -= 1
            self._groups -= export.groups

        return Flow(export.shelf.reader.run, export.pieces(start, end), begun, ended)

    # What there is.

    async def _located(self, order: ExportOrder) -> list[Located]:
        if len(order.recording_ids) > MAX_RECORDINGS:
            raise CannotExport(Why.TOO_MANY, f"more than {MAX_RECORDINGS} recordings")
        try:
            return [
                await self._library.locate(recording_id, order.disk)
                for recording_id in dict.fromkeys(order.recording_ids)
            ]
        except NoRecording as error:
            raise CannotExport(Why.NO_RECORDING, str(error)) from error

    async def _sources(self, order: ExportOrder) -> list[_Source]:
        if order.device:
            return [
                _Source(shelf, lambda index: DeviceTrail(index, order.device), order.device)
                for shelf in self._library.chosen(order.disk)
            ]
        return [
            _Source(one.shelf, _recording_trail(one), one.found.row.device)
            for one in await self._located(order)
        ]

    def _found(self, index: Index, source: _Source, order: ExportOrder) -> list[Part | Gap]:
        maps, trail = source.shelf.reader.maps, source.make_trail(lambda: index)
        found = list(find_parts(index, maps, trail, order.start_us, order.stop_us))
        is_one = len(order.recording_ids) == 1
        if is_one and not any(isinstance(part, Part) for part in found):
            first = first_group(index, maps, trail)  # the range is before it all
            return [] if first is None else [first]
        return found

    # What is made of it.

    def _planned(self, order: ExportOrder, source: _Source, content: Content) -> Export:
        size_bytes: int | None = None
        etag, ending = "", FORMATS[order.form]
        estimate = content.size_bytes
        pieces: MakePieces
        if order.form == MP4:
            pieces = self._mp4(order, source.device, content)
        else:
            tags = _tags(source.device, content)
            product, complain = self._maker.product, self._complain
            made = MatroskaFile(self._files, content, product, tags, complain)
            estimate = size_bytes = made.size_bytes
            etag, pieces = made.etag, made.pieces
        name = order.name or _default_name(content)
        if order.password:
            inner, inner_name, password = pieces, f"{name}.{ending}", order.password
            size_bytes, etag, ending = None, "", "zip"
            name = order.name or secrets.token_hex(3).upper()

            def pieces(start: int, end: int | None) -> Iterator[Piece]:
                return zip_pieces(inner_name, inner(0, None), content.start_us, password)

        return Export(
            file_name=f"{name}.{ending}",
            content_type=CONTENT_TYPES[ending],
            size_bytes=size_bytes,
            estimated_bytes=estimate,
            etag=etag,
            start_us=content.start_us,
            stop_us=content.end_us,
            groups=sum(len(placed.part.groups) for placed in content.placed),
            pieces=pieces,
            shelf=source.shelf,
        )

    def _mp4(self, order: ExportOrder, device: str, content: Content) -> MakePieces:
        """Make an MP4 file; its boxes and its seal are loaded with the first one: 0.3 MiB.

        :raises CannotExport: what was recorded has no place in one.
        """
        from axis_nvr.media.mp4 import NotInMp4
        from axis_nvr.services.export.mp4_file import Mp4File, Seal
        from axis_nvr.wire.onvif_export import ExportInfo

        def pieces(start: int, end: int | None) -> Iterator[Piece]:
            product, serial = self._maker.product, self._maker.serial
            mac = ":".join(serial[at : at + 2] for at in range(0, len(serial), 2))
            now_us = int(self._utc() * 1e6)
            info = ExportInfo(product, "", mac, now_us, order.account, 0, ())
            seal = Seal(self._maker.sealer(), info)
            return Mp4File(self._files, content, device, seal, self._complain).pieces()

        try:
            Mp4File(self._files, content, device, None)
        except NotInMp4 as error:
            raise CannotExport(Why.NOT_IN_FORMAT, str(error)) from error
        return pieces

    def _complain(self, block: str, problem: str) -> None:
        self.log.warn(
            "an export leaves out a part of {block}: {problem}", block=block, problem=problem
        )


def _recording_trail(located: Located) -> MakeTrail:
    recording_id = located.found.row.recording_id
    return lambda index: RecordingTrail(index, recording_id)


def _chosen(found: list[Part | Gap], order: ExportOrder) -> list[Part | Gap]:
    """Put what several recordings have in order of time; what is before the range goes."""

    def begin(part: Part | Gap) -> int:
        return part.start_us if isinstance(part, Gap) else part.times[0]

    if len(order.recording_ids) == 1:
        return found
    start_us = order.start_us or 0
    within = [part for part in found if part.end_us > start_us]
    return sorted(within or found, key=begin)


def _tags(device: str, content: Content) -> list[tuple[str, str]]:
    names = dict.fromkeys(placed.part.stretch.recording_id for placed in content.placed)
    tags = [("RECORDING", name) for name in names]
    return [*tags, ("DEVICE", device)] if device else tags


def _default_name(content: Content) -> str:
    return f"{_stamp(content.start_us)}_{_stamp(content.end_us)}"


def _stamp(utc_us: int) -> str:
    return utc_datetime(utc_us).strftime("%Y%m%d_%H%M%S")
