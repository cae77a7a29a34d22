"""Exports to an external disk: one at a time, each a job whose progress can be asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from axis_nvr.errors import NvrError, StorageError, WireError
from axis_nvr.services.export.flow import Batches
from axis_nvr.services.export.order import CannotExport, ExportOrder, Why
from axis_nvr.services.exporting import Export, Exports
from axis_nvr.storage.external_folder import ExternalFile, ExternalFolder, split_path
from axis_nvr.storage.files import IFiles

#: Jobs that are done and still known.
MAX_DONE = 5


@dataclass(slots=True, eq=False)
class Job:
    """An export to an external disk.

    :param path: of the file on it.
    :param total_bytes: how long it will be, about.
    :param problem: why it failed; None: it did not.
    """

    number: int
    path: str
    total_bytes: int
    written_bytes: int = 0
    is_done: bool = False
    problem: str | None = None

    @property
    def percent(self) -> int:
        """How much is done; 100 only if all is."""
        if self.is_done:
            return 100
        return min(99, 100 * self.written_bytes // max(1, self.total_bytes))


class ExportJobs:
    """Runs them.

    :param folders: of the external disks, by id.
    """

    log = Logger()

    def __init__(self, files: IFiles, exports: Exports, folders: Mapping[str, Path]) -> None:
        self._files = files
        self._exports = exports
        self._folders = folders
        self._jobs: dict[int, Job] = {}
        self._last_number = 0
        self._running: Deferred[None] | None = None
        self._is_beginning = False

    def find(self, number: int) -> Job | None:
        """Give a job that runs, or is one of the last that are done."""
        return self._jobs.get(number)

    def check(self, disk: str, path: str) -> None:
        """Make sure that there is such a disk, and that a path is one.

        :raises CannotExport: it is not so.
        """
        if disk not in self._folders:
            raise CannotExport(Why.NO_DISK)
        if path:
            _names(path)

    async def begin(self, order: ExportOrder, disk: str, path: str = "") -> Job:
        """Begin an export.

        :param path: on the external disk; empty: a name by its times.
        :raises CannotExport: it cannot be begun.
        """
        self.check(disk, path)
        if self._running is not None or self._is_beginning:
            raise CannotExport(Why.TOO_MANY)
        self._is_beginning = True
        try:
            export = await self._exports.plan(order)
            path = path.strip("/") or export.file_name
            folder = ExternalFolder(self._files, self._folders[disk])
            names = _names(path)
            try:
                file = await export.shelf.reader.run(lambda: folder.create(names))
            except WireError as error:
                raise CannotExport(Why.BAD_PATH, str(error)) from error
            except StorageError as error:
                raise CannotExport(Why.DISK_UNUSABLE, str(error)) from error
        finally:
            self._is_beginning = False
        self._last_number += 1
        job = Job(self._last_number, path, export.estimated_bytes)
        self._jobs[job.number] = job
        self._running = Deferred.fromCoroutine(self._run(job, export, file))
        self._running.addBoth(self._ended)
        return job

    async def _run(self, job: Job, export: Export, file: ExternalFile) -> None:
        run = export.shelf.reader.run
        batches = Batches(export.pieces(0, None))

        def step() -> bool:
            data = batches.next()
            if data:
                file.write([data])
                job.written_bytes = file.written_bytes
            else:
                file.finish()
            return bool(data)

        try:
            while await run(step):
                pass
            job.is_done = True
        except (NvrError, CancelledError) as error:
            job.problem = str(error) or "it was ended"
            self.log.error("export {job} failed: {problem}", job=job.number, problem=job.problem)
            file.abandon()
        except Exception:  # the outermost frame of a job
            job.problem = "an error inside the recorder; see its log"
            self.log.failure("while export {job} was written", job=job.number)
            file.abandon()
        finally:
            batches.close()

    def _ended(self, _: object) -> None:
        self._running = None
        for number in sorted(self._jobs)[:-MAX_DONE]:
            del self._jobs[number]


def _names(path: str) -> tuple[str, ...]:
    try:
        return split_path(path.strip("/"))
    except WireError as error:
        raise CannotExport(Why.BAD_PATH, str(error)) from error
