"""What a power cut left, once repaired, as programs that are not ours see it on a real disk."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.media.gop import Gop
from tests.durability import proves
from tests.integration.outside import find_nothing_wrong
from tests.integration.peers import require_program
from tests.integration.sources import group, make_source, read_units
from tests.storage.faults.contract import look_after
from tests.storage.faults.effort import draw, either
from tests.storage.faults.fault_files import FaultFiles
from tests.storage.faults.losses import crashes
from tests.storage.faults.medium import Kind, Medium
from tests.storage.faults.recovery import CHORES, new_disk
from tests.storage.faults.story import FOLDER, Story, promises

#: Groups of real pictures that are recorded before and while the power goes.
GROUPS = 3


def unload(medium: Medium, folder: Path) -> Path:
    """Write a disk of memory to a real folder; give the disk's folder there."""
    for path, inode in medium.walk():
        place = folder / path.relative_to("/")
        if inode.kind is Kind.FOLDER:
            place.mkdir(exist_ok=True, parents=True)
        else:
            place.write_bytes(inode.data)
    return folder / Path(FOLDER).relative_to("/")


class CrashedTests(SynchronousTestCase):
    def setUp(self) -> None:
        for name in ("ffmpeg", "mkvinfo"):
            require_program(name)
        folder = Path(self.mktemp())
        folder.mkdir()
        self.gops: list[Gop] = group(read_units(make_source(folder, "h264"), 0, "h264"))[:GROUPS]

    @proves(
        1,
        fault="power cut, on a disk of memory that is then written to a real one",
        moment="at some operations of a recording of real pictures",
        outcome="ffmpeg plays every block without a word, mkvinfo finds no unknown element",
    )
    def test_other_programs_open_what_is_left(self) -> None:
        """Disks that survived are opened by ffmpeg, mkvinfo and ``axis-nvr check``."""
        seed, random = draw()
        files = FaultFiles(new_disk())
        story = Story(files)
        story.start()
        story.open(start_us=self.gops[0].start_us)
        for gop in self.gops:
            self.assertEqual(story.write(gop), [None])
        story.close()
        files.unmount()
        found = [
            (at, medium)
            for at, medium in crashes(new_disk(), files.log, random, samples=3, every=3)
            if promises(files.log, at)
        ]
        for number, (at, medium) in enumerate(random.sample(found, either(3, len(found)))):
            recovered = look_after(medium, promises(files.log, at), CHORES)
            recovered.unmount()
            for operation in recovered.log:
                medium.apply(operation)
            try:
                find_nothing_wrong(self, unload(medium.current(), Path(self.mktemp())))
            except self.failureException as error:
                self.fail(f"seed {seed}, disk {number}, after operation {at}: {error}")
