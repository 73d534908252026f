"""Convert ResNet-50 weights of torchvision or VISSL (SimCLR) into a checkpoint of MMPretrain.

Torchvision's classifier becomes `head.fc.*` of a classifier, VISSL's projection head `neck.mlp.*`
of a ContrastivePrivacyBranch; the trunk becomes `backbone.*` of both.

Example:
    python tools/convert/resnet50.py model_final_checkpoint_phase799.torch checkpoints/simclr.pth
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from state_dicts import StateDict, check, find, load, save, shapes_of

from spact_mm.arguments import run_command

HINT = (
    "take a resnet50 file of torchvision, or a checkpoint of VISSL's SimCLR with its trunk in "
    'classy_state_dict'
)
#: Keys of the model in a VISSL checkpoint.
_VISSL = ('classy_state_dict', 'base_model', 'model')


def trunk_modules() -> Iterator[tuple[str, tuple[int, ...], bool]]:
    """Yield name, shape of the weight and whether there is a bias; norms have one side."""
    yield from (('conv1', (64, 3, 7, 7), False), ('bn1', (64,), True))
    width = 64
    for stage, (depth, middle) in enumerate(zip((3, 4, 6, 3), (64, 128, 256, 512), strict=True)):
        for block in range(depth):
            prefix, out = f'layer{stage + 1}.{block}', 4 * middle
            sides = ((middle, width, 1), (middle, middle, 3), (out, middle, 1))
            for index, (outputs, inputs, kernel) in enumerate(sides, start=1):
                yield f'{prefix}.conv{index}', (outputs, inputs, kernel, kernel), False
                yield f'{prefix}.bn{index}', (outputs,), True
            if block == 0:
                yield f'{prefix}.downsample.0', (out, width, 1, 1), False
                yield f'{prefix}.downsample.1', (out,), True
            width = out


def convert_classifier(state: StateDict, name: str) -> StateDict:
    """Convert torchvision's ``resnet50`` into backbone and head, with any number of classes.

    Raises:
        ValueError: If it is another network.
    """
    expected = shapes_of([*trunk_modules(), ('fc', (-1, 2048), True)])
    check(state, expected, f"{name} is not torchvision's resnet50")
    return {
        f'head.{key}' if key.startswith('fc.') else f'backbone.{key}': value
        for key, value in state.items()
    }


def convert_projector(state: StateDict, name: str) -> StateDict:
    """Convert a trunk with SPAct's projector, ``0.*`` and ``1.fc1``, ``1.fc2``.

    Raises:
        ValueError: If it is another network.
    """
    trunk = [(f'0.{key}', *rest) for key, *rest in trunk_modules()]
    head = [('1.fc1', (-1, 2048), True), ('1.fc2', (-1, -1), True)]
    check(state, shapes_of([*trunk, *head]), f"{name} is not SPAct's ResNet-50 with projector")
    names = {'0.': 'backbone.', '1.fc1.': 'neck.mlp.0.', '1.fc2.': 'neck.mlp.2.'}
    pattern = re.compile(r'0\.|1\.fc[12]\.')
    return {pattern.sub(lambda m: names[m[0]], k, count=1): v for k, v in state.items()}


def convert_vissl(trunk: StateDict, heads: StateDict | None, name: str) -> StateDict:
    """Convert VISSL's trunk, ``_feature_blocks.*``, and its two-layer head if there is one.

    Raises:
        ValueError: If they are of another network.
    """
    renamed = {f'0.{key.removeprefix("_feature_blocks.")}': v for key, v in trunk.items()}
    if not heads:
        expected = shapes_of((f'0.{key}', *rest) for key, *rest in trunk_modules())
        check(renamed, expected, f"{name} is not VISSL's ResNet-50")
        return {key.replace('0.', 'backbone.', 1): value for key, value in renamed.items()}
    for key, value in heads.items():
        layer = re.fullmatch(r'([01])\.clf\.0\.(weight|bias)', key)
        renamed[f'1.fc{int(layer[1]) + 1}.{layer[2]}' if layer else f'heads.{key}'] = value
    return convert_projector(renamed, name)


def convert(args: argparse.Namespace) -> None:
    """Convert a weights file.

    Raises:
        FileNotFoundError: If the source is absent.
        ValueError: If it is another network.
    """
    content = load(args.source, HINT)
    trunk = find(content, *_VISSL, 'trunk')
    if trunk is not None:
        state = convert_vissl(trunk, find(content, *_VISSL, 'heads'), str(args.source))
        architecture = 'VISSL ResNet-50'
    else:
        state = convert_classifier(find(content), str(args.source))
        architecture = 'torchvision resnet50'
    save(args.target, state, source=args.source.name, architecture=architecture)
    print(f'wrote {args.target} with {", ".join(sorted({key.split(".")[0] for key in state}))}')
    print(
        f"use it by init_cfg=dict(type='Pretrained', checkpoint='{args.target}', "
        "prefix='backbone.') of an mmpretrain.ResNet"
        + (", and prefix='neck.' of its neck" if any(k.startswith('neck.') for k in state) else '')
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the converter and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('source', type=Path, help='weights file of torchvision or VISSL')
    parser.add_argument('target', type=Path, help='checkpoint to write')
    return run_command(convert, parser.parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
