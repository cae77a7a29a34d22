"""What is sent, in what order, how marked, and when: tables, and any recording there is."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.units import AccessUnit, Gap, GapReason
from axis_nvr.session.replay import script as script_module
from axis_nvr.session.replay.extension import (
    CLEAN_POINT,
    DISCONTINUITY,
    END_OF_SECTION,
    TERMINAL,
)
from axis_nvr.session.replay.order import Frames, Order
from axis_nvr.session.replay.script import Group, Script, Step
from tests.storage.making import START_US, unit
from tests.storage.reading.streams import H264, SOUND

STEP_US = 40_000
GAP = Gap(0, 0, GapReason.DISCONNECTED)
BACK, FREE = Fraction(-1), False


def at_us(step: float) -> int:
    return START_US + int(step * STEP_US)


def group(first: int, pictures: int = 3, *, gap: bool = False, **more: bool) -> Group:
    """Pictures from a step of time on, the first a key frame."""
    units = [
        unit(at_us(first + at), sync=not at, form=H264, gap=GAP if gap and not at else None)
        for at in range(pictures)
    ]
    return Group(units, **more)


def sound(at: float) -> AccessUnit:
    return unit(at_us(at), track=1, sync=True, form=SOUND)


def told(step: Step) -> str:
    """A step in a word: track, time and marks."""
    marks = (CLEAN_POINT, END_OF_SECTION, DISCONTINUITY, TERMINAL)
    letters = "".join(
        letter for letter, mark in zip("CEDT", marks, strict=True) if step.flags & mark
    )
    time = (step.unit.utc_us - START_US) // STEP_US
    return f"{'vs'[step.unit.track]}{time}{letters}"


def steps(
    groups: Iterable[Group],
    order: Order | None = None,
    *,
    tracks: Sequence[int] = (0, 1),
    is_terminal: bool = True,
) -> list[Step]:
    """All that is sent of groups."""
    made = Script(order or Order(), frozenset(tracks))
    for one in groups:
        if not made.is_over:
            made.add(one)
    if not made.is_over:
        made.end(is_terminal=is_terminal)
    return list(drained(made))


def drained(made: Script) -> Iterable[Step]:
    while made.next is not None:
        yield made.take()


def sent(groups: Iterable[Group], order: Order | None = None, **more: object) -> str:
    return " ".join(told(step) for step in steps(groups, order, **more))  # type: ignore[arg-type]


class ForwardTests(SynchronousTestCase):
    def test_marks(self) -> None:
        """D first, C on key frames, E and T last; E before a gap and nothing behind it."""
        groups = [group(0), group(3), group(100, gap=True), group(103)]
        self.assertEqual(sent(groups), "v0CD v1 v2 v3C v4 v5E v100C v101 v102 v103C v104 v105ET")

    def test_each_track(self) -> None:
        """Marks are of each track on its own."""
        first = Group([*group(0, 2).units, sound(0.5), sound(1.5)])
        second = Group([*group(100, 2, gap=True).units, sound(100.5)])
        self.assertEqual(
            sent([first, second], Order(is_paced=False)),
            "v0CD v1E s0CD s1CE v100C v101ET s100CET",
        )

    def test_in_time_tracks_are_in_order_of_time(self) -> None:
        """Out of time they are as recorded."""
        one = Group([*group(0, 3).units, sound(0.5), sound(1.5)])
        self.assertEqual(sent([one]), "v0CD s0CD v1 s1CET v2ET")
        self.assertEqual(sent([one], Order(is_paced=False)), "v0CD v1 v2ET s0CD s1CET")

    def test_tracks_that_are_not_set_up(self) -> None:
        """They are passed over."""
        one = Group([*group(0, 2).units, sound(0.5)])
        self.assertEqual(sent([one], tracks=[1]), "s0CEDT")
        self.assertEqual(sent([one], Order(scale=Fraction(2))), "v0CD v1ET")

    def test_gaps_of_all_kinds(self) -> None:
        """Nothing to be read, a gap told behind a group, and one in the middle of it."""
        nothing = Group((), starts_at_sync=False)
        self.assertEqual(sent([group(0, 1), nothing, group(9, 1)]), "v0CED v9CET")
        behind = group(0, 1, is_before_gap=True)
        self.assertEqual(sent([behind, group(9, 1)]), "v0CED v9CET")
        units = list(group(0, 4).units)
        units[2] = units[2]._replace(gap=GAP)
        self.assertEqual(sent([Group(units)]), "v0CD v1E v2 v3ET")

    def test_up_to_the_end(self) -> None:
        """The last picture that is not behind the end; there is more, so nothing is terminal."""
        groups = [group(0), group(3), group(6)]
        self.assertEqual(sent(groups, Order(end_us=at_us(4))), "v0CD v1 v2 v3C v4")
        self.assertEqual(sent(groups, Order(end_us=at_us(2.5))), "v0CD v1 v2")
        self.assertEqual(sent(groups, Order(end_us=at_us(99))), "v0CD v1 v2 v3C v4 v5 v6C v7 v8ET")

    def test_what_the_last_needs_is_sent(self) -> None:
        """A picture shown behind the end goes out if one before the end is predicted from it."""
        units = [unit(at_us(at), sync=not at, form=H264) for at in (0, 3, 1, 2, 6, 5)]
        self.assertEqual(sent([Group(units)], Order(end_us=at_us(2))), "v0CD v3 v1 v2")

    def test_sound_ahead_of_the_end(self) -> None:
        """Sound that is a little ahead does not end it."""
        groups = [Group([*group(0, 2).units, sound(2.5)]), group(2, 2)]
        self.assertEqual(sent(groups, Order(end_us=at_us(2), is_paced=False)), "v0CD v1 v2C")

    def test_key_frames(self) -> None:
        """E and T go to the last that is sent."""
        groups = [group(0), group(3), group(100, gap=True), group(103)]
        self.assertEqual(sent(groups, Order(frames=Frames.INTRA)), "v0CD v3CE v100C v103CET")
        apart = Order(frames=Frames.INTRA, interval_us=4 * STEP_US)
        self.assertEqual(sent(groups, apart), "v0CED v100CET")

    def test_back_in_time(self) -> None:
        """Another recording goes on from a key frame of before: a discontinuity, and no gap."""
        self.assertEqual(sent([group(0, 4), group(2, 3)]), "v0CD v1 v2 v3 v2CD v3 v4ET")
        stepped = [group(10, 2), group(0, 2, gap=True)]
        self.assertEqual(sent(stepped), "v10CD v11E v0C v1ET")


class BackwardTests(SynchronousTestCase):
    def test_order_and_marks(self) -> None:
        """Groups in reverse, each forward; D begins each, E ends a section: its oldest group."""
        groups = [group(103), group(100, gap=True), group(3), group(0)]
        self.assertEqual(
            sent(groups, Order(scale=BACK)),
            "v103CD v104 v105 v100CD v101 v102E v3CD v4 v5 v0CD v1 v2ET",
        )

    def test_no_sound(self) -> None:
        """Nobody listens backwards."""
        one = Group([*group(0, 2).units, sound(0.5)])
        self.assertEqual(sent([one], Order(scale=BACK)), "v0CD v1ET")

    def test_from_the_start(self) -> None:
        """The first group ends where the start is shown, or is whole if it has B-pictures."""
        groups = [group(3), group(0)]
        order = Order(scale=BACK, start_us=at_us(4.5))
        self.assertEqual(sent(groups, order), "v3CD v4 v0CD v1 v2ET")
        units = [unit(at_us(at), sync=not at, form=H264) for at in (0, 3, 1, 2)]
        order = Order(scale=BACK, start_us=at_us(1))
        self.assertEqual(sent([Group(units)], order), "v0CD v3 v1 v2ET")

    def test_up_to_the_end(self) -> None:
        """The group that has the end is the last; none is sent for an end in a gap."""
        groups = [group(103), group(100, gap=True), group(3), group(0)]
        order = Order(scale=BACK, end_us=at_us(101))
        self.assertEqual(sent(groups, order), "v103CD v104 v105 v100CD v101 v102E")
        order = Order(scale=BACK, end_us=at_us(50))
        self.assertEqual(sent(groups, order), "v103CD v104 v105 v100CD v101 v102E")
        order = Order(scale=BACK, end_us=at_us(4))
        self.assertTrue(sent(groups, order).endswith("v102E v3CD v4 v5"))

    def test_key_frames_and_jpeg(self) -> None:
        """Each frame is a group."""
        groups = [group(3), group(0)]
        self.assertEqual(sent(groups, Order(scale=BACK, frames=Frames.INTRA)), "v3CD v0CEDT")
        jpeg = Group([unit(at_us(at), sync=True, form=H264) for at in range(3)])
        self.assertEqual(sent([jpeg], Order(scale=BACK)), "v2CD v1CD v0CEDT")

    def test_a_group_in_parts(self) -> None:
        """It is put together; what lacks its beginning is left out."""
        later = Group([unit(at_us(at), form=H264) for at in (2, 3)], starts_at_sync=False)
        self.assertEqual(sent([later, group(0, 2)], Order(scale=BACK)), "v0CD v1 v2 v3ET")
        lost = Group((), starts_at_sync=False)
        self.assertEqual(sent([later, lost, group(0, 2)], Order(scale=BACK)), "v0CD v1ET")

    def test_a_part_behind_a_gap(self) -> None:
        """It does not go on with what is before the gap."""
        later = Group([unit(at_us(at), form=H264) for at in (2, 3)], starts_at_sync=False)
        before = group(0, 2, is_before_gap=True)
        self.assertEqual(sent([later, before], Order(scale=BACK)), "v0CD v1ET")

    def test_a_group_without_end(self) -> None:
        """What is put together has a bound."""
        self.patch(script_module, "MAX_GROUP_BYTES", 100)
        made = Script(Order(scale=BACK), frozenset({0}))
        for at in range(1000, 0, -1):
            made.add(Group([unit(at_us(at), data=b"12345678", form=H264)], starts_at_sync=False))
        made.add(group(0, 1))
        made.end()
        self.assertLess(len(list(drained(made))), 16)


class HoldingTests(SynchronousTestCase):
    def test_what_may_be_the_last_is_held_back(self) -> None:
        """Until it is known, or nothing is there yet."""
        made = Script(Order(), frozenset({0}))
        made.add(group(0))
        self.assertEqual([told(step) for step in drained(made)], ["v0CD", "v1"])
        self.assertTrue(made.wants_more)
        made.settle()
        self.assertEqual([told(step) for step in drained(made)], ["v2"])
        made.add(group(3, 1))
        made.end()
        self.assertEqual([told(step) for step in drained(made)], ["v3CET"])

    def test_a_track_that_falls_silent(self) -> None:
        """It holds nothing up for long."""
        self.patch(script_module, "MAX_HELD_BYTES", 1000)
        made = Script(Order(is_paced=False), frozenset({0, 1}))
        made.add(Group([sound(0), *group(0).units]))
        for at in range(1, 60):
            made.add(group(3 * at))
        self.assertGreater(len(list(drained(made))), 10)
        self.assertTrue(made.wants_more)

    def test_reading_ahead_has_a_bound(self) -> None:
        """With enough ahead nothing more is wanted."""
        made = Script(Order(), frozenset({0}))
        data = bytes(1 << 20)
        made.add(Group([unit(at_us(0), sync=True, data=data), unit(at_us(1), data=data)]))
        self.assertFalse(made.wants_more)
        made.take()
        self.assertTrue(made.wants_more)  # the rest is held back


class TimeTests(SynchronousTestCase):
    def shown(self, groups: Sequence[Group], order: Order) -> list[tuple[float, float]]:
        """When each is shown and due, in steps."""
        return [(step.shown_us / STEP_US, step.due_us / STEP_US) for step in steps(groups, order)]

    def test_forward(self) -> None:
        """As recorded, a gap taking no more than a second."""
        times = self.shown([group(10, 2), group(12, 1), group(999, 1, gap=True)], Order())
        self.assertEqual(times, [(0, 0), (1, 1), (2, 2), (27, 27)])
        times = self.shown([group(10, 1), group(20, 1, gap=True)], Order())
        self.assertEqual(times, [(0, 0), (10, 10)])

    def test_a_clock_set_back(self) -> None:
        """The line goes on."""
        times = self.shown([group(100, 2), group(10, 2, gap=True)], Order())
        self.assertEqual(times, [(0, 0), (1, 1), (2, 2), (3, 3)])
        times = self.shown([group(1000, 2), group(10, 2)], Order())
        self.assertEqual(times, [(0, 0), (1, 1), (2, 2), (3, 3)])

    def test_pictures_out_of_order(self) -> None:
        """What others are predicted from is due with the first of them."""
        units = [unit(at_us(at), sync=not at, form=H264) for at in (0, 3, 1, 2, 4)]
        times = self.shown([Group(units)], Order())
        self.assertEqual(times, [(0, 0), (3, 1), (1, 1), (2, 2), (4, 4)])

    def test_backward(self) -> None:
        """Shown times fall in a group and rise from group to group; it is sent evenly."""
        order = Order(scale=BACK)
        times = self.shown([group(13), group(10)], order)
        self.assertEqual(times, [(2, 0), (1, 1), (0, 2), (5, 3), (4, 4), (3, 5)])
        times = self.shown([group(999, 1, gap=True), group(10, 1)], order)
        self.assertEqual(times, [(0, 0), (25, 25)])


RECORDINGS = st.lists(
    st.tuples(
        st.integers(1, 4),  # pictures
        st.sampled_from([0, 0, 0, 5, 500]),  # what is missing before it, in steps
        st.integers(0, 2),  # sounds
        st.sampled_from([True, True, True, False]),  # whether the gap is told in a unit
    ),
    min_size=1,
    max_size=12,
)
ORDERS = st.builds(
    Order,
    scale=st.sampled_from([Fraction(1), Fraction(-1), Fraction(2), Fraction(-4)]),
    is_paced=st.booleans(),
    frames=st.sampled_from(Frames),
    interval_us=st.sampled_from([0, 0, 6 * STEP_US]),
)


def recording(drawn: Iterable[tuple[int, int, int, bool]]) -> list[list[Group]]:
    """Sections of groups, as drawn."""
    sections: list[list[Group]] = []
    now = 0
    for pictures, missing, sounds, in_unit in drawn:
        now += missing
        is_gap = bool(missing) or not sections
        if is_gap:
            sections.append([])
        one = group(now, pictures, gap=bool(missing) and in_unit)
        heard = [sound(now + 0.3 + at / 4) for at in range(sounds)]
        sections[-1].append(Group([*one.units, *heard]))
        if missing and not in_unit:
            sections[-1].insert(0, Group((), starts_at_sync=False))
        now += pictures
    return sections


class AnyRecordingTests(SynchronousTestCase):
    @settings(max_examples=150, deadline=None)
    @given(RECORDINGS, ORDERS)
    def test_promises(self, drawn: list[tuple[int, int, int, bool]], order: Order) -> None:
        """Only what was recorded, in the right order, with the marks of the specification."""
        sections = recording(drawn)
        groups = [one for section in sections for one in section]
        along = groups if order.is_forward else groups[::-1]
        found = steps(along, order)
        self.assertLessEqual(
            {step.unit for step in found}, {one for part in groups for one in part.units}
        )
        if order.frames is Frames.ALL:
            wanted = [
                one for part in groups for one in part.units if order.has_sound or not one.track
            ]
            self.assertCountEqual([step.unit for step in found], wanted)
        section_of = {
            id(one): at for at, part in enumerate(sections) for each in part for one in each.units
        }
        for track in (0, 1):
            mine = [step for step in found if step.unit.track == track]
            self.check_order(mine, order)
            self.check_marks(mine, order, [section_of[id(step.unit)] for step in mine])

    def check_order(self, mine: list[Step], order: Order) -> None:
        keys = [step.unit.utc_us for step in mine if step.unit.sync]
        self.assertEqual(keys, sorted(keys, reverse=not order.is_forward))
        for before, after in pairwise(mine):
            self.assertLessEqual(before.due_us, after.due_us)
            if order.is_forward or not after.unit.sync:
                self.assertLess(before.unit.utc_us, after.unit.utc_us)
        if order.is_forward:
            shown = [step.shown_us for step in mine]
            self.assertEqual(shown, sorted(set(shown)))

    def check_marks(self, mine: list[Step], order: Order, sections: list[int]) -> None:
        for at, step in enumerate(mine):
            self.assertEqual(bool(step.flags & CLEAN_POINT), step.unit.sync)
            is_last = at + 1 == len(mine)
            self.assertEqual(bool(step.flags & TERMINAL), is_last)
            ends = is_last or sections[at + 1] != sections[at]
            self.assertEqual(bool(step.flags & END_OF_SECTION), ends)
            is_new = at == 0 or (not order.is_forward and step.unit.sync)
            self.assertEqual(bool(step.flags & DISCONTINUITY), is_new)
