"""Each work-around: the gap is still there (or the work-around can go), and it is closed."""

import inspect
import os
import pickle
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

import mmaction
import mmcv
import mmengine
import mmpretrain
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.model import MMDistributedDataParallel, MMSeparateDistributedDataParallel
from mmengine.runner import CheckpointLoader, Runner, load_checkpoint
from torch import nn

from spact_mm import compat, safe_checkpoint
from spact_mm.apis import find_tool
from spact_mm.safe_checkpoint import UnsafeCheckpointError, load_from_local

ROOT = Path(__file__).resolve().parents[1]
GONE = 'Upstream closed this gap: delete the work-around.'
on_cpu = pytest.mark.skipif(torch.cuda.is_available(), reason='the gap is that of a CPU')


def source(module, path):
    return (Path(module.__file__).parent / path).read_text()


def run_python(*arguments, **environment):
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT), **environment}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True
    )


@pytest.mark.slow
def test_import_prints_nothing_and_leaves_no_filter():
    code = """
        import warnings
        import spact_mm
        assert not any('MultiScale' in str(entry[1]) for entry in warnings.filters)
    """
    done = run_python('-W', 'error::UserWarning', '-c', textwrap.dedent(code))
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


def test_apply_twice_changes_nothing():
    from mmengine.dist import utils

    def state():
        return (
            dict(CheckpointLoader._schemes),
            utils._init_dist_pytorch,
            MMDistributedDataParallel.__init__,
            sys.modules['mmaction.models.localizers.drn.drn'],
            list(compat.torch._TORCHVISION_SCHEMAS),
        )

    before = state()
    compat.apply()
    assert state() == before


def test_mmcv_is_asked_for(monkeypatch):
    monkeypatch.setattr(compat.mmcv, 'package_dir', lambda package: None)
    with pytest.raises(ModuleNotFoundError, match='pip install mmcv-lite'):
        compat.mmcv.require_mmcv()


def test_drn_is_missing_and_stubbed():
    folder = Path(mmaction.__file__).parent / 'models/localizers'
    assert not (folder / 'drn/drn.py').exists(), GONE
    from mmaction.models.localizers import DRN

    assert DRN is None


def test_present_drn_is_left_alone(monkeypatch, tmp_path):
    (tmp_path / 'models/localizers/drn').mkdir(parents=True)
    (tmp_path / 'models/localizers/drn/drn.py').touch()
    monkeypatch.setattr(compat.mmaction, 'package_dir', lambda package: tmp_path)
    monkeypatch.delitem(sys.modules, 'mmaction.models.localizers.drn')
    compat.mmaction.stub_missing_drn()
    assert 'mmaction.models.localizers.drn' not in sys.modules


def test_multimodal_is_off_only_where_it_would_fail(monkeypatch):
    import mmaction.utils.dependency as dependency

    vindlu = source(mmaction, 'models/multimodal/vindlu/temporal_model.py')
    assert 'from timm.models.layers import DropPath' in vindlu, GONE
    assert 'timm' not in source(mmaction, 'utils/dependency.py'), GONE
    monkeypatch.delitem(sys.modules, 'mmaction.models')
    for loads in (True, False):
        monkeypatch.setattr(dependency, 'WITH_MULTIMODAL', True)
        monkeypatch.setattr(compat.mmaction, '_has_names', lambda *_, loads=loads: loads)
        compat.mmaction.disable_broken_multimodal()
        assert dependency.WITH_MULTIMODAL is loads


def test_names_are_looked_up_without_raising():
    assert compat.mmaction._has_names('collections', ('OrderedDict', 'deque'))
    assert not compat.mmaction._has_names('collections', ('OrderedDict', 'absent'))
    assert not compat.mmaction._has_names('no_such_package.inside', ())


