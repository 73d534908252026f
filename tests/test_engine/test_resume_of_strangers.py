"""``--resume`` of a file that wants something to be run or removed."""

import os
from itertools import count

import numpy as np
import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner

from spact_mm.engine.plain_types import from_plain, to_plain

_NUMBERS = count()
#: Ours refuses to keep a best checkpoint.
_BEST = dict(CheckpointHook=dict(save_best='acc'))
HOOKS = pytest.mark.parametrize('hook', ['PlainCheckpointHook', 'CheckpointHook'])


class Toy(BaseModel):
    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(2, 1)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        out = self.head(inputs)
        return dict(loss=out.square().mean()) if mode == 'loss' else [out]


class Rising(BaseMetric):
    value = 0

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        Rising.value += 1
        return dict(acc=float(Rising.value))


class Points(torch.utils.data.Dataset):
    metainfo = dict(classes=('a', 'b'))

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return dict(inputs=torch.tensor([index, 1.0]))


def train(work_dir, hook, epochs, **kwargs):
    loader = dict(
        dataset=Points(),
        batch_size=4,
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='default_collate'),
    )
    runner = Runner(
        model=Toy(),
        work_dir=str(work_dir),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        val_dataloader=loader,
        val_cfg=dict(),
        val_evaluator=[Rising()],
        default_hooks=dict(
            checkpoint=dict(type=hook, interval=1, max_keep_ckpts=2, **_BEST.get(hook, {}))
        ),
        default_scope='mmaction',
        experiment_name=f'stranger_{os.getpid()}_{next(_NUMBERS)}',
        randomness=dict(seed=0),
        **kwargs,
    )
    runner.train()
    return runner


def change(path, change_content):
    content = torch.load(path, weights_only=False)
    change_content(content)
    torch.save(content, path)


@HOOKS
def test_no_text_in_meta_is_run(tmp_path, hook):
    train(tmp_path / 'run', hook, 1)
    path, marker = tmp_path / 'run' / 'epoch_1.pth', tmp_path / 'called'
    code = f"x = __import__('os').mkdir({str(marker)!r})\n"

    def add(content):
        content['meta'].update(config=code, cfg=code)
        content['message_hub']['runtime_info']['cfg'] = code

    change(path, add)
    runner = train(tmp_path / 'run', hook, 2, resume=True, load_from=str(path))
    assert runner.epoch == 2 and not marker.exists()
    # The text that tells an anonymizer is still there.
    from mmengine.runner import CheckpointLoader

    meta = CheckpointLoader.load_checkpoint(str(path))['meta']
    assert meta['cfg'] == code and 'config' not in meta


def test_no_file_outside_is_removed(tmp_path):
    """The best checkpoint so far is removed by its path, once there is a better one.

    ``PlainCheckpointHook`` keeps no best one.
    """
    hook = 'CheckpointHook'
    train(tmp_path / 'run', hook, 1)
    precious = tmp_path / 'precious' / 'best_acc_epoch_1.pth'
    precious.parent.mkdir()
    precious.write_bytes(b'x')
    path = tmp_path / 'run' / 'epoch_1.pth'

    def redirect(content):
        info = content['message_hub']['runtime_info']
        assert os.path.dirname(info['best_ckpt']) == str(tmp_path / 'run')
        info['best_ckpt'] = str(precious)

    change(path, redirect)
    train(tmp_path / 'run', hook, 2, resume=True, load_from=str(path))
    assert precious.exists()
    # It stands for the file of its name in the run's own folder, which is outdated now.
    best = [p.name for p in (tmp_path / 'run').glob('best_*')]
    assert best == ['best_acc_epoch_2.pth']


@HOOKS
def test_numbers_of_outdated_files_are_numbers(tmp_path, hook):
    train(tmp_path / 'run', hook, 1)
    path = tmp_path / 'run' / 'epoch_1.pth'

    def redirect(content):
        content['message_hub']['runtime_info']['keep_ckpt_ids'] = ['/../../x', 1, 2]

    change(path, redirect)
    with pytest.raises(ValueError, match='keep_ckpt_ids in its message hub'):
        train(tmp_path / 'run', hook, 2, resume=True, load_from=str(path))


def test_arrays_of_all_kinds_come_back():
    for array in (
        np.array(['a', 'bc']),
        np.array([1, 'x', None], object),
        np.arange(3, dtype='>f4'),
        np.array([True]),
    ):
        found = from_plain(to_plain(array))
        assert found.dtype == array.dtype and found.tolist() == array.tolist()


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        (('meta', 'epoch'), 'one'),
        (('meta', 'iter'), -1),
        (('meta', 'seed'), 'x'),
        (('meta',), []),
        (('message_hub',), []),
        (('message_hub', 'log_scalars'), None),
        (('message_hub', 'runtime_info', 'x'), {'__ndarray__': ['a'], 'dtype': 'U1000000000'}),
        (('message_hub', 'runtime_info', 'x'), {'__ndarray__': ['a'] * 10_000, 'dtype': 'U99999'}),
        (('message_hub', 'log_scalars', 'x'), {'__history__': 3, 'counts': 1, 'max_length': 1}),
        (('message_hub', 'log_scalars', 'x'), {'__history__': torch.ones(2)}),
        (('state_dict',), [1]),
        (('state_dict', 'head.bias'), 'x'),
        (('state_dict', 3), torch.ones(1)),
    ],
)
def test_damaged_entries_are_one_sentence(tmp_path, key, value):
    train(tmp_path / 'run', 'PlainCheckpointHook', 1)
    path = tmp_path / 'run' / 'epoch_1.pth'

    def damage(content):
        for name in key[:-1]:
            content = content[name]
        content[key[-1]] = value

    change(path, damage)
    with pytest.raises(
        ValueError, match=r'epoch_1.pth cannot be resumed, because its .*: resume an '
    ):
        train(tmp_path / 'run', 'PlainCheckpointHook', 2, resume=True, load_from=str(path))
