"""The command line of the virtual camera, and that no password is told."""

import sys
from io import StringIO
from pathlib import Path
from typing import Any

from twisted.application.service import IServiceMaker
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import ILogObserver, LogEvent, eventAsText, globalLogPublisher
from twisted.plugin import getPlugins
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
        """What cannot be used is one sentence that names the option, and exit code 1."""
        folder = Path(self.mktemp())
        folder.mkdir()
        for name, content in (("empty", b"\nsecond line\n"), ("binary", b"\xcf\xff")):
            (folder / name).write_bytes(content)
        account = ("--user", "root", "--password-file")
        for words, sentence in (
            (("--serial", "123"), "serial: 12 upper-case hexadecimal digits, not '123'"),
            (("--audio", "loud"), "--audio: on or off, not 'loud'"),
            (("--user", "root"), "--user goes together with --password or --password-file"),
            (("--password", "x"), "--user goes together with --password or --password-file"),
            ((*account, str(folder / "nix")), f"{folder}/nix cannot be read: No such file or"),
            ((*account, str(folder)), f"--password-file: {folder} cannot be read: Is a directory"),
            ((*account, str(folder / "empty")), "empty has no password in its first line"),
            ((*account, str(folder / "binary")), "binary is no text in UTF-8"),
            ((*account, "x", "--password", "y"), "--password and --password-file: one of the two"),
            (("--sessions", "many"), "--sessions: a whole number, 1 to 1000, not 'many'"),
            (("--sessions", "0"), "--sessions: a whole number, 1 to 1000, not '0'"),
            (("--seed", "-1"), "--seed: a whole number, 0 to"),
            (("--interface", "eth0"), "--interface: an IP address of this machine, not 'eth0'"),
            (("--multicast", "239.1.1.1:5001"), "--multicast: a multicast address and an even"),
            (("--multicast", "239.1.1.1"), "--multicast: a multicast address and an even"),
            (("--multicast", "10.1.1.1:5000"), "--multicast: a multicast address and an even"),
            (("--multicast", "239.1.1.1:0"), "--multicast: a multicast address and an even"),
            (("--srtp", "yes"), "--srtp: off, offered, demanded, not 'yes'"),
            (("--colour", "red"), "option --colour not recognized"),
            (("red",), "'red' is no option; --help tells which there are"),
        ):
            said = StringIO()
            self.patch(sys, "__stderr__", said)
            refusal = self.assertRaises(SystemExit, options, *words)
            self.assertEqual(refusal.code, 1)
            self.assertRegex(said.getvalue(), r"\Aaxis-camera: [^\n]*\n\Z")
            self.assertIn(sentence, said.getvalue())

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

    def test_an_address_that_cannot_be_used(self) -> None:
        """It ends the process with one sentence that names the option."""
        taken = CannotListenError("10.9.9.9", 1554, OSError(99, "Cannot assign requested address"))
        reactor: Any = MemoryReactorClock()

        def refuse(*_: object, **__: object) -> None:
            raise taken

        for words, method, sentence in (
            (("--rtsp", "tcp:nix"), "", "rtsp: 'tcp:nix' is no endpoint: a port is a number"),
            (("--control", "nix"), "", "control: 'nix' is no endpoint: it must begin with"),
            ((), "listenTCP", "rtsp: cannot listen at 10.9.9.9, port 1554: Cannot assign"),
            (("--interface", "10.9.9.9"), "listenUDP", "--interface: cannot listen at 10.9.9.9"),
        ):
            said = StringIO()
            self.patch(sys, "__stderr__", said)
            if method:
                setattr(reactor, method, refuse)
            service = make_service(options(*words), reactor, lambda line: None)
            refusal = self.assertRaises(SystemExit, service.startService)
            self.assertEqual((refusal.code, said.getvalue().count("\n")), (1, 1))
            self.assertIn(f"axis-camera: {sentence}", said.getvalue())


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
