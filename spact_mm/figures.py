"""Figures as files."""

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from .files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_figure(figure: 'Figure', path: str | os.PathLike, **options) -> None:
    """Write a figure whole or not at all, in the format of the name's ending.

    Args:
        figure (Figure): The figure.
        path: The file to create or replace; its folder is made.
        **options: Arguments of :meth:`matplotlib.figure.Figure.savefig`.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format=Path(path).suffix[1:] or 'png', **options)
    write_whole(path, buffer.getvalue())
