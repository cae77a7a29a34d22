"""What parameters of actions are taken, and what is refused by name and without its value."""

from collections.abc import Callable, Mapping

from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import ConfigError
from axis_nvr.services.actions.notification_http import HttpOrder
from axis_nvr.services.actions.notification_smtp import SmtpOrder
from axis_nvr.services.actions.notification_tcp import TcpOrder
from axis_nvr.services.actions.recording import (
    IArmed,
    RecordingAction,
    check_recording,
    read_recording,
    stream_options,
)
from axis_nvr.services.rules.errors import InvalidActionConfiguration
from axis_nvr.services.rules.templates import ACTION_TEMPLATES
from axis_nvr.services.triggered_recording import TriggeredOrder

HTTP = {
    **dict.fromkeys(ACTION_TEMPLATES[3].parameters, ""),
    "upload_url": "http://10.0.0.1/notify.cgi?a=b",
}
SMTP = {
    **dict.fromkeys(ACTION_TEMPLATES[5].parameters, ""),
    "email_to": "a@example.com; b@example.com",
    "email_from": "nvr@example.com",
    "host": "mail.example.com",
    "login": "root",
    "password": "geheim",
}
TCP = {"message": "m", "host": "::1", "port": "8002", "qos": "46"}
#: Line breaks end one line of a protocol, and begin another that is somebody else's.
INJECTED = "x\r\nX-Evil: 1"


class Armed:
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.failed: Callable[[str], None] = self.notes.append

    def start(self, utc_us: int) -> None:
        self.notes.append(f"start {utc_us}")

    def stop(self, utc_us: int) -> None:
        self.notes.append(f"stop {utc_us}")

    def pulse(self, utc_us: int) -> None:
        self.notes.append(f"pulse {utc_us}")

    def disarm(self) -> None:
        self.notes.append("disarm")


class Recorders:
    def check(self, order: TriggeredOrder) -> None:
        if "device=front" not in order.options or order.disk != "HDD_DISK":
            raise ConfigError("there is no such disk or device")

    def arm(self, order: TriggeredOrder) -> IArmed:
        raise NotImplementedError

    def arm_group(self, group_id: str, rule: str, action: str) -> IArmed:
        raise NotImplementedError


class OrderTestCase(SynchronousTestCase):
    def refuse(
        self, read: Callable[[Mapping[str, str]], object], base: Mapping[str, str], **bad: str
    ) -> None:
        """Each bad value is refused alone, by the name of its parameter and not by its value."""
        for name, value in bad.items():
            error = self.assertRaises(InvalidActionConfiguration, read, {**base, name: value})
            self.assertIn(name, str(error))
            if len(value) > 3 and name not in ("storage_id", "stream_options"):
                self.assertNotIn(value, str(error))


class HttpOrderTests(OrderTestCase):
    def read(self, given: Mapping[str, str]) -> HttpOrder:
        return HttpOrder.read(given, "http")

    def test_read(self) -> None:
        """What is empty has its default; what may not stand in a URL is encoded."""
        order = self.read({**HTTP, "parameters": "?c=d%20e&ö=1", "http_headers": "X-A: 1\n\nB:2"})
        self.assertEqual((order.method, order.host, order.port), ("GET", "10.0.0.1", 80))
        self.assertEqual(order.parameters, "c=d%20e&%C3%B6=1")
        self.assertEqual(order.headers, (("X-A", "1"), ("B", "2")))
        self.assertEqual((order.credentials, order.proxy, order.validate), (None, None, False))
        secure = {**HTTP, "upload_url": "https://[::1]:8443", "validate_server_cert": "1"}
        order = HttpOrder.read(secure, "https")
        self.assertEqual((order.url, order.host), ("https://[::1]:8443/", "::1"))
        self.assertEqual((order.port, order.validate), (8443, True))

    def test_refused(self) -> None:
        """Other schemes, accounts in the URL, more than one line, headers that are ours."""
        for url in ("", "https://h/", "ftp://h/", "http://", "http://u:p@h/", "http://h:x/"):
            self.refuse(self.read, HTTP, upload_url=url)
        for url in (f"http://h/{INJECTED}", "http://h\n/", "http://h h/"):
            self.refuse(self.read, HTTP, upload_url=url)
        for headers in ("no colon", "Host: x", "content-length: 1", "A b: 1", ": 1", "A: b\0"):
            self.refuse(self.read, HTTP, http_headers=headers)
        self.refuse(self.read, HTTP, http_headers="A: 1\n" * 33, method="TRACE", qos="64")
        self.refuse(self.read, HTTP, parameters="a b", validate_server_cert="yes")
        self.refuse(self.read, HTTP, login=INJECTED, password=INJECTED)
        proxied = {**HTTP, "proxy_host": "10.0.0.2"}
        self.refuse(self.read, proxied, proxy_host="a b", proxy_port="0", proxy_login=INJECTED)

    def test_secrets_are_not_shown(self) -> None:
        """Neither password nor header nor query is in what a log may show."""
        secret = {"login": "u", "password": "geheim", "http_headers": "A: geheim"}
        proxy = {"proxy_host": "p", "proxy_login": "u", "proxy_password": "geheim"}
        url = {"upload_url": "http://h/?token=geheim", "parameters": "geheim", "body": "geheim"}
        order = self.read({**HTTP, **secret, **proxy, **url})
        self.assertNotIn("geheim", repr(order))


