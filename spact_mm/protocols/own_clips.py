"""The protocol that attacks the user's own clips, before and after an anonymizer."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..datasets.annotation_files import write_attribute_file
from ..datasets.own_clips import PARTS, Division, LabelledClips
from ..evaluation.few_samples import (
    FEW_CLIPS,
    chance_of_precision,
    share_interval,
    smallest_difference,
)
from ..evaluation.panel_report import PanelReport
from ..files import write_whole
from .protocol import Protocol, load_protocol
from .results import collect_rows

#: The method that stands for raw clips.
RAW = 'raw'
#: Samples of all clips in an attacker's epoch, and iterations of its training, full and quick.
_SAMPLES, _ITERATIONS, _QUICK_ITERATIONS = 1600, 240, 120
#: Allowed ranges of samples of a clip in an epoch, and of epochs.
_FRAMES, _EPOCHS = (4, 32), (4, 60)
_BATCH = 32
_NOTES = (
    'An attacker uses whatever tells persons apart: clothes, the room, the light of the day and '
    'the camera, too. Clips cut from one recording are nearly the same for him.',
    'Frames are resized to {size} × {size}, whole and so perhaps squeezed, before the anonymizer: '
    'the numbers are for frames of that size, and say nothing of larger ones.',
    'These attackers train for minutes. They find a lower bound of what leaks; that they '
    'find nothing proves nothing.',
)


def plan_attack(
    work_dir: str | os.PathLike,
    clips: LabelledClips,
    copies: Mapping[str, str],
    videos: str | os.PathLike,
    method: Mapping,
    seeds: Sequence[int],
    configs: str | os.PathLike,
    size: int,
    title: str,
    imports: Sequence[str] = (),
    quick: bool = False,
) -> Protocol:
    """Write the lists and the config of a protocol into its work dir, and plan the protocol.

    Args:
        work_dir: Folder that gets ``lists/`` and ``attack.py``.
        clips (LabelledClips): The clips and their labels.
        copies (Mapping[str, str]): The file of each clip, below ``videos``.
        videos: The folder of these files.
        method (Mapping): Name and anonymizer of a method, as for :func:`load_protocol`.
        seeds (Sequence[int]): Seeds, each with its own division of the clips.
        configs: The folder with ``attack_{image,mean,clip}_folder.py``.
        size (int): Width and height of the files.
        title (str): Title of the report.
        imports (Sequence[str]): Modules that register the anonymizer. Defaults to none.
        quick (bool): Whether attackers train for a shorter time. Defaults to False.

    Raises:
        FileNotFoundError: If a config or checkpoint does not exist.
        ValueError: If there are too few persons or clips, or the anonymizer cannot be built.
    """
    work_dir = Path(work_dir)
    for seed in seeds:
        for part, names in clips.divide(seed).items():
            entries = [(copies[name], clips.labels[name]) for name in names]
            path = work_dir / 'lists' / f'seed{seed}' / f'{part}.json'
            write_attribute_file(path, clips.attributes, entries, 'own clips')
    lists = str(work_dir / 'lists')
    options = _options(clips, lists, str(videos), quick)
    metric, title_of_metric = _metric(clips)
    attacker = dict(score=f'video/{metric}', chance=f'video/{metric}_chance')
    stages = {}
    for name in ('image', 'mean', 'clip'):
        config = str(Path(configs, f'attack_{name}_folder.py').resolve())
        stage = dict(config=config, options=options, attacker=attacker)
        stages[name] = dict(stage) if name == 'image' else dict(stage, only=[RAW])
        # Trained from scratch on anonymized frames, an attacker may find nothing only because its
        # training is too short.
        stages[f'{name}_raw'] = dict(stage, load=f'{RAW}:{name}', skip=[RAW])
    # A report needs a metric to have a row for a seed.
    stages['image']['metrics'] = dict(f1='video/F1')
    protocol = dict(
        title=title,
        seeds=list(seeds),
        methods=[dict(name=RAW, anonymizer=dict(type='IdentityAnonymizer')), dict(method)],
        stages=stages,
        report=dict(
            columns=[],
            method=method['name'],
            supervised=None,
            x='identity_top1' if clips.is_identity else 'cmap',
            x_title=title_of_metric,
            data=describe_clips(clips, clips.divide(seeds[0])),
            notes=[note.format(size=size) for note in _NOTES],
        ),
    )
    text = f'protocol = {protocol!r}\n'
    if imports:
        text = (
            f'custom_imports = {dict(imports=list(imports), allow_failed_imports=False)!r}\n{text}'
        )
    path = work_dir / 'attack.py'
    write_whole(path, f'# Written by tools/attack.py, anew each time.\n{text}')
    return load_protocol(path, work_dir)


def describe_clips(clips: LabelledClips, division: Division) -> str:
    """Return a sentence with the numbers of clips and persons, and of clips in each part."""
    persons = f' of {len(clips.groups)} persons' if clips.has_persons else ''
    parts = ', '.join(f'{len(division[part])} {part}' for part in PARTS)
    attributes = '' if clips.is_identity else f'; attributes: {", ".join(clips.attributes)}'
    return f'{len(clips.labels)} clips{persons} ({parts}){attributes}'


def describe_limits(clips: LabelledClips, division: Division) -> list[str]:
    """Return sentences on the statistical limits of the number of test clips.

    Args:
        clips (LabelledClips): The clips.
        division (Division): Division of one seed.
    """
    test = division['test']
    count, told = len(test), []
    if clips.is_identity:
        persons = [clips.labels[name][0] for name in test]
        chance = max(map(persons.count, set(persons))) / count
        told.append(
            f'With {count} test clips chance is {100 * chance:.0f} %, and a difference of less '
            f'than about {100 * smallest_difference(count):.0f} points may be chance itself.'
        )
    else:
        positives = _count_positives(clips, test)
        rarest = min(positives, key=positives.get)
        bound, difference = chance_of_precision(list(positives.values()), count)
        told.append(
            f'With {count} test clips chance is a cMAP of '
            f'{100 * sum(positives.values()) / len(positives) / count:.0f} %; one below about '
            f'{100 * bound:.0f} %, and a difference of less than about {100 * difference:.0f} '
            f'points, may be chance itself. Rarest is {rarest!r}, in {positives[rarest]} of them.'
        )
        if not clips.has_persons:
            told.append(
                'Warning: the table has no column "person", so clips of one person may be on both '
                'sides, and what looks like an attribute may be the person.'
            )
    if count < FEW_CLIPS:
        told.append(
            f'Caution: {count} test clips are few, {FEW_CLIPS} or more tell something; do not '
            'conclude that anything is protected.'
        )
    return told


def tell_findings(protocol: Protocol, clips: LabelledClips, method: str) -> list[str]:
    """Return sentences on the findings of the strongest attackers before and after anonymizing.

    Args:
        protocol (Protocol): Result of :func:`plan_attack`, finished or not.
        clips (LabelledClips): The clips.
        method (str): The anonymizer's name.

    Returns:
        list[str]: The sentences; for an unfinished protocol, that the strongest attacker is
        unknown.
    """
    if any(stage.read_result() is None for stage in protocol.stages):
        return ['Not all attackers are done, so the strongest is not known yet.']
    rows = [row for row in collect_rows(protocol.stages) if 'attackers' in row]
    summary = PanelReport(rows, raw=RAW, method=method).summary
    scores = {name: summary[name]['score']['mean'] for name in (RAW, method)}
    chance = summary[method]['chance']['mean']
    seeds = sorted({row['seed'] for row in rows})
    # Several seeds test partly the same clips, so the number of independent clips is at least that
    # of one seed.
    tests = [clips.divide(seed)['test'] for seed in seeds]
    count = min(map(len, tests))
    before, after = (_score(clips, scores[name], count) for name in (RAW, method))
    what = 'names the person in' if clips.is_identity else 'reads the attributes with'
    first = (
        f'The strongest attacker {what} {before} before and {"in " * clips.is_identity}{after} '
        f'after {method}; chance is {100 * chance:.0f} %'
    )
    if clips.is_identity:
        is_clear = share_interval(scores[RAW], count)[0] > chance
        smallest = smallest_difference(count)
    else:
        limits = [
            chance_of_precision(list(_count_positives(clips, test).values()), len(test))
            for test in tests
        ]
        is_clear = scores[RAW] > max(bound for bound, _ in limits)
        smallest = max(difference for _, difference in limits)
    removed = summary[method].get('advantage_removed')
    if removed is None or not is_clear:
        return [
            f'{first}.',
            'Already on raw clips the attackers are not clearly better than chance, so nothing can '
            'be told of the anonymizer: give more clips.',
        ]
    if removed['mean'] < 0.005:
        return [f'{first}: nothing of the advantage is removed.']
    told = [f'{first}: {100 * removed["mean"]:.0f} % of the advantage is removed.']
    difference = scores[RAW] - scores[method]
    if difference < smallest:
        told.append(
            f'The difference of {100 * difference:.0f} points may be chance: {count} test clips '
            f'show about {100 * smallest:.0f}.'
        )
    return told


def _count_positives(clips: LabelledClips, names: Sequence[str]) -> dict[str, int]:
    return {a: sum(a in clips.labels[name] for name in names) for a in clips.attributes}


def _score(clips: LabelledClips, score: float, count: int) -> str:
    if not clips.is_identity:
        return f'a cMAP of {100 * score:.0f} %'
    low, high = (100 * bound for bound in share_interval(score, count))
    return f'{100 * score:.0f} % of clips (95 % interval {low:.0f} to {high:.0f} %)'


def _metric(clips: LabelledClips) -> tuple[str, str]:
    """Return the attackers' metric and its name in a report."""
    return ('top1', 'identity Top-1') if clips.is_identity else ('cMAP', 'cMAP')


