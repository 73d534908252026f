"""Render the demo data set: figures that do actions, as videos and images with labels.

Example:
    python tools/data/demo/render.py --out data/demo
    python tools/data/demo/render.py --preview demo.png
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
from attackers import attacker_list_names
from dataset import Options, render
from preview import draw_preview

from spact_mm.arguments import run_command
from spact_mm.files import write_whole


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    defaults = Options()
    parser = argparse.ArgumentParser(
        description='Render the demo data set: videos of figures that do actions, images of other '
        'figures, and the labels of both. It is rendered only if it is not there already.'
    )
    parser.add_argument('--out', type=Path, default=Path('data/demo'), help='default: %(default)s')
    parser.add_argument('--seed', type=int, default=defaults.seed, help='default: %(default)s')
    for name in ('videos', 'images'):
        parser.add_argument(
            f'--{name}',
            type=int,
            nargs=2,
            metavar=('TRAIN', 'TEST'),
            default=getattr(defaults, name),
            help=f'number of {name} (default: %(default)s)',
        )
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('WIDTH', 'HEIGHT'),
        default=defaults.size,
        help='of the frames, in pixels (default: %(default)s)',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=min(8, os.cpu_count() or 1),
        help='number of processes; the files do not depend on it (default: %(default)s)',
    )
    parser.add_argument(
        '--preview',
        type=Path,
        metavar='FILE.png',
        help='draw a contact sheet of clips and images to this file, and nothing else',
    )
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> int:
    """Run the command.

    Raises:
        ValueError: If an option is out of its range.
        OSError: If a file cannot be written.
    """
    options = Options(args.seed, tuple(args.size), tuple(args.videos), tuple(args.images))
    if args.workers < 1:
        raise ValueError(f'--workers is {args.workers}; give a positive number.')
    if args.preview is not None:
        if args.preview.suffix != '.png':
            raise ValueError(f'--preview is {args.preview}; give the name of a .png file.')
        args.preview.parent.mkdir(parents=True, exist_ok=True)
        sheet = draw_preview(options.seed, options.size)
        write_whole(args.preview, cv2.imencode('.png', sheet[..., ::-1])[1].tobytes())
        print(f'The contact sheet is {args.preview}.')
        return 0
    if render(args.out, options, args.workers):
        print(f'The demo data set is in {args.out}.')
    else:
        print(f'The demo data set in {args.out} is complete; nothing to do.')
    undivided = [name for name in attacker_list_names() if not (args.out / name).is_file()]
    if undivided:
        print(
            f'  note: without {", ".join(undivided)}, as a single training person cannot be divided'
        )
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command(run, parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
