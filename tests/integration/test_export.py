"""Players and tools read what is exported, and find nothing to complain of.

What is recorded here was coded by ffmpeg; what is exported is compared with it packet by packet,
and picture by picture once it is decoded.
"""

import base64
import contextlib
import hashlib
import http.server
import io
import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from axis_nvr.cli.main import main
from axis_nvr.media.units import AccessUnit
from axis_nvr.services.certificate import export_certificate
from axis_nvr.services.export.content import Content
from axis_nvr.services.export.mp4_file import Mp4File, Seal
from axis_nvr.services.export.zip_file import zip_pieces
from axis_nvr.services.export_seal import Sealer
from axis_nvr.services.state_folder import StateFolder
from axis_nvr.wire.onvif_export import ExportInfo
from tests.integration.sources import (
    H264,
    PICTURES,
    SOURCES,
    TOOLS,
    group,
    interleave,
    make_source,
    packet_hashes,
    read_units,
    run,
)
from tests.services.export.exporting import Store, joined
from tests.storage.making import START_US

#: The same pictures with another size: other parameter sets.
LARGER = "h264 that is larger"
SOURCES[LARGER] = [
    *(part.replace("320x240", "640x360") for part in PICTURES),
    *(*H264, "scenecut=0:bframes=2:ref=1"),
]
PAGE = """<!DOCTYPE html><video id=v muted src='data:video/mp4;base64,{}'></video>
<script>
const v = document.getElementById('v');
const tell = (...what) => fetch('/told?' + encodeURIComponent(JSON.stringify(what)));
v.onerror = () => tell('error', v.error.code, v.error.message);
v.onloadeddata = () => { v.currentTime = 3.2; };
v.onseeked = () => tell(v.videoWidth, v.videoHeight, v.currentTime);
</script>"""
#: How long a browser may take, in seconds.
BROWSER_SECONDS = 30


