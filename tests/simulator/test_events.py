"""The events of a virtual camera."""

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.simulator.events import DAY_NIGHT, VMD_ANY, VMD_FIRST, EventBoard
from axis_nvr.wire.notification import Notification


class BoardTests(SynchronousTestCase):
    def test_changes_are_told_once(self) -> None:
        """Listeners hear of each change with the time it happened, and of nothing else."""
        now = [1]
        board = EventBoard("u", lambda: now[0])
        heard: list[Notification] = []
        leave = board.bus.subscribe(heard.append)
        now[0] = 2
        for active in (True, True, False):
            board.raise_motion(active)
        leave()
        board.raise_motion(True)
        self.assertEqual(
            [told.data for told in heard if told.topic == VMD_ANY],
            [(("active", "1"),), (("active", "0"),)],
        )
        self.assertEqual({told.utc_us for told in heard}, {2})
        self.assertTrue(board.motion)

    def test_what_there_is_from_the_start(self) -> None:
        """No motion, and day."""
        board = EventBoard("u", lambda: 1)
        self.assertEqual(
            {state.topic: state.data[0][1] for state in board.bus.states()},
            {VMD_FIRST: "0", VMD_ANY: "0", DAY_NIGHT: "1"},
        )
        self.assertFalse(board.motion)
