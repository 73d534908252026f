import math
import sys

import numpy as np
import pytest
import torch
from e2e import run_process
from mmaction.registry import METRICS
from mmengine.logging import MMLogger
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from spact_mm.evaluation.ranking import average_precision

TARGETS = [[1, 0, 1, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]]
SCORES = [
    [0.9, 0.1, 0.7, 0.2],
    [0.6, 0.3, 0.7, 0.1],
    [0.6, 0.6, 0.2, 0.1],
    [0.2, 0.2, 0.9, 0.4],
    [0.1, 0.4, 0.7, 0.5],
]
# average_precision_score and f1_score(zero_division=0) of scikit-learn 1.9.1 for these.
SKLEARN_AP = [0.7555555555555555, 0.0, 0.8333333333333333, 0.0]
SKLEARN_F1 = 0.38095238095238093


def samples_of(scores, targets, **metainfo):
    samples = []
    for index, (score, target) in enumerate(zip(scores, targets, strict=True)):
        sample = DataSample(metainfo={key: values[index] for key, values in metainfo.items()})
        samples.append(sample.set_pred_score(score).set_gt_score(target))
    return [sample.to_dict() for sample in samples]


def evaluate(samples, classes=None, **options):
    metric = METRICS.build(dict(type='PrivacyAttributeMetric', **options))
    metric.dataset_meta = dict(classes=classes) if classes else {}
    for sample in samples:
        metric.process({}, [sample])
    values = metric.evaluate(len(samples))
    assert all(key.startswith('privacy/') for key in values)
    return {key.removeprefix('privacy/'): value for key, value in values.items()}


def tensors(values=SCORES):
    return torch.tensor(values)


def brute_force_ap(targets, scores):
    """Sum over the distinct thresholds of (R_n - R_{n-1}) P_n, by counting."""
    total, recall, ap = sum(targets), 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        chosen = [t for t, s in zip(targets, scores, strict=True) if s >= threshold]
        ap += (sum(chosen) / total - recall) * sum(chosen) / len(chosen)
        recall = sum(chosen) / total
    return ap


