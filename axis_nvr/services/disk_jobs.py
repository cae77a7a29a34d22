"""Long work on disks that clients start and ask after: one at a time for each disk.

A job is known by its number from when it is begun until `MAX_JOBS` others have been, or until the
recorder ends. What is done in threads is told to stop when the recorder ends, and is waited for.
"""

from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger
from twisted.python.failure import Failure

from axis_nvr.errors import NvrError
from axis_nvr.storage.threads import StartThread, start_thread

#: Jobs that are remembered, those that run included.
MAX_JOBS = 200

T = TypeVar("T")
#: Calls something in a thread and gives what it returns.
InThread = Callable[[Callable[[], Any]], "Deferred[Any]"]


class Action(StrEnum):
    """What is done with a disk."""

    FORMAT = "format"
    CHECK = "checkdisk"
    REPAIR = "repair"
    MOUNT = "mount"
    UNMOUNT = "unmount"


class DiskBusy(NvrError):
    """Something is being done with the disk already."""


class GivenUp(NvrError):
    """Work ended in the middle, as the recorder ends."""


@dataclass(slots=True, eq=False)
class DiskJob:
    """One piece of work.

    :ivar progress: in percent; 100: it is over.
    :ivar description: what came of it, or why it failed.
    """

    id: int
    disk_id: str
    action: Action
    progress: int = 0
    description: str = ""
    has_failed: bool = False

    def advance(self, share: float) -> None:
        """Say how much of it is done, 0 to 1; from any thread."""
        self.progress = min(99, max(self.progress, int(share * 100)))


class DiskJobs(Service):
    """Begins jobs and remembers what came of them.

    :param in_thread: calls something in a thread of its own.
    """

    log = Logger()

    def __init__(self, in_thread: InThread) -> None:
        self._in_thread = in_thread
        self._jobs: dict[int, DiskJob] = {}
        self._running: dict[str, Deferred[None]] = {}
        self._last_id = 0
        self._is_stopping = False

    def begin(
        self, disk_id: str, action: Action, work: Callable[[DiskJob], Awaitable[str]]
    ) -> DiskJob:
        """Begin to do something with a disk.

        :param work: gets the job; what it gives is the description. So is an `NvrError` that it
            raises.
        :raises DiskBusy: something is being done with it.
        """
        self.check_free(disk_id)
        self._last_id += 1
        job = DiskJob(self._last_id, disk_id, action)
        self._jobs[job.id] = job
        ended: Deferred[None] = Deferred()
        self._running[disk_id] = ended
        for old in [known.id for known in self._jobs.values() if known.progress == 100]:
            if len(self._jobs) > MAX_JOBS:
                del self._jobs[old]
        Deferred.fromCoroutine(self._run(job, work)).addBoth(lambda _: ended.callback(None))
        return job

    async def _run(self, job: DiskJob, work: Callable[[DiskJob], Awaitable[str]]) -> None:
        try:
            job.description = await work(job)
        except NvrError as error:
            job.has_failed, job.description = True, str(error)
        except Exception:  # the outermost frame of a job
            self.log.failure("while {disk}: {action}", disk=job.disk_id, action=job.action.value)
            job.has_failed, job.description = True, "an error inside the recorder; see its log"
        job.progress = 100
        del self._running[job.disk_id]
        self.log.info(
            "{disk}: {action} {outcome}: {words}",
            disk=job.disk_id,
            action=job.action.value,
            outcome="failed" if job.has_failed else "is done",
            words=job.description,
        )

    def check_free(self, disk_id: str) -> None:
        """Make sure that nothing is being done with a disk.

        :raises DiskBusy: something is.
        """
        if self._is_stopping:
            raise DiskBusy("the recorder is about to end")
        if disk_id in self._running:
            raise DiskBusy("something is being done with the disk already")

    @contextmanager
    def reserved(self, disk_id: str) -> Iterator[None]:
        """Have no job be begun with a disk meanwhile.

        :raises DiskBusy: something is being done with it.
        """
        self.check_free(disk_id)
        self._running[disk_id] = ended = Deferred[None]()
        try:
            yield
        finally:
            del self._running[disk_id]
            ended.callback(None)

    def find(self, job_id: int, disk_id: str) -> DiskJob | None:
        """Give a job; None if there is none of this number for this disk."""
        job = self._jobs.get(job_id)
        return job if job is not None and job.disk_id == disk_id else None

    def go_through(self, job: DiskJob, work: Generator[float, None, T]) -> "Deferred[T]":
        """Go through work that tells how far it is, in a thread.

        :returns: what it returns; errback `GivenUp` if the recorder ends meanwhile, and what it
            raises.
        """

        def run() -> T:
            while True:
                try:
                    share = next(work)
                except StopIteration as end:
                    result: T = end.value
                    return result
                job.advance(share)
                if self._is_stopping:
                    work.close()
                    raise GivenUp("the recorder ends: not done")

        return self._in_thread(run)

    def stopService(self) -> "Deferred[Any]":
        """Have what runs end soon; fires when it has."""
        super().stopService()
        self._is_stopping = True
        return DeferredList(list(self._running.values()))


def own_thread(reactor: IReactorFromThreads, start: StartThread = start_thread) -> InThread:
    """Make what calls something in a thread of its own, so that it may take its time."""

    def in_thread(function: Callable[[], Any]) -> "Deferred[Any]":
        done: Deferred[Any] = Deferred(lambda _: None)

        def run() -> None:
            try:
                result = function()
            except Exception:  # the outermost frame of this thread
                result = Failure()
            reactor.callFromThread(_tell, done, result)

        start(run, "disk work")
        return done

    return in_thread


def _tell(done: "Deferred[Any]", result: object) -> None:
    if not done.called:
        done.callback(result)
