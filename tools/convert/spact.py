"""Convert a checkpoint of the official SPAct code, or TeD-SPAD's UNet, into one of a minimax model.

The parts f_A, f_T and f_B in the file are converted: the UNet, the dilated R3D-18, and the
ResNet-50 with SPAct's projector or with a classifier of attributes. Optimizers are left out.

Example:
    python tools/convert/spact.py model_300.pth checkpoints/spact_official.pth
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from resnet50 import convert_classifier, convert_projector
from state_dicts import StateDict, check, find, load, save, shapes_of
from torchvision_r3d18 import convert_recognizer

from spact_mm.arguments import run_command

HINT = (
    'take a checkpoint with fa_model_state_dict, as the official SPAct and TeD-SPAD codes write it'
)
#: Blocks of the official UNet and their places in ``UNetAnonymizer``.
_BLOCKS = {
    'inc': 'stem',
    **{f'down{level}.maxpool_conv.1': f'encoder.{level - 1}' for level in range(1, 5)},
    **{f'up{level}.conv': f'decoder.{level - 1}' for level in range(1, 5)},
}
_UNET_CONFIG = "model = dict(anonymizer=dict(type='UNetAnonymizer'))"


def _unet_modules() -> Iterator[tuple[str, tuple[int, ...], bool]]:
    """Yield name, shape of the weight and whether there is a bias; norms have one side."""
    widths = [(3, 64, 64), (64, 128, 128), (128, 256, 256), (256, 512, 512), (512, 512, 512)]
    widths += [(1024, 512, 256), (512, 256, 128), (256, 128, 64), (128, 64, 64)]
    for block, (inputs, middle, outputs) in zip(_BLOCKS, widths, strict=True):
        prefix = f'{block}.double_conv'
        yield f'{prefix}.0', (middle, inputs, 3, 3), True
        yield f'{prefix}.1', (middle,), True
        yield f'{prefix}.3', (outputs, middle, 3, 3), True
        yield f'{prefix}.4', (outputs,), True
    yield 'outc.conv', (3, 64, 1, 1), True


def convert_anonymizer(state: StateDict, name: str) -> StateDict:
    """Convert the official UNet.

    Raises:
        ValueError: If it is another network, such as TeD-SPAD's UNet++.
    """
    check(state, shapes_of(_unet_modules()), f'{name} is not the UNet of SPAct and TeD-SPAD')
    blocks = '|'.join(re.escape(block) for block in _BLOCKS)
    converted = {}
    for key, value in state.items():
        found = re.match(rf'({blocks})\.double_conv\.(.*)', key)
        converted[f'{_BLOCKS[found[1]]}.{found[2]}' if found else f'head.{key[10:]}'] = value
    return converted


def convert_privacy_branch(state: StateDict, name: str) -> StateDict:
    """Convert f_B: a ResNet-50 with SPAct's projector or a classifier of attributes.

    Raises:
        ValueError: If it is another network.
    """
    is_classifier = any(key.startswith('fc.') for key in state)
    return (convert_classifier if is_classifier else convert_projector)(state, name)


#: Key in the file, name of the child in a minimax model, and converter.
PARTS: tuple[tuple[str, str, Callable[[StateDict, str], StateDict]], ...] = (
    ('fa_model_state_dict', 'anonymizer', convert_anonymizer),
    ('ft_model_state_dict', 'recognizer', convert_recognizer),
    ('fb_model_state_dict', 'privacy_branch', convert_privacy_branch),
)


def convert(args: argparse.Namespace) -> None:
    """Convert a checkpoint.

    Raises:
        FileNotFoundError: If the source is absent.
        ValueError: If the file has none of the parts, or a part of another network.
    """
    content, state, found = load(args.source, HINT), {}, []
    for key, child, convert_part in PARTS:
        part = find(content, key)
        if part is not None and child in args.only:
            converted = convert_part(part, f'{key} of {args.source}')
            state.update({f'{child}.{name}': value for name, value in converted.items()})
            found.append(child)
    if not found:
        keys = ', '.join(str(key) for key in list(content)[:5]) or 'nothing'
        raise ValueError(f'{args.source} has no {" or ".join(args.only)}, only {keys}; {HINT}.')
    meta = dict(source=args.source.name, architecture='SPAct', parts=found)
    if 'anonymizer' in found:
        meta['cfg'] = _UNET_CONFIG
    save(args.target, state, **meta)
    print(f'wrote {args.target} with {", ".join(found)}')
    print(
        f"use it by load_from='{args.target}' of a minimax config, as checkpoint of an "
        'anonymizing preprocessor, or in tools/anonymize.py --checkpoint'
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the converter and return its exit code."""
    children = [child for _, child, _ in PARTS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('source', type=Path, help='checkpoint of the official code')
    parser.add_argument('target', type=Path, help='checkpoint to write')
    parser.add_argument(
        '--only',
        nargs='+',
        choices=children,
        default=children,
        help='convert these only, where another is of a network that does not fit',
    )
    return run_command(convert, parser.parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