def test_average_precision_is_that_of_sklearn():
    for targets, scores, expected in [
        ([0, 0, 0], [0.1, 0.2, 0.3], 0.0),
        ([1, 1, 1], [0.1, 0.2, 0.3], 1.0),
        ([1, 0, 0, 1], [0.5] * 4, 0.5),
        ([1, 0, 1, 0, 0, 1], [0.9, 0.8, 0.8, 0.8, 0.3, 0.1], 0.6666666666666666),
    ]:
        targets = np.array(targets, dtype=bool)
        assert average_precision(targets, np.array(scores)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize('levels', [3, 20, 10**6])
def test_average_precision_is_the_definition_with_ties(levels):
    random = np.random.RandomState(levels)
    for _ in range(30):
        targets = random.rand(40) < random.choice([0.05, 0.5, 0.9])
        targets[random.randint(40)] = True
        scores = random.randint(levels, size=40) / levels
        expected = brute_force_ap(targets.tolist(), scores.tolist())
        assert average_precision(targets, scores) == pytest.approx(expected, abs=1e-12)


def test_values_are_those_of_sklearn():
    values = evaluate(samples_of(tensors(), tensors(TARGETS)), classes=('w', 'x', 'y', 'z'))
    assert [values[f'AP_{name}'] for name in 'wxyz'] == pytest.approx(SKLEARN_AP, abs=1e-9)
    assert values['cMAP'] == pytest.approx(0.3972222222222222, abs=1e-9)
    assert values['F1'] == pytest.approx(SKLEARN_F1, abs=1e-9)
    assert values['cMAP_chance'] == pytest.approx((0.6 + 0 + 0.6 + 0) / 4)
    assert values['count'] == 5
    names = [f'{kind}_{c}' for kind in ('AP', 'chance') for c in 'wxyz']
    assert set(values) == {'cMAP', 'F1', 'cMAP_chance', 'count', *names}
    assert [values[f'chance_{c}'] for c in 'wxyz'] == pytest.approx([0.6, 0, 0.6, 0])


def test_attributes_without_a_positive_are_named(monkeypatch):
    logger, warnings = MMLogger.get_current_instance(), []
    monkeypatch.setattr(logger, 'log', lambda level, message: warnings.append(message))
    evaluate(samples_of(tensors(), tensors(TARGETS)), classes=('w', 'x', 'y', 'z'))
    (warning,) = (text for text in warnings if 'evaluated' in text)
    assert warning.startswith('No image evaluated has x, z:')


def test_labels_may_be_indices():
    samples = samples_of(tensors(), tensors(TARGETS))
    expected = evaluate(samples)
    for sample in samples:
        sample['gt_label'] = sample.pop('gt_score').nonzero().flatten()
    samples.append(dict(samples[0], gt_label=torch.tensor([], dtype=torch.long)))
    assert evaluate(samples[:-1]) == expected
    assert evaluate(samples)['cMAP_chance'] == pytest.approx(expected['cMAP_chance'] * 5 / 6)


def test_names_are_the_options_then_the_data_sets_then_numbers():
    samples = samples_of(tensors(), tensors(TARGETS))
    assert 'AP_3' in evaluate(samples)
    assert 'AP_z' in evaluate(samples, classes=list('wxyz'))
    assert 'AP_d' in evaluate(samples, classes=list('wxyz'), attributes=list('abcd'))


def test_threshold_is_exclusive_and_may_be_on_logits():
    scores = torch.tensor([[0.5], [0.6], [0.63], [0.9]])
    samples = samples_of(scores, torch.tensor([[1.0], [0], [1], [1]]))
    # Two of three positives among three predicted; two among the two above 0.622; one among one.
    assert evaluate(samples)['F1'] == pytest.approx(2 * 2 / (3 + 3))
    assert evaluate(samples, on_logits=True)['F1'] == pytest.approx(2 * 2 / (3 + 2))
    assert evaluate(samples, threshold=0.7)['F1'] == pytest.approx(2 * 1 / (3 + 1))
    at_ninety = evaluate(samples, threshold=math.log(0.89 / 0.11), on_logits=True)['F1']
    assert at_ninety == pytest.approx(2 * 1 / (3 + 1))


def test_video_level_averages_scores_first():
    scores = torch.tensor([[0.9], [0.2], [0.4], [0.1], [0.7]])
    targets = torch.tensor([[1.0], [1], [0], [1], [0]])
    videos = ['a', 'b', 'c', 'a', 'c']  # a: 0.5, b: 0.2, c: 0.55
    targets[3] = targets[0]
    samples = samples_of(scores, targets, video_id=videos)
    values = evaluate(samples, level='video')
    # c (negative), a, b: precisions 1/2 and 2/3 at the positives.
    assert values['cMAP'] == pytest.approx((1 / 2 + 2 / 3) / 2, abs=1e-9)
    assert values['cMAP_chance'] == pytest.approx(2 / 3)
    assert values['count'] == 3
    assert evaluate(samples)['count'] == 5


def test_single_label_gives_top1_and_one_versus_rest():
    scores = torch.tensor([[0.4, 0.3, 0.2, 0.1], [0.2, 0.3, 0.4, 0.1], [0.1, 0.3, 0.4, 0.2]])
    scores = torch.cat([scores, torch.tensor([[0.3, 0.4, 0.2, 0.1]])])
    samples = []
    for score, label in zip(scores, [0, 1, 2, 2], strict=True):
        samples.append(DataSample().set_pred_score(score).set_gt_label(label).to_dict())
    values = evaluate(samples, single_label=True, attributes=list('pqrs'))
    assert values['top1'] == 2 / 4 and values['top1_chance'] == 2 / 4
    # f1_score([0, 1, 2, 2], [0, 2, 2, 1], labels=range(4), average='macro', zero_division=0)
    assert values['F1'] == pytest.approx(0.375, abs=1e-9)
    assert [values[f'AP_{name}'] for name in 'prs'] == [1.0, 0.5, 0.0]
    assert values['AP_q'] == pytest.approx(1 / 4)  # 0.4 first, then the three equal ones
    assert values['cMAP_chance'] == pytest.approx(1 / 4)


@pytest.mark.parametrize('head', ['MultiLabelLinearClsHead', 'LinearClsHead'])
def test_it_reads_what_an_image_classifier_predicts(head):
    loss = dict(type='mmpretrain.CrossEntropyLoss', use_sigmoid=head.startswith('Multi'))
    classifier = MODELS.build(
        dict(
            type='mmpretrain.ImageClassifier',
            _scope_='mmpretrain',
            backbone=dict(type='ResNet', depth=18, base_channels=4, stem_channels=4),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type=head, num_classes=3, in_channels=32, loss=loss),
        )
    )
    classifier.eval()
    images = torch.rand(6, 3, 32, 32) * 255
    data = dict(inputs=images, data_samples=[DataSample().set_gt_label(i % 3) for i in range(6)])
    with torch.no_grad():
        predictions = classifier.test_step(data)
    single = head == 'LinearClsHead'
    values = evaluate([p.to_dict() for p in predictions], single_label=single)
    scores = np.stack([p.pred_score.numpy() for p in predictions])
    labels = np.arange(6) % 3
    expected = [brute_force_ap((labels == k).tolist(), scores[:, k].tolist()) for k in range(3)]
    assert [values[f'AP_{k}'] for k in range(3)] == pytest.approx(expected, abs=1e-9)
    assert ('top1' in values) == single
    if single:
        assert values['top1'] == pytest.approx((scores.argmax(1) == labels).mean())


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf, 3.2])
def test_scores_that_are_no_probabilities_are_refused(bad):
    scores = tensors()
    scores[2, 1] = bad
    samples = samples_of(scores, tensors(TARGETS), img_path=list('abcde'))
    with pytest.raises(ValueError, match='pred_score of img_path c .*diverged'):
        evaluate(samples)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(level='clip'), "level of PrivacyAttributeMetric is 'clip'"),
        (dict(threshold=1.5), 'set on_logits=True'),
        (dict(single_label=True, on_logits=True), 'no meaning with single_label'),
        (dict(single_label=True, threshold=0.2), 'no meaning with single_label'),
        (dict(attributes=['a', 'b']), '2 names, but the attacker gives 4 scores'),
        (dict(level='video'), "img_path a.jpg has no video_id.*add 'video_id' to meta_keys"),
        (dict(single_label=True), 'img_path a.jpg are .*exactly one'),
    ],
)
def test_wrong_options_are_refused(options, message):
    samples = samples_of(tensors(), tensors(TARGETS), img_path=['a.jpg'] * 5)
    with pytest.raises(ValueError, match=message):
        evaluate(samples, **options)


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(gt_score=torch.ones(3)), '3 labels but 4 scores; set num_classes'),
        (dict(gt_score=torch.full((4,), 0.5)), '0 and 1 only'),
        (dict(gt_score=None), 'neither gt_score nor gt_label'),
    ],
)
def test_wrong_labels_are_refused(change, message):
    (sample,) = samples_of(tensors()[:1], tensors(TARGETS)[:1])
    sample = {key: v for key, v in dict(sample, **change).items() if v is not None}
    with pytest.raises(ValueError, match=message):
        evaluate([sample])