def _options(clips: LabelledClips, lists: str, videos: str, quick: bool) -> dict:
    """Return the options of an attacker's config that depend on the clips."""
    # Computed from all clips, as the lengths of the lists differ slightly between seeds.
    num_train = max(1, len(clips.labels) // 2)
    frames = _clip(round(_SAMPLES / num_train), *_FRAMES)
    iterations = max(1, num_train * frames // _BATCH)
    epochs = _clip(round((_QUICK_ITERATIONS if quick else _ITERATIONS) / iterations), *_EPOCHS)
    options = {
        'model.data_preprocessor.num_classes': len(clips.attributes),
        'model.head.num_classes': len(clips.attributes),
        'train_dataloader.dataset.frames_per_video': frames,
        'train_cfg.max_epochs': epochs,
        'param_scheduler.total_steps': epochs,
    }
    for part in PARTS:
        dataset = f'{part}_dataloader.dataset'
        options[f'{dataset}.ann_file'] = os.path.join(lists, 'seed{seed}', f'{part}.json')
        options[f'{dataset}.data_prefix.video'] = videos
    if not clips.is_identity:
        options['model.head.type'] = 'MultiLabelLinearClsHead'
        evaluator = [dict(type='PrivacyAttributeMetric', level='video', prefix='video')]
        options |= dict(val_evaluator=evaluator, test_evaluator=evaluator)
        options |= {f'{part}_dataloader.dataset.single_label': False for part in PARTS}
    return options


def _clip(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))
