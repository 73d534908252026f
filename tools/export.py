"""Write an anonymizer as an ONNX file, for programs without PyTorch."""

import argparse
from pathlib import Path

import spact_mm  # noqa: F401  (before anything of MMAction2)
from spact_mm.apis import METHODS, export_onnx, refuse_in_one_sentence

EPILOG = """
The file takes float32 RGB in [0, 1], (N, 3, H, W), of any size and number, and gives the same.
There is never noise in it: where an anonymizer adds some, the file has inputs for it, and whoever
runs it draws them anew for each video from the operating system's entropy: docs/export.md.
"""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG)
    parser.add_argument(
        'source',
        metavar='CHECKPOINT_OR_METHOD',
        help=f'a checkpoint, which is read as data, or one of {", ".join(METHODS)}',
    )
    parser.add_argument('target', type=Path, metavar='OUT.onnx', help='is not replaced')
    parser.add_argument(
        '--config',
        help='where the checkpoint does not name its anonymizer; a config is a program and runs: '
        'give only one that you trust, while a checkpoint is read as data',
    )
    parser.add_argument('--force', action='store_true', help='write also what does not anonymize')
    return parser.parse_args()


if __name__ == '__main__':
    with refuse_in_one_sentence():
        args = parse_args()
        done = export_onnx(args.source, args.target, args.config, args.force)
        noise = f'noise outside, as {", ".join(done.noise)}' if done.noise else 'no noise'
        print(
            f'{done.path}  {done.path.stat().st_size / 2**20:.2f} MiB, inputs '
            f'{", ".join(done.inputs)}; {noise}.'
        )
        if done.difference is None:
            print('Its output was not compared with PyTorch.')
        else:
            print(f'ONNX Runtime and PyTorch differ by {done.difference:.1e} where white is 1.')
