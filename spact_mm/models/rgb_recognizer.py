"""Building f_T, a recognizer that classifies RGB frames."""

from mmaction.registry import MODELS
from torch import nn

from .frames import check_format

#: Recognizers of MMAction2 with other or further inputs than RGB frames.
_OTHERS = {
    'RecognizerGCN': 'skeletons',
    'RecognizerAudio': 'sound',
    'MMRecognizer3D': 'skeletons beside frames',
    'RecognizerOmni': 'images beside videos',
    'CLIPSimilarity': 'texts beside videos',
}


def build_rgb_recognizer(config: dict) -> tuple[nn.Module, str]:
    """Build f_T, if it classifies RGB frames.

    Args:
        config (dict): An MMAction2 recognizer.

    Returns:
        tuple[nn.Module, str]: The recognizer, and the layout of its clips, ``'NCTHW'`` or
        ``'NCHW'``.

    Raises:
        ValueError: If the recognizer takes anything but RGB frames, or predicts anything but one
            class of many.
    """
    name = config['type'] if isinstance(config['type'], str) else config['type'].__name__
    name = name.split('.')[-1]
    if name in _OTHERS:
        raise ValueError(
            f'model.recognizer is a {name}, which takes {_OTHERS[name]}, but the anonymizer '
            'rewrites RGB frames only; use a Recognizer2D or Recognizer3D.'
        )
    # The base classes of preprocessors fail at other layouts without naming the key.
    check_format((config.get('data_preprocessor') or {}).get('format_shape', 'NCHW'))
    channels = (config.get('backbone') or {}).get('in_channels', 3)
    if channels != 3:
        raise ValueError(
            f'model.recognizer.backbone.in_channels is {channels}, as for optical flow, but the '
            'anonymizer rewrites RGB frames of 3 channels only; use an RGB recognizer.'
        )
    recognizer = MODELS.build(config)
    head = getattr(recognizer, 'cls_head', None)
    if head is None:
        raise ValueError(
            f'model.recognizer, a {name}, has no cls_head, so that it has neither a loss nor a '
            'prediction of the action; give it one, as in the configs of MMAction2.'
        )
    if getattr(head, 'multi_class', False):
        raise ValueError(
            'model.recognizer.cls_head has multi_class=True, several actions for each video, but '
            'the minimax and its measures take one; set multi_class=False and label each video '
            'with one class.'
        )
    _check_blending(recognizer.data_preprocessor, head)
    return recognizer, check_format(getattr(recognizer.data_preprocessor, 'format_shape', 'NCHW'))


def _check_blending(preprocessor: nn.Module, head: nn.Module) -> None:
    """Compare the classes of soft labels with those of the head."""
    blending = getattr(preprocessor, 'blending', None)
    for augment in getattr(blending, 'augments', [blending]):
        classes = getattr(augment, 'num_classes', head.num_classes)
        if classes != head.num_classes:
            raise ValueError(
                f'{type(augment).__name__} in model.recognizer.data_preprocessor.blending has '
                f'num_classes={classes}, but model.recognizer.cls_head.num_classes is '
                f'{head.num_classes}; make them equal.'
            )
