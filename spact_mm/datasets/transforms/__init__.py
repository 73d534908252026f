"""Transforms that MMAction2 lacks, for clips (``imgs``) and images (``img``).

Frames are RGB uint8 throughout. A training clip of SPAct::

    dict(type='DecordInitFromPath', num_threads=1),
    dict(type='ReflectSampleFrames', clip_len=16, frame_interval=2, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='SquareCrop', scale=(0.6, 1.0)),
    dict(type='Resize', scale=(112, 112), keep_ratio=False),
    dict(type='ClipColorJitter'),
    dict(type='FlipOrErase', flip=0.5, erase=0.25, erase_size=(9, 18)),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),

A test clip::

    dict(type='DecordInitFromPath', num_threads=1),
    dict(type='ReflectSampleFrames', clip_len=16, frame_interval=2, num_clips=5, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='SquareCrop', scale=0.8, random=False),
    dict(type='Resize', scale=(112, 112), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),

Two views of an image::

    dict(type='LoadImageRGB'),
    dict(type='TwoViews', transforms=[
        dict(type='SquareCrop', scale=(0.6, 1.0)),
        dict(type='Resize', scale=(112, 112), keep_ratio=False),
        dict(type='ClipColorJitter'),
        dict(type='FlipOrErase', flip=0.5, erase=0.25, erase_size=(9, 18)),
    ]),
    dict(type='mmpretrain.PackInputs'),

One image with labels; ``Resize`` is MMPretrain's, since MMAction2's resizes clips only::

    dict(type='LoadImageRGB'),
    dict(type='SquareCrop', scale=(0.6, 1.0)),
    dict(type='mmpretrain.Resize', scale=(224, 224)),
    dict(type='ClipColorJitter'),
    dict(type='FlipOrErase', erase_size=(0.08, 0.16)),
    dict(type='mmpretrain.PackInputs'),

One frame of a labelled video (``VideoAttributeDataset``)::

    dict(type='LoadVideoFrame'),
    dict(type='SquareCrop', scale=0.8, random=False),
    dict(type='mmpretrain.Resize', scale=(224, 224)),
    dict(type='mmpretrain.PackInputs', meta_keys=('filename', 'video_id', 'frame_index')),

Boxes of persons, for anonymizers that cover them, come right after the frames
(``docs/person_boxes.md``)::

    dict(type='DecordDecode'),
    dict(type='LoadPersonBoxes', box_file='data/ucf101/person_boxes.json'),
    dict(type='SquareCrop', scale=0.8, random=False),
    dict(type='Resize', scale=(112, 112), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('img_shape', 'person_boxes')),
"""

from .color import ClipColorJitter
from .crop import SquareCrop
from .flip_erase import FlipOrErase
from .loading import DecordInitFromPath, LoadImageRGB
from .person_boxes import LoadPersonBoxes
from .sampling import ReflectSampleFrames, SampleClip
from .video_frame import LoadVideoFrame
from .views import TwoViews

__all__ = [
    'ClipColorJitter',
    'DecordInitFromPath',
    'FlipOrErase',
    'LoadImageRGB',
    'LoadPersonBoxes',
    'LoadVideoFrame',
    'ReflectSampleFrames',
    'SampleClip',
    'SquareCrop',
    'TwoViews',
]
