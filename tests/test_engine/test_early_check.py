import copy
import random

import numpy as np
import pytest
import torch
from e2e import (
    CLASSES,
    build_runner,
    call_tool,
    differences,
    load,
    log_of,
    workerless,
    write_config,
)
from mmengine.logging import MessageHub
from mmengine.model import MMSeparateDistributedDataParallel
from mmengine.optim import AmpOptimWrapper, OptimWrapperDict
from tiny import batch, build_model, build_optimizers, changed, snapshot
from torch import nn

import spact_mm.engine.minimax_loop as minimax_loop
from spact_mm.datasets.annotation_files import write_video_list
from spact_mm.engine.early_check import _check_gradients, check_early
from spact_mm.engine.unchanged import resting, unchanged

SCHEDULE = [
    dict(phase='reconstruction', epochs=1),
    dict(phase=('anonymizer', 'adversaries'), epochs=1),
]
#: As long as the demo's, but never reached by the tests that end before.
LONG = [dict(phase='reconstruction', epochs=4), dict(phase='adversaries', epochs=1)]
NECK = dict(type='mmpretrain.MoCoV2Neck', in_channels=192, hid_channels=16, out_channels=8)


def refusal(monkeypatch, config, *options, work_dir):
    """Return the sentence with which a training ends before its first iteration."""
    with pytest.raises(SystemExit) as stop:
        call_tool(monkeypatch, 'train', config, *options, work_dir=work_dir)
    message = stop.value.code
    assert isinstance(message, str) and '\n' not in message and message.endswith('.')
    assert 'Epoch(train)' not in log_of(work_dir)
    return message


def result(work_dir, epoch):
    """Return all that a run goes on from and has logged, less what the clock measured."""
    checkpoint = load(work_dir / f'epoch_{epoch}.pth')
    scalars = checkpoint['message_hub']['log_scalars']
    losses = {k: v for k, v in scalars.items() if 'time' not in k}
    parts = ('state_dict', 'optimizer', 'param_schedulers')
    return dict({part: checkpoint[part] for part in parts}, losses=losses)


@pytest.mark.slow
@pytest.mark.parametrize('workers', [0, 2])
def test_training_is_the_same_bit_for_bit_with_and_without_the_check(
    workers, tiny_data, tmp_path, monkeypatch
):
    """Also that of a resumed run."""
    changes = workerless() if workers == 0 else dict(train_dataloader__num_workers=workers)
    config = write_config(tmp_path, tiny_data, SCHEDULE, **changes)

    def train(name, epochs, **settings):
        settings['train_cfg.max_epochs'] = epochs
        settings['model.max_action_loss'] = 0.5
        runner = build_runner(config, tmp_path / name, randomness=dict(seed=3), **settings)
        runner.train()

    train('checked', 2)
    assert 'Early check: reconstruction, adversaries, anonymizer and a prediction' in log_of(
        tmp_path / 'checked'
    )
    with monkeypatch.context() as context:
        context.setattr(minimax_loop, 'check_early', lambda runner: None)
        train('unchecked', 2)
    assert 'Early check' not in log_of(tmp_path / 'unchecked')
    assert differences(result(tmp_path / 'checked', 2), result(tmp_path / 'unchecked', 2)) == []
    if workers:
        return
    # The run that was interrupted has checked once more.
    state = load(tmp_path / 'unchecked' / 'epoch_1.pth')
    (tmp_path / 'resumed').mkdir()
    torch.save(state, tmp_path / 'resumed' / 'epoch_1.pth')
    train('resumed', 2, resume=True, load_from=str(tmp_path / 'resumed' / 'epoch_1.pth'))
    assert 'Early check: adversaries, anonymizer and a prediction' in log_of(tmp_path / 'resumed')
    assert differences(result(tmp_path / 'resumed', 2), result(tmp_path / 'unchecked', 2)) == []


