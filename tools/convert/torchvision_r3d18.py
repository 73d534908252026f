"""Convert torchvision's R3D-18 weights (Kinetics-400) into a checkpoint of MMAction2's ResNet3d.

Example:
    python tools/convert/torchvision_r3d18.py --dilated r3d_18-b3b3357e.pth r3d18_dilated.pth
"""

import argparse
import pickle
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

URL = 'https://download.pytorch.org/models/r3d_18-b3b3357e.pth'
# SPAct's code replaces these two convolutions, so they start anew (``DilatedResNet3d``).
DILATED_KEYS = ('backbone.layer4.0.conv1.conv.weight', 'backbone.layer4.0.downsample.conv.weight')


def expected_shapes() -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor of torchvision's ``r3d_18``, without the classifier's."""
    shapes = {}

    def add(conv: str, norm: str, *shape: int) -> None:
        shapes[f'{conv}.weight'] = shape
        for name in ('weight', 'bias', 'running_mean', 'running_var'):
            shapes[f'{norm}.{name}'] = shape[:1]
        shapes[f'{norm}.num_batches_tracked'] = ()

    add('stem.0', 'stem.1', 64, 3, 3, 7, 7)
    width = 64
    for stage, out_width in enumerate((64, 128, 256, 512), start=1):
        for block in range(2):
            prefix = f'layer{stage}.{block}'
            add(f'{prefix}.conv1.0', f'{prefix}.conv1.1', out_width, width, 3, 3, 3)
            add(f'{prefix}.conv2.0', f'{prefix}.conv2.1', out_width, out_width, 3, 3, 3)
            if width != out_width:
                add(f'{prefix}.downsample.0', f'{prefix}.downsample.1', out_width, width, 1, 1, 1)
            width = out_width
    return shapes


def load_torchvision(path: Path) -> Mapping[str, torch.Tensor]:
    """Load a weights file and make sure that it is an ``r3d_18``.

    Args:
        path: The file as downloaded from :data:`URL`, or another ``state_dict`` of ``r3d_18``.

    Raises:
        FileNotFoundError: If the file is absent.
        ValueError: If the file is damaged, holds more than tensors, or is another model.
    """
    if not path.is_file():
        raise FileNotFoundError(f'The weights file {path} does not exist; download it from {URL}.')
    try:
        state_dict = torch.load(path, map_location='cpu', weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(
            f'{path} is not read, because it is damaged or holds Python objects besides tensors, '
            f'which could run code; download it from {URL}.'
        ) from error
    if not isinstance(state_dict, Mapping):
        state_dict = {}
    shapes = {
        key: tuple(value.shape)
        for key, value in state_dict.items()
        if isinstance(value, torch.Tensor)
    }
    expected = expected_shapes()
    # The number of classes is free: any fine-tuned r3d_18 will do.
    classes = shapes.get('fc.bias', (400,))
    expected.update({'fc.weight': (*classes, 512), 'fc.bias': classes})
    faults = {
        'missing': [key for key in expected if key not in shapes],
        'unexpected': [str(key) for key in state_dict if key not in expected],
        'of another shape': [
            key for key in expected if key in shapes and shapes[key] != expected[key]
        ],
    }
    if any(faults.values()):
        named = '; '.join(f'{kind}: {_enumerate(keys)}' for kind, keys in faults.items() if keys)
        raise ValueError(f"{path} is not torchvision's r3d_18 ({named}); download it from {URL}.")
    return state_dict


def convert_key(key: str) -> str:
    """Translate a key of torchvision's ``r3d_18`` into one of a recognizer of MMAction2.

    Example:
        >>> convert_key('layer2.0.conv1.1.bias')
        'backbone.layer2.0.conv1.bn.bias'
    """
    if key.startswith('fc.'):
        return f'cls_head.fc_cls.{key.removeprefix("fc.")}'
    key = key.replace('stem.', 'conv1.', 1)
    parts = {'0': 'conv', '1': 'bn'}
    key = re.sub(
        r'(conv[12]|downsample)\.([01])\.', lambda m: f'{m[1]}.{parts[m[2]]}.', key, count=1
    )
    return f'backbone.{key}'


def convert(source: Path, target: Path, dilated: bool) -> list[str]:
    """Convert a weights file.

    Args:
        source: Torchvision's file.
        target: The checkpoint to write; its folder is made.
        dilated: Whether to leave out the two convolutions that are new in ``DilatedResNet3d``.

    Returns:
        list[str]: The keys left out.

    Raises:
        FileNotFoundError: If ``source`` is absent.
        ValueError: If ``source`` is not torchvision's ``r3d_18``.
    """
    state_dict = {convert_key(key): value for key, value in load_torchvision(source).items()}
    left_out = list(DILATED_KEYS) if dilated else []
    for key in left_out:
        del state_dict[key]
    meta = dict(source=source.name, architecture='torchvision r3d_18', left_out=left_out)
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(meta=meta, state_dict=state_dict), target)
    return left_out


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('source', type=Path, help=f'weights file of torchvision, from {URL}')
    parser.add_argument('target', type=Path, help='checkpoint to write')
    parser.add_argument(
        '--dilated',
        action='store_true',
        help="for SPAct's DilatedResNet3d: leave out the two convolutions of layer4 that it "
        'replaces, which then start anew',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the converter and return its exit code."""
    args = parse_args(argv)
    try:
        left_out = convert(args.source, args.target, args.dilated)
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print(f'wrote {args.target}')
    if left_out:
        print(f'left out, because they start anew: {", ".join(left_out)}')
    # The init_weights of MMAction2's own ResNet3d does not look at init_cfg.
    print(
        f"use it by load_from='{args.target}' for a recognizer with ResNet3d, or by "
        f"init_cfg=dict(type='Pretrained', checkpoint='{args.target}', prefix='backbone.') "
        'of a DilatedResNet3d'
    )
    return 0


def _enumerate(keys: Sequence[str], num_shown: int = 5) -> str:
    more = f' and {len(keys) - num_shown} more' if len(keys) > num_shown else ''
    return ', '.join(keys[:num_shown]) + more


if __name__ == '__main__':
    sys.exit(main())
