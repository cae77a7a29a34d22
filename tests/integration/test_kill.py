"""The recorder is killed at random moments, again and again, and loses nothing it had stored."""

import json
import time
from collections import Counter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import NvrError
from axis_nvr.storage.block_reader import BlockReader
from axis_nvr.storage.files import Files
from tests.durability import proves
from tests.integration.outside import find_nothing_wrong
from tests.integration.peers import require_program
from tests.integration.program import PATIENCE_SECONDS, TWISTD, Program, get
from tests.storage.faults.effort import draw, either

CAMERA = [*TWISTD[:-1], "axis-camera", "--rtsp=tcp:0:interface=127.0.0.1"]
#: Short groups: several in a second for each of three recordings.
OPTIONS = "videocodec=h264&resolution=640x360&fps=30&videokeyframeinterval={length}"
#: Pictures in a group, for each recording.
LENGTHS = (4, 6, 10)
#: How long a life of the recorder lasts at most once it records, in seconds.
LIFE_SECONDS = 0.7


class KillTests(SynchronousTestCase):
    def setUp(self) -> None:
        for name in ("ffmpeg", "mkvinfo"):
            require_program(name)
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.disk = self.folder / "state" / "HDD_DISK"
        camera = Program(CAMERA, self.folder)
        self.addCleanup(camera.stop)
        url = camera.find(r"^virtual camera: (rtsp://.*)$")
        self.configure(url)

    def configure(self, url: str) -> None:
        """Record three streams of the camera."""
        text = 'state_dir = "state"\nhttp = "tcp:0:interface=127.0.0.1"\n'
        text += 'https = "none"\nrtsp = "none"\n'
        text += f'[[camera]]\nid = "front"\nurl = "{url}?{OPTIONS.format(length=LENGTHS[0])}"\n'
        for length in LENGTHS[1:]:
            text += f'[[camera]]\nid = "c{length}"\n'
            text += f'url = "{url}?{OPTIONS.format(length=length)}"\n'
        for device in ("front", *(f"c{length}" for length in LENGTHS[1:])):
            text += f'[[recording]]\ndisk = "HDD_DISK"\noptions = "device={device}"\n'
        (self.folder / "nvr.toml").write_text(text)

    def start(self) -> tuple[Program, str]:
        """Start the recorder, and wait until each recording has a group on the disk."""
        program = Program([*TWISTD, "--config=nvr.toml"], self.folder)
        self.addCleanup(_end, program)
        url = program.find(r"^listening on (http://127\.0\.0\.1:\d+/)$")
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            counts = self.acknowledged(url)
            if len(counts) == len(LENGTHS) and all(counts.values()):
                return program, url
            time.sleep(0.02)
        raise AssertionError(f"groups on the disk: {counts}")

    def acknowledged(self, url: str) -> Counter[str]:
        """How many groups the recorder says are safe, by recording."""
        recordings = json.loads(get(f"{url}status.json"))["recordings"]
        return Counter(
            {
                each["job"]["recording_id"]: each["job"]["counts"]["written_gops"]
                for each in recordings
                if each["job"]["recording_id"]
            }
        )

    def found(self) -> Counter[str]:
        """How many groups are on the disk, by recording, as one finds them who goes by files."""
        groups: Counter[str] = Counter()
        for path in self.disk.rglob("*.mkv"):
            try:
                with BlockReader(Files(), path) as block:
                    good = [bool(block.read_cluster(span).checked) for span in block.clusters()]
            except NvrError:
                continue
            groups[path.parents[1].name] += sum(good)
        return groups

    @proves(
        2,
        fault="kill -9",
        moment="at random while three streams are recorded, again and again",
        outcome="every group that was acknowledged is on the disk",
    )
    @proves(
        5,
        fault="kill -9",
        moment="at random, also while blocks are repaired",
        outcome="every block is whole in the end, for ffmpeg, mkvinfo and our own check",
    )
    @proves(
        1,
        fault="kill -9",
        moment="at random, again and again",
        outcome="ffmpeg plays every block without a word, mkvinfo finds no unknown element",
    )
    def test_killed_again_and_again(self) -> None:
        """Nothing acknowledged is lost by any kill; in the end other programs open every block."""
        seed, random = draw()
        promised: Counter[str] = Counter()
        for life in range(either(5, 50)):
            program, url = self.start()
            end = time.monotonic() + random.uniform(0, LIFE_SECONDS)
            while time.monotonic() < end:
                promised |= self.acknowledged(url)
            program.process.kill()
            program.process.wait(PATIENCE_SECONDS)
            found = self.found()
            lost = {name: (n, found[name]) for name, n in promised.items() if found[name] < n}
            self.assertEqual(lost, {}, f"seed {seed}, life {life}: acknowledged, and found")
        self.check_in_the_end(promised)

    def check_in_the_end(self, promised: Counter[str]) -> None:
        """One more life, with time to repair; then everything is whole."""
        program, _ = self.start()
        end = time.monotonic() + PATIENCE_SECONDS
        while _unrepaired(self.disk) > len(LENGTHS) and time.monotonic() < end:
            time.sleep(0.1)
        self.assertLess(program.stop(), 1)
        found = self.found()
        self.assertEqual({name for name, n in promised.items() if found[name] < n}, set())
        find_nothing_wrong(self, self.disk)


def _unrepaired(disk: Path) -> int:
    """How many blocks are open by their XML."""
    return sum(b"<Status>Recording" in xml.read_bytes() for xml in disk.rglob("*_*/*_*.xml"))


def _end(program: Program) -> None:
    if program.process.poll() is None:
        program.process.kill()
    program.stop()
