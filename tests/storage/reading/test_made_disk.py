"""The disk that benchmarks are run on is one that a recorder could have written."""

from pathlib import Path
from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.storage.checking.disk import DiskCheck
from axis_nvr.storage.checking.findings import Finding
from axis_nvr.storage.files import Files
from axis_nvr.storage.index import Index
from axis_nvr.storage.reading.cursor import Edge
from axis_nvr.storage.reading.search import Search, count, find
from tests.bench.disk_of_blocks import (
    GROUPS,
    OPEN_GROUPS,
    Shape,
    camera,
    make_disk,
    make_event_index,
)
from tests.storage.reading.streams import Readings, forward


class MadeDiskTests(SynchronousTestCase):
    def test_a_closed_disk_is_in_order(self) -> None:
        """A check finds nothing, and every group of every block is read."""
        folder = Path(self.mktemp())
        make_disk(folder, Shape(6, cameras=2))
        readings = Readings(folder)
        self.addCleanup(readings.close)
        check = DiskCheck(cast(Any, Files()), folder, readings.index)
        found = [str(one) for one in check.run() if isinstance(one, Finding)]
        self.assertEqual(found, [])
        for number in range(2):
            gops = forward(readings.device(camera(number)))
            self.assertEqual(len(gops), 3 * GROUPS)
            self.assertEqual([gop.gaps for gop in gops], [()] * len(gops))

    def test_blocks_left_open(self) -> None:
        """The last block of each camera is as a recorder leaves it that is killed."""
        folder = Path(self.mktemp())
        make_disk(folder, Shape(4, cameras=2, open_megabytes=0.1))
        readings = Readings(folder)
        self.addCleanup(readings.close)
        self.assertEqual(count(readings.index, Search(running=True)), 2)
        cursor = readings.device(camera(1))
        self.assertEqual(len(forward(cursor)), GROUPS + OPEN_GROUPS)
        self.assertIs(cursor.next_gop(), Edge.LATER)

    def test_an_index_of_many(self) -> None:
        """As many recordings as asked for, spread over the cameras."""
        folder = Path(self.mktemp())
        make_event_index(folder, 250, cameras=5)
        index = Index.open_read_only(Files(), folder / "index.db")
        self.addCleanup(index.close)
        self.assertEqual(count(index, Search()), 250)
        self.assertEqual(count(index, Search(device=camera(3))), 50)
        self.assertEqual(len(find(index, Search(event="continuous")).found), 3)
