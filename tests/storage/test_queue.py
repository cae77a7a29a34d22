"""The queue: bounded by recording and by disk, in order, whole."""

import threading
import time
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.storage import queue as queue_module
from axis_nvr.storage.queue import Load, WriteQueue


class QueueTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.queue: WriteQueue[str] = WriteQueue(
            recording_gops=3, recording_bytes=100, disk_bytes=150
        )

    def test_everything_in_order(self) -> None:
        """One take gives all that waits, groups and other jobs as they came."""
        self.queue.offer("a", "first", 10)
        self.queue.put("b")
        self.queue.offer("c", "second", 10)
        self.assertEqual(self.queue.take(wait=False), ["a", "b", "c"])
        self.assertEqual(self.queue.take(wait=False), [])

    def test_groups_of_one_recording(self) -> None:
        """No more than its share, by number and by bytes."""
        self.assertEqual([self.queue.offer("a", 1, 1) for _ in range(4)], [True] * 3 + [False])
        self.assertTrue(self.queue.offer("b", 2, 60))
        self.assertFalse(self.queue.offer("b", 2, 60))

    def test_all_recordings_together(self) -> None:
        """The disk has a limit of its own."""
        self.assertTrue(self.queue.offer("a", 1, 90))
        self.assertFalse(self.queue.offer("b", 2, 90))
        self.assertTrue(self.queue.offer("b", 2, 60))

    def test_one_large_group(self) -> None:
        """What is over the limit by itself is taken when nothing else waits."""
        self.assertTrue(self.queue.offer("a", 1, 1000))
        self.assertFalse(self.queue.offer("b", 2, 1))

    def test_what_is_being_written_counts(self) -> None:
        """Memory is free only once the batch is done."""
        for _ in range(3):
            self.queue.offer("a", 1, 30)
        self.queue.take(wait=False)
        self.assertFalse(self.queue.offer("a", 1, 1))
        self.assertEqual(self.queue.load, Load(3, 90))
        self.queue.done()
        self.assertEqual(self.queue.load, Load(0, 0))
        self.assertTrue(self.queue.offer("a", 1, 1))

    def test_closed(self) -> None:
        """What waits is still handed out, nothing more is taken, then comes the end."""
        self.queue.put("a")
        self.queue.close()
        self.assertFalse(self.queue.put("b"))
        self.assertFalse(self.queue.offer("b", 1, 1))
        self.assertEqual(self.queue.take(), ["a"])
        self.assertIsNone(self.queue.take())

    def gathered(self, act: Callable[[WriteQueue[str]], object]) -> list[str] | None:
        """What is taken of a group that waits for others without end, until something is done."""
        self.patch(queue_module, "GATHER_SECONDS", 60)
        queue: WriteQueue[str] = WriteQueue()
        taken: list[list[str] | None] = []
        thread = threading.Thread(target=lambda: taken.append(queue.take()))
        thread.start()
        queue.offer("a", 1, 10)
        while thread.is_alive() and not queue._is_gathering:
            time.sleep(0.001)
        queue.offer("b", 2, 10)
        act(queue)
        thread.join(5)
        return taken[0]

    def test_groups_wait_for_others(self) -> None:
        """A bunch is taken together, once something else comes, or much, or the end."""
        self.patch(queue_module, "GATHERED_BYTES", 100)
        self.assertEqual(self.gathered(lambda queue: queue.put("c")), ["a", "b", "c"])
        self.assertEqual(self.gathered(lambda queue: queue.offer("c", 3, 80)), ["a", "b", "c"])
        self.assertEqual(self.gathered(lambda queue: queue.close()), ["a", "b"])

    def test_waiting(self) -> None:
        """The consumer sleeps until something comes."""
        taken: list[list[str] | None] = []
        thread = threading.Thread(target=lambda: taken.append(self.queue.take()))
        thread.start()
        self.queue.put("a")
        thread.join(5)
        self.assertEqual(taken, [["a"]])
