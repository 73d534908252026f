"""Draw which folder of the package imports which: `python docs/draw_architecture.py`.

Writes docs/architecture.svg from the import statements. A test compares the file with the code.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: From those that use to those that are used.
ROWS = (
    ('tools',),
    ('commands',),
    ('protocols',),
    ('apis',),
    ('engine', 'evaluation'),
    ('models',),
    ('datasets',),
    ('media',),
    ('spact_mm/*.py', 'compat'),
)
_WIDTH, _HEIGHT, _GAP = 150, 34, 46


def find_arrows() -> set[tuple[str, str]]:
    """Return who imports whom, of the folders in :data:`ROWS`.

    The package's ``__init__`` and ``components``, which register what is in the folders, are no
    users of them.
    """
    arrows = set()
    for folder in ('spact_mm', 'tools'):
        for path in (ROOT / folder).rglob('*.py'):
            if path.parent.name == 'spact_mm' and path.stem in ('__init__', 'components'):
                continue
            inside = path.relative_to(ROOT).with_suffix('').parts
            package = list(inside[:-1])
            for node in ast.walk(ast.parse(path.read_text())):
                for target in _targets(node, package):
                    pair = _room(inside), _room(target)
                    if pair[0] != pair[1]:
                        arrows.add(pair)
    return arrows


def _targets(node: ast.AST, package: list[str]):
    """Yield what a statement imports of this package, as parts of a dotted name."""
    if isinstance(node, ast.ImportFrom):
        base = package[: len(package) - node.level + 1] if node.level else []
        base = [*base, *(node.module or '').split('.')] if node.module else base
        names = [[*base, alias.name] for alias in node.names] if not node.module else [base]
    elif isinstance(node, ast.Import):
        names = [alias.name.split('.') for alias in node.names]
    else:
        names = []
    yield from (name for name in names if name[0] == 'spact_mm' and len(name) > 1)


def _room(parts) -> str:
    if parts[0] == 'tools':
        return 'tools'
    if parts[1] == '__main__':  # the command `python -m spact_mm`
        return 'commands'
    is_folder = (ROOT / 'spact_mm' / parts[1]).is_dir()
    return parts[1] if is_folder else 'spact_mm/*.py'


def draw(arrows: set[tuple[str, str]]) -> str:
    """Return the figure as SVG, the same for the same arrows."""
    places = {}
    for row, names in enumerate(ROWS):
        for column, name in enumerate(names):
            x = 40 + (2 - len(names)) * (_WIDTH + 120) // 2 + column * (_WIDTH + 120)
            places[name] = (x, 20 + row * (_HEIGHT + _GAP))
    height = 20 + len(ROWS) * (_HEIGHT + _GAP)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="520" height="{height}" '
        'font-family="sans-serif" font-size="14">',
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#777"/></marker></defs>',
        f'<rect width="520" height="{height}" fill="white"/>',
    ]
    for user, used in sorted(arrows):
        (x0, y0), (x1, y1) = places[user], places[used]
        # Long arrows bend, so that they do not run behind the boxes between.
        bend = (y1 - y0) // (_HEIGHT + _GAP) - 1
        start, end = (x0 + _WIDTH // 2, y0 + _HEIGHT), (x1 + _WIDTH // 2, y1)
        if y0 == y1:
            left, right = (x0, x1 + _WIDTH) if x0 > x1 else (x0 + _WIDTH, x1)
            start, end = (left, y0 + _HEIGHT // 2), (right, y1 + _HEIGHT // 2)
        side = (1 if start[0] >= 260 else -1) * 70 * bend
        middle = ((start[0] + end[0]) // 2 + side, (start[1] + end[1]) // 2)
        lines.append(
            f'<path d="M{start[0]},{start[1]} Q{middle[0]},{middle[1]} {end[0]},{end[1]}" '
            'fill="none" stroke="#777" marker-end="url(#tip)"/>'
        )
    for name, (x, y) in places.items():
        lines.append(
            f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="5" fill="#eef3fb" '
            'stroke="#456"/>'
        )
        lines.append(f'<text x="{x + _WIDTH // 2}" y="{y + 22}" text-anchor="middle">{name}</text>')
    return '\n'.join([*lines, '</svg>']) + '\n'


if __name__ == '__main__':
    (ROOT / 'docs' / 'architecture.svg').write_text(draw(find_arrows()))