def test_frames_of_a_video_that_differ_in_labels_are_refused():
    samples = samples_of(tensors(), tensors(TARGETS), video_id=['v'] * 5)
    with pytest.raises(ValueError, match="video v have different labels; use level='image'"):
        evaluate(samples, level='video')


def test_no_prediction_is_refused():
    with pytest.raises(ValueError, match='got no prediction'):
        evaluate([])


#: Five samples on two processes, dealt as DefaultSampler deals them: the last one twice.
TWO_PROCESSES = """
import torch, torch.distributed as dist
import spact_mm
from spact_mm.evaluation import PrivacyAttributeMetric

dist.init_process_group('gloo')
rank = dist.get_rank()
scores = torch.tensor([0.9, 0.2, 0.4, 0.1, 0.7, 0.9])
targets = [1.0, 1, 0, 1, 0, 1]
metric = PrivacyAttributeMetric(level='video')
for index in range(rank, 6, 2):
    metric.process({}, [dict(pred_score=scores[index : index + 1], video_id='abcaca'[index],
                             gt_score=torch.tensor([targets[index]]))])
values = metric.evaluate(5)
assert values['privacy/count'] == 3
assert abs(values['privacy/cMAP'] - (1 / 2 + 2 / 3) / 2) < 1e-9, values
print(f'equal {rank}')
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_evaluate_all_samples_once(tmp_path):
    script = tmp_path / 'metric.py'
    script.write_text(TWO_PROCESSES)
    launch = ('-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2')
    done = run_process(tmp_path, sys.executable, *launch, script)
    assert done.code == 0, done.stderr
    assert 'equal 0' in done.stdout and 'equal 1' in done.stdout


def label_samples(scores, targets):
    """Samples without gt_score, which MMPretrain takes only if it is as long as pred_score."""
    return [
        DataSample().set_pred_score(score).set_gt_label(target.nonzero()[:, 0]).to_dict()
        for score, target in zip(scores, targets, strict=True)
    ]


def test_columns_make_an_attribute_of_several_scores():
    scores = tensors([[0.9, 0.2, 0.7, 0.3], [0.1, 0.4, 0.8, 0.2], [0.3, 0.6, 0.1, 0.9]])
    combined = tensors([[0.3, 0.9], [0.2, 0.8], [0.9, 0.6]])
    targets = tensors([[0, 1], [0, 1], [1, 1]])
    columns = dict(other=[7], face=[0, 1, 2], gender=[3])
    names = ['gender', 'face']
    values = evaluate(label_samples(scores, targets), names, columns=columns)
    assert values == evaluate(samples_of(combined, targets), names)
    assert values['AP_gender'] == 1 and values['F1'] == 1


def test_columns_that_do_not_fit_are_named():
    samples = label_samples(tensors([[0.9, 0.2]]), tensors([[0, 1]]))
    with pytest.raises(ValueError, match='no entry for face'):
        evaluate(samples, ['gender', 'face'], columns=dict(gender=[0]))
    with pytest.raises(ValueError, match='gives 2 scores'):
        evaluate(samples, ['gender', 'face'], columns=dict(gender=[0], face=[1, 2]))