def later(units: Sequence[AccessUnit], us: int) -> list[AccessUnit]:
    return [u._replace(utc_us=u.utc_us + us, timestamp=u.timestamp + us * 9 // 100) for u in units]


def hashes_of(units: Sequence[AccessUnit]) -> list[str]:
    return ["MD5:" + hashlib.md5(unit.data).hexdigest() for unit in units]


class ExportTests(SynchronousTestCase):
    def setUp(self) -> None:
        missing = [tool for tool in (*TOOLS, "7z", "openssl") if shutil.which(tool) is None]
        if missing:
            raise SkipTest(f"not installed: {', '.join(missing)}")
        self.sources = Path("players-sources")  # made once, for all tests
        self.sources.mkdir(exist_ok=True)
        self.store = Store(self.mktemp())
        self.addCleanup(self.store.close)
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def record(self, *scenes: tuple[str, ...]) -> tuple[str, list[AccessUnit]]:
        """Record scenes of six seconds one after another: pictures, and sound if it is named."""
        everything: list[AccessUnit] = []
        for at, (video, *sound) in enumerate(scenes):
            units = read_units(make_source(self.sources, video), 0, video)
            for name in sound:
                units = interleave(units, read_units(make_source(self.sources, name), 1, name))
            everything += later(units, at * 6_200_000)
        return self.store.record(group(everything)), everything

    def matroska(self, recording_id: str) -> Path:
        path = self.folder / "export.mkv"
        path.write_bytes(joined(self.store.matroska(self.store.content(recording_id)).pieces()))
        return path

    def mp4(self, content: Content) -> Path:
        state = StateFolder(self.folder / "state")
        state.open()
        info = ExportInfo("axis_nvr", "", "AC:CC:8E:01:23:45", START_US, "vera", 0, ())
        seal = Seal(Sealer(export_certificate(state, "ACCC8E012345")), info)
        path = self.folder / "export.mp4"
        path.write_bytes(joined(Mp4File(self.store.files, content, "front", seal).pieces()))
        return path

    def assert_silent(self, path: Path) -> None:
        """All of it is decoded, and ffmpeg says nothing."""
        for options in ([], ["-err_detect", "explode"]):
            played = run("ffmpeg", "-v", "error", *options, "-i", str(path), "-f", "null", "-")
            self.assertEqual((played.returncode, played.stderr), (0, ""))

    def assert_flawless(self, path: Path) -> None:
        """No tool says anything against a Matroska file."""
        self.assert_silent(path)
        shown = run("mkvinfo", "-v", "-v", str(path))
        self.assertEqual(shown.returncode, 0, shown.stdout)
        self.assertNotRegex(shown.stdout.lower(), "error|warning|unknown element|invalid")
        remuxed = run("mkvmerge", "-o", str(path.with_suffix(".remuxed")), str(path))
        self.assertEqual(remuxed.returncode, 0, remuxed.stdout)
        (general, *_) = json.loads(run("mediainfo", "--Output=JSON", str(path)).stdout)["media"][
            "track"
        ]
        self.assertEqual(general.get("IsTruncated", "No"), "No")

    def pictures(self, path: Path) -> list[str]:
        """A hash of each picture, decoded and brought to one size."""
        options = ("-vf", "scale=160:120:flags=neighbor", "-map", "0:v:0", "-f", "framehash")
        shown = run(
            "ffmpeg", "-v", "error", "-i", str(path), *options, "-fps_mode", "passthrough", "-"
        )
        self.assertEqual(shown.stderr, "")
        lines = [line for line in shown.stdout.splitlines() if not line.startswith("#")]
        return [line.rpartition(",")[2].strip() for line in lines]

    def times(self, path: Path, kind: str) -> list[float]:
        options = ("-select_streams", kind, "-show_entries", "packet=pts_time", "-of", "json")
        shown = run("ffprobe", "-v", "error", *options, str(path))
        return [float(packet["pts_time"]) for packet in json.loads(shown.stdout)["packets"]]

    def test_matroska(self) -> None:
        """Each packet of pictures with B-frames and of sound, byte for byte, at its time."""
        name, units = self.record(("h264 with B-frames", "aac"), ("h264 with B-frames", "aac"))
        path = self.matroska(name)
        self.assert_flawless(path)
        hashes = packet_hashes(path)
        for track, kind in enumerate(("video", "audio")):
            mine = [unit for unit in units if unit.track == track]
            self.assertEqual(hashes[kind], hashes_of(mine))
            begin = min(unit.utc_us for unit in units)
            wanted = [(unit.utc_us - begin) / 1e6 for unit in mine]
            for found, taken in zip(self.times(path, kind[0]), wanted, strict=True):
                self.assertLess(abs(found - taken), 0.0021)

    def test_a_block_of_another_writer(self) -> None:
        """Clusters as another program writes them get our front, and keep every frame."""
        name, _ = self.record(("h264 with B-frames",))
        source = make_source(self.sources, "h264 with B-frames")
        (block,) = self.store.bench.blocks()
        block.write_bytes(source.read_bytes())
        content = self.store.content(name)
        self.assertEqual([placed.own for placed in content.placed], [False])
        path = self.matroska(name)
        self.assert_flawless(path)
        self.assertEqual(packet_hashes(path), packet_hashes(source))
        self.assertEqual(self.store.problems, [])

    def test_h265_and_jpeg(self) -> None:
        """The other codecs of pictures, with G.711."""
        for scene in (("h265", "pcmu"), ("jpeg", "pcma")):
            name, units = self.record(scene)
            path = self.matroska(name)
            self.assert_flawless(path)
            wanted = hashes_of([unit for unit in units if not unit.track])
            self.assertEqual(packet_hashes(path)["video"], wanted)

    def test_other_parameter_sets(self) -> None:
        """Pictures of another size in the middle are decoded as they were, and those after them."""
        name, _ = self.record(("h264",), (LARGER,), ("h264",))
        path = self.matroska(name)
        self.assert_flawless(path)
        small = self.pictures(make_source(self.sources, "h264"))
        large = self.pictures(make_source(self.sources, LARGER))
        self.assertNotEqual(small, large)
        self.assertEqual(self.pictures(path), [*small, *large, *small])
        self.assertEqual(
            self.pictures(self.mp4(self.store.content(name))), [*small, *large, *small]
        )

    def test_mp4(self) -> None:
        """Each packet is in the MP4 file too; our command and openssl verify its seal."""
        name, units = self.record(("h264 with B-frames", "aac"))
        path = self.mp4(self.store.content(name))
        self.assert_silent(path)
        hashes = packet_hashes(path)
        for track, kind in enumerate(("video", "audio")):
            self.assertEqual(hashes[kind], hashes_of([u for u in units if u.track == track]))
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            self.assertEqual(main(["verify", str(path)]), 0)
        self.assertIn("vera", told.getvalue())
        self.assert_openssl_verifies(path)

    def assert_openssl_verifies(self, path: Path) -> None:
        data = bytearray(path.read_bytes())
        at = data.rindex(b"sibo") + 4
        size = int.from_bytes(data[at - 8 : at - 4], "big") - 8
        signature = bytes(data[at : at + size])
        data[at : at + size] = bytes(size)
        cert = data.rindex(b"cert") + 4
        end = cert - 8 + int.from_bytes(data[cert - 8 : cert - 4], "big")
        for file, content in (
            ("zeroed", data),
            ("signature", signature),
            ("c.der", data[cert:end]),
        ):
            (self.folder / file).write_bytes(content)
        key = run(
            "openssl",
            "x509",
            "-inform",
            "DER",
            "-in",
            str(self.folder / "c.der"),
            "-pubkey",
            "-noout",
        )
        (self.folder / "key.pem").write_text(key.stdout)
        options = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:20")
        verified = run(
            *("openssl", "dgst", "-sha256", *options, "-verify", str(self.folder / "key.pem")),
            *("-signature", str(self.folder / "signature"), str(self.folder / "zeroed")),
        )
        self.assertEqual(verified.stdout.strip(), "Verified OK")

    def test_h265_in_mp4(self) -> None:
        """H.265 with G.711 in MP4."""
        name, units = self.record(("h265", "pcmu"))
        path = self.mp4(self.store.content(name))
        self.assert_silent(path)
        self.assertEqual(packet_hashes(path)["video"], hashes_of([u for u in units if not u.track]))

    def test_zip(self) -> None:
        """7z opens the archive with the password, and not with another."""
        name, _ = self.record(("h264",))
        inner = self.matroska(name)
        archive = self.folder / "export.zip"
        password = "Straße ☃ 7"
        pieces = zip_pieces("a b.mkv", [inner.read_bytes()], START_US, password)
        archive.write_bytes(b"".join(pieces))
        out = self.folder / "out"
        opened = run("7z", "x", f"-p{password}", f"-o{out}", str(archive))
        self.assertEqual(opened.returncode, 0, opened.stdout)
        self.assertEqual((out / "a b.mkv").read_bytes(), inner.read_bytes())
        self.assertNotEqual(run("7z", "t", "-pwrong", str(archive)).returncode, 0)
        self.assertIn("AES-256", run("7z", "l", "-slt", str(archive)).stdout)

    def test_a_browser(self) -> None:
        """Chromium loads the MP4 file, seeks in it and shows a picture of its size."""
        if shutil.which("chromium") is None:
            raise SkipTest("not installed: chromium")
        name, _ = self.record(("h264 with B-frames", "aac"))
        data = base64.b64encode(self.mp4(self.store.content(name)).read_bytes()).decode()
        told = ask_browser(PAGE.replace("{}", data, 1), self.folder / "profile")
        self.assertEqual(told, [320, 240, 3.2])


def ask_browser(page: str, profile: Path) -> Any:
    """Let chromium load a page, and give what the page tells."""
    told: queue.Queue[str] = queue.Queue()

    class Answering(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/told?"):
                told.put(unquote(self.path.partition("?")[2]))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser = subprocess.Popen(
        [
            *("chromium", "--headless=new", "--no-sandbox", "--disable-gpu"),
            *(f"--user-data-dir={profile.resolve()}", f"http://127.0.0.1:{server.server_port}/"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        return json.loads(told.get(timeout=BROWSER_SECONDS))
    finally:
        browser.terminate()
        browser.wait()
        server.shutdown()
        server.server_close()
