"""Configs for the user's own videos: children of the project's configs, with lists and sizes."""

import os
from dataclasses import dataclass
from pathlib import Path

from division import Division

from spact_mm.datasets.group_split import PARTS

CONFIGS = Path(__file__).resolve().parents[3] / 'configs'
_HEAD = (
    '# Written by tools/data/folders/convert.py, anew each time: copy it before you change it.\n'
)
#: Clips of an epoch, which repeats few videos, the same with --quick, and the batch size of views.
_SAMPLES, _QUICK_SAMPLES, _PRIVACY_BATCH = 320, 64, 16
#: Frames of an attacker's epoch, allowed range of repetitions of a video, and batch size.
_FRAMES, _LIMITS, _ATTACK_BATCH = 1600, (4, 32), 32


@dataclass(frozen=True)
class Settings:
    """Settings of the configs apart from the division.

    Attributes:
        out (Path): The folder of lists and configs.
        videos (Path): The folder of the videos.
        num_classes (int): Number of classes.
        delimiter (str): Delimiter of the lists.
        is_quick (bool): Whether the configs only show that everything runs.
    """

    out: Path
    videos: Path
    num_classes: int
    delimiter: str
    is_quick: bool

    @property
    def name(self) -> str:
        """Name of the configs, after ``spact_`` and ``protocol_``."""
        name = self.out.resolve().name
        return ''.join(c if c.isalnum() and c.isascii() else '_' for c in name)

    @property
    def videos_text(self) -> str:
        """The folder of the videos, as in the configs."""
        if self.videos.is_absolute():
            return str(self.videos)
        # Resolved, as links in the paths may lead elsewhere.
        relative = os.path.relpath(os.path.realpath(self.videos), os.path.realpath(self.out))
        return '{{ fileDirname }}/' + Path(relative).as_posix()

    def base(self, name: str) -> str:
        """Return the name of a config of the project, for use in ``_base_``."""
        path, out = CONFIGS / name, Path(os.path.realpath(self.out))
        is_near = CONFIGS.parent in out.parents
        return Path(os.path.relpath(path, out)).as_posix() if is_near else str(path)


def write_training(settings: Settings, division: Division) -> str:
    """Return the config that trains SPAct."""
    count = len(division.anonymizer)
    times, privacy_times = _times(count, settings.is_quick)
    delimiter = f', delimiter={settings.delimiter!r}' if settings.delimiter != ' ' else ''
    quick = ''
    if settings.is_quick:
        quick = (
            '# Only to see that it runs: a stage an epoch, from whatever the one before leaves.\n'
            'custom_hooks = _base_.custom_hooks\n'
            'custom_hooks[0].force = True\n'
            'for stage in custom_hooks[0].schedule:\n'
            '    stage.epochs = 1\n'
        )
    what = f'{count} videos of {settings.num_classes} classes'
    return f"""{_HEAD}# SPAct on {what}; f_B learns from two views of them.
_base_ = {settings.base('spact_r3d_weizmann.py')!r}

lists = '{{{{ fileDirname }}}}'
files = dict(data_prefix=dict(video={settings.videos_text!r}){delimiter})
clips = dict(ann_file=f'{{lists}}/anonymizer.txt', **files)
model = dict(recognizer=dict(cls_head=dict(num_classes={settings.num_classes})))
# An epoch takes each video several times, if they are few.
train_dataloader = dict(dataset=dict(dataset=dict(times={times}, dataset=clips)))
privacy_dataloader = dict(dataset=dict(dataset=dict(times={privacy_times}, dataset=clips)))
val_dataloader = dict(dataset=dict(ann_file=f'{{lists}}/val.txt', **files))
test_dataloader = dict(dataset=dict(ann_file=f'{{lists}}/test.txt', **files))
{quick}"""


