"""The fast paths of reading Matroska, held equal to the general ones."""

from collections.abc import Callable
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire import matroska_reader as reader
from axis_nvr.wire.ebml import parse_header
from axis_nvr.wire.matroska import CuePoint, build_cluster, build_cues

FRAMES = st.lists(
    st.tuples(
        st.integers(1, 126),
        st.integers(0, 60_000),
        st.booleans(),
        st.binary(max_size=20),
    ),
    max_size=8,
)
CUES = st.lists(
    st.builds(CuePoint, st.integers(0, 2**40), st.integers(1, 126), st.integers(0, 2**50)),
    max_size=8,
)
#: Where to change a byte and into what; cut off how much.
HARM = st.tuples(st.integers(0, 200), st.integers(0, 255), st.integers(0, 3))


def harmed(data: bytes, harm: tuple[int, int, int] | None) -> memoryview:
    """An element's data with a byte changed and its end cut off."""
    content = bytearray(data[parse_header(data).data_offset :])
    if harm is not None:
        at, value, cut = harm
        if content:
            content[at % len(content)] = value
        del content[len(content) - cut :]
    return memoryview(bytes(content))


def outcome(parse: Callable[[memoryview], Any], data: memoryview) -> Any:
    """What a parser gives, None if it refuses."""
    try:
        return parse(data)
    except WireError:
        return None


class FastPathTests(SynchronousTestCase):
    @settings(max_examples=300, deadline=None)
    @given(FRAMES, st.one_of(st.none(), HARM))
    def test_clusters(
        self,
        frames: list[tuple[int, int, bool, bytes]],
        harm: tuple[int, int, int] | None,
    ) -> None:
        """What the fast path takes it reads as the general one; all of ours it takes."""
        data = harmed(b"".join(build_cluster(30_000, frames)), harm)
        fast = reader._parse_our_cluster(data)
        event("taken" if fast is not None else "left")
        if harm is None:
            self.assertIsNotNone(fast)
        if fast is not None:
            self.assertEqual(fast, outcome(reader._parse_any_cluster, data))
        self.assertEqual(
            outcome(reader.parse_cluster, data), outcome(reader._parse_any_cluster, data)
        )

    @settings(max_examples=200, deadline=None)
    @given(CUES, st.one_of(st.none(), HARM))
    def test_cues(self, cues: list[CuePoint], harm: tuple[int, int, int] | None) -> None:
        """The same for cue points."""
        data = harmed(build_cues(cues), harm)
        fast = reader._parse_our_cues(data)
        if harm is None:
            self.assertEqual(fast, cues)
        if fast is not None:
            self.assertEqual(fast, outcome(reader._parse_any_cues, data))
