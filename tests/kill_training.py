"""Kill trainings at random, resume them, and compare them with trainings that nobody killed.

    python tests/kill_training.py [--kills 200] [--seed 0] [--variant NAME ...] [--keep FOLDER]

Each trial trains in one work dir, is killed a few times, resumed each time, and at last left alone.
Then its weights, optimizers and losses are compared with those of the uninterrupted training, bit
for bit. Where the number of processes changes on the way, it has to end with finite weights. What
is killed, where and how is drawn from the seed: after an iteration, or exactly before or after a
file is flushed, renamed or removed, or with half of it written, or (``clock``) after some seconds.

Each training is forked from this process, which has imported everything.
"""

import argparse
import gc
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import torch
from e2e import (
    ROOT,
    build_runner,
    differences,
    load,
    resumable,
    signal_group,
    workerless,
    write_config,
    write_data,
)

from spact_mm.engine.checkpoint_files import read_order

SCHEDULE = [
    dict(phase='reconstruction', epochs=1),
    dict(phase='adversaries', epochs=1),
    dict(phase=('anonymizer', 'adversaries'), epochs=2),
]
EPOCHS, BATCHES = 4, 7
#: A training that takes longer hangs.
LIMIT = 600
ITERATIONS = dict(
    default_hooks__checkpoint=dict(by_epoch=False, interval=3, max_keep_ckpts=2),
)
EPOCHWISE = dict(default_hooks__checkpoint=dict(max_keep_ckpts=2))
_LOADERS = ('train_dataloader', 'privacy_dataloader')
WORKERS = {f'{loader}__num_workers': 2 for loader in _LOADERS}
WORKERS |= {f'{loader}__persistent_workers': True for loader in _LOADERS}
AMP = dict(optim_wrapper=dict(type='AmpOptimWrapper', dtype='bfloat16'))
#: Gradients that wait for their update are part of a checkpoint, too.
SPARED = dict(model__max_action_loss=0.5)


@dataclass
class Variant:
    """A kind of training.

    Attributes:
        changes (dict): To the tiny config of the tests.
        places (tuple[str, ...]): Where it is killed.
        processes (tuple[int, ...]): Drawn from for each start.
        is_fresh (bool): A fresh action target instead of the minimax.
    """

    changes: dict
    places: tuple[str, ...] = ('iteration', 'clock')
    processes: tuple[int, ...] = (1,)
    is_fresh: bool = False
    counts: Counter = field(default_factory=Counter)


FILES = ('fsync', 'half', 'replace', 'remove')
VARIANTS = {
    'epochs': Variant(EPOCHWISE),
    'epochs, files': Variant(EPOCHWISE, FILES),
    'epochs, 2 workers': Variant(EPOCHWISE | WORKERS),
    'iterations': Variant(ITERATIONS | SPARED),
    'iterations, files': Variant(ITERATIONS | SPARED, FILES),
    'iterations, 2 workers': Variant(ITERATIONS | WORKERS),
    'iterations, AMP': Variant(ITERATIONS | AMP),
    'signals, by epoch': Variant(EPOCHWISE, ('SIGTERM', 'SIGINT')),
    'signals, 2 workers': Variant(ITERATIONS | WORKERS, ('SIGTERM', 'SIGINT', 'group')),
    'signals, 2 processes': Variant(ITERATIONS, ('SIGTERM', 'SIGINT'), processes=(2,)),
    '2 processes': Variant(ITERATIONS, processes=(2,)),
    '1 or 2 processes': Variant(ITERATIONS, processes=(1, 2)),
    'fresh target': Variant(EPOCHWISE, is_fresh=True),
    'fresh target, iterations': Variant(ITERATIONS, ('iteration', *FILES), is_fresh=True),
}


