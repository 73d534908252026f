"""Sphinx: `make docs`."""

import spact_mm

project = 'spact_mm'
author = 'the spact_mm authors'
version = release = spact_mm.__version__
extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'sphinx.ext.viewcode',
]
exclude_patterns = ['results/**', 'build/**', 'requirements.txt']
myst_heading_anchors = 3
myst_enable_extensions = ['dollarmath']
# Files of the repository that pages point to are no pages.
suppress_warnings = ['myst.xref_missing']
autodoc_member_order = 'bysource'
autodoc_typehints = 'none'
napoleon_use_rtype = False
html_theme = 'furo'
html_title = f'spact_mm {version}'
