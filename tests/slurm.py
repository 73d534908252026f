"""A Slurm of one node for the tests: its daemons, its files and its ports, started and stopped.

Needs root and Debian's packages ``slurm-wlm`` and ``munge``. By hand: ``python tests/slurm.py
FOLDER`` prints the variable that Slurm's commands need, and runs until it is interrupted.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = ('munged', 'slurmctld', 'slurmd', 'sbatch', 'squeue', 'scancel', 'scontrol')
NODE = 'node'
#: ``high`` preempts ``low``, whose jobs are queued again. What is not needed is turned off: control
#: groups, accounting, the binding to cores.
CONFIG = """
ClusterName=spact
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmUser=root
SlurmdUser=root
SlurmdPort={node_port}
SlurmdPidFile={folder}/slurmd.pid
SlurmdLogFile={folder}/slurmd.log
SlurmdSpoolDir={folder}/spool
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1
KillWait=15
ReturnToService=0
SlurmctldTimeout=300
SlurmdTimeout=300
InactiveLimit=0
MinJobAge=300
GresTypes=gpu
NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=1000 Gres=gpu:2
PartitionName=low Nodes={node} Default=YES PriorityTier=1 MaxTime=1:00:00
PartitionName=high Nodes={node} PriorityTier=10 MaxTime=1:00:00
"""


def why_not() -> str:
    """Return why there can be no such cluster here, '' if it can be."""
    absent = [name for name in PROGRAMS if not _find(name)]
    if absent:
        return f'{absent[0]} is not installed (Debian: apt-get install slurm-wlm munge)'
    return '' if os.geteuid() == 0 else 'the daemons of Slurm need root'


class Cluster:
    """Slurm's daemons in a folder, while the context lasts.

    Args:
        folder (Path): Of all its files; short, as sockets' paths are.
        cpus (int): Jobs of one core that run at a time.
    """

    def __init__(self, folder: Path, cpus: int = 3) -> None:
        self.folder = folder
        self.environment = dict(os.environ, SLURM_CONF=str(folder / 'slurm.conf'))
        self.environment.pop('SLURM_JOB_ID', None)
        controller_port, node_port = _free_ports(2)
        host = socket.gethostname().split('.')[0]
        names = dict(folder=folder, host=host, cpus=cpus, node=NODE)
        ports = dict(controller_port=controller_port, node_port=node_port)
        self._config = CONFIG.format(**names, **ports)
        self.daemons: dict[str, subprocess.Popen] = {}

    def __enter__(self) -> 'Cluster':
        for name in ('spool', 'state'):
            (self.folder / name).mkdir(parents=True)
        (self.folder / 'slurm.conf').write_text(self._config)
        # The first that can do without; before, this one was loaded and did nothing.
        version = self.run(_find('slurmd'), '-V').split()[-1]
        plugin = 'disabled' if float('.'.join(version.split('.')[:2])) >= 23.02 else 'cgroup/v1'
        (self.folder / 'cgroup.conf').write_text(f'CgroupPlugin={plugin}\n')
        for index in range(2):
            (self.folder / f'gpu{index}').touch()
        (self.folder / 'gres.conf').write_text(f'Name=gpu File={self.folder}/gpu[0-1]\n')
        key = self.folder / 'munge.key'
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        try:
            names = ('key-file', 'log-file', 'pid-file', 'seed-file', 'socket')
            files = [f'--{name}={self.folder}/munge.{name.split("-")[0]}' for name in names]
            self._start('munged', '--foreground', '--force', *files)
            self.start_controller()
            self._start('slurmd', '-D', '-N', NODE)
            self._wait_for(lambda: 'idle' in self.run('sinfo', '--noheader', '-o', '%T'))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        command = ['scancel', '--full', '--signal=KILL', '--user=root']
        with contextlib.suppress(subprocess.TimeoutExpired):  # of a controller that is dead
            subprocess.run(command, env=self.environment, capture_output=True, timeout=20)
        for name in list(self.daemons):
            self.stop(name)
        for pid in self._find_left():
            os.kill(pid, signal.SIGKILL)

    def _find_left(self) -> list[int]:
        """Return the processes of jobs that Slurm could not end, such as those of a dead node."""
        config, log = f'SLURM_CONF={self.folder}/'.encode(), f'{self.folder}/slurmd.log'
        found = []
        for process in Path('/proc').glob('[0-9]*'):
            try:
                of_job = config in (process / 'environ').read_bytes()
                logs = {os.readlink(link) for link in (process / 'fd').iterdir()}
            except OSError:  # it has ended
                continue
            if (of_job or log in logs) and int(process.name) != os.getpid():
                found.append(int(process.name))
        return found

    def start_controller(self) -> None:
        """Start slurmctld, after a stop of it too, and wait until it answers."""
        self._start('slurmctld', '-D')
        self._wait_for(lambda: 'UP' in self.run('scontrol', 'ping'))

    def wait_for_saved_state(self) -> None:
        """Wait until the controller has saved what it knows now of the jobs that there are."""
        now, file = time.time(), self.folder / 'state' / 'job_state'
        # It saves after a change alone, and may have saved all before.
        for job in self.run('squeue', '--noheader', '-o', '%A').split():
            self.run('scontrol', 'update', f'JobId={job}', 'Comment=changed')
        self._wait_for(lambda: file.exists() and file.stat().st_mtime > now)

    def stop(self, name: str) -> None:
        """Kill a daemon, as a crash does."""
        process = self.daemons.pop(name)
        process.kill()
        process.wait()

    def run(self, *command: str) -> str:
        """Return what one of Slurm's commands prints, '' if it fails."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else ''

    def _start(self, name: str, *arguments: str) -> None:
        log = (self.folder / f'{name}.out').open('ab')
        command = [_find(name), *arguments]
        # A group of its own: Ctrl-C is for the tests, with whose process the daemons end.
        self.daemons[name] = subprocess.Popen(
            command, env=self.environment, stdout=log, stderr=log, start_new_session=True,
            preexec_fn=_end_with_parent,
        )  # fmt: skip

    def _wait_for(self, condition) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            ended = [name for name, process in self.daemons.items() if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                logs = [p.read_text()[-2000:] for p in self.folder.glob('*.[lo][ou][gt]')]
                raise RuntimeError(f'Slurm does not start; ended: {ended}.\n' + '\n'.join(logs))
            time.sleep(0.1)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _find(name: str) -> str | None:
    return shutil.which(name, path=f'{os.environ.get("PATH", "")}:/usr/sbin:/sbin')


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(('127.0.0.1', 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


if __name__ == '__main__':
    sys.exit(why_not()) if why_not() else None
    with Cluster(Path(sys.argv[1]).absolute()) as running:
        print(f'export SLURM_CONF={running.environment["SLURM_CONF"]}', flush=True)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass
