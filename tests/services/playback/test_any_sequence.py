"""Whatever a client does, it gets what was recorded, in order, and nothing of what it left."""

from itertools import groupby, pairwise
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.wire.rtsp import Response
from tests.services.playback.playing import Cinema, Seen, Viewer, group, groups
from tests.storage.making import START_US

SECOND_US = 1_000_000


class Play(NamedTuple):
    """A PLAY, or with `seconds` alone some time in between."""

    range: str = ""
    scale: str = ""
    frames: str = ""
    rate_control: str = ""

    def headers(self) -> dict[str, str]:
        named = {
            "Range": self.range,
            "Scale": self.scale,
            "Frames": self.frames,
            "Rate_Control": self.rate_control,
        }
        return {name: value for name, value in named.items() if value}


PLAYS = st.builds(
    Play,
    range=st.sampled_from(
        ["", "", "npt=0-", "npt=0.7-", "npt=1-1.5", "npt=5-", "npt=12.5-1", "npt=99-", "npt=now-"]
    ),
    scale=st.sampled_from(["", "", "1", "-1", "2", "-8", "0.5"]),
    frames=st.sampled_from(["", "", "all", "intra", "intra/500", "predicted"]),
    rate_control=st.sampled_from(["", "", "yes", "no"]),
)
ACTIONS = st.lists(
    st.one_of(PLAYS, PLAYS, st.sampled_from(["pause", 0.01, 0.3, 1.1])), min_size=1, max_size=8
)


class AnySequenceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.cinema = Cinema(self.mktemp())
        self.addCleanup(self.cinema.close)
        later = groups(START_US + 12 * SECOND_US, 4, sounds=4)
        later[0] = group(START_US + 12 * SECOND_US, is_behind_gap=True, sounds=2)
        made = [*groups(START_US, 6, sounds=4), *later]
        self.recording = self.cinema.record(made)
        units = [unit for one in made for unit in one.units]
        self.recorded = {(unit.track, unit.utc_us): bytes(unit.data) for unit in units}

    @settings(max_examples=40, deadline=None)
    @given(ACTIONS, st.sampled_from([0.0, 0.013]))
    def test_promises(self, actions: list[Any], read_seconds: float) -> None:
        """Units that were recorded; of each PLAY in its order; behind its answer of it alone.

        Also while each look at the disk takes so long that time goes by in between.
        """
        self.cinema.read_seconds = read_seconds
        viewer = self.cinema.connect()
        viewer.open(f"recordingid={self.recording}&onvifreplayext=1", tracks=2)
        answers: list[tuple[int, Response, Play, bool]] = []
        is_paused = False
        for action in actions:
            if action == "pause":
                is_paused = viewer.request("PAUSE", viewer.url()).status == 200 or is_paused
            elif isinstance(action, float):
                before = len(viewer.log)
                viewer.watch(action)
                if is_paused or not answers:
                    self.assertEqual(len(viewer.log), before)
            else:
                at = len(viewer.log) if not viewer.read() else 0
                response = viewer.start(**action.headers())
                self.assertIn(response.status, (200, 457))
                if response.status == 200:
                    answers.append((at, response, action, is_paused))
                    is_paused = False
            self.check(viewer)
        viewer.watch(0.1)
        self.check(viewer)
        viewer.lose()
        self.check_answers(viewer, answers)

    def check(self, viewer: Viewer) -> None:
        """What came was recorded, in the order of its PLAY."""
        for _, run in groupby(viewer.seen(), key=lambda one: one.cseq):
            self.check_run(list(run))

    def check_run(self, run: list[Seen]) -> None:
        for one in run:
            stored = self.recorded[one.track, one.utc_us]
            self.assertTrue(one.data.endswith(stored[0 if one.track else 4 :]))
        pictures = [one for one in run if not one.track]
        keys = [one for one in pictures if "C" in one.marks]
        if len(keys) < 2:
            return
        is_forward = keys[0].utc_us < keys[1].utc_us
        for before, after in pairwise(keys):
            self.assertEqual(before.utc_us < after.utc_us, is_forward)
        for before, after in pairwise(pictures):
            self.assertTrue("C" in after.marks or before.utc_us < after.utc_us)
        if not is_forward:
            self.assertTrue(all("D" in one.marks for one in keys))
            self.assertEqual([one for one in run if one.track], [])

    def check_answers(
        self, viewer: Viewer, answers: list[tuple[int, Response, Play, bool]]
    ) -> None:
        """Behind each answer all is of that PLAY, up to the next one."""
        cseqs = [int(response.headers.get("CSeq")) for _, response, _, _ in answers]
        current: int | None = None
        position = 0
        seen = viewer.seen()
        for _, entry in viewer.log:
            if isinstance(entry, Response):
                cseq = int(entry.headers.get("CSeq"))
                current = cseq if cseq in cseqs else current
            elif entry[0] % 2 == 0 and entry[1][0] & 0x10:
                self.assertEqual(seen[position].cseq, current)
                position += 1
        self.assertEqual(position, len(seen))
        for _, response, play, _ in answers:
            mine = [one for one in seen if one.cseq == int(response.headers.get("CSeq"))]
            if mine and play.range:
                self.assertIn("D", mine[0].marks)