def test_torchvision_imports():
    if not compat.torch._TORCHVISION_SCHEMAS:
        pytest.skip('the binary of torchvision fits this torch')
    done = run_python('-c', 'import torchvision')
    assert 'operator torchvision::nms does not exist' in done.stderr, GONE
    import torchvision

    assert torchvision.transforms.functional.hflip(torch.eye(2)).tolist() == [[0, 1], [1, 0]]


def test_mmcv_lite_still_warns():
    if any(Path(mmcv.__file__).parent.glob('_ext*')):
        pytest.skip('mmcv, not mmcv-lite, is installed')
    assert "warnings.warn('Fail to import" in source(mmcv, 'cnn/bricks/transformer.py'), GONE


def test_packages_are_found_without_pkg_resources(monkeypatch, tmp_path):
    from mmengine.config import config as config_module
    from mmengine.utils import package_utils

    assert 'import pkg_resources' in source(mmengine, 'utils/package_utils.py'), GONE
    expected = package_utils.get_installed_path('mmaction2')
    for module in (mmengine.utils, package_utils, config_module):
        for name in ('is_installed', 'get_installed_path'):
            monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setitem(sys.modules, 'pkg_resources', None)
    config = tmp_path / 'config.py'
    config.write_text("_base_ = 'mmaction::_base_/models/slowonly_r50.py'\n")
    with pytest.raises(ImportError, match='pkg_resources'):
        Config.fromfile(config)
    compat.mmengine.find_packages_without_pkg_resources()
    assert Config.fromfile(config).model.backbone.type == 'ResNet3dSlowOnly'
    assert compat.packages.get_installed_path('mmaction2') == expected
    assert compat.packages.is_installed('mmaction')
    assert not compat.packages.is_installed('no-such-package')
    with pytest.raises(ModuleNotFoundError, match='no-such-package is not installed'):
        compat.packages.get_installed_path('no-such-package')


@pytest.fixture
def own_child(tmp_path):
    """Write a config on top of one of this package, elsewhere."""
    path = tmp_path / 'child.py'
    path.write_text(
        "_base_ = 'spact_mm::spact_r3d_demo.py'\n"
        'model = dict(privacy_weight=3.0)\n'
        'inherited = _base_.model\n'
    )
    return path


def test_mmengine_resolves_packages_of_its_own_list_only():
    text = source(mmengine, 'config/utils.py')
    assert 'assert package in MODULE2PACKAGE' in text, GONE
    # Only paths with a folder, and with the scope of the package.
    assert r"re.match(r'\w*::\w*/\w*', cfg_path) is None" in text, GONE
    assert "scope = cfg_path.partition('::')[0]" in source(mmengine, 'config/config.py'), GONE


def test_child_of_a_config_of_this_package_has_no_scope_of_its_own(own_child, monkeypatch):
    monkeypatch.chdir(own_child.parent)
    config = Config.fromfile('child.py')
    demo = Config.fromfile(ROOT / 'configs' / 'spact_r3d_demo.py')
    assert config.model == {**demo.model, 'privacy_weight': 3.0}
    assert config.train_dataloader == demo.train_dataloader
    assert config.default_scope == 'mmaction' and '_scope_' not in str(config.to_dict()['model'])
    assert not config.inherited.get('_scope_')


def test_packages_of_the_list_keep_their_scope(tmp_path):
    path = tmp_path / 'child.py'
    path.write_text("_base_ = 'mmaction::_base_/models/slowonly_r50.py'\n")
    assert Config.fromfile(path).model._scope_ == 'mmaction'


@pytest.mark.parametrize('path', ['spact_r3d_ucf101.py', 'eval/action_r3d_demo.py'])
def test_get_config_finds_recipes_and_others(path, tmp_path, monkeypatch):
    from mmengine.hub import get_config

    monkeypatch.chdir(tmp_path)
    config = get_config(f'spact_mm::{path}')
    assert config.to_dict() == Config.fromfile(ROOT / 'configs' / path).to_dict()
    with pytest.raises(FileNotFoundError, match='absent.py'):
        get_config('spact_mm::absent.py')


