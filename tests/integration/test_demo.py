"""The recorder as people start it: the demonstration, and what it says of a bad configuration."""

import json
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.peers import require_program
from tests.integration.program import (
    ENVIRONMENT,
    PATIENCE_SECONDS,
    TWIST,
    TWISTD,
    Program,
    get,
    probe,
)

#: How long the demonstration records, in seconds.
RECORDED_SECONDS = 10


class DemoTests(SynchronousTestCase):
    def test_ten_seconds_of_it(self) -> None:
        """It says where to look, records both cameras, and ends with files that are whole."""
        require_program("ffmpeg")
        folder = Path(self.mktemp())
        folder.mkdir()
        schemes = {"http": "tcp", "https": "ssl", "rtsp": "tcp", "rtsps": "ssl"}
        servers = [f"--{key}={kind}:0:interface=127.0.0.1" for key, kind in schemes.items()]
        program = Program([*TWISTD, "--demo", "--state-dir=state", *servers], folder)
        self.addCleanup(program.process.kill)
        http = program.find(r"^listening on (http://127\.0\.0\.1:\d+/)$")
        https = program.find(r"^listening on (https://127\.0\.0\.1:\d+/)$")
        for scheme in ("rtsp", "rtsps"):
            program.find(rf"^listening on ({scheme}://127\.0\.0\.1:\d+/)$")
        disk = Path(program.find(r"^recordings: (.*)$"))
        program.find(r"^virtual camera (demo-2)")
        time.sleep(RECORDED_SECONDS)
        self.assertEqual(get(f"{http}healthz"), "ok\n")
        self.assertEqual(get(f"{https}healthz"), "ok\n")
        account = ("demo", program.find(r"^sign in as demo with the password (.*)$"))
        self.assertIn("Recording: 2 recordings of 2 streams", get(http, account))
        status = json.loads(get(f"{http}status.json", account))
        self.check_status(status)
        self.check_events(status)
        live = program.find(r"^live through the recorder: ffplay '(.*)'$")
        self.assertEqual(probe(live, "-rtsp_transport", "tcp")["streams"][0]["codec_name"], "h264")
        self.assertEqual(program.stop(), -signal.SIGINT, "twistd ends by the signal, when done")
        self.check_blocks(disk)

    def check_status(self, status: dict[str, Any]) -> None:
        """Both streams play at the rate that was asked for, and nothing is lost."""
        rates = {each["device"]: each["status"]["fps"] for each in status["streams"]}
        self.assertEqual(set(rates), {"demo-1", "demo-2"})
        for device, fps in (("demo-1", 25), ("demo-2", 15)):
            self.assertLess(abs(rates[device] - fps), 0.3 * fps, "a busy machine is given some")
        for each in status["recordings"]:
            self.assertEqual(each["job"]["state"], "recording")
            self.assertGreater(each["job"]["counts"]["written_gops"], 0)
            self.assertEqual(each["job"]["counts"]["dropped_gops"], 0)
            self.assertEqual(each["job"]["counts"]["gaps"], 0)

    def check_events(self, status: dict[str, Any]) -> None:
        """Both cameras are heard, and have told whether something moves."""
        for each in status["camera_events"]:
            self.assertTrue(each["is_heard"], each)
            self.assertGreaterEqual(each["notifications"], 2)
        self.assertEqual([each["device"] for each in status["camera_events"]], ["demo-1", "demo-2"])

    def check_blocks(self, disk: Path) -> None:
        """One block for each camera, each complete, without an error, and as long as recorded."""
        blocks = list(disk.rglob("*.mkv"))
        self.assertEqual(len(blocks), 2)
        kinds = set()
        for block in blocks:
            command = ["ffmpeg", "-v", "error", "-xerror", "-i", str(block), "-f", "null", "-"]
            decoded = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual((decoded.returncode, decoded.stderr), (0, ""))
            document = probe(block)
            kinds.add(tuple(stream["codec_name"] for stream in document["streams"]))
            self.assertGreater(float(document["format"]["duration"]), RECORDED_SECONDS - 2)
            xml = block.with_suffix(".xml").read_text()
            self.assertIn("<Status>Complete</Status>", xml)
        self.assertEqual(kinds, {("h264", "aac"), ("hevc",)})


class RefusalTests(SynchronousTestCase):
    def refused(self, command: list[str], *options: str) -> str:
        """What it says on its standard error before it ends with exit code 1."""
        result = subprocess.run(
            [*command, *options],
            cwd=self.folder,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertNotIn("listening on", result.stdout)
        return result.stderr

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def test_a_bad_configuration(self) -> None:
        """One sentence that names the key, and exit code 1, whoever starts it."""
        (self.folder / "nvr.toml").write_text('[[camera]]\nid = "a"\naddress = "b"\nprotocol = 5\n')
        for command in (TWIST, TWISTD):
            said = self.refused(command, "--config", "nvr.toml")
            self.assertEqual(
                said,
                "axis-nvr: nvr.toml: [[camera]] number 1 ('a'): protocol must be a text, "
                "not a whole number\n",
            )

    def test_an_address_that_is_taken(self) -> None:
        """The same for an address at which something else listens."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            endpoint = f"tcp:{port}:interface=127.0.0.1"
            for command in (TWIST, TWISTD):
                said = self.refused(command, f"--http={endpoint}", "--https=none")
                words = f"cannot listen at 127.0.0.1, port {port}: Address already in use"
                self.assertEqual(said, f"axis-nvr: http: {words}\n")
