"""Put the trained model of a protocol into the package, with a card of what was measured.

docs/weights.md has the commands by which the weights in this package were made.
"""

import argparse
import hashlib
import json
import tempfile
from pathlib import Path

import spact_mm  # noqa: F401  (before anything of MMAction2)
from spact_mm.apis import export_onnx, publish, refuse_in_one_sentence
from spact_mm.arguments import positive
from spact_mm.files import write_whole
from spact_mm.packaged import WEIGHTS
from spact_mm.protocols.spec import stage_folder

CARD = """# {name}

An anonymizer f_A and the recognizer f_T that grew up with it. `anonymize.py --model {name}` first
brings the shorter side of frames to {size} pixels: it was attacked at no other size, and at a
larger `--size` more of a person is seen.

| | |
|---|---|
| trained on | {data} |
| licence of the weights | {licence} |
| method | {method}, seed {seed}{fold} |
| measured by | `{command}`, commit {commit} |
| SHA-256 of `{name}.pth` | `{sha256}` |

| measured | |
|---|---:|
{rows}

This is one seed; `{report}` has all, with each attacker and the worst seed.

**Not protected**

- Whatever the strongest attacker still finds; one with more time may find more.
- What the action itself shows: gait, build, place, and who is with whom.
- People, cameras and distances unlike those of the training, where nothing was measured.
- A scene in several videos: each is another look at it, with noise of its own.
"""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('work_dir', type=Path, help='of a protocol that is done')
    parser.add_argument('method', help='its method')
    parser.add_argument('name', help='by which --model finds it')
    parser.add_argument('--seed', type=int, required=True)
    parser.add_argument('--fold', type=int)
    parser.add_argument('--size', type=positive, required=True, help='of the frames attacked')
    parser.add_argument('--data', required=True, help='what it was trained on')
    parser.add_argument('--licence', required=True, help='of the weights')
    parser.add_argument('--report', required=True, help='link to the report, for the card')
    parser.add_argument('--out', type=Path, default=WEIGHTS, help='default: the package')
    return parser.parse_args()


def find_row(report: dict, method: str, seed: int, fold: int | None) -> dict:
    """Return the results of a method, seed and fold.

    Raises:
        ValueError: If the report has none.
    """
    for row in report['rows']:
        if (row['method'], row['seed'], row['fold']) == (method, seed, fold):
            return row
    raise ValueError(f'The report has no results of {method}, seed {seed}, fold {fold}.')


def measured(row: dict) -> dict:
    """Return what a card tells of the results."""
    kept = {key: row[key] for key in ('top1', 'top1_own', 'bits_clip') if key in row}
    return {**kept, 'strongest': row['strongest']}


def write_card(path: Path, card: dict) -> None:
    """Write a card for programs and for readers beside the weights."""
    found = card['measured']
    strongest, best = found['strongest'], found['strongest']['best_on_test']
    # The protocol names the attackers' score.
    (score,) = set(best) - {'attacker', 'chance'}
    rows = {
        'Top-1 of a fresh target': f'{found["top1"]:.1%}',
        **({'Top-1 of f_T': f'{found["top1_own"]:.1%}'} if 'top1_own' in found else {}),
        f'{score} of the strongest attacker ({strongest["attacker"]}), chosen on validation data': (
            f'{strongest[score]:.1%}'
        ),
        'chance': f'{strongest["chance"]:.1%}',
        'removed of the advantage on raw': f'{strongest["advantage_removed"]:.1%}',
        f'**best {score} on the test** of all attackers ({best["attacker"]})': f'{best[score]:.1%}',
        **(
            {'a clip tells at most': f'{found["bits_clip"]:.0f} bits'}
            if 'bits_clip' in found
            else {}
        ),
    }
    fold = '' if card['fold'] is None else f', fold {card["fold"]}'
    lines = '\n'.join(f'| {name} | {value} |' for name, value in rows.items())
    write_whole(path.with_suffix('.json'), json.dumps(card, indent=1) + '\n')
    write_whole(path.with_suffix('.md'), CARD.format_map({**card, 'fold': fold, 'rows': lines}))


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def ship(args: argparse.Namespace) -> Path:
    """Write the weights, the graph and the card; return the checkpoint's path."""
    report = json.loads((args.work_dir / 'report.json').read_text(encoding='utf-8'))
    row = find_row(report, args.method, args.seed, args.fold)
    source = stage_folder(args.work_dir, args.method, args.seed, args.fold, 'train') / 'weights.pth'
    with tempfile.TemporaryDirectory() as folder:
        content = publish(str(source), Path(folder, 'weights.pth')).read_bytes()
    path = args.out / f'{args.name}.pth'
    write_whole(path, content)
    with tempfile.TemporaryDirectory() as folder:
        graph = export_onnx(str(path), Path(folder, 'graph.onnx')).path.read_bytes()
    write_whole(path.with_suffix('.onnx'), graph)
    given = {key: getattr(args, key) for key in ('name', 'size', 'data', 'licence', 'report')}
    said = dict(method=args.method, seed=args.seed, fold=args.fold, commit=row['commit'])
    hashes = dict(sha256=_hash(content), onnx_sha256=_hash(graph))
    card = dict(given, **said, command=report['command'], **hashes, measured=measured(row))
    write_card(path, card)
    return path


if __name__ == '__main__':
    with refuse_in_one_sentence():
        path = ship(parse_args())
        print(f'{path}  {path.stat().st_size / 2**20:.1f} MiB')
