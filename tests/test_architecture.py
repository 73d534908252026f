"""The folders of the package import each other one way, as docs/architecture.md shows."""

import importlib.util

from e2e import ROOT

spec = importlib.util.spec_from_file_location(
    'draw_architecture', ROOT / 'docs' / 'draw_architecture.py'
)
architecture = importlib.util.module_from_spec(spec)
spec.loader.exec_module(architecture)


def test_no_folder_imports_one_that_uses_it():
    rows = {name: row for row, names in enumerate(architecture.ROWS) for name in names}
    arrows = architecture.find_arrows()
    # The work-arounds and the small modules that they share lie side by side.
    upwards = {pair for pair in arrows if rows[pair[0]] >= rows[pair[1]]}
    assert upwards == {('spact_mm/*.py', 'compat'), ('compat', 'spact_mm/*.py')}
    assert {('engine', 'models'), ('tools', 'apis'), ('models', 'datasets')} <= arrows


def test_figure_is_that_of_the_code():
    figure = (ROOT / 'docs' / 'architecture.svg').read_text()
    assert figure == architecture.draw(architecture.find_arrows()), (
        'docs/architecture.svg is of other code: run python docs/draw_architecture.py.'
    )


def test_every_folder_is_on_the_page():
    page = (ROOT / 'docs' / 'architecture.md').read_text()
    for path in (ROOT / 'spact_mm').iterdir():
        if path.is_dir() and (path / '__init__.py').exists():
            assert f'`{path.name}/`' in page, path.name