# ---- the process that trains ---------------------------------------------------------------------
class Killer:
    """Kill this process, or send it a signal, at the nth time that it comes to a place."""

    def __init__(self, place: str, number: int, after: bool) -> None:
        self.place, self.left, self.after = place, number, after

    def install(self, runner) -> None:
        """Stand in for the functions that are to be interrupted."""
        if self.place in ('iteration', 'SIGTERM', 'SIGINT', 'group'):
            run_iter = runner.train_loop.run_iter

            def run(idx, batch):
                if self.place != 'iteration' and not self.after:
                    self.count()  # in the middle of it
                run_iter(idx, batch)
                if self.place == 'iteration' or self.after:
                    self.count()

            runner.train_loop.run_iter = run
        for place, names in dict(
            fsync=['fsync'], half=['fsync'], replace=['replace'], remove=['remove', 'unlink']
        ).items():
            if place == self.place:
                for name in names:
                    setattr(os, name, self.around(getattr(os, name)))

    def around(self, function):
        """Return the function, killed before or after it has worked."""

        def call(*args, **kwargs):
            if self.place == 'half':
                self.left -= 1
                if self.left == 0:
                    os.ftruncate(args[0], os.fstat(args[0]).st_size // 2)
                    os.kill(os.getpid(), signal.SIGKILL)
            elif not self.after:
                self.count()
            result = function(*args, **kwargs)
            if self.after:
                self.count()
            return result

        return call

    def count(self) -> None:
        self.left -= 1
        if self.left == 0:
            if self.place == 'group':
                signal_group()
            elif self.place in ('SIGTERM', 'SIGINT'):
                os.kill(os.getpid(), getattr(signal, self.place))
            else:
                os.kill(os.getpid(), signal.SIGKILL)


def train(config: Path, work_dir: Path, log: Path, rank: int, port: int, processes: int, killer):
    """Be a process that trains."""
    with open(log, 'ab') as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    changes = dict(resume=True)
    if processes > 1:
        os.environ.update(
            RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(processes),
            MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port),
        )  # fmt: skip
        changes |= {'launcher': 'pytorch', 'env_cfg.dist_cfg.backend': 'gloo'}
    runner = build_runner(config, work_dir, randomness=dict(seed=3), **changes)
    if killer is not None and rank == 0:
        runner.train_loop  # noqa: B018  (builds it)
        killer.install(runner)
    runner.train()


def fork(*args, group: int = 0) -> int:
    """Start :func:`train` in a process group of its own."""
    sys.stdout.flush(), sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setpgid(0, group)
        train(*args)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        # Without what the parent has to do at its end; the data workers end with the process.
        os._exit(code)


