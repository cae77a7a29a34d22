"""Other programs play recordings, and get every picture as it was recorded.

All clients of a test play at the same time from one server, so that a test takes no longer than the
slowest of them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from axis_nvr.media.gop import Gop
from axis_nvr.media.units import AccessUnit, VideoFormat
from axis_nvr.protocols.rtsp_server import RtspServerFactory
from axis_nvr.services.library import Library
from axis_nvr.services.playback.presentations import FEATURES, Playbacks
from axis_nvr.services.reading_pool import ReadingPool
from axis_nvr.session.replay.frames import Chooser
from axis_nvr.session.replay.order import Frames
from axis_nvr.storage.errands import Errands
from axis_nvr.storage.files import Files
from axis_nvr.wire.avcc import parse_avcc
from axis_nvr.wire.hvcc import parse_hvcc
from axis_nvr.wire.nal import split_sample
from axis_nvr.wire.ntp import NTP_TO_UNIX_SECONDS
from tests.integration.peers import (
    SYSTEM_PYTHON,
    require_gstreamer,
    require_program,
    start_program,
)
from tests.integration.pictures import picture_group
from tests.integration.sources import make_source, read_units
from tests.services.export.exporting import Store
from tests.storage.making import START_US

GST_PLAYER = Path(__file__).with_name("gst_player.py")
FRAMES, STEP_US = 10, 40_000
GROUP_US = FRAMES * STEP_US
#: Groups of each of two sections, and from the start of one to the start of the other.
GROUPS = 3
APART_US = 60_000_000
#: The start in nanoseconds since 1900, as GStreamer counts.
START_NS = START_US * 1000 + NTP_TO_UNIX_SECONDS * 1_000_000_000


def section(start_us: int, *, odd: bool) -> list[Gop]:
    return [
        picture_group(
            start_us + at * GROUP_US,
            frames=FRAMES,
            step_us=STEP_US,
            pad=2000,
            odd=odd ^ bool(at % 2),
        )
        for at in range(GROUPS)
    ]


def hash_of(unit: AccessUnit) -> str:
    """The MD5 of a picture's NAL units."""
    return hashlib.md5(b"".join(bytes(nal) for nal in split_sample(unit.data))).hexdigest()


def byte_stream(unit: AccessUnit) -> bytes:
    """A picture with start codes, its parameter sets in front of a key frame."""
    assert isinstance(unit.format, VideoFormat)
    sets = unit.format.parameter_sets if unit.sync else ()
    nals = [*sets, *(bytes(nal) for nal in split_sample(unit.data))]
    return b"".join(b"\0\0\0\1" + nal for nal in nals)


