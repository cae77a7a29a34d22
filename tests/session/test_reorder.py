"""The reorder buffer, held against a model."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.reorder import ReorderBuffer
from axis_nvr.session.sequence import sequence_difference

LIMIT_PACKETS, LIMIT_SECONDS = 16, 0.2
MS = 0.001


def datagram(number: int) -> bytes:
    """A datagram that tells its place in the stream."""
    return number.to_bytes(8, "big")


def buffer() -> ReorderBuffer:
    """A small one."""
    return ReorderBuffer(LIMIT_PACKETS, LIMIT_SECONDS)


def push(target: ReorderBuffer, number: int, now: float = 0.0) -> list[int]:
    """Push the datagram with a place in the stream; tell the places that come out."""
    ready = target.push(datagram(number), number & 0xFFFF, now)
    return [int.from_bytes(data, "big") for data in ready]


class OrderTests(SynchronousTestCase):
    def test_in_order(self) -> None:
        """Each datagram in turn passes at once, over the wrap too, and nothing waits."""
        target = buffer()
        for number in range(65_530, 65_545):
            self.assertEqual(push(target, number), [number])
            self.assertIsNone(target.next_timeout())
        self.assertEqual(target.reordered, 0)

    def test_two_swapped(self) -> None:
        """One that comes early waits for the one before it; both come out in order."""
        target = buffer()
        push(target, 65_534)
        self.assertEqual(push(target, 65_536, 1.0), [])
        self.assertEqual(target.next_timeout(), 1.0 + LIMIT_SECONDS)
        self.assertEqual(push(target, 65_535, 1.1), [65_535, 65_536])
        self.assertIsNone(target.next_timeout())
        self.assertEqual((target.reordered, target.duplicates, target.late), (1, 0, 0))

    def test_duplicates(self) -> None:
        """A double is dropped, whether the first one waits or has passed."""
        target = buffer()
        push(target, 1)
        self.assertEqual(push(target, 1), [])
        push(target, 3)
        self.assertEqual(push(target, 3), [])
        self.assertEqual(push(target, 2), [2, 3])
        self.assertEqual(target.duplicates, 2)

    def test_hole_is_given_up_in_time(self) -> None:
        """A hole is given up when the first behind it has waited for the limit."""
        target = buffer()
        push(target, 1, 0.0)
        push(target, 3, 1.0)
        push(target, 5, 1.1)
        self.assertEqual(target.flush(1.199), [])
        self.assertEqual(target.flush(1.2), [datagram(3)])
        self.assertEqual(target.next_timeout(), 1.1 + LIMIT_SECONDS)
        self.assertEqual(push(target, 6, 1.31), [5, 6])

    def test_late(self) -> None:
        """One whose hole was given up is dropped and counted as late, once."""
        target = buffer()
        push(target, 1, 0.0)
        push(target, 3, 0.0)
        self.assertEqual(push(target, 4, 1.0), [3, 4])
        self.assertEqual(push(target, 2, 1.0), [])
        self.assertEqual(push(target, 2, 1.0), [])
        self.assertEqual((target.late, target.duplicates), (1, 1))

    def test_jump_ahead(self) -> None:
        """A jump past the limit in packets is followed at once; what waited comes first."""
        target = buffer()
        push(target, 1)
        push(target, 3)
        self.assertEqual(push(target, 3 + LIMIT_PACKETS), [3, 3 + LIMIT_PACKETS])
        self.assertEqual(push(target, 4 + LIMIT_PACKETS), [4 + LIMIT_PACKETS])
        self.assertEqual(target.resyncs, 1)

    def test_jump_back(self) -> None:
        """A sequence that begins anew is followed at once."""
        target = buffer()
        push(target, 40_000)
        self.assertEqual(push(target, 7), [7])
        self.assertEqual(push(target, 8), [8])
        self.assertEqual((target.resyncs, target.late), (1, 0))

    def test_drain(self) -> None:
        """At the end all that waits comes out in order."""
        target = buffer()
        push(target, 1)
        for number in (9, 3, 5):
            push(target, number)
        self.assertEqual(target.drain(), [datagram(n) for n in (3, 5, 9)])
        self.assertIsNone(target.next_timeout())


@st.composite
def within_bounds(draw: st.DrawFn) -> tuple[int, list[int]]:
    """Where a stream begins, and its places, each at most half the limit from its turn."""
    start = draw(st.integers(0, 70_000))
    count = draw(st.integers(1, 80))
    delays = draw(st.lists(st.integers(0, LIMIT_PACKETS // 2), min_size=count, max_size=count))
    return start, sorted(range(1, count), key=lambda n: (n + delays[n], n))


class ModelTests(SynchronousTestCase):
    @settings(max_examples=300, deadline=None)
    @given(within_bounds())
    def test_permutations_come_out_in_order(self, stream: tuple[int, list[int]]) -> None:
        """Any permutation within the bounds comes out complete, in order, with nothing added."""
        start, places = stream
        target = buffer()
        out = push(target, start)
        for step, place in enumerate(places):
            out += push(target, start + place, step * MS)
        self.assertEqual(out, list(range(start, start + len(places) + 1)))
        self.assertEqual((target.duplicates, target.late, target.resyncs), (0, 0, 0))

    @settings(max_examples=300, deadline=None)
    @given(
        st.integers(0, 70_000),
        st.lists(st.tuples(st.integers(0, 60), st.integers(0, 150)), min_size=1, max_size=120),
    )
    def test_anything_near(self, start: int, arrivals: list[tuple[int, int]]) -> None:
        """Losses, doubles and any order: in order, each at most once, none held too long."""
        target = buffer()
        now, place = 0.0, start
        pushed: dict[int, float] = {}
        out: list[int] = []
        for step, wait in arrivals:
            now += wait * MS
            place = max(start, place + step % 5 - (step // 5 if step > 30 else 0))
            pushed.setdefault(place, now)
            out += push(target, place, now)
            due = target.next_timeout()
            self.assertTrue(due is None or due > now, "a datagram waits past its time")
            self.assertLessEqual(len(target._waiting), LIMIT_PACKETS)
        now += LIMIT_SECONDS
        out += [int.from_bytes(data, "big") for data in target.flush(now)]
        self.assertEqual(out, sorted(set(out)))
        self.assertLessEqual(set(out), set(pushed))
        self.assertEqual(
            len(arrivals), len(out) + target.duplicates + target.late, "each is accounted for"
        )

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 300)), max_size=100))
    def test_noise(self, arrivals: list[tuple[int, int]]) -> None:
        """Any sequence numbers: each datagram at most once, bounds kept, nothing forgotten."""
        target = buffer()
        now, out = 0.0, 0
        for number, wait in arrivals:
            now += wait * MS
            out += len(target.push(b"", number, now))
            self.assertLessEqual(len(target._waiting), LIMIT_PACKETS)
            self.assertLessEqual(len(target._given_up), 200)
        out += len(target.drain())
        self.assertEqual(out + target.duplicates + target.late, len(arrivals))


class SequenceTests(SynchronousTestCase):
    @settings(max_examples=200, deadline=None)
    @given(st.integers(0, 0xFFFF), st.integers(-0x8000, 0x7FFF))
    def test_difference(self, number: int, distance: int) -> None:
        """The difference is the way from one to the other, over the wrap too."""
        self.assertEqual(sequence_difference((number + distance) & 0xFFFF, number), distance)
