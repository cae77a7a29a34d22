"""Whatever triggers come when: all that was promised is recorded, once, and no more than that."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from axis_nvr.services.triggered import Armed
from tests.services.triggering import PICTURES_PER_SECOND, TriggerTestCase

PRE_SECONDS, POST_SECONDS = 2, 3
#: The pre-buffer is full after so long.
FULL_SECONDS = 4
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["start", "stop", "pulse", "remove", "look"]),
        st.integers(0, 1),
        st.integers(0, 25),
    ),
    max_size=10,
)


class AlwaysTests(TriggerTestCase):
    def begin(self) -> list[Armed]:
        """Two rules of one stream, and pictures for as long as their buffer wants."""
        super().setUp()
        rules = [self.arm(PRE_SECONDS, POST_SECONDS, rule=name) for name in ("one", "two")]
        self.play(FULL_SECONDS)
        self.promised: dict[str, set[int]] = {"one": set(), "two": set()}
        self.since: dict[str, int] = {}
        return rules

    @property
    def now(self) -> int:
        """The number of the picture that comes next."""
        return self.pictures

    def promise(self, rule: str, first: int, last: int) -> None:
        """From so long before a picture until so long after another one."""
        per_second = PICTURES_PER_SECOND
        pictures = range(first - PRE_SECONDS * per_second, last + POST_SECONDS * per_second)
        self.promised[rule] |= set(pictures)

    def take(self, what: str, armed: Armed) -> None:
        """Let something happen, and note what is promised by it."""
        rule = armed.rule
        if what == "start":
            armed.start(self.now_us)
            self.since.setdefault(rule, self.now)
        elif what == "stop":
            armed.stop(self.now_us)
            if rule in self.since:
                self.promise(rule, self.since.pop(rule), self.now)
        elif what == "pulse":
            armed.pulse(self.now_us)
            self.promise(rule, self.now, self.now)
        elif what == "remove" and armed.recording_id:
            Deferred.fromCoroutine(self.recordings.conclude(armed.recording_id))
        elif what == "look":
            self.triggered.look()

    @settings(max_examples=25, deadline=None)
    @given(STEPS)
    def test_whatever_comes(self, steps: list[tuple[str, int, int]]) -> None:
        """All promised pictures are recorded; each recording is without hole, and ends in time."""
        rules = self.begin()
        for what, number, tenths in steps:
            self.take(what, rules[number])
            self.play(tenths / 10)
        for armed in rules:
            self.take("stop", armed)
        self.play(POST_SECONDS + 2.5)
        self.assertEqual(self.recordings.runs, [], "all have ended")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        recorded: dict[str, set[int]] = {"one": set(), "two": set()}
        for number, details in enumerate(self.disk.details):
            frames = self.frames(number)
            if frames:
                self.assertEqual(frames, list(range(frames[0], frames[-1] + 1)))
                self.assertEqual(frames[0] % PICTURES_PER_SECOND, 0, "a key frame")
            recorded[details.trigger_name] |= set(frames)
        for rule, promised in self.promised.items():
            self.assertEqual(promised - recorded[rule], set(), rule)
            margin = {n for p in promised for n in range(p - PICTURES_PER_SECOND + 1, p + 3)}
            spare = recorded[rule] - margin
            self.assertEqual(spare, set(), "no more than a group before and a picture after")
