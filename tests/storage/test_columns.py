"""The units of a group by columns, held equal to the units one by one."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.units import AccessUnit, Format, MetadataFormat
from axis_nvr.storage.columns import Columns
from tests.storage.making import AUDIO, START_US, VIDEO, unit

#: Two of them are equal and not the same object, as after a camera came back.
FORMATS: tuple[Format, ...] = (VIDEO, replace(VIDEO), replace(VIDEO, width=640), AUDIO)


def units(*more: Format) -> st.SearchStrategy[list[AccessUnit]]:
    """Units of three tracks."""
    each = st.builds(
        unit,
        st.integers(START_US, START_US + 5),
        track=st.integers(0, 2),
        data=st.sampled_from((b"", b"a", bytearray(b"b"))),
        form=st.sampled_from((*FORMATS, *more)),
    )
    return st.lists(each, max_size=8)


class ColumnsTests(SynchronousTestCase):
    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(units(MetadataFormat()))
    def test_what_is_stored(self, given: list[AccessUnit]) -> None:
        """Metadata and what is empty is left out; the others stay as they are."""
        expected = [it for it in given if it.data and it.format != MetadataFormat()]
        columns = Columns.stored(given)
        self.assertEqual(list(columns.units), expected)
        self.assertEqual(columns, Columns.of(expected) if expected else Columns())
        self.assertEqual(list(columns.times_us), [it.utc_us for it in expected])
        self.assertEqual(list(columns.contents), [it.data for it in expected])

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(units(), st.dictionaries(st.integers(0, 2), st.sampled_from(FORMATS)))
    def test_tracks_in_their_formats(
        self, given: list[AccessUnit], formats: dict[int, Format]
    ) -> None:
        """Units of other tracks, or of a track after it changed, are left out."""
        columns = Columns.of(given).only(formats)
        expected = [it for it in given if it.track in formats and it.format == formats[it.track]]
        self.assertEqual(columns, Columns.of(expected))

    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(units(), st.integers(0, 3))
    def test_what_is_asked_of_tracks(self, given: list[AccessUnit], track: int) -> None:
        """A track has the format of its first unit, tracks are in order of theirs."""
        columns, formats = Columns.of(given), dict[int, Format]()
        for each in given:
            formats.setdefault(each.track, each.format)
        self.assertEqual(list(columns.first_formats().items()), list(formats.items()))
        times_us = [each.utc_us for each in given if each.track == track]
        self.assertEqual(list(columns.times_of(track)), times_us)
