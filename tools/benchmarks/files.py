"""``files``: whole video files, compared with deface, each in a separate process."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import av
import numpy as np

from benchmarks.media import draw_frames
from spact_mm.files import replacing

_TOOL = Path(__file__).resolve().parents[1] / 'anonymize.py'
RATE = 25
#: Frames of a minimal file, whose time is that of imports and loading weights.
START_FRAMES = 2
#: Program of a small process that runs a command and prints what it took. The memory of a process
#: counts from that of the one that started it.
_WATCH = """
import json, os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
wall, cpu = time.perf_counter() - began, used.ru_utime + used.ru_stime
print(json.dumps(dict(wall=wall, cpu=cpu, memory=used.ru_maxrss / 1e3)))
sys.stdout.flush()
os._exit(os.waitstatus_to_exitcode(status) and 1)
"""


def make_film(path: Path, width: int, height: int, num_frames: int) -> Path:
    """Write an H.264 MP4 of a textured scene under a moving camera, if it does not exist yet."""
    if path.exists():
        return path
    frames = draw_frames(np.random.default_rng(0), width, height, num_frames)
    with replacing(path) as partial, av.open(str(partial), 'w', format='mp4') as container:
        stream = container.add_stream('libx264', RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
        for frame in map(np.ascontiguousarray, frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, 'rgb24')))
        container.mux(stream.encode())
    return path


def commands(
    methods: Sequence[str], models: Sequence[str], checkpoint: str | None
) -> dict[str, list[str]]:
    """Return the commands to compare; ``{video}`` and ``{out}`` stand for a file and a new folder.

    deface is included if it is installed (``pip install spact_mm[attackers]``).
    """
    ours = [sys.executable, str(_TOOL), '{video}', '--device', 'cpu', '--out', '{out}', '--force']
    found = {method: [*ours, '--method', method] for method in methods}
    networks = {model: ['--model', model] for model in models}
    if checkpoint:
        networks['f_A'] = ['--checkpoint', checkpoint]
    for name, options in networks.items():
        for backend in ('torch', 'onnxruntime'):
            found[f'{name}, {backend}'] = [*ours, *options, '--backend', backend]
    if find_spec('deface') is not None:
        deface = str(Path(sys.executable).with_name('deface'))
        found['deface'] = [deface, '{video}', '--output', '{out}/video.mp4']
    return found


def measure(command: Sequence[str], video: Path, folder: Path, cores: int) -> dict[str, float]:
    """Run a command on a file with some cores.

    Returns:
        dict[str, float]: ``wall``, seconds on the clock; ``cpu``, those of all threads; ``memory``,
        the largest resident size in MB.

    Raises:
        RuntimeError: If the command fails, or writes no video.
    """
    out = folder / 'out'
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    chosen = sorted(os.sched_getaffinity(0))[:cores]
    # Without these variables each library takes as many threads as there are cores, and modules are
    # compiled once, as for a user.
    unwanted = ('_NUM_THREADS', 'PYTHONDONTWRITEBYTECODE')
    environment = {k: v for k, v in os.environ.items() if not k.endswith(unwanted)}
    process = subprocess.run(
        [sys.executable, '-c', _WATCH, *(part.format(video=video, out=out) for part in command)],
        capture_output=True,
        text=True,
        env=environment,
        preexec_fn=lambda: os.sched_setaffinity(0, chosen),
    )
    if process.returncode or not list(out.glob('*.mp4')):
        raise RuntimeError(f'{command[0]} has failed on {video}: {process.stderr[-2000:]}')
    return json.loads(process.stdout.splitlines()[-1])


def compare_files(
    size: tuple[int, int], cores: int, found: dict[str, list[str]], frames: int, rounds: int,
    folder: Path,
) -> dict[str, dict]:  # fmt: skip
    """Run all commands in turn, so that a busy moment of the machine affects all alike.

    Returns:
        dict: For each name the medians of ``seconds`` and ``cpu_seconds`` of the whole file, of
        ``start_seconds``, of a file of :data:`START_FRAMES` frames, of ``frames_per_second`` of the
        whole file, of ``memory_mb`` at its peak, and of ``ratio``, its ratio to deface's in the
        same round, if deface is installed.
    """
    names = {count: f'{size[0]}x{size[1]}_{count}.mp4' for count in (START_FRAMES, frames)}
    short, whole = (make_film(folder / name, *size, n) for n, name in names.items())
    runs: dict[str, list[dict]] = {name: [] for name in found}
    for command in found.values():  # reads files from the disk and compiles modules
        measure(command, short, folder, cores)
    for _ in range(rounds):
        for name, command in found.items():
            start = measure(command, short, folder, cores)['wall']
            runs[name].append(dict(measure(command, whole, folder, cores), start=start))
    rows = {}
    for name, timings in runs.items():
        seconds = median(timing['wall'] for timing in timings)
        rows[name] = dict(
            seconds=seconds,
            cpu_seconds=median(timing['cpu'] for timing in timings),
            start_seconds=median(timing['start'] for timing in timings),
            frames_per_second=frames / seconds,
            memory_mb=median(timing['memory'] for timing in timings),
        )
        if 'deface' in runs:
            pairs = zip(runs['deface'], timings, strict=True)
            rows[name]['ratio'] = median(theirs['wall'] / own['wall'] for theirs, own in pairs)
    return rows