def write_protocol(settings: Settings, division: Division, title: str, data: str) -> str:
    """Return the protocol: raw, an obfuscation and SPAct, and attackers if there are labels.

    Args:
        settings (Settings): The classes and folders.
        division (Division): The written lists.
        title (str): Title of the report.
        data (str): Description of the videos, for the report.
    """
    times, _ = _times(len(division.parts['train']), settings.is_quick)
    shorter = "    'train_cfg.max_epochs': 1,\n    'param_scheduler': [],\n" * settings.is_quick
    delimiter = ''
    if settings.delimiter != ' ':
        delimiter = (
            f"    'train_dataloader.dataset.dataset.dataset.delimiter': {settings.delimiter!r},\n"
            f"    'test_dataloader.dataset.delimiter': {settings.delimiter!r},\n"
        )
    attack, panel, report = _attack(settings, division, shorter)
    return f"""{_HEAD}_base_ = {settings.base('protocols/_base_/folders.py')!r}

lists = '{{{{ fileDirname }}}}'
videos = {settings.videos_text!r}
# A fresh action target: the recipe's recognizer, behind each method.
action = {{
    'model.cls_head.num_classes': {settings.num_classes},
    'train_dataloader.dataset.dataset.times': {times},
    'train_dataloader.dataset.dataset.dataset.ann_file': f'{{lists}}/train.txt',
    'train_dataloader.dataset.dataset.dataset.data_prefix.video': videos,
    'test_dataloader.dataset.ann_file': f'{{lists}}/test.txt',
    'test_dataloader.dataset.data_prefix.video': videos,
{delimiter}{shorter}}}
{attack}
spact = dict(config='spact_{settings.name}.py', options=_base_.untested)
protocol = dict(
    title={title!r},
    methods=[*_base_.compared, dict(name='SPAct', train=spact)],
    stages=dict(
        action=dict(**_base_.action, options=action),
{panel}    ),
    report=dict({report}data={data!r}),
)
"""


def _attack(settings: Settings, division: Division, shorter: str) -> tuple[str, str, str]:
    """Return the options of attackers, their stages, and their part of the report."""
    privacy = division.privacy
    if privacy is None:
        return '', '', ''
    count, several = len(privacy.names), '' if privacy.is_one else '_several'
    num_train = len(privacy.parts['train'])
    frames = min(max(round(_FRAMES / num_train), _LIMITS[0]), _LIMITS[1])
    if settings.is_quick:
        frames = -(-_ATTACK_BATCH // num_train)
    what = 'persons' if privacy.is_identity else 'values' if privacy.is_one else 'attributes'
    options = f"""# Attackers: which of {count} {what}. They are chosen on the list "val".
attack = {{
    **_base_.attack{several},
    'model.data_preprocessor.num_classes': {count},
    'model.head.num_classes': {count},
    'train_dataloader.dataset.frames_per_video': {frames},
    **{{
        f'{{part}}_dataloader.dataset.{{key}}': value
        for part in {PARTS!r}
        for key, value in {{
            'ann_file': f'{{lists}}/privacy_{{part}}.json',
            'data_prefix.video': videos,
        }}.items()
    }},
{shorter}}}
attackers = dict(options=attack, attacker=_base_.of_{several.lstrip('_') or 'one'})
"""
    each = '**{name: dict(**stage, **attackers) for name, stage in _base_.panel.items()}'
    metric, title = ('cmap', 'cMAP') if several else ('attribute_top1', 'attribute Top-1')
    if privacy.is_identity:
        metric, title = 'identity_top1', 'identity Top-1'
    return options, f'        {each},\n', f'x={metric!r}, x_title={title!r}, '


def _times(count: int, is_quick: bool) -> tuple[int, int]:
    """Return the repetitions of each video in an epoch: for f_T, and as views for f_B."""
    times = max(1, round((_QUICK_SAMPLES if is_quick else _SAMPLES) / count))
    return times, max(times // 2, -(-_PRIVACY_BATCH // count))
