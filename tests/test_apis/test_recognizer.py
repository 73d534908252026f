"""A recognizer from its config and checkpoint."""

import pytest
import torch
from e2e import ROOT
from mmaction.registry import MODELS
from mmengine.config import Config

from spact_mm.apis import load_recognizer

CONFIG = ROOT / 'configs' / 'eval' / 'action_r3d_demo.py'


@pytest.fixture
def weights():
    model = MODELS.build(Config.fromfile(CONFIG).model)
    model.init_weights()
    return model.state_dict()


def write_config(path, **changes):
    config = Config.fromfile(CONFIG)
    config.merge_from_dict(changes)
    config.dump(path)
    return str(path)


@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_weights_are_loaded_with_and_without_a_wrapper(tmp_path, weights, prefix):
    path = str(tmp_path / 'a.pth')
    torch.save(dict(state_dict={prefix + k: v for k, v in weights.items()}), path)
    recognizer = load_recognizer(str(CONFIG), path)
    assert not recognizer.training
    state = recognizer.state_dict()
    assert all(torch.equal(state[name], value) for name, value in weights.items())


def test_checkpoint_of_another_model_is_refused(tmp_path, weights):
    path = str(tmp_path / 'other.pth')
    torch.save({k.replace('cls_head', 'head'): v for k, v in weights.items()}, path)
    with pytest.raises(
        ValueError, match=r'other\.pth is a .* another model .*no cls_head.*, also head.*work dir'
    ):
        load_recognizer(str(CONFIG), path)


@pytest.mark.parametrize('preprocessor', ['AnonymizedActionPreprocessor', 'ActionDataPreprocessor'])
def test_checkpoint_behind_an_anonymizer_is_refused_by_raw_video(tmp_path, weights, preprocessor):
    settings = dict(type=preprocessor, format_shape='NCTHW', _delete_=True)
    if preprocessor.startswith('Anonymized'):
        settings['anonymizer'] = dict(type='IdentityAnonymizer')
    config = write_config(tmp_path / 'raw.py', **{'model.data_preprocessor': settings})
    path = str(tmp_path / 'behind.pth')
    torch.save(weights | {'data_preprocessor.anonymizer.inc.weight': torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r'also data_preprocessor\.anonymizer\.inc\.weight'):
        load_recognizer(config, path)


def test_config_without_a_way_to_read_videos_is_refused(tmp_path, weights):
    config = Config.fromfile(CONFIG)
    config.pop('test_pipeline')
    config.dump(tmp_path / 'blind.py')
    with pytest.raises(ValueError, match=r'blind\.py has no test_pipeline'):
        load_recognizer(str(tmp_path / 'blind.py'), 'unused.pth')