class Payload:
    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return os.system, (f'touch {self.marker}',)


def test_mmengine_loads_local_files_with_the_default_of_torch():
    text = source(mmengine, 'runner/checkpoint.py')
    assert 'torch.load(filename, map_location=map_location)' in text, GONE


def test_mmengine_still_runs_what_a_checkpoint_holds():
    for file, text in (
        ('runner/runner.py', "checkpoint['meta']['config'], file_format='.py')"),
        ('infer/infer.py', "Config.fromstring(cfg_string, file_format='.py')"),
    ):
        assert text in source(mmengine, file), GONE
    # Nowhere else, and in neither of the packages around us.
    places = {
        path.name
        for package in (mmengine, mmaction, mmpretrain)
        for path in Path(package.__file__).parent.rglob('*.py')
        if 'Config.fromstring(' in path.read_text(encoding='utf-8')
    }
    assert places == {'runner.py', '_flexible_runner.py', 'infer.py'}


def test_inferencers_do_not_run_the_config_in_a_checkpoint(tmp_path):
    from mmengine.infer import BaseInferencer

    class Inferencer(BaseInferencer):
        def _init_pipeline(self, cfg):
            return None

        preprocess = visualize = postprocess = None

    code = f"x = __import__('os').mkdir({str(tmp_path / 'called')!r})\n"
    for name, content in dict(
        meta=dict(meta=dict(cfg=code)),
        hub=dict(message_hub=dict(runtime_info=dict(cfg=code))),
    ).items():
        path = tmp_path / f'{name}.pth'
        torch.save(dict(state_dict={}, **content), path)
        with pytest.raises(ValueError, match=f'The config in {path} is not run.*give model='):
            Inferencer(weights=str(path), device='cpu')
    assert not (tmp_path / 'called').exists()


def test_mmengine_still_removes_what_a_checkpoint_names():
    text = source(mmengine, 'hooks/checkpoint_hook.py')
    assert 'self.file_backend.remove(best_ckpt_path)' in text, GONE


def test_checkpoints_of_mmengine_are_read(tmp_path):
    path = tmp_path / 'old.pth'
    buffer = HistoryBuffer([1.0, 2.5], [1, 1])
    checkpoint = dict(
        state_dict=dict(weight=torch.ones(2)),
        message_hub=dict(log_scalars=dict(loss=buffer)),
        meta=dict(best=np.float64(0.5), count=np.int64(3), table=np.arange(3), name=np.str_('x')),
    )
    torch.save(checkpoint, path)
    with pytest.raises(pickle.UnpicklingError, match='HistoryBuffer'):
        torch.load(path, weights_only=True)
    loaded = CheckpointLoader.load_checkpoint(str(path))
    assert loaded['message_hub']['log_scalars']['loss'].data[0].tolist() == [1.0, 2.5]
    assert loaded['meta']['best'] == 0.5 and loaded['meta']['count'] == 3
    assert loaded['meta']['table'].tolist() == [0, 1, 2] and loaded['meta']['name'] == 'x'
    # The permission ends with the call.
    with pytest.raises(pickle.UnpicklingError, match='HistoryBuffer'):
        torch.load(path, weights_only=True)


@pytest.mark.parametrize('form', ['zip', 'legacy', 'pickle0', 'pickle2'])
def test_payload_is_refused_by_name_and_not_run(tmp_path, form):
    path, marker = tmp_path / 'evil.pth', tmp_path / 'marker'
    checkpoint = dict(state_dict=dict(weight=torch.ones(1)), extra=Payload(marker))
    if form.startswith('pickle'):
        path.write_bytes(pickle.dumps(Payload(marker), int(form[-1])))
    else:
        torch.save(checkpoint, path, _use_new_zipfile_serialization=form == 'zip')
    sentence = f'{path} is not loaded, because it holds the global posix.system and a pickle can'
    with pytest.raises(UnsafeCheckpointError, match=sentence):
        CheckpointLoader.load_checkpoint(str(path))
    with pytest.raises(UnsafeCheckpointError, match=sentence):
        load_checkpoint(nn.Linear(1, 1), str(path))
    assert not marker.exists()