# ---- the process that kills ----------------------------------------------------------------------
def start(config: Path, work_dir: Path, processes: int, killer: Killer | None, delay=None) -> int:
    """Train in forked processes and return the exit code of the first; negative is a signal."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    logs = [work_dir.with_suffix(f'.rank{rank}.log') for rank in range(processes)]
    pids = []
    for rank, log in enumerate(logs):
        group = pids[0] if pids else 0
        pids.append(fork(config, work_dir, log, rank, port, processes, killer, group=group))
    end = time.monotonic() + LIMIT
    kill_at = None if delay is None else time.monotonic() + delay
    code = None
    while code is None:
        pid, status = os.waitpid(pids[0], os.WNOHANG)
        if pid:
            code = os.waitstatus_to_exitcode(status)
        elif kill_at is not None and time.monotonic() >= kill_at:
            os.kill(pids[0], signal.SIGKILL)
            kill_at = None
        elif time.monotonic() > end:
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            raise SystemExit(f'A training hung for {LIMIT} s: see {logs[0]}.')
        time.sleep(0.01)
    for pid in pids[1:]:
        # As a launcher does.
        if code != 0:
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return code


def newest(work_dir: Path) -> Path:
    return work_dir / read_order(work_dir)[-1]


def run_trial(name: str, variant: Variant, reference, config: Path, work_dir: Path, rng, most: int):
    """Kill one training up to ``most`` times, let it end and compare it."""
    counts = variant.counts
    counts['trials'] += 1
    for _ in range(most):
        place = rng.choice(variant.places)
        processes = rng.choice(variant.processes)
        number = rng.randint(1, {'iteration': 12, 'clock': 1}.get(place, 6))
        killer = None if place == 'clock' else Killer(place, number, rng.random() < 0.5)
        delay = rng.uniform(0.3, reference['seconds']) if place == 'clock' else None
        was_whole = _has_whole(work_dir)
        code = start(config, work_dir, processes, killer, delay)
        if code == 0:
            break
        expected = {'SIGTERM': 143, 'group': 143, 'SIGINT': 130}.get(place, -signal.SIGKILL)
        if code != expected:
            raise SystemExit(
                f'{name}: a training that was to end by {place} ({expected}) ended with {code}: '
                f'see {work_dir.with_suffix(".rank0.log")}.'
            )
        counts['kills'] += 1
        counts['lost'] += was_whole and not _has_whole(work_dir)
    if start(config, work_dir, rng.choice(variant.processes), None) != 0:
        raise SystemExit(f'{name}: see {work_dir.with_suffix(".rank0.log")}.')
    counts['resumed'] += work_dir.with_suffix('.rank0.log').read_text().count('resumed epoch')
    result = load(newest(work_dir))
    leftovers = [path.name for path in work_dir.glob('.*.part')]
    order = read_order(work_dir)
    leftovers += [path.name for path in work_dir.glob('*.pth') if path.name not in order]
    if leftovers:
        raise SystemExit(f'{name}: {leftovers} lie in {work_dir}.')
    if len(set(variant.processes)) > 1:
        tensors = result['state_dict'].values()
        counts['equal'] += all(bool(torch.isfinite(x).all()) for x in tensors)
        return
    wrong = differences(reference['result'], resumable(result))
    counts['equal'] += not wrong
    if wrong:
        print(f'{name}: {len(wrong)} values differ, {wrong[:3]} first; see {work_dir}')


def _has_whole(work_dir: Path) -> bool:
    """Tell whether there is a checkpoint to resume, as seen by reading all of it."""
    return any(_is_loadable(work_dir / name) for name in read_order(work_dir) or ())


def _is_loadable(path: Path) -> bool:
    try:
        return bool(load(path))
    except Exception:  # whatever a torn file raises
        return False


def write_variant(variant: Variant, folder: Path, data: Path) -> Path:
    """Write the config of a variant."""
    changes = dict(variant.changes)
    if 'train_dataloader__num_workers' not in changes:
        changes = workerless(**changes)
    changes['custom_imports'] = dict(imports=['spact_mm', 'e2e'], allow_failed_imports=False)
    changes['default_hooks__pictures'] = dict(num_clips=1, num_frames=2, interval=100)
    changes['val_dataloader__num_workers'] = 0
    changes['val_dataloader__persistent_workers'] = False
    path = write_config(folder, data, SCHEDULE, **changes)
    if not variant.is_fresh:
        return path
    fresh = ROOT / 'configs' / 'eval' / 'action_r3d_demo.py'
    tiny = {}
    exec(path.read_text(), tiny)
    config = dict(
        custom_imports=tiny['custom_imports'],
        train_dataloader=dict(tiny['train_dataloader'], _delete_=True),
        test_dataloader=dict(tiny['test_dataloader'], _delete_=True),
        model=dict(
            backbone=tiny['model']['recognizer']['backbone'],
            cls_head=tiny['model']['recognizer']['cls_head'],
        ),
        custom_hooks=[dict(type='ReproducibleEpochHook')],
        default_hooks=dict(checkpoint=tiny['default_hooks']['checkpoint'], logger=dict(interval=1)),
        train_cfg=dict(max_epochs=EPOCHS),
        param_scheduler=[dict(type='LinearLR', by_epoch=False, begin=0, end=25)],
    )
    path = folder / 'fresh.py'
    lines = [f'_base_ = {str(fresh)!r}', *(f'{k} = {v!r}' for k, v in config.items())]
    path.write_text('\n'.join(lines) + '\n')
    return path


def campaign(folder: Path, names: list[str], kills: int, seed: int, per_trial: int = 5) -> bool:
    """Spread kills over variants, print the table, and tell whether nothing was lost."""
    data = write_data(folder / 'data')
    rng = random.Random(seed)
    prepared = {}
    for name in names:
        home = folder / name.replace(', ', '_').replace(' ', '_')
        config = write_variant(VARIANTS[name], home, data)
        begin = time.monotonic()
        code = start(config, home / 'reference', VARIANTS[name].processes[0], None)
        if code != 0:
            raise SystemExit(f'{name}: see {home / "reference.rank0.log"}.')
        result = resumable(load(newest(home / 'reference')))
        seconds = time.monotonic() - begin
        prepared[name] = config, dict(result=result, seconds=seconds), home
        print(f'{name}: an uninterrupted training takes {seconds:.1f} s', flush=True)
    while sum(VARIANTS[name].counts['kills'] for name in names) < kills:
        name = min(names, key=lambda name: VARIANTS[name].counts['kills'])
        variant, (config, reference, home) = VARIANTS[name], prepared[name]
        work_dir = home / f'trial{variant.counts["trials"]}'
        before = variant.counts.copy()
        run_trial(name, variant, reference, config, work_dir, rng, per_trial)
        shutil.rmtree(work_dir)
        more = variant.counts - before
        verdict = 'as it should' if more['equal'] else 'differently'
        print(f'{name}: killed {more["kills"]} times, ended {verdict}', flush=True)
    print(f'{"variant":26}{"trials":>8}{"kills":>8}{"resumed":>9}{"lost":>6}{"bit-equal":>11}')
    rows = {name: VARIANTS[name].counts for name in names}
    total = sum(rows.values(), Counter())
    for name, row in (rows | {'all': total}).items():
        kind = 'finite' if name == '1 or 2 processes' else 'of ' + str(row['trials'])
        print(
            f'{name:26}{row["trials"]:8}{row["kills"]:8}{row["resumed"]:9}{row["lost"]:6}'
            f'{row["equal"]:5} {kind}'
        )
    return total['lost'] == 0 and total['equal'] == total['trials']


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--kills', type=int, default=200, help='at least, in all (200)')
    parser.add_argument('--seed', type=int, default=0, help='of all that is drawn (0)')
    parser.add_argument('--variant', nargs='+', choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument('--keep', type=Path, help='folder to work in, which is kept')
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    # Nothing of the parent is collected in each child anew.
    gc.freeze()
    folder = Path(tempfile.mkdtemp()) if args.keep is None else args.keep
    try:
        return 0 if campaign(folder, args.variant, args.kills, args.seed) else 1
    finally:
        if args.keep is None:
            shutil.rmtree(folder)


if __name__ == '__main__':
    sys.exit(main())
