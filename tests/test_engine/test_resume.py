import signal

import pytest
import torch
from e2e import (
    BATCH,
    EPOCHS,
    SCHEDULE,
    VIDEOS,
    build_runner,
    differences,
    load,
    log_of,
    resumable,
    run_cli,
    workerless,
    write_config,
)
from torch.utils.data import DataLoader

from spact_mm.engine.paired_dataloader import PairedDataLoader

#: Where the run is killed (epoch, iteration) and what it does there.
KILLS = {
    (1, 3): 'reconstruction',
    (2, 2): 'adversaries',
    (3, 2): 'anonymizer',
    (4, 2): 'adversaries',
}


@pytest.mark.slow
def test_run_killed_in_each_phase_ends_as_the_uninterrupted_one(tiny_run, tiny_data, tmp_path):
    """Bit for bit, also with the check before minimax, which the other run leaves out."""
    hook = dict(type='UnheededReadinessHook', schedule=list(SCHEDULE), readiness_clips=10)
    hooks = [hook, dict(type='KillHook'), dict(type='DigestHook')]
    config = write_config(tmp_path, tiny_data, custom_hooks=hooks)
    work_dir = tmp_path / 'work'
    for epoch, iteration in KILLS:
        kill = f'{epoch},{iteration}'
        run = run_cli(
            'train', config, '--seed', 3, '--resume', work_dir=work_dir, SPACT_TEST_KILL=kill
        )
        assert run.code == -signal.SIGKILL, run.stderr
        assert not (work_dir / f'epoch_{epoch + 1}.pth').exists()
        assert (work_dir / f'epoch_{epoch}.pth').exists()
    run = run_cli('train', config, '--seed', 3, '--resume', work_dir=work_dir)
    assert run.code == 0, run.stderr
    log = log_of(work_dir)
    for epoch, _ in KILLS:
        assert f'resumed epoch: {epoch}, iter: {7 * epoch}' in log
    # After reconstruction in the runs that were killed in the next two phases, before minimax in
    # the second of these and in the one that went on from there.
    assert log.count('Before minimax, on') == 4
    for epoch in (4, EPOCHS):
        expected = resumable(load(tiny_run.work_dir / f'epoch_{epoch}.pth'))
        actual = resumable(load(work_dir / f'epoch_{epoch}.pth'))
        assert len(expected['losses']) > 5
        assert differences(expected, actual) == []


def test_kills_hit_the_phases_they_are_meant_for(tiny_data, tmp_path):
    runner = build_runner(write_config(tmp_path, tiny_data), tmp_path / 'work')
    hook = next(hook for hook in runner.hooks if hasattr(hook, 'phase_at'))
    length = VIDEOS // BATCH
    assert {kill: hook.phase_at(*kill, length) for kill in KILLS} == KILLS


@pytest.mark.parametrize('persistent', [False, True])
def test_start_of_loaders_draws_nothing_that_dropout_would_miss(persistent):
    """Persistent workers start once in a run and once again in a resumed one."""
    settings = dict(batch_size=2, num_workers=int(persistent), persistent_workers=persistent)
    paired = PairedDataLoader(DataLoader(range(6), **settings), DataLoader(range(4), **settings))
    before = torch.get_rng_state()
    for _ in range(2):
        assert len(list(paired)) == 3
        assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
def test_resume_goes_on_with_a_seed_that_was_drawn(tiny_data, tmp_path):
    schedule = [dict(phase='adversaries', epochs=2)]
    linear = dict(type='LinearLR', by_epoch=False, begin=0, end=25)
    schedulers = dict(anonymizer=[], recognizer=[linear])
    config = write_config(tmp_path, tiny_data, schedule, **workerless(param_scheduler=schedulers))

    def train(name, seed=None, epochs=2, **changes):
        changes.update({'train_cfg.max_epochs': epochs, 'custom_hooks.0.allow_partial': True})
        runner = build_runner(config, tmp_path / name, randomness=dict(seed=seed), **changes)
        runner.train()
        return runner

    drawn = train('resumed', epochs=1).seed
    assert load(tmp_path / 'resumed' / 'epoch_1.pth')['meta']['seed'] == drawn
    resumed = train('resumed', resume=True)
    assert resumed.seed == drawn
    assert [loader.sampler.seed for loader in resumed.train_dataloader.loaders.values()] == [
        drawn,
        drawn,
    ]
    train('whole', seed=drawn)
    expected, actual = (load(tmp_path / name / 'epoch_2.pth') for name in ('whole', 'resumed'))
    assert differences(resumable(expected), resumable(actual)) == []