@pytest.mark.slow
def test_check_leaves_runner_and_random_numbers_as_they_are(tiny_data, tmp_path):
    runner = build_runner(write_config(tmp_path, tiny_data, SCHEDULE, **workerless()), tmp_path)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner._val_loop = runner.build_val_loop(runner._val_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    # They change the optimizers' methods.
    runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    model = runner.model
    model.train()
    next(model.recognizer.children()).eval()
    parameter = next(model.parameters())
    parameter.grad = torch.full_like(parameter, 3.0)

    def state():
        return dict(
            model=snapshot(model),
            modes={name: module.training for name, module in model.named_modules()},
            phase=model.phase,
            grads=[None if p.grad is None else p.grad.clone() for p in model.parameters()],
            optimizers=copy.deepcopy(runner.optim_wrapper.state_dict()),
            counts=[wrapper._inner_count for wrapper in runner.optim_wrapper.values()],
            hub=copy.deepcopy(runner.message_hub.state_dict()['runtime_info']),
            scalars=list(runner.message_hub.log_scalars),
            results=[len(metric.results) for metric in runner.val_loop.evaluator.metrics],
            python=random.getstate(),
            numpy=[str(part) for part in np.random.get_state()],
            torch=torch.get_rng_state(),
        )

    before = state()
    check_early(runner)
    assert differences(before, state()) == []


class Changing(nn.Module):
    """A network that does to itself what networks do in their forward pass."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
        self.register_buffer('count', torch.zeros(()))
        self.late, self.step, self.seen = None, 0, []

    def forward(self, x):
        self.late, self.new = nn.Linear(2, 2), 1
        self.count = self.count + 1
        self.step += 1
        self.seen.append(x)
        with torch.no_grad():
            self.fc.weight.mul_(2)
        return self.late(self.fc(x)) + torch.rand(()) + random.random() + np.random.rand()


def test_all_that_a_forward_pass_changes_is_undone_also_after_an_error():
    model, hub = Changing(), MessageHub('test', runtime_info=dict(seed=2))
    keys, weight, buffers = list(model.state_dict()), model.fc.weight.clone(), model._buffers
    draws = random.getstate(), torch.get_rng_state()
    with pytest.raises(KeyError):
        with unchanged(model, hub):
            model(torch.ones(1, 2)).sum().backward()
            model.eval()
            hub.update_scalar('loss', 5.0)
            hub.update_info('seed', 3)
            raise KeyError
    assert list(model.state_dict()) == keys and model._buffers is buffers
    assert model.late is None and not hasattr(model, 'new') and model.training
    assert model.step == 0 and model.seen == [] and model.count == 0
    assert torch.equal(model.fc.weight, weight) and model.fc.weight.grad is None
    assert hub.get_info('seed') == 2 and not hub.log_scalars
    assert random.getstate() == draws[0] and torch.equal(torch.get_rng_state(), draws[1])


def test_compiled_methods_do_not_see_the_small_batch():
    shapes = []

    def backend(graph, examples):
        shapes.append(tuple(examples[-1].shape))
        return graph

    model = nn.Linear(2, 2)
    compiled = torch.compile(model.forward, backend=backend)
    model.forward = compiled
    with unchanged(model, MessageHub('compiled')):
        model.forward(torch.ones(3, 2))
    assert shapes == [] and model.forward is compiled


def test_resting_optimizers_do_all_but_the_step():
    model = build_model()
    real = build_optimizers(model, type='AmpOptimWrapper')
    rest = resting(real)
    assert isinstance(rest, OptimWrapperDict) and isinstance(rest['anonymizer'], AmpOptimWrapper)
    before = snapshot(model.anonymizer)
    for _ in range(2):
        model.set_phase('reconstruction')
        model.train_step(batch(), rest)
    after = model.anonymizer.state_dict()
    learnt = dict(model.anonymizer.named_parameters())
    assert all(torch.equal(before[name], after[name]) for name in learnt)
    assert all(p.grad.abs().sum() > 0 for name, p in learnt.items() if name.endswith('head.weight'))
    assert all(not wrapper.optimizer.state for wrapper in real.values())
    assert all(wrapper._inner_count == 0 for wrapper in real.values())


@pytest.mark.slow
def test_networks_that_do_not_fit_are_refused_at_once(tiny_data, tmp_path, monkeypatch):
    """Each of these ended in a traceback, after all of the reconstruction."""
    branch = dict(_delete_=True, type='ContrastivePrivacyBranch')
    vit = dict(type='mmpretrain.VisionTransformer', arch='deit-tiny', img_size=32)
    # Its attention has a bias for each pair of patches.
    beit = dict(
        type='mmpretrain.BEiTViT',
        arch=dict(embed_dims=24, num_layers=1, num_heads=2, feedforward_channels=24),
        img_size=224,
    )
    recognizer = dict(
        _delete_=True,
        type='Recognizer3D',
        backbone=dict(type='ResNet3d', depth=18, pretrained=None, base_channels=4),
        cls_head=dict(type='I3DHead', in_channels=7, num_classes=CLASSES),
        data_preprocessor=dict(type='ActionDataPreprocessor', format_shape='NCTHW'),
    )
    wrong = {
        'projector': (
            dict(model__privacy_branch=dict(branch, backbone=vit, neck=dict(NECK, in_channels=7))),
            ["phase 'adversaries'", 'model.privacy_branch.neck (MoCoV2Neck)', 'in_channels=192'],
        ),
        'size': (
            dict(
                model__privacy_branch=dict(branch, backbone=beit, neck=dict(NECK, in_channels=24))
            ),
            ["phase 'adversaries'", 'privacy_branch.backbone (BEiTViT)', 'backbone.img_size', '32'],
        ),
        'head': (
            dict(model__recognizer=recognizer),
            ["phase 'adversaries'", 'model.recognizer.cls_head (I3DHead)', 'in_channels=32'],
        ),
    }
    for name, (changes, parts) in wrong.items():
        config = write_config(tmp_path / name, tiny_data, LONG, **workerless(**changes))
        message = refusal(monkeypatch, config, work_dir=tmp_path / name / 'work')
        assert [part for part in parts if part not in message] == [], message


def test_tin_without_compiled_operators_names_the_package(tiny_data, tmp_path, monkeypatch):
    pytest.importorskip('mmcv')
    try:
        import mmcv.ops  # noqa: F401

        pytest.skip('mmcv has its compiled operators here')
    except ImportError:
        pass
    recognizer = dict(
        _delete_=True,
        type='Recognizer2D',
        backbone=dict(type='ResNetTIN', depth=50, num_segments=8, pretrained=None),
        cls_head=dict(type='TSMHead', in_channels=2048, num_classes=CLASSES, is_shift=False),
        data_preprocessor=dict(type='ActionDataPreprocessor', format_shape='NCHW'),
    )
    recognizer['backbone']['pretrained2d'] = False
    changes = workerless(model__recognizer=recognizer)
    config = write_config(tmp_path, tiny_data, LONG, **changes)
    text = config.read_text().replace("'NCTHW'", "'NCHW'")
    config.write_text(text)
    message = refusal(monkeypatch, config, work_dir=tmp_path / 'work')
    assert 'model.recognizer.backbone (ResNetTIN)' in message
    assert 'tin_shift' in message and 'install mmcv 2.1.0' in message


@pytest.mark.parametrize('loader', ['train', 'val'])
def test_labels_that_the_head_does_not_have_are_refused(loader, tiny_data, tmp_path, monkeypatch):
    split = dict(train='train', val='test')[loader]
    names = [f'{split}/{index:02}.mp4' for index in range(8)]
    # Counted from 1, as in the lists of some data sets.
    ann_file = tmp_path / 'list.txt'
    write_video_list(ann_file, [(n, 1 + i % CLASSES) for i, n in enumerate(names)])
    key = f'{loader}_dataloader__dataset__ann_file'
    config = write_config(tmp_path, tiny_data, LONG, **workerless(**{key: str(ann_file)}))
    message = refusal(monkeypatch, config, work_dir=tmp_path / 'work')
    assert f'Entry 4, {tiny_data}/videos/{names[3]}, of {ann_file} has the label 4' in message
    assert 'model.recognizer.cls_head.num_classes is 4, which allows 0 to 3' in message


def test_attributes_are_compared_with_the_head(tiny_data, tmp_path, monkeypatch):
    branch = dict(
        _delete_=True,
        type='AttributePrivacyBranch',
        backbone=dict(type='ResNet', depth=18, base_channels=4, stem_channels=4),
        head=dict(type='MultiLabelLinearClsHead', num_classes=3, in_channels=32),
    )
    changes = workerless(model__privacy_branch=branch)
    changes['privacy_dataloader__dataset__attributes'] = ['hat']
    config = write_config(tmp_path, tiny_data, LONG, **changes)
    message = refusal(monkeypatch, config, work_dir=tmp_path / 'work')
    assert 'Entry 1' in message and 'train_attributes.json has 1 attributes' in message
    assert 'model.privacy_branch.head.num_classes is 3' in message


def test_metric_that_cannot_take_the_predictions_is_refused(tiny_data, tmp_path, monkeypatch):
    changes = workerless(val_evaluator=[dict(type='VOCMultiLabelMetric', _scope_='mmpretrain')])
    config = write_config(tmp_path, tiny_data, LONG, **changes)
    message = refusal(monkeypatch, config, work_dir=tmp_path / 'work')
    assert 'val_evaluator (Evaluator)' in message and 'prediction' in message


@pytest.mark.slow
def test_plain_trainings_are_checked_by_the_hook(tiny_data, tmp_path, monkeypatch):
    """A fresh target: the label of one video is beyond its classes; and its head does not fit."""
    base = write_config(tmp_path, tiny_data, SCHEDULE, **workerless())
    for name, change, parts in (
        ('labels', dict(num_classes=3), ['has the label 3', 'model.cls_head.num_classes is 3']),
        ('head', dict(in_channels=5), ['a training step', 'model.cls_head', 'in_channels=16']),
    ):
        config = tmp_path / f'{name}.py'
        config.write_text(
            f'_base_ = {str(base)!r}\n'
            "model = _base_.pop('model').recognizer\n"
            f'model.cls_head.update({change!r})\n'
            "for key in ('optim_wrapper', 'param_scheduler', 'train_cfg', 'custom_hooks'):\n"
            '    _base_.pop(key)\n'
            "_base_.default_hooks.pop('pictures')\n"
            "_base_.default_hooks.pop('curves')\n"
            "val_evaluator = [dict(type='AccMetric')]\n"
            "train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)\n"
            "custom_hooks = [dict(type='ReproducibleEpochHook')]\n"
            "optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-3))\n"
        )
        message = refusal(monkeypatch, config, work_dir=tmp_path / name)
        assert [part for part in parts if part not in message] == [], message


@pytest.mark.parametrize('finds', [False, True])
def test_parameters_without_gradient_are_refused_in_distributed_training_only(finds, tmp_path):
    """torch finds them in the second iteration of a phase."""
    path = f'file://{tmp_path}/group'
    torch.distributed.init_process_group('gloo', init_method=path, world_size=1, rank=0)
    try:
        model = build_model()
        model.recognizer.unused = nn.Linear(2, 2)
        wrapped = MMSeparateDistributedDataParallel(model, None, find_unused_parameters=finds)
        expected = snapshot(wrapped)
        with unchanged(wrapped, MessageHub('distributed')):
            model.set_phase('adversaries')
            wrapped.train_step(batch(), resting(build_optimizers(model)))
            if finds:
                _check_gradients(wrapped)
            else:
                message = '2 parameters of model.recognizer get no.*unused.*find_unused_parameters'
                with pytest.raises(ValueError, match=message):
                    _check_gradients(wrapped)
        assert changed(expected, wrapped) == set()
        assert all(child.require_backward_grad_sync for child in model.children() if wraps(child))
    finally:
        torch.distributed.destroy_process_group()


def wraps(module):
    return isinstance(module, nn.parallel.DistributedDataParallel)
