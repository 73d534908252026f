"""Components are registered when they are needed, and a program that needs none starts quickly."""

import pickle
import subprocess
import sys

import pytest
import torch
from media import write_video

HEAVY = ('torch', 'mmengine', 'mmcv', 'mmaction', 'mmpretrain')


def run(code, *arguments, check=True):
    """Run a program in a process of its own; return what it prints."""
    done = subprocess.run(
        [sys.executable, '-c', code, *map(str, arguments)], capture_output=True, text=True
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout if check else done.stderr


@pytest.mark.parametrize(
    'first',
    [
        'import spact_mm, mmcv',
        'import spact_mm.models.anonymizers.unet',
        *(
            pytest.param(first, marks=(pytest.mark.slow, pytest.mark.thorough))
            for first in (
                'import mmengine, spact_mm',
                'import spact_mm; from mmaction.registry import MODELS',
                'from spact_mm import engine',
                'from spact_mm.datasets.video_reader import open_video',
            )
        ),
        *(
            pytest.param(first, marks=pytest.mark.slow)
            for first in (
                'from spact_mm.models import MinimaxAnonymization',
                'from spact_mm.apis import FrameAnonymizer',
            )
        ),
    ],
)
def test_whatever_is_imported_first_all_is_registered(first):
    code = f"""
import sys
{first}
from mmaction.registry import HOOKS, LOOPS, METRICS, MODELS, TRANSFORMS
for registry, name in (
    (HOOKS, 'MinimaxPhaseHook'), (LOOPS, 'MinimaxTrainLoop'), (METRICS, 'PrivacyAttributeMetric'),
    (MODELS, 'UNetAnonymizer'), (MODELS, 'MinimaxAnonymization'), (TRANSFORMS, 'SampleClip'),
):
    assert registry.get(name).__module__.startswith('spact_mm.'), name
import mmcv, mmengine
for module in (mmcv, mmengine, sys.modules['spact_mm.models']):
    assert module.__spec__.origin == module.__file__ and sys.modules[module.__name__] is module
print('registered')
"""
    assert run(code) == 'registered\n'


def test_nothing_heavy_is_imported_before():
    code = f'import sys, spact_mm, spact_mm.apis; print([x for x in {HEAVY} if x in sys.modules])'
    assert run(code) == '[]\n'


def test_a_refusal_comes_at_each_import():
    code = """
import spact_mm
from spact_mm.compat import mmcv
mmcv.package_dir = lambda name: None
for _ in range(2):
    try:
        import mmengine
    except ModuleNotFoundError as error:
        print(error)
"""
    lines = run(code).splitlines()
    assert len(lines) == 2 and lines[0] == lines[1]
    assert lines[0].startswith('spact_mm needs the module mmcv: run `pip install mmcv-lite==2.1.0`')


ANONYMIZE = """
import sys
from spact_mm.commands.anonymize import main
code = main()
print([x for x in {names} if x in sys.modules])
sys.exit(code)
"""


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / 'walk.mp4')


@pytest.mark.parametrize('method', ['blur', 'downsample', 'pixelate', 'black'])
def test_obfuscations_need_no_pytorch(method, video, tmp_path):
    code = ANONYMIZE.format(names=HEAVY)
    printed = run(code, video, '--method', method, '--out', tmp_path / 'out')
    assert printed.splitlines()[-1] == '[]'
    assert (tmp_path / 'out' / 'walk.mp4').exists()


def test_networks_need_no_models_of_mmaction(video, tmp_path):
    names = ('torch', 'torchvision', 'torch.distributed.optim', 'mmaction.models', 'mmpretrain')
    code = ANONYMIZE.format(names=names)
    arguments = ('--model', 'demo', '--backend', 'torch', '--out', tmp_path / 'out')
    assert run(code, video, *arguments).splitlines()[-1] == "['torch']"
    assert (tmp_path / 'out' / 'walk.mp4').exists()


def test_models_of_the_package_need_no_pytorch_beside_onnxruntime(video, tmp_path):
    pytest.importorskip('onnxruntime')
    code = ANONYMIZE.format(names=HEAVY)
    printed = run(code, video, '--model', 'demo', '--out', tmp_path / 'out')
    assert printed.splitlines()[-1] == '[]'
    assert (tmp_path / 'out' / 'walk.mp4').exists()


class Evil:
    def __reduce__(self):
        return print, ('executed',)


def test_checkpoints_are_data_there_too(video, tmp_path):
    torch.save(dict(state_dict={}, meta=Evil()), tmp_path / 'evil.pth')
    (tmp_path / 'evil.pkl').write_bytes(pickle.dumps(Evil()))
    code = ANONYMIZE.format(names=())
    for name in ('evil.pth', 'evil.pkl'):
        arguments = (video, '--checkpoint', tmp_path / name, '--out', tmp_path / 'out')
        stderr = run(code, *arguments, check=False)
        assert 'is not loaded, because it holds the global' in stderr, stderr
        assert 'executed' not in stderr and not (tmp_path / 'out' / 'walk.mp4').exists()


def test_postponed_components_can_be_registered_later():
    code = """
from spact_mm import startup
startup.postpone_components()
from mmaction.registry import MODELS
from spact_mm.models.anonymizers.build import build_anonymizer
print(type(build_anonymizer(dict(type='UNetAnonymizer', base_channels=2, num_levels=2))).__name__)
print('MinimaxAnonymization' in MODELS.module_dict)
startup.register_components()
print(MODELS.get('MinimaxAnonymization').__module__)
"""
    assert run(code).split() == ['UNetAnonymizer', 'False', 'spact_mm.models.minimax']
