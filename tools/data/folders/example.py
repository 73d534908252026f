"""Draw videos in folders, OUT/<class>/<person>/<take>.mp4, to try convert.py before you have some.

Example:
    python tools/data/folders/example.py --out data/example/videos
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'demo'))

# isort: split
from actions import ACTIONS, CLASSES
from dataset import write_video
from people import draw_person
from scene import draw_sample, render_frames

from spact_mm.arguments import positive, run_command

SIZE = (160, 120)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description='Draw videos of figures in folders of classes and persons. They show the '
        'mechanism; what is measured with them says nothing about protection in the real world.'
    )
    parser.add_argument(
        '--out', type=Path, default=Path('data/folders/videos'), help='default: %(default)s'
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        choices=CLASSES,
        default=['clap', 'squat', 'wave'],
        help='default: clap squat wave',
    )
    for name, default in (('persons', 8), ('takes', 3)):
        parser.add_argument(
            f'--{name}', type=positive, default=default, help='default: %(default)s'
        )
    return parser.parse_args(argv)


def draw(args: argparse.Namespace) -> int:
    """Draw the videos.

    Raises:
        OSError: If a file cannot be written.
    """
    index = 0
    for number in range(args.persons):
        person = draw_person(0, number)
        for action in args.classes:
            for take in range(args.takes):
                sample = draw_sample(1, 'videos', 'train', index, SIZE)
                low, high = ACTIONS[action][1]
                sample = replace(
                    sample,
                    person=person,
                    attributes=person.attributes,
                    action=action,
                    speed=low + (high - low) * take / args.takes,
                )
                path = args.out / action / f'person{number}' / f'take{take}.mp4'
                path.parent.mkdir(parents=True, exist_ok=True)
                write_video(path, render_frames(sample), SIZE)
                index += 1
    print(f'{index} videos are in {args.out}.')
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run_command(draw, parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
