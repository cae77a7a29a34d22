"""The replay extension: its fast path is held equal to its description."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.session.replay.extension import EXTENSION_BYTES, replay_extension
from axis_nvr.wire.ntp import ntp_from_utc_us
from axis_nvr.wire.rtp_extensions import ReplayExtension, build_replay


class ExtensionTests(SynchronousTestCase):
    @given(st.integers(0, 4_000_000_000_000_000), st.integers(0, 15), st.integers(0, 100_000))
    def test_as_described(self, utc_us: int, flags: int, cseq: int) -> None:
        """Both write the same bytes."""
        described = ReplayExtension(
            ntp_from_utc_us(utc_us),
            bool(flags & 8),
            bool(flags & 4),
            bool(flags & 2),
            bool(flags & 1),
            cseq & 0xFF,
        )
        made = replay_extension(utc_us, flags << 4, cseq)
        self.assertEqual(made, build_replay(described))
        self.assertEqual(len(made), EXTENSION_BYTES)

    def test_bytes(self) -> None:
        """As the specification draws them: 2024-05-06T07:08:09.5Z, C and D, CSeq 261."""
        made = replay_extension(1_714_979_289_500_000, 0xA0, 261)
        self.assertEqual(made.hex(), "abac0003" + "e9e30059" + "80000000" + "a0" + "05" + "0000")
