"""The seam between a protocol and the processes or jobs that run its stages."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

from .stage import Stage

#: The note, in a stage's folder, that a job of a cluster has been given the stage.
JOB_NOTE = 'job.json'


class Run(ABC):
    """A stage that was started.

    Attributes:
        stage (Stage): The stage.
    """

    stage: Stage

    @abstractmethod
    def poll(self) -> bool | None:
        """Return whether the stage has left its result, None while it runs or waits to."""


class Executor(ABC):
    """Something that runs stages, each in a process of its own.

    Attributes:
        jobs (int): How many stages it may be given at a time.
    """

    jobs: int

    @abstractmethod
    def adopt(self, stages: Sequence[Stage]) -> list[Run]:
        """Return the runs that a tool which is gone has left behind, of these stages.

        The other stages do not run. Called once, before anything is started.
        """

    @abstractmethod
    def start(self, stages: Sequence[Stage]) -> Iterator[Run]:
        """Start stages, and yield each that was started.

        The others are given to it again.
        """

    @abstractmethod
    def wait(self, runs: Sequence[Run], seconds: float) -> None:
        """Return when one of the runs may have ended, or after some seconds."""

    @abstractmethod
    def stop(self, runs: Iterable[Run]) -> None:
        """End what runs; each goes on from its last checkpoint when it is started again."""
