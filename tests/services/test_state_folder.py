"""The state folder: private, durable, and the serial number in it."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import ConfigError
from axis_nvr.services.certificate import RENEW_DAYS, VALID_DAYS, own_certificate
from axis_nvr.services.state_folder import StateFolder

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class StateFolderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.state = StateFolder(Path(self.mktemp()) / "state")
        self.state.open()

    def mode(self, name: str = "") -> int:
        return (self.state.path / name).stat().st_mode & 0o777

    def test_all_is_private(self) -> None:
        """The folder and each file in it belong to their owner only, whatever the umask."""
        previous = os.umask(0)
        self.addCleanup(os.umask, previous)
        self.state.write("x", b"data")
        self.assertEqual((self.mode(), self.mode("x")), (0o700, 0o600))
        self.assertEqual(self.state.read("x"), b"data")
        self.assertEqual([path.name for path in self.state.path.iterdir()], ["x"])

    def test_the_serial_is_made_once(self) -> None:
        """Twelve hexadecimal digits of a locally administered address, the same at each start."""
        serial = self.state.serial()
        self.assertRegex(serial, "^[0-9A-F]{12}$")
        self.assertEqual(int(serial[:2], 16) & 3, 2)
        self.assertEqual(StateFolder(self.state.path).serial(), serial)

    def test_a_configured_serial_is_not_kept(self) -> None:
        """The configured serial wins; without it the one that was made comes back."""
        made = self.state.serial()
        self.assertEqual(self.state.serial("ACCC8E000001"), "ACCC8E000001")
        self.assertEqual(self.state.serial(), made)

    def test_a_spoilt_serial_is_made_anew(self) -> None:
        """What is no serial is replaced."""
        self.state.write("serial", b"\xff\n")
        self.assertRegex(self.state.serial(), "^[0-9A-F]{12}$")

    def test_a_folder_that_cannot_be_is_one_sentence(self) -> None:
        """A file in the way, or a file that cannot be written, names the key and the path."""
        self.state.write("file", b"")
        blocked = StateFolder(self.state.path / "file" / "state")
        error = self.assertRaises(ConfigError, blocked.open)
        self.assertRegex(str(error), "^state_dir: .*file/state cannot be made: Not a directory$")
        (self.state.path / "x").mkdir()
        self.assertRaises(ConfigError, self.state.write, "x", b"")
        self.assertRaises(ConfigError, self.state.read, "x")


class CertificateTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.state = StateFolder(Path(self.mktemp()))
        self.state.open()

    def certificate(self, now: datetime = NOW) -> x509.Certificate:
        path = own_certificate(self.state, "ACCC8E000001", ["nvr", "127.0.0.1", "::1", "ü"], now)
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        return x509.load_pem_x509_certificate(path.read_bytes())

    def test_made_once(self) -> None:
        """It is made at the first start and kept; another one comes before it ends."""
        first = self.certificate()
        self.assertEqual(self.certificate(NOW + timedelta(days=100)), first)
        late = NOW + timedelta(days=VALID_DAYS - RENEW_DAYS + 1)
        self.assertNotEqual(self.certificate(late), first)

    def test_what_it_says(self) -> None:
        """It names the recorder, and the names and addresses it is reached by."""
        certificate = self.certificate()
        self.assertIn("ACCC8E000001", certificate.subject.rfc4514_string())
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = extension.value.get_values_for_type(x509.DNSName)
        addresses = extension.value.get_values_for_type(x509.IPAddress)
        self.assertEqual(
            (names, [str(each) for each in addresses]), (["nvr"], ["127.0.0.1", "::1"])
        )

    def test_a_spoilt_one_is_made_anew(self) -> None:
        """What cannot be read as key and certificate is replaced."""
        self.state.write("https.pem", b"-----BEGIN nothing")
        self.certificate()
