"""NTP timestamps."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.wire.ntp import SECOND_ERA_SECONDS, ntp_from_utc_us, utc_us_from_ntp


class NtpTests(SynchronousTestCase):
    def test_known_moments(self) -> None:
        """1970, a day in 2024 and the wrap of 2036 read as what they are."""
        self.assertEqual(utc_us_from_ntp(0x83AA7E80 << 32), 0)
        self.assertEqual(utc_us_from_ntp(0xE964B4C0_80000000), 1_706_702_400_500_000)
        self.assertEqual(utc_us_from_ntp(0), SECOND_ERA_SECONDS * 1_000_000)
        self.assertEqual(utc_us_from_ntp(0xFFFFFFFF << 32), (SECOND_ERA_SECONDS - 1) * 1_000_000)

    @settings(max_examples=500, deadline=None)
    @given(st.integers(0, 4_000_000_000_000_000))
    def test_there_and_back(self, utc_us: int) -> None:
        """Each microsecond up to 2096 comes back as it was."""
        self.assertEqual(utc_us_from_ntp(ntp_from_utc_us(utc_us)), utc_us)
