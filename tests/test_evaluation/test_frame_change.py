import pytest
import torch
from mmaction.registry import METRICS
from tiny import action_batch, build_model


def test_metric_is_the_mean_l1_over_the_videos():
    model = build_model().eval()
    data = action_batch(clips=3, shape=(2, 3, 8, 16, 16))
    with torch.no_grad():
        predictions = model.test_step(data)
    clips = torch.stack(data['inputs']).float() / 255
    expected = (model.anonymize(clips) - clips).abs().mean().item()
    metric = METRICS.build(dict(type='FrameChangeMetric'))
    for prediction in predictions:
        metric.process(data, [prediction.to_dict()])
    assert metric.evaluate(3) == {'frames/L1': pytest.approx(expected, abs=1e-6)}


def test_identity_changes_nothing():
    model = build_model(anonymizer=dict(type='IdentityAnonymizer')).eval()
    with torch.no_grad():
        predictions = model.test_step(action_batch())
    assert [prediction.frame_change.item() for prediction in predictions] == [0, 0, 0]
