"""Recognise the actions in videos, by a fresh action target that sees them anonymized.

Example:
    python tools/predict.py walk.mp4 --config WORK_DIR/config.py --checkpoint WORK_DIR/weights.pth
"""

import argparse
import sys
from pathlib import Path

import torch
from mmengine.registry import init_default_scope

import spact_mm  # noqa: F401  (before anything of MMAction2)

# isort: split
from mmaction.apis import inference_recognizer

from spact_mm.apis import (
    IMAGES,
    describe_failure,
    describe_left_out,
    find_left_out,
    find_sources,
    load_recognizer,
    print_any_name,
    refuse_in_one_sentence,
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('inputs', nargs='+', metavar='VIDEO', help='a file, pattern or folder')
    parser.add_argument(
        '--config',
        required=True,
        help='that its training left in its work dir; a config is a program and runs: give only '
        'one that you trust, while a checkpoint is read as data',
    )
    parser.add_argument('--checkpoint', required=True, help='its weights')
    parser.add_argument('--classes', type=Path, help='file with a name of a class in each line')
    parser.add_argument('--top', type=int, default=3, help='how many classes are named')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return parser.parse_args()


def predict(args: argparse.Namespace) -> int:
    """Print the most probable classes of each video; return the exit code."""
    init_default_scope('mmaction')
    names = args.classes and args.classes.read_text('utf-8', errors='replace').splitlines()
    missing: list[str] = []
    sources = list(find_sources(args.inputs, missing=missing))
    for line in missing:
        print(f'Not done: {line}')
    videos = [path for path in sources if path.suffix.lower() not in IMAGES]
    left_out = [path for path in sources if path not in videos] + find_left_out(args.inputs)
    if left_out:
        print(describe_left_out(left_out))
    if not videos:
        sys.exit('There is no video among them.')
    recognizer = load_recognizer(args.config, args.checkpoint, args.device)
    failures = 0
    for video in videos:
        try:
            scores = inference_recognizer(recognizer, str(video)).pred_score
        # Any error is reported for this video: a lack of memory, or an error of a library.
        except Exception as error:
            failures += 1
            print(f'Not done: {describe_failure(error, video)}')
            continue
        best = scores.topk(min(args.top, len(scores)))
        labels = [names[i] if names and i < len(names) else str(i) for i in best.indices.tolist()]
        found = ', '.join(
            f'{n} {100 * s:.1f} %' for n, s in zip(labels, best.values.tolist(), strict=True)
        )
        print(f'{video}: {found}')
    if failures:
        print(f'{failures} of {len(videos)} videos could not be done.')
    return 1 if failures or missing else 0


if __name__ == '__main__':
    print_any_name()
    with refuse_in_one_sentence():
        sys.exit(predict(parse_args()))
