"""The columns of a report."""

from collections.abc import Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Column:
    """A column of a report, for one metric.

    Attributes:
        metric (str): Key of the metric in the rows.
        title (str): Head of the column.
        higher_is_better (bool): Whether higher values mean more utility or privacy; shown as an
            arrow in the head.
        chance (str, optional): Key of the metric's chance level. With ``is_attack``, a column
            "advantage removed" follows.
        is_attack (bool): Whether the metric is an attacker's success. Defaults to False.
        unit (str): ``'%'`` for fractions, shown in percent; otherwise the number is shown
            unchanged.
        digits (int): Digits after the point. Defaults to 1.
        raw_metric (str, optional): Metric of the raw method for the comparison if raw lacks this
            metric. For instance, on raw video there is no anonymizer to undo.
    """

    metric: str
    title: str
    higher_is_better: bool
    chance: str | None = None
    is_attack: bool = False
    unit: str = '%'
    digits: int = 1
    raw_metric: str | None = None

    @property
    def head(self) -> str:
        """Title with its arrow and unit."""
        unit = f' ({self.unit})' if self.unit else ''
        return f'{self.title}{unit} {"↑" if self.higher_is_better else "↓"}'

    def format(self, value: float) -> str:
        """Return a value of the metric as text, without its unit."""
        return f'{value * (100 if self.unit == "%" else 1):.{self.digits}f}'


#: The metrics that a protocol can report, by their keys in its rows.
COLUMNS = {
    column.metric: column
    for column in (
        Column('top1', 'Top-1', True, 'top1_chance'),
        Column('cmap', 'cMAP', False, 'cmap_chance', is_attack=True),
        Column('f1', 'F1', False),
        Column('cmap_finetuned', 'fine-tuned cMAP', False, 'cmap_chance', True, raw_metric='cmap'),
        Column('cmap_video', 'video-level cMAP', False, 'cmap_video_chance', is_attack=True),
        Column('identity_top1', 'identity Top-1', False, 'identity_chance', is_attack=True),
        Column(
            'cmap_reconstructed',
            'cMAP on reconstructions',
            False,
            'cmap_chance',
            True,
            raw_metric='cmap',
        ),
        Column('psnr', 'reconstruction PSNR', False, unit='dB'),
        Column('ssim', 'reconstruction SSIM', False, unit='', digits=3),
    )
}


def to_column(column: str | Mapping | Column) -> Column:
    """Return a column, given as a key of :data:`COLUMNS`, as a mapping of attributes, or itself.

    Raises:
        ValueError: If there is no such column, or the attributes are unknown.
    """
    if isinstance(column, Column):
        return column
    if isinstance(column, Mapping):
        try:
            return Column(**column)
        except TypeError as error:
            names = [entry.name for entry in fields(Column)]
            raise ValueError(
                f'The column {dict(column)} of the report is none ({error}); it has metric, title '
                f'and higher_is_better, and may have {", ".join(names[3:])}.'
            ) from error
    if column not in COLUMNS:
        raise ValueError(
            f'The report knows no column {column!r}; take one of {list(COLUMNS)}, or give a Column '
            'or a dictionary of its attributes.'
        )
    return COLUMNS[column]
