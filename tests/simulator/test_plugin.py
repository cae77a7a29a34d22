"""The command line of the virtual camera, and that no password is told."""

from pathlib import Path
from typing import Any

from twisted.application.service import IServiceMaker
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import ILogObserver, LogEvent, eventAsText, globalLogPublisher
from twisted.plugin import getPlugins
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from axis_nvr.session.digest import Authenticator, Credentials
from axis_nvr.simulator.camera import virtual_camera
from axis_nvr.simulator.plugin import AnnouncedCamera, Options, make_service
from tests.simulator.client import MemoryCamera


def options(*words: str) -> Options:
    parsed = Options()
    parsed.parseOptions(list(words))
    return parsed


class OptionsTests(SynchronousTestCase):
    def test_defaults(self) -> None:
        """Without options: port 8554, no account, no control surface."""
        settings = options().settings
        self.assertEqual((settings.rtsp, settings.control), (("tcp:8554",), ()))
        self.assertIsNone(settings.credentials)

    def test_everything(self) -> None:
        """Each option reaches its setting; the password may come from a file."""
        path = Path(self.mktemp())
        path.write_text("from a file\nsecond line\n")
        settings = options(
            *(
                "--rtsp",
                "tcp:1",
                "--rtsp",
                "ssl:2",
                "--control",
                "tcp:3",
                "--http",
                "tcp:4",
                "--audio",
                "on",
            ),
            *("--serial", "00408c123456", "--user", "root", "--password-file", str(path)),
            *("--sessions", "3", "--interface", "10.0.0.2", "--multicast", "239.1.1.1:5000"),
            *("--seed", "7", "--authenticate-over-http"),
        ).settings
        self.assertEqual((settings.rtsp, settings.control), (("tcp:1", "ssl:2"), ("tcp:3",)))
        self.assertEqual(settings.http, ("tcp:4",))
        self.assertEqual(settings.credentials, Credentials("root", "from a file"))
        self.assertEqual((settings.serial, settings.session_limit), ("00408C123456", 3))
        self.assertTrue(settings.audio_by_default and settings.authenticate_over_http)
        assert settings.multicast is not None
        self.assertEqual(
            (settings.multicast.port, settings.multicast.interface), (5000, "10.0.0.2")
        )

    def test_nonsense(self) -> None:
        """What cannot be used is a usage error with words."""
        for words in (
            ("--serial", "123"),
            ("--audio", "loud"),
            ("--user", "root"),
            ("--password", "x"),
            ("--sessions", "0"),
            ("--multicast", "239.1.1.1:5001"),
            ("--password-file", "/nonexistent/file"),
        ):
            self.assertRaises(usage.UsageError, options, *words)

    def test_it_is_a_plugin(self) -> None:
        """``twistd axis-camera`` finds it."""
        found = [maker for maker in getPlugins(IServiceMaker) if maker.tapname == "axis-camera"]
        self.assertEqual(len(found), 1)
        self.assertIs(found[0].options, Options)


class ServiceTests(SynchronousTestCase):
    def test_announced(self) -> None:
        """Each address has its line on standard output once all listen."""
        said: list[str] = []
        reactor = MemoryReactorClock()
        parsed = options("--rtsp", "tcp:1554", "--control", "tcp:8090:interface=127.0.0.1")
        service: Any = make_service(parsed, reactor, said.append)
        self.assertIsInstance(service, AnnouncedCamera)
        service.startService()
        self.assertEqual([server[0] for server in reactor.tcpServers], [1554, 8090])
        self.assertEqual(len(said), 2)
        self.assertTrue(all(line.startswith("virtual camera: ") for line in said))
        self.successResultOf(service.camera.stopService())


class SecretTests(SynchronousTestCase):
    def test_the_password_is_not_logged(self) -> None:
        """Neither settings, nor requests right and wrong, nor errors bring it to the log."""
        texts: list[str] = []

        @implementer(ILogObserver)
        def observe(event: LogEvent) -> None:
            texts.append(eventAsText(event) + repr(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        memory = MemoryCamera(credentials=Credentials("root", "hunter2"))
        client = memory.connect()
        challenge = client.request("DESCRIBE", client.url()).headers.get("WWW-Authenticate")
        for password in ("hunter2", "hunter3"):
            client.authenticator = Authenticator(Credentials("root", password))
            client.authenticator.challenge([challenge])
            client.request("DESCRIBE", "rtsp://root:hunter2@h/axis-media/media.amp")
        self.patch(memory.camera.presentations, "open", None)
        client.authenticator = Authenticator(Credentials("root", "hunter2"))
        client.authenticator.challenge([challenge])
        self.assertEqual(client.request("DESCRIBE", client.url()).status, 500)
        memory.camera.raise_fault("drop")
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.assertGreater(len(texts), 1)
        self.assertNotIn("hunter", "".join(texts) + repr(memory.camera.settings))

    def test_the_url_has_it_only_on_request(self) -> None:
        """`rtsp_url` leaves user and password out unless they are asked for."""
        camera = virtual_camera(MemoryReactorClock(), username="root", password="p@ss")
        camera.startService()
        self.assertNotIn("p%40ss", camera.rtsp_url(fps=5))
        self.assertIn("root:p%40ss@", camera.rtsp_url(with_credentials=True))
        self.successResultOf(camera.stopService())
