"""The panel of attackers in a report: the strongest first, then one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from .panel import RISE, advantage, describe_strength, find_strongest, summarize_strongest
from .summary import Summary, advantage_removed, spread

_MISSING = '–'
#: Index of the utility's column in the first table.
_TOP1 = 2
#: Least removed part of an attacker's advantage that counts as protection against this attacker.
_PROTECTED = 0.5


@dataclass(frozen=True)
class PanelReport:
    """The attackers of a protocol.

    Attributes:
        rows (Sequence[Mapping]): As for :func:`~spact_mm.evaluation.panel.find_strongest`; the
            results may have ``validation``, ``{part of the training: result}``.
        metric (str): Key of the attackers' score in files, such as ``'cmap'``.
        title (str): Name of the score in tables, such as ``'cMAP'``.
        raw (str): The method that stands for raw video.
        method (str): The method of the headline.
    """

    rows: Sequence[Mapping]
    metric: str = 'cmap'
    title: str = 'cMAP'
    raw: str = 'raw'
    method: str = 'SPAct'

    @cached_property
    def strongest(self) -> list[dict | None]:
        """The strongest attacker of each row; None for a row without attackers."""
        return find_strongest(self.rows, self.raw)

    @cached_property
    def summary(self) -> dict[str, dict]:
        """Result of :func:`~spact_mm.evaluation.panel.summarize_strongest`."""
        return summarize_strongest(self.rows, self.strongest, self.raw)

    def entries(self) -> list[dict | None]:
        """Return each row's strongest attacker for a file, with the metric's key."""
        return [None if entry is None else self._named(entry) for entry in self.strongest]

    def summary_entries(self) -> dict[str, dict]:
        """Return the summary of each method for a file, with the metric's key."""
        return {method: self._named(entry) for method, entry in self.summary.items()}

    def _named(self, entry: Mapping) -> dict:
        named = {self.metric if key == 'score' else key: value for key, value in entry.items()}
        if 'best_on_test' in named:
            named['best_on_test'] = self._named(named['best_on_test'])
        return named

    @cached_property
    def attackers(self) -> list[str]:
        """Names of all attackers, in the order of the protocol."""
        return list(dict.fromkeys(name for row in self.rows for name in row.get('attackers', ())))

    def headline(self) -> list[str]:
        """Return sentences on the measured protection by the method."""
        entry = self.summary.get(self.method)
        if entry is None or 'advantage_removed' not in entry or self.raw not in self.summary:
            return []
        removed = entry['advantage_removed']
        seeds = f'{removed["n"]} seed{"s" if removed["n"] > 1 else ""}'
        sentences = [
            f"Of the strongest attacker's advantage over chance {self.method} removes "
            f'{_percent(removed["mean"])} % (mean of {seeds}; worst, seed {removed["worst_seed"]}: '
            f'{_percent(removed["worst"])} %). He reaches {self._score(entry)} behind it and '
            f'{self._score(self.summary[self.raw])} on {self.raw}.',
            self._describe_best(entry['best_on_test']),
        ]
        parts = self._removed_by_attacker()
        against = [f'{n} ({_percent(p)} %)' for n, p in parts.items() if p > _PROTECTED]
        others = [f'{n} ({_percent(p)} %)' for n, p in parts.items() if p <= _PROTECTED]
        if against:
            sentences.append(
                f'More than half of the advantage is gone of: {", ".join(against)}.'
                + (f' Less of: {", ".join(others)}.' if others else '')
            )
        else:
            sentences.append(
                f'It protects against no attacker that was tried: of none it removes half ('
                f'{", ".join(others)}).'
            )
        return sentences

    def _describe_best(self, best: Mapping) -> str:
        removed = best['advantage_removed']
        return (
            f'The best on the test ({", ".join(best["attackers"])}) reaches {_spread(best)} %: of '
            f'his advantage {_percent(removed["mean"])} % is removed (worst, seed '
            f'{removed["worst_seed"]}: {_percent(removed["worst"])} %).'
        )

    def _removed_by_attacker(self) -> dict[str, float]:
        """Return the part of each attacker's own advantage on raw video that the method removes."""
        found = {}
        for name in self.attackers:
            ours, theirs = self._mean_advantage(self.method, name), self._raw_advantage(name)
            if ours is not None and theirs:
                found[name] = advantage_removed(ours, theirs, 0.0)
        return found

    def _mean_advantage(self, method: str, name: str) -> float | None:
        results = [
            row['attackers'][name]
            for row in self.rows
            if row['method'] == method and name in row.get('attackers', ())
        ]
        return fmean(advantage(r['score'], r['chance']) for r in results) if results else None

    def _raw_advantage(self, name: str) -> float | None:
        """Return an attacker's own advantage on raw video, else the strongest attacker's.

        An attacker who started from the weights of an attacker on raw video is compared with the
        latter.
        """
        for own in (name, name.removesuffix(f'_{self.raw}')):
            found = self._mean_advantage(self.raw, own)
            if found is not None:
                return found
        entries = [
            entry
            for row, entry in zip(self.rows, self.strongest, strict=True)
            if entry and row['method'] == self.raw
        ]
        return fmean(entry['advantage'] for entry in entries) if entries else None

    def _score(self, entry: Mapping) -> str:
        article = 'an' if self.title[0].lower() in 'aeiou' else 'a'
        # The strongest attacker, and so the chance level, may differ between methods.
        chance = _percent(entry['chance']['mean'])
        return f'{article} {self.title} of {_spread(entry["score"])} % (chance {chance} %)'

    def tables(self, utility: Summary) -> list[tuple[str, list[list[str]]]]:
        """Return titles and tables: the strongest, one by one, and the growth of strength.

        Args:
            utility (dict): ``{method: {metric: spread}}``; ``top1`` is shown if any method has it.
        """
        has_utility = any('top1' in metrics for metrics in utility.values())
        title = 'Utility and privacy' if has_utility else 'Privacy'
        table = self._strongest_table(utility)
        if not has_utility:
            table = [[*cells[:_TOP1], *cells[_TOP1 + 1 :]] for cells in table]
        tables = [(title, table)]
        tables.append((f'Attackers one by one: {self.title} (%)', self._single_table()))
        strength = self._strength_table()
        if len(strength) > 1:
            tables.append(
                (f'Strength: {self.title} (%) on the validation split, by training', strength)
            )
        return tables

    def legend(self) -> list[str]:
        """Return sentences that explain the tables."""
        return [
            "The strongest attacker is the one with the greatest advantage on the attackers' "
            'validation split, which shares nothing with the test; his result on the test is '
            'shown. Advantage = (score − chance) / (1 − chance), advantage removed = 1 − advantage '
            f'/ that of the strongest on {self.raw}; worst is the seed of which least is removed. '
            'The best on test is chosen on the test, over the folds of a seed, which flatters the '
            'attacker; with few validation videos the first choice flatters the method. Mean ± '
            'sample standard deviation over seeds, each the mean over its folds.'
        ]

    def _strongest_table(self, utility: Summary) -> list[list[str]]:
        head = ['method', 'seeds', 'Top-1 (%) ↑', f'strongest attacker, {self.title} (%) ↓']
        head += ['chance (%)', 'who (seeds)', 'advantage removed (%) ↑', 'worst seed (%)']
        head += ['best on test (%)', 'of his advantage removed (%) ↑', 'its worst seed (%)']
        table = [head]
        for method, entry in self.summary.items():
            top1, best = utility.get(method, {}).get('top1'), entry['best_on_test']
            table.append(
                [
                    method,
                    str(entry['score']['n']),
                    _spread(top1) if top1 else _MISSING,
                    _spread(entry['score']),
                    _percent(entry['chance']['mean']),
                    ', '.join(f'{name} ({n})' for name, n in entry['attackers'].items()),
                    *_removed_cells(entry),
                    _spread(best),
                    *_removed_cells(best),
                ]
            )
        return table

    def scores(self) -> dict[str, dict[str, dict]]:
        """Return ``{method: {attacker: spread over seeds}}`` of the test scores."""
        found = {}
        for method in self.summary:
            found[method] = {}
            for name in self.attackers:
                seeds: dict = {}
                for row in self.rows:
                    result = row.get('attackers', {}).get(name)
                    if row['method'] == method and result is not None:
                        seeds.setdefault(row['seed'], []).append(result['score'])
                if seeds:
                    found[method][name] = spread(fmean(values) for values in seeds.values())
        return found

    def chance_levels(self) -> dict[str, float]:
        """Return the chance level of each attacker, from the first row that has the attacker."""
        levels: dict[str, float] = {}
        for method in self.summary:
            for row in self.rows:
                if row['method'] == method:
                    for name, result in row.get('attackers', {}).items():
                        levels.setdefault(name, result['chance'])
        return levels

    def _single_table(self) -> list[list[str]]:
        scores, levels = self.scores(), self.chance_levels()
        table = [['method', *self.attackers]]
        for method, found in scores.items():
            cells = [_spread(found[name]) if name in found else _MISSING for name in self.attackers]
            table.append([method, *cells])
        return [*table, ['chance', *(_percent(levels[name]) for name in self.attackers)]]

    def _strength_table(self) -> list[list[str]]:
        told = {method: describe_strength(self._validation(method)) for method in self.summary}
        parts = {part for method in told.values() for t in method.values() for part in t['scores']}
        parts = sorted(parts, key=float)
        table = [['method', 'attacker', *(f'× {part}' for part in parts), '']]
        for method, attackers in told.items():
            for name, entry in attackers.items():
                words = {True: 'still rising', False: '', None: _MISSING}
                cells = [
                    _percent(entry['scores'][p]) if p in entry['scores'] else _MISSING
                    for p in parts
                ]
                table.append([method, name, *cells, words[entry['is_rising']]])
        return table

    def _validation(self, method: str) -> dict[str, dict[str, dict]]:
        """Return each attacker's mean validation result by the part of its training.

        If some rows have a training twice as long, only these rows are averaged: others are not
        comparable.
        """
        found: dict[str, dict[str, dict]] = {}
        for name in self.attackers:
            rows = [
                row['attackers'][name].get('validation', {})
                for row in self.rows
                if row['method'] == method and name in row.get('attackers', ())
            ]
            rows = [row for row in rows if '2' in row] or rows
            parts = set.intersection(*map(set, rows)) if rows else set()
            found[name] = {
                part: dict(score=fmean(row[part]['score'] for row in rows)) for part in parts
            }
        return found

    def strength_legend(self) -> str:
        """Return a sentence that explains the table of strength."""
        return (
            'The score when a part of the training was done, the rate still being high before the '
            f'end, and × 2 after another training of twice the length; still rising: by more than '
            f'{100 * RISE:.0f} point.'
        )


def _percent(value: float) -> str:
    return f'{100 * value:.1f}'


def _removed_cells(entry: Mapping) -> list[str]:
    """Return the mean and the worst seed of the removed advantage."""
    removed = entry.get('advantage_removed')
    return [_spread(removed), _percent(removed['worst'])] if removed else [_MISSING] * 2


def _spread(values: Mapping) -> str:
    text = _percent(values['mean'])
    return f'{text} ± {_percent(values["std"])}' if values['n'] > 1 else text
