import os

from spact_mm.protocols import zygote


def test_a_stage_that_a_signal_ended_says_so_by_its_exit_code(tmp_path, monkeypatch):
    def run_stage(folder):
        raise SystemExit(143)

    monkeypatch.setattr(zygote, 'run_stage', run_stage)
    log = tmp_path / 'log.txt'
    pid = os.fork()
    if pid == 0:
        os._exit(zygote._run(str(tmp_path), str(log)))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 143
    assert log.read_text() == ''
