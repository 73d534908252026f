import hashlib

import pytest
import torch

from spact_mm.apis import AnonymizeInferencer, publish
from spact_mm.models.anonymizers import UNetAnonymizer

CFG = "model = dict(anonymizer=dict(type='UNetAnonymizer', base_channels=4, num_levels=2))"


@pytest.fixture
def checkpoint(tmp_path):
    state = {f'anonymizer.{k}': v for k, v in UNetAnonymizer(4, 2).state_dict().items()}
    state['recognizer.weight'] = torch.ones(3)
    content = dict(
        meta=dict(cfg=CFG, epoch=7, hostname='of-anna', seed=3),
        state_dict=state,
        optimizer=dict(state={}),
        message_hub={},
    )
    torch.save(content, tmp_path / 'epoch_7.pth')
    return str(tmp_path / 'epoch_7.pth')


def test_weights_and_config_are_published_under_their_hash(checkpoint, tmp_path):
    path = publish(checkpoint, tmp_path / 'zoo' / 'spact.pth')
    assert path.name == f'spact-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.pth'
    content = torch.load(path, weights_only=True)
    assert set(content) == {'meta', 'state_dict'}
    assert content['meta'] == dict(cfg=CFG, epoch=7)
    assert set(content['state_dict']) == set(
        torch.load(checkpoint, weights_only=True)['state_dict']
    )
    assert publish(checkpoint, tmp_path / 'zoo' / 'spact.pth') == path


def test_anonymizer_alone_is_enough_to_anonymize(checkpoint, tmp_path):
    path = publish(checkpoint, tmp_path / 'fa.pth', anonymizer_only=True)
    state = torch.load(path, weights_only=True)['state_dict']
    assert all(name.startswith('anonymizer.') for name in state)
    frames = torch.rand(1, 3, 16, 16)
    first, second = (
        AnonymizeInferencer(weights=str(w), device='cpu', show_progress=False)(frames)
        for w in (checkpoint, path)
    )
    assert torch.equal(first['predictions'][0], second['predictions'][0])


def test_anonymizer_of_ones_own_is_published_unbuilt(checkpoint, tmp_path):
    content = torch.load(checkpoint, weights_only=True)
    marker = tmp_path / 'called'
    # The name is one that no other test registers.
    for kind in ('AnonymizerOfOnesOwn', 'os.mkdir'):
        content['meta']['cfg'] = (
            f'model = dict(anonymizer=dict(type={kind!r}, path={str(marker)!r}))'
        )
        torch.save(content, checkpoint)
        assert publish(checkpoint, tmp_path / 'fa.pth', anonymizer_only=True).is_file()
    assert not marker.exists()


def test_what_has_no_anonymizer_is_refused(tmp_path):
    torch.save(dict(state_dict=dict(a=torch.ones(1))), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='a.pth holds no anonymizer'):
        publish(str(tmp_path / 'a.pth'), tmp_path / 'b.pth', anonymizer_only=True)