def test_getattr_is_for_history_buffers_only(tmp_path):
    path = tmp_path / 'evil.pth'
    path.write_bytes(b'\x80\x02c__builtin__\ngetattr\nctorch\ndevice\nX\x01\x00\x00\x00x\x86R.')
    with pytest.raises(UnsafeCheckpointError, match='the global builtins.getattr'):
        load_from_local(str(path))
    torch.save(np.array([print], dtype=object), path)
    with pytest.raises(UnsafeCheckpointError):
        load_from_local(str(path))


@pytest.mark.parametrize(
    'contents', [b'', b'<html>not found</html>', b'version https://git-lfs.github.com', b'PK\3\4']
)
def test_other_files_are_refused_in_a_sentence(tmp_path, contents):
    path = tmp_path / 'x.pth'
    path.write_bytes(contents)
    with pytest.raises(ValueError, match=f'{path} is no whole PyTorch checkpoint'):
        load_from_local(str(path))


def test_truncated_and_missing_files_are_refused_in_a_sentence(tmp_path):
    path = tmp_path / 'x.pth'
    torch.save(dict(weight=torch.ones(1000)), path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match=f'{path} is no whole PyTorch checkpoint'):
        load_from_local(str(path))
    with pytest.raises(FileNotFoundError, match='There is no checkpoint .*absent.pth: check'):
        load_from_local(str(tmp_path / 'absent.pth'))


def test_every_scheme_is_restricted(tmp_path, monkeypatch):
    marker, evil = tmp_path / 'marker', tmp_path / 'evil.pth'
    torch.save(Payload(marker), evil)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path))
    (tmp_path / 'open_mmlab.json').write_text('{"mine": "evil.pth"}')
    fetched = []

    def download(url, target, *args, **kwargs):
        fetched.append(url)
        Path(target).write_bytes(evil.read_bytes())

    class Store:
        def get(self, path):
            return evil.read_bytes()

    monkeypatch.setattr(torch.hub, 'download_url_to_file', download)
    monkeypatch.setattr(safe_checkpoint, 'get_file_backend', lambda *args, **kwargs: Store())
    addresses = [
        'https://example.com/evil.pth',
        'http://example.com/evil2.pth',
        'torchvision://resnet18',
        'open-mmlab://vgg16_caffe',
        'mmcls://vgg11',
        'openmmlab://mine',
        's3://bucket/evil.pth',
    ]
    for address in addresses:
        with pytest.raises(UnsafeCheckpointError, match='posix.system'):
            CheckpointLoader.load_checkpoint(address)
    with pytest.raises(ValueError, match='pavi:// has no restricted loader'):
        CheckpointLoader.load_checkpoint('pavi://model')
    assert len(fetched) == 5 and not marker.exists()
    covered = {loader.__module__ for loader in CheckpointLoader._schemes.values()}
    assert covered <= {
        'spact_mm.safe_checkpoint',
        'spact_mm.compat.mmengine_checkpoints',
        'mmengine.runner.checkpoint',
    }


def test_downloads_are_kept(tmp_path, monkeypatch):
    calls = []

    def download(url, target, *args, **kwargs):
        calls.append(url)
        torch.save(dict(weight=torch.ones(1)), target)

    monkeypatch.setattr(torch.hub, 'download_url_to_file', download)
    for _ in range(2):
        loaded = safe_checkpoint.load_from_url('https://example.com/a/w.pth', str(tmp_path))
    assert loaded['weight'].item() == 1.0
    assert calls == ['https://example.com/a/w.pth'] and (tmp_path / 'w.pth').is_file()


