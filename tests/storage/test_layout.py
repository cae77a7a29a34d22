"""Names, places and times."""

import contextlib
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, WireError
from axis_nvr.storage.layout import (
    block_file,
    block_path,
    choose_name,
    is_block_id,
    is_block_path,
    is_day_folder,
    is_hour_folder,
    is_recording_id,
    local_stamp,
    parse_utc,
    recording_folder,
    recording_path,
    utc_text,
)
from tests.storage.making import Digits

#: 2024-06-21T07:17:25.349296Z
MOMENT_US = 1_718_954_245_349_296
RECORDING_ID = "20240621_151725_B6D1_ACCC8E6E6C2B"


class NameTests(SynchronousTestCase):
    def test_names_are_local_time(self) -> None:
        """At 07:17 UTC a recorder in Singapore calls it 15:17."""
        self.assertEqual(local_stamp(MOMENT_US, ZoneInfo("Asia/Singapore")), "20240621_151725")
        self.assertEqual(local_stamp(MOMENT_US, UTC), "20240621_071725")

    def test_the_tree(self) -> None:
        """Day and hour of a recording's folder are in its id, as those of a block are in its."""
        folder = recording_folder(Path("d"), RECORDING_ID)
        self.assertEqual(folder, Path(f"d/20240621/15/{RECORDING_ID}"))
        self.assertEqual(
            block_file(folder, "20240621_160001_00AF"),
            folder / "20240621_16" / "20240621_160001_00AF.mkv",
        )

    def test_no_other_name_becomes_a_path(self) -> None:
        """Nothing with a slash, dots or small letters is taken for an id."""
        for name in ("../../etc", RECORDING_ID.lower(), RECORDING_ID + "\n", "", RECORDING_ID[:-1]):
            self.assertFalse(is_recording_id(name))
            self.assertRaises(WireError, recording_path, name)
        for name in ("20240621_160001_00AF/..", "20240621_160001_00a0", "٢٠٢٤٠٦٢١_160001_00AF"):
            self.assertFalse(is_block_id(name))
            self.assertRaises(WireError, block_path, name)

    def test_older_block_ids(self) -> None:
        """Firmware before 2018 put the serial number behind."""
        self.assertTrue(is_block_id("20140621_160001_00AF_ACCC8E6E6C2B"))

    def test_folders(self) -> None:
        """A day, an hour and a block's folder are known by their form."""
        self.assertTrue(is_day_folder("20240621") and is_hour_folder("07"))
        self.assertTrue(is_block_path("20240621_07"))
        self.assertFalse(is_day_folder("lost+found") or is_hour_folder("7") or is_block_path(".."))

    def test_the_hour_that_comes_twice(self) -> None:
        """When summer time ends two moments have one name in local time: they get other digits."""
        zone = ZoneInfo("Europe/Stockholm")
        first = 1_729_988_130_000_000  # 2024-10-27T00:15:30Z, 02:15:30 summer time
        second = first + 3_600_000_000  # 02:15:30 again
        self.assertEqual(local_stamp(first, zone), local_stamp(second, zone))
        names: list[str] = []
        for moment in (first, second):
            stamp = local_stamp(moment, zone)
            names.append(choose_name(stamp, "", Digits(7), names.__contains__))
        self.assertEqual(names, ["20241027_021530_0007", "20241027_021530_0008"])

    def test_names_run_out(self) -> None:
        """A clock that stands still ends in an error, not in a loop."""
        self.assertRaises(StorageError, choose_name, "s", "", lambda: 1, lambda name: True)


class TimeTests(SynchronousTestCase):
    def test_six_digits(self) -> None:
        """XML and index have UTC with microseconds."""
        self.assertEqual(utc_text(MOMENT_US), "2024-06-21T07:17:25.349296Z")
        self.assertEqual(utc_text(1_718_954_245_000_000), "2024-06-21T07:17:25.000000Z")

    @given(st.integers(0, 4_102_444_800_000_000))
    def test_read_back(self, utc_us: int) -> None:
        """Every microsecond comes back exactly."""
        self.assertEqual(parse_utc(utc_text(utc_us)), utc_us)

    def test_fewer_digits(self) -> None:
        """Other writers' times with fewer digits are read as what they say."""
        self.assertEqual(parse_utc("2024-06-21T07:17:25Z"), 1_718_954_245_000_000)
        self.assertEqual(parse_utc("2024-06-21T07:17:25.35Z"), 1_718_954_245_350_000)

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(st.text(max_size=30) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z"))
    def test_anything_else_is_refused(self, text: str) -> None:
        """Nothing but `WireError` comes of text that is no time."""
        with contextlib.suppress(WireError):
            parse_utc(text)
