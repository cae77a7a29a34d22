"""The units of a group by columns: all tracks, all times, all data.

What is to be known of a group before it is written is asked of each of its hundred units alike:
the earliest time, whether a format changed, how many milliseconds. Asked of a column, C goes
through it, ten times as fast as a loop does that asks unit by unit.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from axis_nvr.media.units import AccessUnit, Format, MetadataFormat


class Columns(NamedTuple):
    """Units, and what each of them has, in the same order.

    :ivar units: the units themselves, in order of arrival.
    :ivar times_us: when each was taken: UTC, microseconds since 1970.
    """

    units: Sequence[AccessUnit] = ()
    tracks: tuple[int, ...] = ()
    times_us: tuple[int, ...] = ()
    syncs: tuple[bool, ...] = ()
    contents: tuple[bytes | bytearray, ...] = ()
    formats: tuple[Format, ...] = ()

    @classmethod
    def of(cls, units: Sequence[AccessUnit]) -> "Columns":
        """Lay units out."""
        if not units:
            return cls()
        tracks, times_us, _, syncs, contents, formats, _ = zip(*units, strict=True)
        return cls(units, tracks, times_us, syncs, contents, formats)

    @classmethod
    def stored(cls, units: Sequence[AccessUnit]) -> "Columns":
        """Lay out those units that are stored: no metadata, nothing empty."""
        columns = cls.of(units)
        if all(columns.contents) and MetadataFormat not in map(type, columns.formats):
            return columns
        return cls.of([it for it in units if it.data and type(it.format) is not MetadataFormat])

    def only(self, formats: Mapping[int, Format]) -> "Columns":
        """Give the units of given tracks that have the track's given format."""
        if tuple(map(formats.get, self.tracks)) == self.formats:
            return self
        return Columns.of([it for it in self.units if formats.get(it.track) == it.format])

    def first_formats(self) -> dict[int, Format]:
        """Give the first format of each track, by the tracks' index, as the tracks came."""
        tracks = dict.fromkeys(self.tracks)
        return {track: self.formats[self.tracks.index(track)] for track in tracks}

    def times_of(self, track: int) -> Sequence[int]:
        """Give the times of a track, in microseconds."""
        if self.tracks.count(track) == len(self.tracks):
            return self.times_us
        pairs = zip(self.tracks, self.times_us, strict=True)
        return [time_us for index, time_us in pairs if index == track]
