"""A VMS as others write it: HTTP of the standard library, `websockets`, GStreamer, ffprobe.

Nothing of ours is in it but the wording of SOAP envelopes. It talks to a recorder and a virtual
camera that are processes of their own.
"""

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from twisted.trial.unittest import SynchronousTestCase
from websockets.sync.client import connect

from tests.conformance.client import Client
from tests.conformance.harness import ACCOUNTS, set_up
from tests.conformance.processes import Program
from tests.conformance.soap import NAMES, envelope
from tests.integration.peers import PATIENCE_SECONDS, require_program

TT = "{http://www.onvif.org/ver10/schema}"
_DOCUMENT = re.compile(rb"<\?xml.*?</tt:MetadataStream>", re.DOTALL)


class Picture(NamedTuple):
    """One picture of a file: when it was taken, in seconds since 1970."""

    at: float
    is_key: bool


class VmsTestCase(SynchronousTestCase):
    """A recorder, a camera, and a VMS that has an account on both."""

    camera_account = ("root", "camera-secret")

    def setUp(self) -> None:
        require_program("ffprobe")
        require_program("gst-launch-1.0")
        self.folder = Path(self.mktemp()).absolute()
        name, password = self.camera_account
        self.camera = Program(
            self.folder / "camera",
            "axis-camera",
            "--rtsp=tcp:0:interface=127.0.0.1",
            "--control=tcp:0:interface=127.0.0.1",
            "--interface=127.0.0.1",
            f"--user={name}",
            f"--password={password}",
        )
        self.addCleanup(self.camera.end)
        self.recorder = Program(
            self.folder / "recorder",
            "axis-nvr",
            "--state-dir=state",
            "--http=tcp:0:interface=127.0.0.1",
            "--https=none",
            "--rtsp=tcp:0:interface=127.0.0.1",
            "--rtsps=none",
            "--no-discovery",
        )
        self.addCleanup(self.recorder.end)
        self.http = self.recorder.find(r"^listening on (http://127\.0\.0\.1:\d+)/")
        self.rtsp = self.recorder.find(r"^listening on (rtsp://127\.0\.0\.1:\d+)/")
        set_up(self.http)
        self._client = self._open(self.http)
        self._control = self._open(self.camera.find(r"(http://127\.0\.0\.1:\d+)/control"))
        self._streams = contextlib.ExitStack()
        self.addCleanup(self._streams.close)

    def _open(self, site: str) -> Client:
        client = Client(site, ACCOUNTS["admin"])
        self.addCleanup(client.close)
        return client

    # How it asks.

    def get(self, path: str, **arguments: Any) -> bytes:
        """Ask; what is answered."""
        answer = self._client.ask(f"{path}?{urlencode(arguments)}" if arguments else path)
        self.assertEqual(answer.status, 200, answer.body[:300])
        return answer.body

    def cgi(self, name: str, **arguments: Any) -> ET.Element:
        """Ask an XML CGI; the root of its answer, which is no error."""
        answer = self.get(f"/axis-cgi/{name}.cgi", **arguments)
        self.assertNotIn(b"Error", answer)
        return ET.fromstring(answer)

    def soap(self, body: str) -> ET.Element:
        """Call an operation; its answer, which is no fault."""
        kind = {"Content-Type": "application/soap+xml; charset=utf-8"}
        answer = self._client.ask("/vapix/services", "POST", envelope(body), kind)
        self.assertEqual(answer.status, 200, answer.text)
        (content,) = answer.xml.findall("s:Body/*", NAMES)
        return content

    def status(self) -> Any:
        """The recorder's own status."""
        return json.loads(self.get("/status.json"))

    def until(self, holds: Callable[[], Any]) -> Any:
        """Wait for something to be so; what it is."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not (found := holds()):
            if time.monotonic() > end:
                self.fail(f"it did not come to be:\n{self.recorder.said()[-3000:]}")
            time.sleep(0.05)
        return found

    # What it listens to.

    def listen_over_websocket(self, topic: str) -> Any:
        """Open the event stream for a topic."""
        token = self.get("/axis-cgi/wssession.cgi").decode().strip()
        query = urlencode({"sources": "events", "wssession": token})
        site = self.http.replace("http", "ws", 1)
        stream = self._streams.enter_context(connect(f"{site}/vapix/ws-data-stream?{query}"))
        wanted = {"eventFilterList": [{"topicFilter": topic}]}
        request = {"apiVersion": "1.0", "method": "events:configure", "params": wanted}
        stream.send(json.dumps(request))
        self.assertEqual(json.loads(stream.recv(PATIENCE_SECONDS))["data"], {})
        return stream

    def notified(self, stream: Any) -> Any:
        """Wait for the next notification on an event stream."""
        told = json.loads(stream.recv(PATIENCE_SECONDS))
        self.assertEqual(told["method"], "events:notify")
        return told["params"]["notification"]

    def listen_over_rtsp(self, topic: str) -> Callable[[], list[tuple[str, dict[str, str]]]]:
        """Have GStreamer take the metadata track.

        :returns: gives what was told so far: operations, and items by their names.
        """
        name, password = ACCOUNTS["viewer"]
        query = urlencode({"video": 0, "audio": 0, "event": "on", "eventtopic": topic}, safe=":")
        target = self.folder / "events"
        line = (
            f"-q rtspsrc location={self.rtsp}/axis-media/media.amp?{query} protocols=tcp latency=0"
            f" user-id={name} user-pw={password} ! application/x-rtp,media=application"
            f" ! filesink location={target} buffer-mode=unbuffered"
        )
        player = subprocess.Popen([require_program("gst-launch-1.0"), *line.split()])
        self.addCleanup(player.wait)
        self.addCleanup(player.kill)

        def told() -> list[tuple[str, dict[str, str]]]:
            data = target.read_bytes() if target.exists() else b""
            return [
                (
                    message.get("PropertyOperation", ""),
                    {
                        i.get("Name", ""): i.get("Value", "")
                        for i in message.iter(f"{TT}SimpleItem")
                    },
                )
                for document in _DOCUMENT.findall(data)
                for message in ET.fromstring(document).iter(f"{TT}Message")
            ]

        return told

    # What happens at the camera.

    def move(self, active: bool) -> None:
        """Let something move before the camera, or stop."""
        body = json.dumps({"active": active}).encode()
        self.assertEqual(self._control.ask("/control/motion", "POST", body).status, 200)

    def picture_sessions(self) -> list[Any]:
        """The sessions that bring pictures of the camera."""
        clients = self._control.ask("/control").json["clients"]
        return [client for client in clients if "video" in client["tracks"]]

    # What it looks at.

    def pictures(self, matroska: bytes) -> list[Picture]:
        """The pictures of a file; it must be without fault."""
        file = self.folder / "exported.mkv"
        file.write_bytes(matroska)
        command = [require_program("ffprobe"), "-v", "error", "-show_packets", "-show_format"]
        probe = subprocess.run([*command, "-of", "json", file], capture_output=True, check=True)
        self.assertEqual(probe.stderr, b"")
        found = json.loads(probe.stdout)
        start = seconds(found["format"]["tags"]["creation_time"])
        return [
            Picture(start + float(packet["pts_time"]), "K" in packet["flags"])
            for packet in found["packets"]
        ]


def _items(message: ET.Element) -> dict[str, str]:
    return {item.attrib["Name"]: item.attrib["Value"] for item in message.iter(f"{TT}SimpleItem")}


def seconds(text: str) -> float:
    """Read a time: seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()