class PlaybackTests(TestCase):
    def setUp(self) -> None:
        from twisted.internet import reactor as installed_reactor

        reactor: Any = installed_reactor
        self.reactor = reactor
        folder = self.mktemp()
        store = Store(folder)
        self.gops = [*section(START_US, odd=False), *section(START_US + APART_US, odd=True)]
        self.name = store.record(self.gops)
        store.close()
        pool = ReadingPool(reactor)
        pool.startService()
        errands = {"HDD_DISK": Errands(reactor, Path(folder), lambda name: None)}
        library = Library(Files(), errands, pool)
        library.disk_opened("HDD_DISK", Path(folder))
        server = RtspServerFactory(
            reactor, Playbacks(library, reactor), options=FEATURES, paced=True
        )
        port = reactor.listenTCP(0, server, interface="127.0.0.1")
        self.host = f"127.0.0.1:{port.getHost().port}"

        async def end() -> None:
            await port.stopListening()
            await library.disk_closing("HDD_DISK", comes_back=False)
            pool.stopService()

        self.addCleanup(lambda: Deferred.fromCoroutine(end()))

    async def output_of(self, *command: str) -> list[str]:
        """What a program says, which must be content."""
        program = start_program(self, self.reactor, command)
        errors, code = await program.outcome()
        self.assertEqual(code, 0, errors[-40_000:])
        return program.output.decode().splitlines()

    async def frames(self, source: str, *options: str) -> list[str]:
        """The MD5 of each picture, decoded by ffmpeg."""
        ffmpeg = require_program("ffmpeg")
        output = ("-fps_mode", "passthrough", "-f", "framemd5", "-")
        lines = await self.output_of(ffmpeg, "-v", "error", *options, "-i", source, *output)
        return [line.rpartition(",")[2].strip() for line in lines if not line.startswith("#")]

    async def gst(self, rate_control: str, *seeks: str) -> list[list[str]]:
        """The MD5 of each picture, up to the end and then of each seek."""
        require_gstreamer()
        url = f"rtsp://{self.host}/onvif-media/record/play.amp?onvifreplayid=HDD_DISK_{self.name}"
        lines = await self.output_of(SYSTEM_PYTHON, str(GST_PLAYER), url, rate_control, *seeks)
        ends = [-1, *(at for at, line in enumerate(lines) if line == "end")]
        return [[line.split()[1] for line in lines[a + 1 : b]] for a, b in pairwise(ends)]

    def hashes(self, gops: Sequence[Gop]) -> list[str]:
        return [hash_of(unit) for gop in gops for unit in gop.units]

    async def test_ffmpeg(self) -> None:
        """In time over TCP and UDP, as fast as it reads over TCP and through HTTP."""
        url = f"rtsp://{self.host}/axis-media/media.amp?recordingid={self.name}"
        folder = Path(self.mktemp())
        folder.mkdir()
        stream = folder / "as-recorded.h264"
        stream.write_bytes(b"".join(byte_stream(unit) for gop in self.gops for unit in gop.units))
        ways = [
            Deferred.fromCoroutine(self.frames(*way))
            for way in (
                (str(stream),),
                (url, "-rtsp_transport", "tcp"),
                (url, "-rtsp_transport", "udp"),
                (f"{url}&pull=1", "-rtsp_transport", "tcp"),
                (f"{url}&pull=1", "-rtsp_transport", "http"),
            )
        ]
        recorded, *played = await gatherResults(ways, consumeErrors=True)
        self.assertEqual(len(recorded), 2 * GROUPS * FRAMES)
        for frames in played:
            self.assertEqual(frames, recorded)

    async def test_without_b_pictures(self) -> None:
        """What ``Frames: predicted`` leaves of a pyramid and of open groups decodes as before."""
        sources = Path("players-sources")  # made once, for all tests
        sources.mkdir(exist_ok=True)
        for name, read in (("h264 with B-frames", parse_avcc), ("h265", parse_hvcc)):
            made = read_units(make_source(sources, name), 0, name)
            bare = made[0].format
            assert isinstance(bare, VideoFormat)
            record = read(bare.codec_private)
            sets = [*getattr(record, "vps", ()), *record.sps, *record.pps]
            form = replace(bare, parameter_sets=tuple(sets))
            units = [unit._replace(format=form) for unit in made]
            chosen = Chooser(Frames.PREDICTED).choose(units)
            self.assertTrue(40 < len(chosen) < 110, len(chosen))
            both: list[list[str]] = []
            for kind, some in (("all", units), ("predicted", chosen)):
                path = Path(f"{self.mktemp()}-{kind}")
                path.write_bytes(b"".join(map(byte_stream, some)))
                both.append(await self.frames(str(path)))
            self.assertEqual((len(both[0]), len(both[1])), (len(units), len(chosen)))
            self.assertLessEqual(set(both[1]), set(both[0]))

    async def test_gstreamer(self) -> None:
        """As an ONVIF client: all of it, from elsewhere, backwards; in time and not.

        Backwards it drops the very first picture itself: it takes it to be shown where the segment
        ends.
        """
        within = START_NS + 1000 * (GROUP_US + 3 * STEP_US)
        behind = START_NS + 1000 * (APART_US + 2 * GROUP_US + 4 * STEP_US)
        both = await gatherResults(
            [
                Deferred.fromCoroutine(
                    self.gst("no", f"1.0:{within}:", f"-1.0:{START_NS}:{behind}")
                ),
                Deferred.fromCoroutine(self.gst("yes", f"-1.0:{START_NS}:{within}")),
            ],
            consumeErrors=True,
        )
        forward, from_within, backward = both[0]
        everything = self.hashes(self.gops)
        self.assertEqual(forward, everything)
        self.assertEqual(from_within, self.hashes(self.gops[1:]))
        reverse = self.hashes(self.gops[::-1])
        wanted = [*reverse[:5], *reverse[FRAMES:]]
        self.assertEqual(backward, wanted[1:])
        forward, backward = both[1]
        # The first may come before its clock runs, and is dropped then.
        self.assertEqual(forward[-len(everything) + 1 :], everything[1:])
        wanted = [*self.hashes(self.gops[1:2])[:4], *self.hashes(self.gops[:1])]
        self.assertEqual(backward, wanted[1:])
