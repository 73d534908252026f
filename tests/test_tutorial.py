"""The notebook, executed cell by cell at a tiny size.

Its cells are plain Python without magics, so neither Jupyter nor a kernel is needed.
"""

import ast
import json
import os

import pytest
from e2e import ROOT
from PIL import Image

NOTEBOOK = ROOT / 'docs' / 'tutorial.ipynb'


def read_cells(kind):
    notebook = json.loads(NOTEBOOK.read_text(encoding='utf-8'))
    return [''.join(c['source']) for c in notebook['cells'] if c['cell_type'] == kind]


def execute(code, namespace):
    """Run a cell as a notebook does; return the value of its last expression."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, str(NOTEBOOK), 'exec'), namespace)
    if last is not None:
        return eval(compile(ast.Expression(last.value), str(NOTEBOOK), 'eval'), namespace)


def test_notebook_is_whole_and_has_no_outputs_of_a_machine():
    notebook = json.loads(NOTEBOOK.read_text(encoding='utf-8'))
    cells = notebook['cells']
    assert notebook['nbformat'] == 4 and notebook['nbformat_minor'] >= 5
    assert len({cell['id'] for cell in cells}) == len(cells)
    for cell in cells:
        if cell['cell_type'] == 'code':
            assert cell['outputs'] == [] and cell['execution_count'] is None
            ast.parse(''.join(cell['source']))
    text = '\n'.join(read_cells('markdown'))
    assert 'no number below says anything about protection' in text
    for page in ('your_data.md',):
        assert f'({page})' in text and (NOTEBOOK.parent / page).is_file()


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_notebook_goes_from_folders_to_table_and_pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(NOTEBOOK.parent)
    monkeypatch.setenv('TUTORIAL_OUT', str(tmp_path / 'own'))
    monkeypatch.setenv('TUTORIAL_QUICK', '1')
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    namespace = {}
    shown = [execute(code, namespace) for code in read_cells('code')]
    table = next(value for value in shown if hasattr(value, '_repr_markdown_'))
    head, _, *rows = table._repr_markdown_().splitlines()
    assert 'Top-1' in head and 'strongest attacker, identity Top-1' in head
    assert [row.split('|')[1].strip() for row in rows] == ['raw', 'SPAct']
    classes, tradeoff, examples = (value for value in shown if isinstance(value, Image.Image))
    assert classes.size == (3 * 160, 120)
    assert min(tradeoff.size) > 300 and min(examples.size) > 100
    assert sorted(os.listdir(tmp_path)) == ['own']
