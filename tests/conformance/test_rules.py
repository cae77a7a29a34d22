"""Rules of a recorder that runs: continuous recording as clients make it, and notifications."""

import re
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any
from urllib.parse import urlencode

from tests.conformance.client import Answer, Client
from tests.conformance.harness import ACCOUNTS, ConformanceTestCase, camera, set_up
from tests.conformance.processes import RecorderProgram
from tests.conformance.soap import (
    ACTIVE,
    INPUT,
    PATH,
    PORT,
    SoapTestCase,
    conditions,
    envelope,
    event_filter,
    new_configuration,
    new_rule,
    removal,
)

HTTP = "com.axis.action.fixed.notification.http"
RECORD = "com.axis.action.unlimited.recording.storage"
BY_GROUP = "com.axis.action.unlimited.recording_group.storage"
DISK_WELL = (
    'boolean(//SimpleItem[@Name="disk_id" and @Value="HDD_DISK"])'
    ' and boolean(//SimpleItem[@Name="disruption" and @Value="0"])'
)
#: How long anything may take, in seconds.
PATIENCE_SECONDS = 60.0


def wait_until(is_so: Callable[[], object]) -> None:
    """Wait until something is so, for a while."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > end:
            raise AssertionError("it has not come to that")
        time.sleep(0.05)


class Notified(BaseHTTPRequestHandler):
    """Notes each request."""

    requests: "Queue[tuple[str, str, bytes]]"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()
        self.requests.put((self.path, self.headers["X-Place"], body))

    def log_message(self, *words: object) -> None:
        """Say nothing."""


class NotificationTests(SoapTestCase):
    def setUp(self) -> None:
        self.ours()
        self.requests: Queue[tuple[str, str, bytes]] = Queue()
        handler = type("Handler", (Notified,), {"requests": self.requests})
        server = HTTPServer(("127.0.0.1", 0), handler)
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_port}/notify"

    def change(self, active: str) -> None:
        self.done(
            f"<aev:ChangeVirtualInputState><aev:port>{PORT}</aev:port>"
            f"<aev:active>{active}</aev:active></aev:ChangeVirtualInputState>"
        )

    def test_a_message_each_time(self) -> None:
        """Each time that the input turns on a message comes; the password is never shown."""
        empty = dict.fromkeys(("login", "proxy_host", "proxy_port", "proxy_login", "qos"), "")
        action = self.add_action(
            new_configuration(
                token=HTTP,
                message="on & on",
                parameters="a=1",
                method="POST",
                http_headers="X-Place: hall",
                body="100%%",
                upload_url=self.url,
                password="geheim",
                proxy_password="",
                **empty,
            )
        )
        self.add_rule(new_rule(action, conditions(event_filter(INPUT, ACTIVE))))
        self.addCleanup(self.change, "false")
        for _ in range(2):
            self.change("true")
            path, place, body = self.requests.get(timeout=PATIENCE_SECONDS)
            self.assertEqual(path, "/notify?Message=on%20%26%20on&a=1")
            self.assertEqual((place, body), ("hall", b"100%"))
            self.change("false")
        self.assertTrue(self.requests.empty())
        listed = self.send(envelope("<aa:GetActionConfigurations/>")).text
        self.assertIn("X-Place", listed)
        self.assertNotIn("geheim", listed)
        self.assertNotIn("hall", listed)


class GroupTests(SoapTestCase):
    def group(self, method: str, **arguments: Any) -> str:
        path = f"/axis-cgi/record/recording_group/{method}.cgi"
        return self.ask(path, schemaversion=1, **arguments).text

    def test_a_group_in_use(self) -> None:
        """A group that an action names is not deleted; one that is not there is not named."""
        disks = "/axis-cgi/disks/list.cgi"
        wait_until(lambda: 'status="OK"' in self.ask(disks, diskid="all").text)
        options = f"device={self.camera_device()}&resolution=640x360&fps=25"
        made = self.group("create", diskid=self.device.disk, streamoptions=options, retentiontime=0)
        self.assertIn("CreateSuccess", made)
        (group_id,) = re.findall(r'RecordingGroupId="([^"]+)"', made)
        self.addCleanup(self.group, "delete", recordinggroupid=group_id)
        action = self.add_action(new_configuration(token=BY_GROUP, recording_group_id=group_id))
        self.assertIn("<ErrorCode>140<", self.group("delete", recordinggroupid=group_id))
        self.assertIn(group_id, self.group("list"))
        unknown = new_configuration(token=BY_GROUP, recording_group_id=f"{group_id}x")
        self.assert_fault(unknown, "InvalidActionConfigurationFault")
        self.done(removal("RemoveActionConfiguration", "ConfigurationID", action))
        self.assertIn("GeneralSuccess", self.group("delete", recordinggroupid=group_id))


class ContinuousTests(ConformanceTestCase):
    """A recorder of its own: it is killed."""

    def setUp(self) -> None:
        self.ours()
        self.folder = Path(self.mktemp()).absolute()
        self.start()
        set_up(self.program.http)

    def start(self) -> None:
        self.program = RecorderProgram(self.folder)
        self.asking = Client(self.program.http, ACCOUNTS["admin"])
        self.addCleanup(self.program.end)

    def get(self, path: str, **arguments: object) -> Answer:
        return self.asking.ask(f"/axis-cgi/{path}.cgi?{urlencode(arguments)}")

    def soap(self, body: str) -> str:
        headers = {"Content-Type": "application/soap+xml"}
        answer = self.asking.ask(PATH, "POST", envelope(body), headers)
        self.assertEqual(answer.status, 200, answer.text)
        return answer.text

    def recordings(self) -> list[dict[str, str]]:
        listed = self.get("record/list", recordingid="all").xml
        return [dict(each.attrib) for each in listed.iter("recording")]

    def running(self) -> list[str]:
        found = self.recordings()
        return [r["recordingid"] for r in found if r["recordingstatus"] == "recording"]

    def test_continuous(self) -> None:
        """It records at once, again after ``kill -9``, and again after the disk was locked."""
        found = camera()
        name, password = found.account
        device = {"address": found.address, "port": found.port, "username": name}
        answer = self.get(
            "externalipdeviceinfo/create", schemaversion=2, id="front", password=password, **device
        )
        self.assertIn("GeneralSuccess", answer.text)
        wait_until(lambda: 'status="OK"' in self.get("disks/list", diskid="all").text)
        given = {"pre_duration": "0", "post_duration": "0", "storage_id": "HDD_DISK"}
        options = "device%3Dfront%26resolution%3D640x360%26fps%3D25"
        action = new_configuration(token=RECORD, stream_options=options, **given)
        number = re.findall(r"ConfigurationID>(\d+)<", self.soap(action))[0]
        condition = conditions(event_filter("tnsaxis:Storage/Disruption//.", DISK_WELL))
        self.soap(new_rule(number, condition, name="ACC_Continuous"))
        rules = self.soap("<aa:GetActionRules/>")
        wait_until(lambda: len(self.running()) == 1)
        (recording,) = self.recordings()
        said = [recording[name] for name in ("recordingtype", "eventid", "eventtrigger")]
        self.assertEqual(said, ["triggered", "ACC_Continuous", "ACC_Continuous"])
        first = self.running()
        self.program.kill()
        self.asking.close()
        self.start()
        wait_until(lambda: len(self.running()) == 1 and self.running() != first)
        self.assertEqual(self.soap("<aa:GetActionRules/>"), rules)
        second = self.running()
        self.get("disks/lock", action="lock", diskid="HDD_DISK")
        wait_until(lambda: not self.running())
        self.get("disks/lock", action="unlock", diskid="HDD_DISK")
        wait_until(lambda: len(self.running()) == 1)
        self.assertNotIn(self.running(), [first, second])
        self.asking.close()
