"""What happens in the lives of recorders that end badly."""

from axis_nvr.media.units import Codec, Gap, GapReason, VideoFormat
from axis_nvr.storage.index_news import GATHER_SECONDS
from axis_nvr.storage.repair.rebuild import Rebuild
from tests.storage.faults.story import SECOND, Story, group
from tests.storage.making import START_US

OTHER_VIDEO = VideoFormat(Codec.H264, b"\x01other", 1280, 720)


def one_camera(story: Story) -> None:
    """A recording of three groups, begun, written and closed."""
    story.start()
    story.open()
    for at in range(3):
        story.write(group(at * 1.5))
    story.close()
    story.stop()


def start_on_known_disk(story: Story) -> None:
    """Open a disk of which the index knows all: what it does not know later no rebuild finds."""
    story.start()
    rebuild = Rebuild(story.premises)
    while rebuild.step() is not None:
        pass
    story.premises.settled()


def blocks_are_cut(story: Story) -> None:
    """A recording of three blocks: one cut by its length, one by a hole; the last is left open."""
    start_on_known_disk(story)
    story.open()
    for at in range(3):  # 160 s each, in clusters of a picture each
        story.write(group(at * 160, frames=4, step_seconds=40))
    story.write(group(3600))  # in the folder of another hour
    story.write(group(3601.5))


def a_block_fills_up(story: Story) -> None:
    """A block that ends with its last group, written with it, and the one that follows."""
    start_on_known_disk(story)
    story.open()
    for at, frames, step_seconds in ((0, 4, 40), (160, 4, 34), (296, 3, 1.5), (300.5, 3, 0.5)):
        story.write(group(at, frames=frames, step_seconds=step_seconds))
    story.write(group(302))
    story.close()


def three_cameras(story: Story) -> None:
    """Three cameras in the same batches; one leaves, one comes."""
    start_on_known_disk(story)
    for camera in ("front", "yard", "door"):
        story.open(camera)
    cameras = ["front", "yard", "door"]
    for at in range(4):
        story.write_all(*((name, group(at * 1.5, name=name, frames=2)) for name in cameras))
        if at == 1:
            story.close("yard")
            story.open("gate", START_US + 3 * SECOND)
            cameras[1] = "gate"
    story.close(*cameras)


def formats_change(story: Story) -> None:
    """A gap, other parameter sets, a gap again: a block ends in the batch in which it began."""
    start_on_known_disk(story)
    story.open()
    story.write(group(0), group(1.5, form=OTHER_VIDEO), group(3))
    story.note_gap(Gap(START_US + 4 * SECOND, START_US + 5 * SECOND, GapReason.DISCONNECTED))
    story.write(group(6), group(7.5, form=OTHER_VIDEO))
    story.close()
    story.open(start_us=START_US + 20 * SECOND)
    story.write(group(20))
    story.stop()


def two_lives(story: Story) -> None:
    """A recorder that is stopped and started again."""
    one_camera(story)
    story.start()
    story.open(start_us=START_US + 60 * SECOND)
    story.write(group(60))
    story.write(group(61.5))
    story.close()
    story.stop()


def rows_wait(story: Story) -> None:
    """Much waits for the index, with some told on demand, and blocks of other days and hours.

    A clock is set back by three days, and one is far ahead: what is there is told at once, and then
    the horizon moves on again.
    """
    day = 24 * 3600
    start_on_known_disk(story)
    for camera in ("front", "yard"):
        story.open(camera)
    for at in (0, 400, 3700):
        story.write_all(*((name, group(at, name=name)) for name in ("front", "yard")))
        if not at:
            story.bench.monotonic_seconds += GATHER_SECONDS
    story.close("yard")
    story.open("gate", START_US + 3800 * SECOND)
    story.write(group(3800, name="gate"), camera="gate")
    for at in (-3 * day, 400 - 3 * day, 3710):
        story.write(group(at))
    story.disk.catch_up()
    story.close()
    for at in (5 * day, 5 * day + 400):
        story.open(start_us=START_US + at * SECOND)
        story.write(group(at))
        story.close()
        story.bench.monotonic_seconds += GATHER_SECONDS


PLOTS = (one_camera, blocks_are_cut, three_cameras, formats_change, two_lives)
