import math
import sys

import numpy as np
import pytest
import torch
from e2e import run_process
from mmaction.registry import METRICS

from spact_mm.evaluation.ranking import equal_error_rate, rank_first, roc_curve


def at(*degrees):
    """Return embeddings in the plane, of various lengths."""
    return [
        (1 + index) * torch.deg2rad(torch.tensor([d, d - 90.0]).double()).cos()
        for index, d in enumerate(degrees)
    ]


def samples_of(embeddings, persons, videos=None, actions=None):
    videos = videos or [f'v{index}' for index in range(len(persons))]
    samples = [
        dict(embedding=embedding, gt_label=torch.tensor([person]), video_id=video)
        for embedding, person, video in zip(embeddings, persons, videos, strict=True)
    ]
    for sample, action in zip(samples, actions or (), strict=bool(actions)):
        sample['action'] = action
    return samples


def evaluate(samples, classes=None, **options):
    metric = METRICS.build(dict(type='VerificationMetric', **options))
    metric.dataset_meta = dict(classes=classes) if classes else {}
    for sample in samples:
        metric.process({}, [sample])
    values = metric.evaluate(len(samples))
    assert all(key.startswith('link/') for key in values)
    return {key.removeprefix('link/'): value for key, value in values.items()}


def test_perfect_embeddings():
    values = evaluate(samples_of(at(0, 10, 90, 100), [0, 0, 1, 1]))
    assert values == dict(
        EER=0,
        EER_chance=0.5,
        AUC=1,
        AUC_chance=0.5,
        Rank1=1,
        Rank1_chance=pytest.approx(1 / 3),
        count=4,
        pairs=6,
    )


def test_reversed_embeddings():
    """Each video is closest to one of the other person, and farthest from its own."""
    values = evaluate(samples_of(at(0, 90, 0, 90), [0, 0, 1, 1]))
    # The same person: 90 and 90 degrees; others: 0, 0, 90, 90. A tie counts half.
    assert values['AUC'] == pytest.approx((0 + 0 + 0.5 + 0.5) / 4)
    assert values['Rank1'] == 0
    # (0, 0), (0.5, 0), (1, 1): x = 1 - y at 0.5 + t / 2 = 1 - t.
    assert values['EER'] == pytest.approx(2 / 3)
    values = evaluate(samples_of(at(0, 180, 90, 270), [0, 0, 1, 1]))
    assert (values['EER'], values['AUC'], values['Rank1']) == (1, 0, 0)


@pytest.mark.parametrize('vector', [[3.0, -1.0], [0.1, 0.7], [0.0, 0.0]])
@pytest.mark.parametrize('noise', [0, 1e-6])
def test_constant_embeddings_are_exactly_at_chance(vector, noise):
    """Also where sums were rounded differently, in a way that goes with the person."""
    persons = [0, 0, 0, 1, 1, 2, 2, 2, 2]
    embeddings = [torch.tensor(vector) * (1 + noise * person) for person in persons]
    for embedding, person in zip(embeddings, persons, strict=True):
        embedding[0] += noise * person * abs(vector[0])
    values = evaluate(samples_of(embeddings, persons))
    assert values['EER'] == values['AUC'] == 0.5
    chance = (3 * 2 + 2 * 1 + 4 * 3) / 9 / 8
    assert values['Rank1'] == values['Rank1_chance'] == pytest.approx(chance, abs=1e-12)


def test_values_by_hand():
    # Same: 20 (a), 50 (b). Others: 30, 80, 10, 60 degrees apart.
    values = evaluate(samples_of(at(0, 20, 30, 80), [0, 0, 1, 1]))
    # 20 is closer than 30, 80, 60; 50 than 80, 60.
    assert values['AUC'] == pytest.approx((3 + 2) / 8)
    # 0 finds 20, 20 finds 30, 30 finds 20, 80 finds 30.
    assert values['Rank1'] == pytest.approx(2 / 4)
    # (1/4, 0), (1/4, 1/2), (1/2, 1/2): a threshold of 30 degrees.
    assert values['EER'] == pytest.approx(1 / 2)


