"""Draft a data protection impact assessment from the manifest of outputs and a protocol's report.

The draft goes to the standard output. No legal advice: docs/claims.md.

Example:
    python tools/dpia.py anonymized --report work_dirs/demo/report.json > dpia.md
"""

import argparse

import spact_mm  # noqa: F401  (before anything of MMAction2)
from spact_mm.apis import print_any_name, refuse_in_one_sentence
from spact_mm.apis.dpia import draft_dpia


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('out', help='folder that spact-anonymize has written to')
    parser.add_argument('--report', help='report.json of the protocol that tried its attackers')
    parser.add_argument('--method', default='SPAct', help='its name there; default: %(default)s')
    return parser.parse_args()


if __name__ == '__main__':
    args = parse_args()
    print_any_name()
    with refuse_in_one_sentence():
        print(draft_dpia(args.out, args.report, args.method))