@on_cpu
def test_mmengine_starts_processes_on_cuda_only(monkeypatch):
    from mmengine.dist import utils

    upstream = inspect.getclosurevars(utils._init_dist_pytorch).nonlocals['upstream']
    monkeypatch.setenv('RANK', '0')
    monkeypatch.setenv('LOCAL_RANK', '0')
    # A CUDA build looks for a driver first.
    missing = 'NVIDIA driver' if torch.version.cuda else '(?i)cuda'
    with pytest.raises((AttributeError, RuntimeError, AssertionError), match=missing):
        upstream('gloo')
    with pytest.raises(ValueError, match=r"dist_cfg.backend is 'nccl'.*backend=gloo"):
        utils._init_dist_pytorch('nccl')


@on_cpu
def test_process_group_is_started_as_asked_and_its_threads_may_finish(monkeypatch):
    from mmengine.dist import utils

    started, at_exit = [], []
    monkeypatch.setattr(torch.distributed, 'init_process_group', lambda **kw: started.append(kw))
    monkeypatch.setattr(compat.mmengine.atexit, 'register', lambda *call: at_exit.append(call))
    utils._init_dist_pytorch('gloo', timeout=60)
    assert started == [dict(backend='gloo', timeout=60)]
    assert at_exit == [(time.sleep, 0.1)]


@pytest.fixture
def process_group(tmp_path):
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.act = nn.Linear(2, 2), nn.Linear(2, 2), nn.ReLU()


@on_cpu
def test_device_ids_are_dropped(process_group):
    assert "[int(os.environ['LOCAL_RANK'])]" in inspect.getsource(Runner.wrap_model), GONE
    with pytest.raises(ValueError, match='device_ids'):
        nn.parallel.DistributedDataParallel(nn.Linear(2, 2), device_ids=[0])
    wrapped = MMDistributedDataParallel(
        nn.Linear(2, 2), device_ids=[0], find_unused_parameters=True
    )
    assert wrapped.device_ids is None and wrapped.find_unused_parameters
    separate = MMSeparateDistributedDataParallel(Pair(), device_ids=[0])
    assert separate.module.first.device_ids is None


@on_cpu
def test_separate_no_sync_holds_for_all_children(process_group):
    text = source(mmengine, 'model/wrappers/seperate_distributed.py')
    assert 'stack.enter_context(sub_ddp_model.no_sync())\n                yield' in text, GONE
    model = MMSeparateDistributedDataParallel(Pair())
    with model.no_sync():
        assert not model.module.first.require_backward_grad_sync
        assert not model.module.second.require_backward_grad_sync
    assert model.module.first.require_backward_grad_sync
    assert model.module.second.require_backward_grad_sync


@pytest.mark.slow
@on_cpu
def test_amp_trains_in_bfloat16_without_an_accelerator():
    from mmengine.optim import AmpOptimWrapper

    upstream = run_python('-c', 'from mmengine.optim import *; AmpOptimWrapper(optimizer=None)')
    assert 'is only available training' in upstream.stderr
    model = nn.Linear(4, 1)
    wrapper = AmpOptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    before = model.weight.detach().clone()
    with wrapper.optim_context(model):
        loss = model(torch.ones(2, 4)).sum()
    assert loss.dtype == torch.bfloat16
    wrapper.update_params(loss)
    # The gradient is the sum of the inputs, and its scale is 1.
    torch.testing.assert_close(model.weight, before - 0.2)
    wrapper.load_state_dict(wrapper.state_dict())


def test_heads_take_bfloat16_scores(monkeypatch):
    import inspect

    from mmaction.models import I3DHead
    from mmaction.models.heads.base import BaseHead
    from mmaction.structures import ActionDataSample

    upstream = inspect.getclosurevars(BaseHead.loss_by_feat).nonlocals['upstream']
    samples = [ActionDataSample().set_gt_label(i) for i in (0, 1)]
    head = I3DHead(num_classes=2, in_channels=4)
    scores = torch.tensor([[2.0, 1.0], [2.0, 1.0]], dtype=torch.bfloat16)
    with pytest.raises(TypeError, match='BFloat16'):
        upstream(head, scores, samples)
    losses = head.loss_by_feat(scores, samples)
    assert losses['top1_acc'] == 0.5 and losses['loss_cls'].dtype == torch.float32