def test_eer_is_between_the_thresholds():
    targets = np.array([1, 0, 1, 0, 0], bool)
    # (0, 0), (0, 1/2), (1/3, 1/2), (1/3, 1), (1, 1): misses fall from 1/2 to 0 at 1/3.
    assert equal_error_rate(*roc_curve(targets, np.arange(5, 0, -1))) == pytest.approx(1 / 3)
    # One tie of one of either kind: (0, 1/2) to (1/3, 1), where 1/3 t = 1/2 - t / 2.
    scores = np.array([5, 4, 4, 2, 1])
    assert equal_error_rate(*roc_curve(targets, scores)) == pytest.approx(1 / 5)


@pytest.mark.parametrize('levels', [2, 5, 10**6])
def test_numbers_are_their_definitions_with_ties(levels):
    random = np.random.RandomState(levels)
    for _ in range(20):
        targets = random.rand(30) < 0.4
        targets[:2] = True, False
        scores = random.randint(levels, size=30) / levels
        false_alarms, hits = roc_curve(targets, scores)
        area = (np.diff(false_alarms) * (hits[1:] + hits[:-1]) / 2).sum()
        difference = scores[targets][:, None] - scores[~targets]
        assert area == pytest.approx((np.sign(difference) / 2 + 0.5).mean(), abs=1e-12)
        # The points are the rates at each distinct threshold.
        expected = [
            ((scores[~targets] >= t).mean(), (scores[targets] >= t).mean())
            for t in sorted(set(scores), reverse=True)
        ]
        points = np.stack([false_alarms, hits], 1)
        np.testing.assert_allclose(points, [(0, 0), *expected], atol=1e-12)
        # As many misses as false alarms: on a slanted line, or within a step of the curve.
        rate = equal_error_rate(false_alarms, hits)
        step = hits[false_alarms == rate]
        if not len(step):
            step = np.interp(rate, false_alarms, hits) + np.array([-1e-9, 1e-9])
        assert step.min() <= 1 - rate <= step.max()


def test_rank_first_shares_ties():
    similarity = np.array([[9, 0.5, 0.5, 0.1], [0.5, 9, 0.2, 0.9], [0.5, 0.2, 9, 0.2], [0] * 4])
    persons = np.array([0, 0, 1, 1])
    same = persons[:, None] == persons
    first, chance = rank_first(similarity, same, ~np.eye(4, dtype=bool))
    # Half of a tie of two; wrong; wrong; a third of a tie of three.
    assert first == pytest.approx((1 / 2 + 0 + 0 + 1 / 3) / 4)
    assert chance == pytest.approx(1 / 3)


def test_samples_of_a_video_are_averaged_at_length_one():
    # Video a: 0 and 60 degrees, the second longer: 30 degrees.
    embeddings = [*at(0, 60), *at(40, 20, 21)]
    videos = ['a', 'a', 'b', 'c', 'd']
    values = evaluate(samples_of(embeddings, [0, 0, 0, 1, 1], videos))
    alone = evaluate(samples_of(at(30, 40, 20, 21), [0, 0, 1, 1]))
    assert values == pytest.approx(alone) and values['count'] == 4
    # Same: 10, 1. Others: 10, 9, 20, 19: a tie, and one that is closer.
    assert values['AUC'] == pytest.approx((4 + 2 + 0.5) / 8)


def test_only_videos_of_different_actions_are_compared():
    # Each person moves by 20 degrees; run is at 0, jump at 90, so that actions lie together.
    embeddings, persons = at(0, 20, 90, 110, 2), [0, 1, 0, 1, 0]
    actions = ['run', 'run', 'jump', 'jump', 'run']
    plain = evaluate(samples_of(embeddings, persons, actions=actions))
    across = evaluate(samples_of(embeddings, persons, actions=actions), across='action')
    assert (plain['pairs'], across['pairs']) == (10, 6)
    # The run that was repeated finds itself; nothing else does.
    assert plain['Rank1'] == pytest.approx(2 / 5)
    # 0 -> 90 right, 20 -> 90 wrong, 2 -> 90 right; 90 -> 20 wrong, 110 -> 20 right.
    assert across['Rank1'] == pytest.approx(3 / 5)
    # Of 2 jumps each run is one's own; of 3 runs, 2 and 1.
    assert across['Rank1_chance'] == pytest.approx((3 * 1 / 2 + 2 / 3 + 1 / 3) / 5)
    # Same: 90, 88, 90 degrees; others: 110, 70, 108: each closer than two, farther than one.
    assert across['AUC'] == pytest.approx(2 / 3)
    assert across['EER'] == pytest.approx(1 / 3)


