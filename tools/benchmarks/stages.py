"""Time and memory of the tool itself for a large protocol, whose stages do nothing here."""

import contextlib
import io
import resource
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from spact_mm.commands.protocol import Display
from spact_mm.protocols import Stage, load_protocol, run_stages
from spact_mm.protocols.executor import Executor, Run
from spact_mm.protocols.stage_files import write_json

#: What is planned by default: all methods and the whole panel.
CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'protocols' / 'demo.py'


class _Done(Run):
    """A stage that has left a result."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        if stage.is_trained:
            stage.weights.touch()
        metrics = dict.fromkeys(stage.metrics, 0.5)
        attacker = dict(score=0.5, chance=0.5, validation={'1': dict(score=0.5, chance=0.5)})
        result = dict(metrics=metrics, values={}, seconds=1.0, config_hash=stage.hash)
        result |= dict(name=stage.name, attacker=attacker if stage.attacker else {})
        write_json(stage.folder / 'result.json', result)

    def poll(self) -> bool:
        return True


class InstantExecutor(Executor):
    """Stages that are done when they are started, as what runs them costs the tool nothing."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def adopt(self, stages: Sequence[Stage]) -> list[Run]:
        """Return nothing: there was no earlier run."""
        return []

    def start(self, stages: Sequence[Stage]) -> Iterator[Run]:
        """Write what a stage reads, and its result."""
        for stage in stages:
            stage.prepare()
            yield _Done(stage)

    def wait(self, runs: Sequence[Run], seconds: float) -> None:
        """Return at once."""

    def stop(self, runs: Iterable[Run]) -> None:
        """Do nothing: nothing runs."""


def measure(config: str, count: int, jobs: int) -> dict:
    """Plan a protocol with as many seeds as give a number of stages, and run it.

    Args:
        config (str): The protocol's file.
        count (int): Stages, at least.
        jobs (int): Stages at a time.

    Returns:
        dict: Seconds of the plan and of the run (without what the stages do), by stage, in
        milliseconds; memory in MiB.
    """
    with tempfile.TemporaryDirectory() as folder:
        per_seed = len(load_protocol(config, folder, seeds=[1000]).stages)  # the first have more
        before, start = _peak(), time.perf_counter()
        protocol = load_protocol(config, folder, seeds=range(-(-count // per_seed)))
        planned = time.perf_counter()
        peak_of_plan = _peak()
        executor = InstantExecutor(jobs)
        with contextlib.redirect_stdout(io.StringIO()):  # a line a stage
            failed = run_stages(protocol.stages, None, Display(protocol), executor)
        end = time.perf_counter()
        if failed:
            raise RuntimeError(f'{len(failed)} stages have failed.')
        stages = len(protocol.stages)
        left = sum(1 for _ in Path(folder).rglob('result.json'))
        if left != stages:
            raise RuntimeError(f'{left} of {stages} stages have a result.')
        return dict(
            stages=stages,
            jobs=jobs,
            plan_ms=1000 * (planned - start) / stages,
            run_ms=1000 * (end - planned) / stages,
            memory_before_mib=before,
            memory_of_plan_mib=peak_of_plan,
            memory_of_run_mib=_peak(),
        )


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