@on_cpu
def test_weights_of_short_clips_get_right_gradients_in_bfloat16():
    """Two frames under a kernel of three; the freed memory before each pass is full of NaN."""
    upstream = inspect.getclosurevars(nn.Conv3d._conv_forward).nonlocals['upstream']
    wrong = [False, False]
    for padding in (1, (1, 0, 2)):
        conv = nn.Conv3d(16, 16, 3, padding=padding, bias=True)
        clips = torch.randn(3, 16, 2, 4, 4).bfloat16()
        output = conv(clips.float())
        weight_to = torch.randn_like(output).bfloat16()
        output.backward(weight_to.float())
        expected, conv.weight.grad = conv.weight.grad, None
        for index, forward in enumerate((upstream, nn.Conv3d._conv_forward)):
            for _ in range(20):
                with torch.autocast('cpu', torch.bfloat16):
                    ours = forward(conv, clips, conv.weight, conv.bias)
                fill_freed_memory_with_nan()
                (gradient,) = torch.autograd.grad(ours, conv.weight, weight_to)
                torch.testing.assert_close(ours.float(), output, rtol=0.02, atol=0.02)
                close = torch.allclose(gradient, expected, atol=0.02 * float(expected.abs().max()))
                wrong[index] |= not close
    assert not wrong[1]
    # Processors that compute in bfloat16 themselves have other kernels.
    flags = Path('/proc/cpuinfo').read_text() if sys.platform == 'linux' else ''
    if 'avx512bw' in flags and not re.search('(avx512|amx)_bf16', flags):
        assert wrong[0], GONE


def fill_freed_memory_with_nan():
    blocks = [torch.full((2**size,), float('nan')) for size in range(4, 18) for _ in range(8)]
    del blocks


