"""A browser plays what the recorder serves: Chromium, and the player that Axis gives away."""

import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import treq
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase
from twisted.web.http_headers import Headers

from axis_nvr.media.units import Codec
from axis_nvr.protocols.rtsp_server import RtspServerFactory
from axis_nvr.services.playback.presentations import FEATURES, Playbacks
from axis_nvr.session.digest import Authenticator, Credentials
from axis_nvr.simulator.bitstream import video_bitstream
from axis_nvr.vapix.server import HttpServer
from axis_nvr.vapix.websocket.entry import TOKEN_PATHS
from axis_nvr.vapix.websocket.rtsp import PATH, RtspOverWebSocket
from tests.integration.browser import Browser, need_browser
from tests.integration.live_recorder import PASSWORD, USER, LiveRecorderTestCase
from tests.integration.pictures import picture_group
from tests.services.shelves import Shelves
from tests.storage.making import DETAILS, START_US
from tests.vapix.serving import House

PAGE = """<!DOCTYPE html><video muted width=640 height=360></video>
<script src="/tell.js"></script><script src="/player.js"></script><script>
const video = document.querySelector("video"), times = [];
const player = new mediaStreamLibrary.pipelines.Html5VideoPipeline({
  ws: {uri: "WEBSOCKET"}, rtsp: {uri: "RTSP"}, mediaElement: video});
player.ready.then(() => player.rtsp.play());
const canvas = document.createElement("canvas");
let first;
const blocks = () => {  // the mean colours of 4 x 4 blocks
  Object.assign(canvas, {width: 640, height: 360});
  const context = canvas.getContext("2d"), sums = new Array(48).fill(0);
  context.drawImage(video, 0, 0);
  context.getImageData(0, 0, 640, 360).data.forEach((value, at) => {
    const x = (at >> 2) % 640, y = (at >> 2) / 640 | 0;
    if (at % 4 < 3) sums[((y / 90 | 0) * 4 + (x / 160 | 0)) * 3 + at % 4] += value;
  });
  return sums.map(sum => sum / (160 * 90));
};
const shown = (now, frame) => {
  if (!times.length) {
    first = blocks();
  }
  times.push(Math.round(frame.mediaTime * 1000));
  video.requestVideoFrameCallback(shown);
};
video.requestVideoFrameCallback(shown);
video.oncanplay = () => video.play();
const looking = setInterval(() => {
  const quality = video.getVideoPlaybackQuality();
  if (quality.totalVideoFrames < FRAMES) return;
  clearInterval(looking);
  tell({size: [video.videoWidth, video.videoHeight], time: video.currentTime, times, first,
    count: quality.totalVideoFrames, buffered: video.buffered.end(0) - video.buffered.start(0),
    codec: player.tracks[0].mime});
}, 20);
</script>"""


async def watch(websocket: str, url: str, frames: int, profile: Path) -> Any:
    """Let the browser play a URL, and give what it tells after so many frames."""
    page = PAGE.replace("WEBSOCKET", websocket).replace('"RTSP"', f'"{url}"')
    browser = Browser(page.replace("FRAMES", str(frames)), profile)
    try:
        return await deferToThread(browser.wait)
    finally:
        await deferToThread(browser.close)


class LiveTests(LiveRecorderTestCase):
    async def setUp(self) -> None:  # type: ignore[override]
        need_browser()
        await self.start()

    async def token(self) -> str:
        """Get a token as the player's own page would, with the viewer's account."""
        url = f"http://127.0.0.1:{self.ports['http']}{TOKEN_PATHS[1]}"
        authenticator = Authenticator(Credentials(USER, PASSWORD))
        refused = await treq.get(url, persistent=False)
        authenticator.challenge(refused.headers.getRawHeaders("www-authenticate"))
        await treq.content(refused)
        answer = authenticator.authorization("GET", TOKEN_PATHS[1]) or ""
        headers = Headers({"Authorization": [answer]})
        given = await treq.get(url, headers=headers, persistent=False)
        return str(await treq.text_content(given))

    async def test_live(self) -> None:
        """A page of another site, with a token, shows a camera of the recorder as it is now."""
        token = await self.token()
        port = self.ports["http"]
        told = await watch(
            f"ws://127.0.0.1:{port}{PATH}?rtspwssession={token}",
            "rtsp://127.0.0.1/axis-media/media.amp?device=front&fps=25&resolution=640x360",
            25,
            Path(self.mktemp()),
        )
        self.assertEqual(told.get("size"), [640, 360], told)
        self.assertGreater(told["time"], 0.5)
        self.assertGreater(len(told["times"]), 10)
        self.assertEqual(sorted(told["times"]), told["times"])


class RecordedTests(TestCase):
    async def test_recorded(self) -> None:
        """Every picture of a recording is decoded, at its time, and the first one is the first."""
        need_browser()
        house = House(self.mktemp())
        self.addCleanup(house.database.close)
        house.set_up()
        shelves = Shelves(self.mktemp())
        shelves.open()
        self.addCleanup(shelves.close)
        recording_id = record(shelves)
        server = RtspServerFactory(reactor, Playbacks(shelves.library, reactor), options=FEATURES)
        self.addCleanup(server.close)
        tokens = house.gatekeeper.tokens
        site = HttpServer(house.door, [RtspOverWebSocket(server, tokens).endpoint()]).site()
        port = await serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(site)
        self.addCleanup(port.stopListening)
        told = await watch(
            f"ws://127.0.0.1:{port.getHost().port}{PATH}?rtspwssession={tokens.issue('vera')}",
            f"rtsp://127.0.0.1/axis-media/media.amp?recordingid={recording_id}",
            50,
            Path(self.mktemp()),
        )
        self.assertEqual(told.get("count"), 50, told)
        # the player takes the first picture to last 33 ms; one may not be shown in time
        steps = [after - before for before, after in pairwise(told["times"][1:])]
        self.assertEqual({step % 40 for step in steps}, {0})
        self.assertLess(abs(told["buffered"] - 2.0), 0.04)
        pairs = zip(told["first"], first_picture(), strict=True)
        self.assertLess(max(abs(ours - theirs) for ours, theirs in pairs), 6)


def record(shelves: Shelves) -> str:
    """Record 50 pictures, 40 ms apart, in two groups."""
    bench = shelves.disks["HDD_DISK"].bench
    writer = bench.open(DETAILS, START_US)
    groups = [
        picture_group(START_US + at * 1_000_000, frames=25, step_us=40_000, odd=bool(at % 2))
        for at in range(2)
    ]
    bench.write(writer, *groups)
    bench.close(writer)
    bench.tell_index()
    return writer.recording_id


def first_picture() -> list[float]:
    """Mean colours of 4 x 4 blocks of the picture that a recording begins with, by ffmpeg."""
    units = video_bitstream(Codec.H264, 640, 360).units(0, odd=False)
    stream = b"".join(b"\0\0\0\1" + unit for unit in units)
    command = "ffmpeg -v error -f h264 -i - -frames:v 1 -vf format=rgb24,scale=4:4:flags=area"
    made = subprocess.run(
        [*command.split(), "-pix_fmt", "rgb24", "-f", "rawvideo", "-"],
        input=stream,
        stdout=subprocess.PIPE,
        check=True,
    )
    return [float(value) for value in made.stdout]
