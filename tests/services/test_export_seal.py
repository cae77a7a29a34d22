"""Exports that are sealed: every bit counts, and openssl says the same."""

import contextlib
import hashlib
import io
import json
import struct
import subprocess
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.cli.main import main
from axis_nvr.errors import WireError
from axis_nvr.services.export_seal import Sealer, Verdict, verify
from axis_nvr.wire.isobmff import box, full_box
from axis_nvr.wire.onvif_export import ExportInfo, ExportSource, build_meta, read_seals
from tests.integration.peers import require_program

INFO = ExportInfo(
    unit_name="axis_nvr",
    unit_url="http://192.0.2.10/",
    unit_mac="ACCC8E012345",
    time_us=1_700_000_000_000_000,
    operator="änn",
    start_us=1_699_999_000_123_456,
    sources=(ExportSource(1, "front", "rtsp://192.0.2.90/"), ExportSource(2, "front sound")),
)
MEDIA = box(b"ftyp", b"isom") + box(b"moov", b"moov!") + box(b"mdat", bytes(range(256)) * 40)


@cache
def pem(bits: int, name: str) -> bytes:
    """A key and its certificate."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=bits)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def sealed(bits: int = 2048) -> bytes:
    """A file with one signature."""
    sealer = Sealer(pem(bits, "axis-nvr one"))
    meta, place = build_meta(INFO, sealer.certificate, sealer.signature_bytes)
    data = bytearray(MEDIA + meta)
    place += len(MEDIA)
    data[place : place + sealer.signature_bytes] = sealer.sign(hashlib.sha256(data).digest())
    return bytes(data)


@cache
def sealed_once() -> bytes:
    return sealed()


def countersigned(data: bytes) -> bytes:
    """The same with the signature of somebody else behind it (§6.2)."""
    sealer = Sealer(pem(3072, "somebody else"))
    signature = box(b"sibo", bytes(sealer.signature_bytes))
    scheme = box(b"schi", signature, box(b"cert", sealer.certificate))
    sinf = box(b"sinf", full_box(b"schm", bytes(8)), scheme)
    whole = bytearray(data + sinf)
    for name in (b"meta", b"ipro"):
        at = whole.rindex(name) - 4
        size = int.from_bytes(whole[at : at + 4], "big") + len(sinf)
        struct.pack_into(">I", whole, at, size)
    place = whole.rindex(b"sibo") + 4
    end = place + sealer.signature_bytes
    whole[place:end] = sealer.sign(hashlib.sha256(whole).digest())
    return bytes(whole)


def verdicts(data: bytes) -> list[Verdict]:
    return verify(lambda start, size: data[start : start + size], len(data))[1]


class SealTests(SynchronousTestCase):
    def test_valid(self) -> None:
        """What was signed is valid as a whole, and tells who exported what, and when."""
        data = sealed_once()
        sealed_file, (verdict,) = verify(lambda start, size: data[start : start + size], len(data))
        self.assertTrue(verdict.is_valid and verdict.covers_all)
        self.assertEqual(verdict.subject, "CN=axis-nvr one")
        self.assertEqual(sealed_file.start_us, INFO.start_us)
        told = sealed_file.info
        self.assertEqual((told.operator, told.time_us), (INFO.operator, INFO.time_us))
        self.assertEqual(told.sources, INFO.sources)

    @settings(max_examples=150, deadline=None)
    @given(st.integers(0, len(sealed_once()) - 1), st.integers(0, 7))
    def test_any_bit(self, at: int, bit: int) -> None:
        """One bit anywhere, and it is not valid any more, or no export at all."""
        data = bytearray(sealed_once())
        data[at] ^= 1 << bit
        try:
            found = verdicts(bytes(data))
        except WireError:
            return
        whole = [v for v in found if v.is_valid and v.covers_all]
        self.assertEqual(whole, [])

    def test_a_key_that_nobody_knows(self) -> None:
        """A certificate whose key is of an unknown kind is a verdict, not an error."""
        rsa_encryption = bytes.fromhex("06092a864886f70d010101")  # RFC 8017, appendix C
        data = bytearray(sealed_once())
        data[data.index(rsa_encryption) + 8] ^= 1
        (verdict,) = verdicts(bytes(data))
        self.assertFalse(verdict.is_valid)
        self.assertIn("no certificate", verdict.problem)

    def test_signed_twice(self) -> None:
        """The first stays valid for what it covers; the newest covers all."""
        data = countersigned(sealed_once())
        first, second = verdicts(data)
        self.assertEqual((first.is_valid, first.covers_all), (True, False))
        self.assertEqual((second.is_valid, second.covers_all), (True, True))
        broken = bytearray(data)
        broken[40] ^= 1
        self.assertEqual([v.is_valid for v in verdicts(bytes(broken))], [False, False])
        broken = bytearray(data)
        broken[-1] ^= 1  # in the second certificate
        self.assertEqual(verdicts(bytes(broken))[0].is_valid, True)

    def test_appended(self) -> None:
        """Bytes behind the seal are told."""
        data = sealed_once() + box(b"free", b"smuggled")
        (verdict,) = verdicts(data)
        self.assertEqual((verdict.is_valid, verdict.covers_all), (True, False))

    def test_openssl_says_the_same(self) -> None:
        """The zeroed copy, the signature and the certificate: openssl needs nothing else."""
        openssl = require_program("openssl")
        data = sealed_once()
        (seal,) = read_seals(lambda start, size: data[start : start + size], len(data)).seals
        folder = Path(self.mktemp())
        folder.mkdir()
        copy = bytearray(data)
        end = seal.signature_start + len(seal.signature)
        copy[seal.signature_start : end] = bytes(len(seal.signature))
        (folder / "copy").write_bytes(copy)
        (folder / "signature").write_bytes(seal.signature)
        key = x509.load_der_x509_certificate(seal.certificate).public_key()
        (folder / "key").write_bytes(
            key.public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:20"]
        command = [openssl, "dgst", "-sha256", *pss, "-verify", "key", "-signature", "signature"]

        def run() -> str:
            done = subprocess.run(
                [*command, "copy"], cwd=folder, capture_output=True, text=True, check=False
            )
            return done.stdout.strip()

        self.assertEqual(run(), "Verified OK")
        copy[100] ^= 1
        (folder / "copy").write_bytes(copy)
        self.assertEqual(run(), "Verification failure")

    @settings(max_examples=150, deadline=None)
    @given(st.binary(max_size=60), st.integers(0, 3000), st.integers(0, 60))
    def test_any_file(self, noise: bytes, back: int, cut: int) -> None:
        """Any file has verdicts or is no export; nothing else happens."""
        data = sealed_once()
        at = max(0, len(data) - back)
        broken = data[:at] + noise + data[at + cut :]
        with contextlib.suppress(WireError):
            verdicts(broken)
        with contextlib.suppress(WireError):
            verdicts(noise)


class CommandTests(SynchronousTestCase):
    def call(self, data: bytes, *options: str) -> tuple[int, str]:
        path = Path(self.mktemp())
        path.write_bytes(data)
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            code = main(["verify", *options, str(path)])
        return code, output.getvalue()

    def test_good_and_bad(self) -> None:
        """Exit code 0 only for a file that is as it was signed."""
        code, text = self.call(sealed_once())
        self.assertEqual(code, 0, text)
        self.assertIn("the file is as it was signed", text)
        self.assertIn("2023-11-14 22:13:20", text)
        broken = bytearray(sealed_once())
        broken[60] ^= 1
        code, text = self.call(bytes(broken))
        self.assertEqual((code, "NOT VALID" in text), (1, True))
        code, text = self.call(sealed_once() + box(b"free", b"x"))
        self.assertEqual((code, "9 bytes that no signature covers" in text), (1, True))

    def test_json(self) -> None:
        """The same for programs."""
        code, text = self.call(sealed_once(), "--json")
        told = json.loads(text)
        self.assertEqual((code, told["valid"], told["sources"][0]), (0, True, "front"))

    def test_no_export(self) -> None:
        """Another file, or none, is told in words."""
        code, text = self.call(MEDIA)
        self.assertEqual((code, "0 meta boxes" in text), (2, True))
        code, text = self.call(b"# a text")
        self.assertEqual((code, "no whole MP4 export" in text), (2, True))
        self.assertEqual(main(["verify", "nowhere.mp4"]), 2)
