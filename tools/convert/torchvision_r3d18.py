"""Convert torchvision's R3D-18 weights (Kinetics-400) into a checkpoint of MMAction2's ResNet3d.

Example:
    python tools/convert/torchvision_r3d18.py --dilated r3d_18-b3b3357e.pth r3d18_dilated.pth
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from state_dicts import StateDict, check, find, load, save, shapes_of

from spact_mm.arguments import run_command

URL = 'https://download.pytorch.org/models/r3d_18-b3b3357e.pth'
# SPAct's code replaces these two convolutions, so their weights are new (``DilatedResNet3d``).
DILATED_KEYS = ('backbone.layer4.0.conv1.conv.weight', 'backbone.layer4.0.downsample.conv.weight')


def expected_shapes() -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor of torchvision's ``r3d_18``, for any number of classes."""
    return shapes_of([*_modules(), ('fc', (-1, 512), True)])


def _modules() -> Iterator[tuple[str, tuple[int, ...], bool]]:
    """Yield name, shape of the weight and whether there is a bias; norms have one side."""

    def add(name: str, *shape: int):
        yield f'{name}.0', shape, False
        yield f'{name}.1', shape[:1], True

    yield from add('stem', 64, 3, 3, 7, 7)
    width = 64
    for stage, out_width in enumerate((64, 128, 256, 512), start=1):
        for block in range(2):
            prefix = f'layer{stage}.{block}'
            yield from add(f'{prefix}.conv1', out_width, width, 3, 3, 3)
            yield from add(f'{prefix}.conv2', out_width, out_width, 3, 3, 3)
            if width != out_width:
                yield from add(f'{prefix}.downsample', out_width, width, 1, 1, 1)
            width = out_width


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


def convert_recognizer(state: StateDict, name: str) -> StateDict:
    """Convert the weights of an ``r3d_18``.

    Raises:
        ValueError: If they are of another network.
    """
    check(state, expected_shapes(), f"{name} is not torchvision's r3d_18")
    return {convert_key(key): value for key, value in state.items()}


def convert(args: argparse.Namespace) -> None:
    """Convert a weights file.

    Raises:
        FileNotFoundError: If the source is absent.
        ValueError: If it is not torchvision's ``r3d_18``.
    """
    hint = f'download it from {URL}'
    state = convert_recognizer(find(load(args.source, hint)), str(args.source))
    left_out = list(DILATED_KEYS) if args.dilated else []
    for key in left_out:
        del state[key]
    save(
        args.target,
        state,
        source=args.source.name,
        architecture='torchvision r3d_18',
        left_out=left_out,
    )
    print(f'wrote {args.target}')
    if left_out:
        print(f'left out, because they start anew: {", ".join(left_out)}')
    # The init_weights of MMAction2's own ResNet3d ignores init_cfg.
    print(
        f"use it by load_from='{args.target}' for a recognizer with ResNet3d, or by "
        f"init_cfg=dict(type='Pretrained', checkpoint='{args.target}', prefix='backbone.') "
        'of a DilatedResNet3d'
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the converter and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('source', type=Path, help=f'weights file of torchvision, from {URL}')
    parser.add_argument('target', type=Path, help='checkpoint to write')
    parser.add_argument(
        '--dilated',
        action='store_true',
        help="for SPAct's DilatedResNet3d: leave out the two convolutions of layer4 that it "
        'replaces, which then start anew',
    )
    return run_command(convert, parser.parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
