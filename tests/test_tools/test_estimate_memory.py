import sys

import pytest
from e2e import ROOT
from mmengine.config import Config


@pytest.mark.parametrize(
    'name, clip, image',
    [
        ('spact_r3d_ucf101', (1, 3, 16, 112, 112), 112),
        ('spact_r3d_deviceaug_ucf101', (1, 3, 16, 112, 112), 112),
        ('spact_tsm_ucf101', (8, 3, 112, 112), 112),
        ('spact_r3d_demo', (1, 3, 8, 48, 48), 48),
        ('spact_r3d_weizmann', (1, 3, 8, 64, 64), 64),
    ],
)
def test_shapes_are_those_the_networks_see(name, clip, image, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / 'tools')
    from estimate_memory import find_shapes

    monkeypatch.delitem(sys.modules, 'estimate_memory')
    assert find_shapes(Config.fromfile(ROOT / 'configs' / f'{name}.py')) == (clip, image)
