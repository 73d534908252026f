"""Run one of the tools, or print the versions: `python -m spact_mm`."""

import argparse
import os
import sys

from .apis import refuse_in_one_sentence
from .commands.versions import describe_stack
from .packaged import MIM, find_packaged_tool


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m spact_mm',
        description='Run a tool of this package, as `python tools/TOOL.py` in a checkout does. '
        'Exit codes are those of the tool.',
    )
    parser.add_argument(
        '--version',
        action='store_true',
        help='print the versions of what it runs on, and warn of those it does not declare',
    )
    parser.add_argument(
        'tool',
        nargs='?',
        metavar='TOOL',
        help='such as predict, data/demo/render, data/ucf101/convert or dist_train.sh',
    )
    parser.add_argument('arguments', nargs=argparse.REMAINDER, help='of the tool; --help too')
    args = parser.parse_args()
    if not args.version and args.tool is None:
        tools = sorted(
            path.relative_to(MIM / 'tools').as_posix().removesuffix('.py')
            for path in (MIM / 'tools').rglob('*')
            if path.suffix == '.sh'
            or (path.suffix == '.py' and "__name__ == '__main__'" in path.read_text())
        )
        parser.error(f'give a tool: {", ".join(tools)}')
    return args


def main() -> int:
    """Run the command; return the exit code unless a tool takes over."""
    args = parse_args()
    if args.version:
        lines, warnings = describe_stack()
        print('\n'.join(lines), flush=True)
        for warning in warnings:
            print(f'Warning: {warning}', file=sys.stderr)
        return 0
    with refuse_in_one_sentence():
        path = find_packaged_tool(args.tool)
    interpreter = 'bash' if path.suffix == '.sh' else sys.executable
    os.environ.setdefault('SPACT_PYTHON', sys.executable)
    sys.stdout.flush()
    os.execvp(interpreter, [interpreter, str(path), *args.arguments])


if __name__ == '__main__':
    sys.exit(main())