@on_cpu
@pytest.mark.slow
def test_two_processes_train_over_gloo(tmp_path):
    script = tmp_path / 'script.py'
    script.write_text(
        textwrap.dedent(f"""
            import sys, types, torch
            # The whole package is not needed here and takes seconds to import.
            package = types.ModuleType('spact_mm')
            package.__path__ = [{str(ROOT / 'spact_mm')!r}]
            sys.modules['spact_mm'] = package
            from spact_mm.compat import mmengine
            mmengine.init_process_group_without_accelerator()
            mmengine.drop_device_ids_without_accelerator()
            from mmengine.dist import all_gather, get_rank, get_world_size, init_dist
            from mmengine.registry import MODEL_WRAPPERS
            init_dist('pytorch', backend='gloo', timeout=60)
            rank = get_rank()
            torch.manual_seed(rank)
            model = torch.nn.Module()
            model.net = torch.nn.Linear(2, 1)
            cfg = dict(type='MMSeparateDistributedDataParallel')
            wrapped = MODEL_WRAPPERS.build(cfg, default_args=dict(module=model, device_ids=[rank]))
            wrapped.module.net(torch.full((1, 2), rank + 1.0)).sum().backward()
            gradient = wrapped.module.net.module.weight.grad
            weights = all_gather(wrapped.module.net.module.weight.detach())
            assert get_world_size() == 2 and torch.equal(*weights)
            assert gradient.tolist() == [[1.5, 1.5]], gradient
        """)
    )
    done = run_python(
        '-m', 'torch.distributed.run', '--nproc_per_node', '2', '--standalone', str(script)
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_none_turns_off_default_hooks_of_any_name():
    upstream = inspect.getclosurevars(Runner.register_default_hooks).nonlocals['upstream']
    runner = object.__new__(Runner)
    runner._hooks = []
    hooks = dict(pictures=None, timer=None, extra=dict(type='EmptyCacheHook'))
    try:
        upstream(runner, dict(hooks))
    except AssertionError:
        pass
    else:
        pytest.fail(GONE)
    runner._hooks = []
    runner.register_default_hooks(hooks)
    assert {type(hook).__name__ for hook in runner._hooks} == {
        'RuntimeInfoHook',
        'DistSamplerSeedHook',
        'LoggerHook',
        'ParamSchedulerHook',
        'CheckpointHook',
        'EmptyCacheHook',
    }


def test_a_named_loop_of_epochs_may_say_that_it_is_one():
    upstream = inspect.getclosurevars(Runner.build_train_loop).nonlocals['upstream']
    loader = torch.utils.data.DataLoader([1])
    runner = SimpleNamespace(_train_dataloader=loader, _train_loop=None)
    loop = dict(type='EpochBasedTrainLoop', by_epoch=True, max_epochs=2)
    with pytest.raises(RuntimeError, match='Only one of `type` or `by_epoch`'):
        upstream(runner, dict(loop))
    assert Runner.build_train_loop(runner, dict(loop)).max_epochs == 2
    tool = Path(find_tool('visualizations/vis_scheduler')).read_text()
    assert "get_str_type(cfg.train_cfg.get('by_epoch'))" in tool, GONE
    # Of another loop it would be wrong.
    with pytest.raises(RuntimeError, match='Only one of `type` or `by_epoch`'):
        Runner.build_train_loop(runner, dict(loop, type='IterBasedTrainLoop'))


def test_variables_of_config_files_are_set_while_they_are_parsed(tmp_path):
    (tmp_path / 'base.py').write_text("root, n = 'a', 1\npath = f'{root}/{n}'\ndel n\n")
    (tmp_path / 'child.py').write_text("_base_ = './base.py'\nk: int = 1\nk += 1\nm = k\n")
    config = Config.fromfile(tmp_path / 'child.py')
    config.merge_from_dict(dict(root='b'))
    assert config.path == 'a/1', GONE
    with compat.mmengine.config_variables(dict(root='b', n=2, k=5, absent=3)):
        config = Config.fromfile(tmp_path / 'child.py')
    assert (config.path, config.root, config.m) == ('b/2', 'b', 5)
    assert 'absent' not in config
    assert Config.fromfile(tmp_path / 'child.py').path == 'a/1'


def test_tpn_predicts_by_its_present_weights():
    from mmaction.models.heads.tpn_head import TPNHead

    upstream = inspect.getclosurevars(TPNHead.forward).nonlocals['upstream']
    head = TPNHead(num_classes=3, in_channels=4, dropout_ratio=0)
    features = torch.rand(2, 4, 2, 3, 3)
    keys = list(head.state_dict())

    def is_present(forward):
        with torch.no_grad():
            right = []
            for weight in (1.0, 2.0):
                nn.init.constant_(head.fc_cls.weight, weight)
                expected = head.fc_cls(features.mean((2, 3, 4)))
                right.append(torch.allclose(forward(features, fcn_test=True), expected))
        return right

    assert is_present(head) == [True, True] and list(head.state_dict()) == keys
    assert is_present(upstream.__get__(head)) == [True, False], GONE


FORK = """
import gc, os, signal, sys
import av, numpy as np
{imported}
frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format='rgb24')
frame = frame.reformat(format='yuv420p')
frame.to_ndarray(format='rgb24')
gc.disable()
cycle = [frame]
cycle.append(cycle)
del frame, cycle
child = os.fork()
if not child:
    signal.alarm(10)
    gc.collect()
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0)
"""


@pytest.mark.slow
@pytest.mark.parametrize('imported, hangs', [('', True), ('import spact_mm', False)])
def test_frames_of_before_a_fork_hang_it_when_freed(imported, hangs):
    """As soon as they do not without this package, its work-around can go."""
    script = FORK.format(imported=imported)
    assert subprocess.run([sys.executable, '-c', script]).returncode == hangs
