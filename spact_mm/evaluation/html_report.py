"""The report of a protocol as one self-contained HTML file."""

import base64
import os
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from ..files import write_whole
from .report import Report

#: Leaks that no attacker of a protocol measures.
NOT_PROTECTED = (
    'A measured success is what attackers of that kind and size found: a lower bound of what '
    'leaks. Treat anonymized video as raw video until you have measured it on your own data.',
    'Frames are rewritten one by one. Gait, body shape and the manner of movement stay, and may '
    'identify a person.',
    'Place, time, company and sound stay, and so does what no attribute here names.',
)


def write_html(
    path: str | os.PathLike,
    report: Report,
    plot: str | os.PathLike | None = None,
    examples: Mapping[str, bytes] | None = None,
    attributes: Mapping[str, Mapping[str, float]] | None = None,
    configs: Mapping[str, str] | None = None,
) -> str:
    """Write a report as a page: tables, plot, frames, attributes, goals, warnings, configuration.

    Args:
        path: The file; its folder is created.
        report (Report): The contents; :data:`NOT_PROTECTED` is always included.
        plot (optional): PNG file of the trade-off.
        examples (Mapping[str, bytes], optional): PNG file of example frames of each method.
        attributes (Mapping, optional): ``{method: {attribute: average precision}}``, in [0, 1].
        configs (Mapping[str, str], optional): Text of configurations by their titles.

    Returns:
        str: The text that was written.
    """
    environment = Environment(
        loader=PackageLoader('spact_mm.evaluation', ''),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    attributes = attributes or {}
    text = environment.get_template('report.html').render(
        report=report,
        warnings=NOT_PROTECTED,
        plot=_embed(Path(plot).read_bytes()) if plot else None,
        examples={name: _embed(data) for name, data in (examples or {}).items()},
        attributes=attributes,
        attribute_names=list(dict.fromkeys(n for values in attributes.values() for n in values)),
        configs=configs or {},
    )
    write_whole(path, text)
    return text


def _embed(png: bytes) -> str:
    return f'data:image/png;base64,{base64.b64encode(png).decode()}'