class SmtpOrderTests(OrderTestCase):
    def test_read(self) -> None:
        """The port follows the encryption where none is given."""
        for encryption, port in (("", 25), ("none", 25), ("ssl", 465), ("tls", 587)):
            order = SmtpOrder.read({**SMTP, "encryption": encryption})
            self.assertEqual((order.port, order.host), (port, "mail.example.com"))
        self.assertEqual(order.receivers, ("a@example.com", "b@example.com"))
        self.assertNotIn("geheim", repr(order))

    def test_refused(self) -> None:
        """What is no address, more than one line, and what we do not do."""
        for address in ("", "a", "@b", "a@", "a@b\r\nRCPT TO:<c@d>", "a b@c", "<a@b>", "ä@b"):
            self.refuse(SmtpOrder.read, SMTP, email_from=address)
        self.refuse(SmtpOrder.read, SMTP, email_to=",".join(["a@b"] * 33), encryption="starttls")
        self.refuse(SmtpOrder.read, SMTP, subject=INJECTED, host="a b", port="x", login=INJECTED)
        self.refuse(SmtpOrder.read, SMTP, email_to="a@b\nX: y", validate_server_cert="2")
        self.refuse(SmtpOrder.read, SMTP, pop_host="pop.example.com")


class TcpOrderTests(OrderTestCase):
    def test_read_and_refused(self) -> None:
        """A host, a port that must be given, a code point."""
        self.assertEqual(TcpOrder.read(TCP), TcpOrder("m", "::1", 8002, 46))
        self.refuse(TcpOrder.read, TCP, host="", port="", qos="-1")
        self.refuse(TcpOrder.read, TCP, host=INJECTED, port="65536", qos="９")
        for host in ("a..b", f"{'a' * 64}.com", "a/b", "a:b", "ä.com", "[", "u@h"):
            self.refuse(TcpOrder.read, TCP, host=host)


class RecordingTests(OrderTestCase):
    GIVEN: Mapping[str, str] = {
        "stream_options": "&device=front&fps=10",
        "pre_duration": "5000",
        "post_duration": "",
        "storage_id": "HDD_DISK",
    }

    def check(self, given: Mapping[str, str]) -> None:
        check_recording(given, Recorders())

    def test_options_plain_and_encoded(self) -> None:
        """Encoded as a whole they are decoded once; encoded within they stay."""
        plain = "device=front&fps=10"
        for text in (plain, f"&{plain}", f"?{plain}", "device%3Dfront%26fps%3D10"):
            self.assertEqual(stream_options(text), plain)
        self.assertEqual(stream_options("device%3dfront%26a%3db%253D"), "device=front&a=b%3D")
        self.assertEqual(stream_options("device=a%3Db"), "device=a%3Db")

    def test_read(self) -> None:
        """Milliseconds, none if they are empty; the name of the rule is event and trigger."""
        order = read_recording(self.GIVEN, "Hall")
        expected = TriggeredOrder("HDD_DISK", "device=front&fps=10", 5.0, 0.0, "Hall", "Hall")
        self.assertEqual(order, expected)

    def test_refused(self) -> None:
        """A disk or a device that is not known, durations that are none or too long."""
        for options in ("", "fps=1", "device=nowhere"):
            self.refuse(self.check, self.GIVEN, stream_options=options)
        for duration in ("-1", "1.5", "PT5S", "3600001", "９"):
            self.refuse(self.check, self.GIVEN, pre_duration=duration, post_duration=duration)
        self.refuse(self.check, self.GIVEN, storage_id="")

    def test_what_is_armed(self) -> None:
        """An action says to what is armed when to begin and to stop, and hears of failures."""
        armed, failures = Armed(), list[str]()
        action = RecordingAction(armed, failures.append)
        action.start(1)
        action.stop(2)
        action.fire(3, None)
        action.halt()
        action.end()
        armed.failed("the disk is full")
        self.assertEqual(armed.notes, ["start 1", "stop 2", "pulse 3", "disarm"])
        self.assertEqual(failures, ["the disk is full"])