def test_it_reads_what_a_classifier_of_other_persons_predicts():
    """One column of inputs is a person's; the labels of training do not matter."""
    from mmaction.registry import MODELS
    from mmpretrain.structures import DataSample

    model = MODELS.build(
        dict(
            type='EmbeddingClassifier',
            _scope_='mmpretrain',
            backbone=dict(type='FullResolutionCNN', widths=(4, 8)),
            neck=dict(type='MeanMaxPooling'),
            head=dict(type='LinearClsHead', num_classes=3, in_channels=16),
        )
    ).eval()
    images = torch.rand(3, 3, 8, 8).repeat_interleave(2, 0)
    samples = [
        DataSample(metainfo=dict(video_id=f'v{k}')).set_gt_label(5 + k // 2) for k in range(6)
    ]
    with torch.no_grad():
        predictions = model.predict(images, samples)
        (features,) = model.extract_feat(images)
    assert torch.equal(torch.stack([p.embedding for p in predictions]), features)
    values = evaluate([p.to_dict() for p in predictions])
    assert (values['EER'], values['AUC'], values['Rank1']) == (0, 1, 1)


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(embedding=None), 'v0 has no embedding.*EmbeddingClassifier'),
        (dict(embedding=torch.tensor([1.0, math.nan])), 'embedding of v0 .*not finite.*diverged'),
        (dict(embedding=torch.ones(2, 2)), r'embedding of v0 has the shape \(2, 2\)'),
        (dict(gt_label=torch.tensor([0, 1])), 'v0 has 2 labels in place of one.*single_label'),
        (dict(gt_label=None), 'v0 has 0 labels in place of one'),
        (dict(video_id=None), "has no video_id.*add 'video_id' to meta_keys"),
        (dict(action=None), "v0 has no action.*add 'action' to meta_keys"),
    ],
)
def test_incomplete_samples_are_refused(change, message):
    samples = samples_of(at(0, 1, 2, 3), [0, 0, 1, 1], actions=list('abab'))
    samples[0] = {k: v for k, v in dict(samples[0], **change).items() if v is not None}
    with pytest.raises(ValueError, match=message):
        evaluate(samples, across='action')


@pytest.mark.parametrize(
    'persons, actions, message',
    [
        ([0, 0, 0, 0], None, 'two persons at least, but all are of ann;'),
        ([0, 0, 0, 1], None, 'two videos of each person at least, but bob has fewer'),
        ([0, 0, 1, 1], list('abcc'), 'two videos that differ in action of each .* bob has fewer'),
    ],
)
def test_too_few_videos_are_refused(persons, actions, message):
    samples = samples_of(at(0, 1, 2, 3), persons, actions=actions)
    with pytest.raises(ValueError, match=message):
        evaluate(samples, classes=('ann', 'bob'), across='action' if actions else None)


def test_samples_of_a_video_that_differ_in_person_are_refused():
    with pytest.raises(ValueError, match='Samples of the video v differ in person'):
        evaluate(samples_of(at(0, 1, 2), [0, 1, 1], ['v', 'v', 'w']))


def test_no_prediction_is_refused():
    with pytest.raises(ValueError, match='got no prediction'):
        evaluate([])


#: Five samples of four videos on two processes, dealt as DefaultSampler does: the first one twice.
TWO_PROCESSES = """
import torch, torch.distributed as dist
import spact_mm
from spact_mm.evaluation import VerificationMetric

dist.init_process_group('gloo')
rank = dist.get_rank()
angles = torch.deg2rad(torch.tensor([0.0, 60, 40, 20, 21, 0]).double())
persons = [0, 0, 0, 1, 1, 0]
metric = VerificationMetric()
for index in range(rank, 6, 2):
    embedding = torch.stack([angles[index].cos(), angles[index].sin()])
    metric.process({}, [dict(embedding=embedding, gt_label=torch.tensor([persons[index]]),
                             video_id='aabcda'[index])])
values = metric.evaluate(5)
assert values['link/count'] == 4
assert abs(values['link/AUC'] - 6.5 / 8) < 1e-9, values
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
