"""Make a checkpoint ready to be published: weights only, and its hash in its name.

Optimizers, schedulers, histories and information about the machine are left out. The name ends with
the first eight digits of the file's SHA-256, as in the OpenMMLab model zoos.

Example:
    python tools/publish_model.py work_dirs/spact_r3d_demo/epoch_18.pth zoo/spact_r3d_demo.pth
"""

import argparse
from pathlib import Path

import spact_mm  # noqa: F401  (before anything of MMAction2)
from spact_mm.apis import publish, refuse_in_one_sentence


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('source', help='a checkpoint, which is read as data: nothing in it is run')
    parser.add_argument('target', type=Path, help='name.pth becomes name-<hash>.pth')
    part = parser.add_mutually_exclusive_group()
    part.add_argument(
        '--anonymizer-only',
        action='store_const',
        const='anonymizer',
        dest='part',
        help='leave f_T and f_B out: all that is needed to anonymize',
    )
    part.add_argument(
        '--recognizer-only',
        action='store_const',
        const='recognizer',
        dest='part',
        help='f_T behind f_A, under the names of an MMAction2 recognizer, for its tools',
    )
    return parser.parse_args()


if __name__ == '__main__':
    with refuse_in_one_sentence():
        args = parse_args()
        path = publish(args.source, args.target, args.part)
        print(f'{path}  {path.stat().st_size / 2**20:.1f} MiB')
