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
    path = publish(checkpoint, tmp_path / 'fa.pth', part='anonymizer')
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
        assert publish(checkpoint, tmp_path / 'fa.pth', part='anonymizer').is_file()
    assert not marker.exists()


def test_what_has_no_anonymizer_is_refused(tmp_path):
    torch.save(dict(state_dict=dict(a=torch.ones(1))), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='a.pth holds no anonymizer'):
        publish(str(tmp_path / 'a.pth'), tmp_path / 'b.pth', part='anonymizer')


def test_recognizer_has_the_names_that_mmaction2_knows(checkpoint, tmp_path):
    path = publish(checkpoint, tmp_path / 'ft.pth', part='recognizer')
    state = torch.load(path, weights_only=True)['state_dict']
    whole = torch.load(checkpoint, weights_only=True)['state_dict']
    before = 'data_preprocessor.'
    assert {name.removeprefix(before) for name in state} == {
        name.removeprefix('recognizer.') for name in whole
    }
    assert torch.equal(state['weight'], whole['recognizer.weight'])
    anonymizer = AnonymizeInferencer(weights=str(path), device='cpu', show_progress=False)
    expected = AnonymizeInferencer(weights=checkpoint, device='cpu', show_progress=False)
    frames = torch.rand(1, 3, 16, 16)
    first, second = (infer(frames)['predictions'][0] for infer in (anonymizer, expected))
    assert torch.equal(first, second)


def test_recognizer_of_another_training_is_refused(tmp_path):
    torch.save(dict(state_dict={'backbone.a': torch.ones(1)}), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='a.pth is of no minimax training'):
        publish(str(tmp_path / 'a.pth'), tmp_path / 'b.pth', part='recognizer')
