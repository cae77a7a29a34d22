"""What is seen of a disk's folder: file system, room; and a disk that hangs holds up nobody."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from axis_nvr.services.disk_facts import LOOK_SECONDS, DiskFacts, FactFinder, file_system_of, look
from axis_nvr.storage.files import Files
from axis_nvr.storage.layout import INDEX_NAME, LOCK_NAME

SEEN = DiskFacts(True, 1000, 400, "vfat")


class FileSystemTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.mounts = Path(self.mktemp())

    def named(self, *lines: str) -> str:
        """The file system by a table of mounts."""
        self.mounts.write_text("".join(f"{line}\n" for line in lines))
        return file_system_of(self.folder, self.mounts)

    def mount(self, point: Path, kind: str) -> str:
        escaped = str(point).replace(" ", "\\040")
        return f"36 35 98:0 / {escaped} rw,noatime shared:1 - {kind} /dev/x rw"

    def test_names(self) -> None:
        """Three names there are; whatever else Linux can record to is told as ext4."""
        for kind, name in (
            ("ext4", "ext4"),
            ("vfat", "vfat"),
            ("exfat", "vfat"),
            ("cifs", "cifs"),
            ("smb3", "cifs"),
            ("xfs", "ext4"),
            ("overlay", "ext4"),
        ):
            self.assertEqual(self.named(self.mount(self.folder, kind)), name, kind)

    def test_which_mount(self) -> None:
        """The innermost counts, and of two at one place the later; nonsense is passed over."""
        root = self.mount(Path("/"), "ext4")
        self.assertEqual(self.named(root, self.mount(self.folder.parent, "vfat")), "vfat")
        self.assertEqual(self.named(self.mount(self.folder / "below", "vfat"), root), "ext4")
        twice = [self.mount(self.folder, kind) for kind in ("cifs", "vfat")]
        self.assertEqual(self.named(*twice, root), "vfat")
        self.assertEqual(self.named("", "nonsense", " - ", root), "ext4")
        self.folder = self.folder / "with blanks"
        self.folder.mkdir()
        self.assertEqual(self.named(root, self.mount(self.folder, "vfat")), "vfat")

    def test_looking(self) -> None:
        """A folder that a recorder used is a disk; any other is none."""
        files: Any = Files()
        self.assertEqual(look(self.folder, files), DiskFacts())
        self.assertEqual(look(self.folder / "absent", files), DiskFacts())
        for name in (LOCK_NAME, INDEX_NAME):
            (self.folder / name).touch()
            facts = look(self.folder, files)
            self.assertTrue(facts.is_there)
            self.assertGreater(facts.total_bytes, facts.free_bytes)
            self.assertIn(facts.file_system, ("ext4", "vfat", "cifs"))
            (self.folder / name).unlink()
        (self.folder / LOCK_NAME).touch()
        self.assertEqual(look(self.folder, files, self.mounts / "absent"), DiskFacts())


class FindingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.looks: list[Deferred[DiskFacts]] = []

    def finder(self) -> FactFinder:
        def in_thread(function: Any) -> Deferred[Any]:
            self.looks.append(Deferred())
            return self.looks[-1]

        return FactFinder(Path("/disk"), in_thread, self.clock)

    def test_one_look_for_all(self) -> None:
        """Who asks while somebody looks is told the same."""
        finder = self.finder()
        first, second = finder.find(), finder.find()
        self.assertNoResult(first)
        self.looks[0].callback(SEEN)
        self.assertEqual((self.successResultOf(first), self.successResultOf(second)), (SEEN, SEEN))
        self.assertEqual(len(self.looks), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        third = finder.find()
        self.looks[1].callback(DiskFacts())
        self.assertEqual(self.successResultOf(third), DiskFacts())

    def test_a_disk_that_hangs(self) -> None:
        """What was seen last is told, and no second look is begun."""
        finder = self.finder()
        finder.find()
        self.looks[0].callback(SEEN)
        for _ in range(3):
            found = finder.find()
            self.clock.advance(LOOK_SECONDS)
            self.assertEqual(self.successResultOf(found), SEEN)
        self.assertEqual(len(self.looks), 2)

    def test_a_look_that_fails(self) -> None:
        """A bug is nobody's end: what was seen last is told."""
        finder = self.finder()
        found = finder.find()
        self.looks[0].errback(ZeroDivisionError())
        self.assertEqual(self.successResultOf(found), DiskFacts())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_at_once(self) -> None:
        """It works without a thread as well."""
        finder = FactFinder(Path("/disk"), maybeDeferred, self.clock, lambda *_: SEEN)
        self.assertEqual(self.successResultOf(finder.find()), SEEN)
