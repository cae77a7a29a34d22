"""Clusters moved in time: ours, and those of other writers."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import WireError
from axis_nvr.wire.ebml import encode_id, encode_size, parse_header
from axis_nvr.wire.matroska import FrameTuple, build_cluster
from axis_nvr.wire.matroska_elements import Id
from axis_nvr.wire.matroska_move import HEAD_BYTES, Move, move_cluster, read_front
from axis_nvr.wire.matroska_reader import Cluster, parse_cluster

FRAMES = st.lists(
    st.tuples(st.integers(1, 3), st.integers(900, 3000), st.booleans(), st.binary(max_size=40)),
    min_size=1,
    max_size=8,
)
#: As another writer makes it: short sizes, its place, the length of the one before, a group.
FOREIGN = bytes.fromhex(
    "1f43b675 9d"
    " e7 82 03e8"  # Timestamp 1000
    " a7 81 40"  # Position
    " ab 82 1234"  # PrevSize
    " a3 86 81 0005 80 6161"
    " a0 88 a1 86 82 fffb 00 6262".replace(" ", "")
)


def cluster_of(data: bytes) -> Cluster:
    header = parse_header(data)
    return parse_cluster(data[header.data_offset :])


def ours(frames: list[FrameTuple], timestamp_ms: int = 1000) -> bytes:
    return b"".join(build_cluster(timestamp_ms, frames))


class OurClusterTests(SynchronousTestCase):
    @given(FRAMES, st.integers(-1000, 1 << 40))
    def test_is_as_if_it_had_been_written_there(
        self, frames: list[FrameTuple], shift_ms: int
    ) -> None:
        """A cluster that was moved is the one that would have been written at its new time."""
        moved = b"".join(move_cluster(ours(frames), Move(shift_ms)))
        later = [(track, ms + shift_ms, key, data) for track, ms, key, data in frames]
        self.assertEqual(moved, ours(later, 1000 + shift_ms))

    @given(FRAMES)
    def test_new_numbers(self, frames: list[FrameTuple]) -> None:
        """Tracks get new numbers, those that are not named keep theirs."""
        moved = b"".join(move_cluster(ours(frames), Move(0, {1: 2, 2: 1})))
        other = [({1: 2, 2: 1}.get(t, t), ms, key, data) for t, ms, key, data in frames]
        self.assertEqual(moved, ours(other))

    @given(FRAMES)
    def test_parameter_sets(self, frames: list[FrameTuple]) -> None:
        """They stand in front of the key frame that it begins with, and nowhere else."""
        moved = b"".join(move_cluster(ours(frames), Move(0, {1: 5}, 1, b"sets")))
        (track, ms, key, data), *rest = frames
        first = (track, ms, key, b"sets" + bytes(data) if key and track == 1 else data)
        other = [(5 if t == 1 else t, ms, key, data) for t, ms, key, data in [first, *rest]]
        self.assertEqual(moved, ours(other))

    def test_a_flipped_bit(self) -> None:
        """What does not match its CRC-32 is refused, wherever the bit is."""
        data = ours([(1, 1000, True, b"picture")])
        for place in range(4, len(data)):
            broken = bytearray(data)
            broken[place] ^= 0x10
            with self.assertRaises(WireError, msg=str(place)):
                move_cluster(bytes(broken), Move(0))

    def test_cut_anywhere(self) -> None:
        """A part of a cluster is refused."""
        data = ours([(1, 1000, True, b"picture")])
        for end in range(len(data)):
            with self.assertRaises(WireError):
                move_cluster(data[:end], Move(0))

    def test_before_the_beginning(self) -> None:
        """No cluster begins before 0."""
        with self.assertRaises(WireError):
            move_cluster(ours([(1, 1000, True, b"")]), Move(-1001))


class OtherWriterTests(SynchronousTestCase):
    def test_is_given_a_front_like_ours(self) -> None:
        """Times, frames and kinds stay; what told of its place in the old file is gone."""
        moved = b"".join(move_cluster(FOREIGN, Move(70_000, {2: 3})))
        self.assertEqual(len(moved), len(FOREIGN) + read_front(FOREIGN[:HEAD_BYTES]).growth)
        found = cluster_of(moved)
        self.assertIs(found.checked, True)
        self.assertEqual(
            [(f.track, f.time_ms, f.keyframe, bytes(f.data)) for f in found.frames],
            [(1, 71_005, True, b"aa"), (3, 70_995, True, b"bb")],
        )
        self.assertNotIn(b"\xab\x82\x124", moved)

    def test_unknown_size(self) -> None:
        """A cluster of unknown size is refused."""
        with self.assertRaises(WireError):
            read_front(encode_id(Id.CLUSTER) + b"\xff" + FOREIGN[5:])

    def test_no_timestamp(self) -> None:
        """A cluster whose frames come before its time is refused."""
        frames = FOREIGN[16:24]
        with self.assertRaises(WireError):
            read_front(encode_id(Id.CLUSTER) + encode_size(len(frames), 1) + frames)
