"""Recording groups on a disk."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.errors import StorageError, WireError
from axis_nvr.storage.groups import (
    FOLDER,
    MAX_GROUPS,
    Group,
    build_group,
    is_group_id,
    parse_group,
    read_groups,
    remove_group,
    write_group,
)
from tests.storage.making import FailingFiles

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=30)
NUMBER = st.integers(0, 10**12 - 1)
GROUPS = st.builds(
    Group, st.from_regex(r"\A[A-Za-z0-9_-]{1,50}\Z"), TEXT, TEXT, NUMBER, TEXT, NUMBER, NUMBER
)
GROUP = Group("night-1", "Night", 'at <night> & "day"', 72, "device=front&fps=5", 5000, 3000)


class GroupTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.disk = Path(self.mktemp())
        self.disk.mkdir()
        self.files = FailingFiles()

    @settings(max_examples=60, deadline=None)
    @given(GROUPS)
    def test_reads_what_was_written(self, group: Group) -> None:
        """Every field, whatever characters are in it."""
        self.assertEqual(parse_group(build_group(group)), group)

    def test_kept_changed_and_removed(self) -> None:
        """What a disk has is what was written to it last."""
        self.assertEqual(read_groups(self.files, self.disk).groups, {})
        other = Group("Day")
        for group in (other, Group("night-1"), GROUP):
            write_group(self.files, self.disk, group)
        self.assertEqual(read_groups(self.files, self.disk), ({"Day": other, "night-1": GROUP}, []))
        for _ in range(2):
            remove_group(self.files, self.disk, "Day")
        self.assertEqual(read_groups(self.files, self.disk).groups, {"night-1": GROUP})

    def test_names(self) -> None:
        """An id is a plain name; nothing else becomes a path."""
        for name in ("", "..", "a/b", "a.b", "x" * 51, "a b", "ä", "a\n"):
            self.assertFalse(is_group_id(name), name)
            with self.assertRaises(StorageError):
                write_group(self.files, self.disk, Group(name))
            with self.assertRaises(StorageError):
                remove_group(self.files, self.disk, name)
        self.assertEqual(list(self.disk.iterdir()), [])

    def test_a_write_that_fails(self) -> None:
        """Wherever it fails: the group is as it was, or as it was to be, and never half."""
        write_group(self.files, self.disk, GROUP)
        changed = Group("night-1", "Other")
        for operation in ("create", "writev", "sync", "rename", "sync_folder", "close"):
            self.files.fail(operation)
            with self.assertRaises(StorageError):
                write_group(self.files, self.disk, changed)
            found = read_groups(self.files, self.disk)
            self.assertIn(found.groups["night-1"], (GROUP, changed))
            self.assertEqual(found.problems, [])
        write_group(self.files, self.disk, changed)
        self.assertEqual(read_groups(self.files, self.disk).groups, {"night-1": changed})

    def test_durable(self) -> None:
        """The file, its name and its folder's name are synced before it counts."""
        write_group(self.files, self.disk, GROUP)
        calls = [name for name, _ in self.files.calls]
        wanted = ["make_folder", "sync_folder", "create", "writev", "sync", "close", "rename"]
        self.assertEqual(calls, [*wanted, "sync_folder"])

    def test_files_of_others(self) -> None:
        """What cannot be read is told, and does not hide the rest; what is not ours is left."""
        write_group(self.files, self.disk, GROUP)
        folder = self.disk / FOLDER
        good = build_group(GROUP)
        wrong = {
            "moved.xml": good,
            "cut.xml": good[:-5],
            "entity.xml": b"<!DOCTYPE x>" + good,
            "other.xml": b"<Recording/>",
            "hours.xml": build_group(Group("hours")).replace(b">0<", b">-1<", 1),
            "name.xml": good.replace(b"night-1", b"../night"),
            "large.xml": good + b" " * (1 << 20),
        }
        for name, data in wrong.items():
            (folder / name).write_bytes(data)
        (folder / "folder.xml").mkdir()
        (folder / ".night-1.xml.tmp").write_bytes(b"")
        (folder / "notes.txt").write_bytes(b"")
        found = read_groups(self.files, self.disk)
        self.assertEqual(found.groups, {"night-1": GROUP})
        self.assertEqual(len(found.problems), len(wrong) + 1)
        for data in wrong.values():
            if data is not good and data != wrong["large.xml"]:
                with self.assertRaises(WireError):
                    parse_group(data)

    def test_too_many(self) -> None:
        """No more are read than there may be, and that is told."""
        folder = self.disk / FOLDER
        folder.mkdir()
        for number in range(MAX_GROUPS + 2):
            name = f"g{number}"
            (folder / f"{name}.xml").write_bytes(build_group(Group(name)))
        found = read_groups(self.files, self.disk)
        self.assertEqual((len(found.groups), len(found.problems)), (MAX_GROUPS, 1))
