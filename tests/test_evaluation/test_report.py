import json
import math

import numpy as np
import pytest

from spact_mm.evaluation.columns import COLUMNS, Column
from spact_mm.evaluation.report import Report, write_json, write_markdown
from spact_mm.evaluation.summary import goals, summarize


def make_rows():
    rows = []
    for seed, shift in ((0, -0.01), (1, 0.01)):
        for method, top1, cmap, f1 in (('raw', 0.8, 0.7, 0.5), ('SPAct', 0.78, 0.6, 0.4)):
            rows.append(
                dict(
                    method=method,
                    seed=seed,
                    fold=None,
                    top1=top1 + shift,
                    cmap=cmap + shift,
                    f1=f1,
                    cmap_chance=0.2,
                    top1_chance=0.125,
                    commit='abc123',
                    config_hash=f'{method}-1',
                )
            )
    return rows


def test_table_has_the_layout_of_the_paper(tmp_path):
    rows = make_rows()
    published = {
        'paper, UCF101': {'raw': dict(top1=0.6233), 'SPAct': dict(top1=0.6203, cmap=0.5743)}
    }
    text = write_markdown(
        tmp_path / 'new' / 'report.md',
        Report(
            'Trade-off',
            rows,
            summarize(rows),
            published=published,
            notes=['Gait is not protected.'],
            provenance=dict(command='python tools/protocol.py', date='2024-01-01'),
        ),
    )
    assert (tmp_path / 'new' / 'report.md').read_text(encoding='utf-8') == text
    assert text == (
        '# Trade-off\n'
        '\n'
        '| method | seeds | Top-1 (%) ↑ | cMAP (%) ↓ | advantage removed (%) ↑ | F1 (%) ↓ '
        '| Top-1 (%) ↑, paper, UCF101 | cMAP (%) ↓, paper, UCF101 |\n'
        '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n'
        '| raw | 2 | 80.0 ± 1.4 | 70.0 ± 1.4 | – | 50.0 ± 0.0 | 62.3 | – |\n'
        '| SPAct | 2 | 78.0 ± 1.4 (↓ 2.5 %) | 60.0 ± 1.4 (↓ 14.3 %) | 20.0 '
        '| 40.0 ± 0.0 (↓ 20.0 %) | 62.0 | 57.4 |\n'
        '| chance | – | 12.5 | 20.0 | – | – | – | – |\n'
        '\n'
        'Mean ± sample standard deviation over seeds, each the mean over its folds; in '
        'parentheses the relative change against raw. Advantage removed = (A(raw) − A) / '
        '(A(raw) − chance), A the attacker in the column before it.\n'
        '\n'
        '## Notes\n'
        '\n'
        '- Gait is not protected.\n'
        '\n'
        '## Provenance\n'
        '\n'
        '- seeds: 0, 1\n'
        '- commit: abc123\n'
        '- config hashes: raw-1, SPAct-1\n'
        '- command: python tools/protocol.py\n'
        '- date: 2024-01-01\n'
    )


def table_of(text, heading):
    part = text.split(heading)[1]
    return [line for line in part.split('\n\n')[1].splitlines()]


def test_missing_incomplete_and_rising_values_are_shown_as_such(tmp_path):
    summary = {
        'raw': {'cmap': dict(mean=0.5, std=0.0, n=1), 'psnr': dict(mean=30.0, std=0.5, n=3)},
        'blur': {
            'cmap': dict(mean=0.6, std=0.02, n=2, complete=False),
            'psnr': dict(mean=15.0, std=0.5, n=3),
        },
        'SPAct': {'cmap': dict(mean=0.5, std=0.01, n=2)},
    }
    published = {'paper': {'Other': dict(f1=0.5)}}
    text = write_markdown(
        tmp_path / 'r.md', Report('T', [], summary, ['cmap', 'psnr'], (), published)
    )
    assert table_of(text, '# T') == [
        '| method | seeds | cMAP (%) ↓ | reconstruction PSNR (dB) ↓ |',
        '| --- | ---: | ---: | ---: |',
        '| raw | 3 | 50.0 [n = 1] | 30.0 ± 0.5 |',
        '| blur | 3 | 60.0 ± 2.0† [n = 2] (↑ 20.0 %) | 15.0 ± 0.5 |',
        '| SPAct | 2 | 50.0 ± 1.0 (0.0 %) | – |',
        '| Other | – | – | – |',
    ]
    assert '† Incomplete' in text and '[n = ...]' in text and 'Provenance' not in text


def test_further_attackers_have_a_table_with_their_own_chance(tmp_path):
    summary = {
        'raw': {
            'cmap_video': dict(mean=0.75, std=0, n=1),
            'cmap_video_chance': dict(mean=0.25, std=0, n=1),
            'ssim': dict(mean=1.0, std=0, n=1),
        },
        'SPAct': {
            'cmap_video': dict(mean=0.65, std=0, n=1),
            'ssim': dict(mean=0.1234, std=0, n=1),
            'mine': dict(mean=7.0, std=0, n=1),
        },
    }
    mine = Column('mine', 'days', True, unit='', digits=0)
    attacks = ['cmap_video', 'ssim', mine]
    text = write_markdown(tmp_path / 'r.md', Report('T', [], summary, attack_columns=attacks))
    assert table_of(text, '## Further attackers') == [
        '| method | seeds | video-level cMAP (%) ↓ | advantage removed (%) ↑ '
        '| reconstruction SSIM ↓ | days ↑ |',
        '| --- | ---: | ---: | ---: | ---: | ---: |',
        '| raw | 1 | 75.0 | – | 1.000 | – |',
        '| SPAct | 1 | 65.0 (↓ 13.3 %) | 20.0 | 0.123 | 7 |',
        '| chance | – | 25.0 | – | – | – |',
    ]


def test_flicker_has_a_table(tmp_path):
    flicker = dict(raw=dict(before=2.26, after=2.26), SPAct=dict(before=2.26, after=7.04))
    text = write_markdown(tmp_path / 'r.md', Report('T', [], {}, flicker=flicker))
    assert table_of(text, '## Flicker') == [
        '| method | in the input | in the output ↓ |',
        '| --- | ---: | ---: |',
        '| raw | 2.3 | 2.3 |',
        '| SPAct | 2.3 | 7.0 |',
    ]
    assert 'Flicker: the mean change of a pixel' in text


def test_goals_are_told_met_or_missed(tmp_path):
    rows = make_rows()
    judged = goals(summarize(rows), supervised='raw', min_advantage_removed=0.1)
    text = write_markdown(tmp_path / 'r.md', Report('T', rows, summarize(rows), goals=judged))
    assert table_of(text, '## Goals, met or missed') == [
        '| goal | asked | measured |  |',
        '| --- | ---: | ---: | ---: |',
        '| Top-1 kept of raw | at least 99.0 % | 97.5 % | **missed** |',
        "| attacker's advantage over chance removed | more than 10.0 % | 20.0 % | met |",
        '| obfuscations better in both | none | – | unknown |',
        '| worse than the supervised baseline by | at most top1 2.0 %, cmap 2.0 % '
        '| top1 2.0 %, cmap -10.0 % | met |',
    ]


def test_unknown_columns_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no column 'mAP'"):
        write_markdown(tmp_path / 'r.md', Report('T', [], {}, columns=['mAP']))
    assert set(COLUMNS) >= {'top1', 'cmap', 'f1', 'cmap_finetuned', 'identity_top1', 'psnr'}


def test_a_column_may_be_a_dictionary_as_configs_hold_them(tmp_path):
    rows = [dict(method='raw', seed=0, gait=0.5)]
    column = dict(metric='gait', title='gait Top-1', higher_is_better=False)
    text = write_markdown(tmp_path / 'r.md', Report('T', rows, summarize(rows), columns=[column]))
    assert text.startswith(
        '# T\n\n| method | seeds | gait Top-1 (%) ↓ |\n| --- | ---: | ---: |\n| raw | 1 | 50.0 |\n'
    )
    with pytest.raises(
        ValueError, match=r'metric, title and higher_is_better, and may have chance'
    ):
        write_markdown(
            tmp_path / 'r.md', Report('T', [], {}, columns=[dict(metric='gait', color='red')])
        )


def test_json_holds_what_json_has(tmp_path):
    path = tmp_path / 'new' / 'results.json'
    rows = [dict(method='raw', seed=np.int64(3), cmap=math.nan, top1=np.float64(0.5))]
    summary = {'raw': {'top1': dict(mean=np.float32(0.5), std=math.inf, n=1)}}
    write_json(path, rows, summary, dict(goals=dict(range=(1, 2), met=None), title='Größe'))
    text = path.read_text(encoding='utf-8')
    assert json.loads(text) == {
        'rows': [dict(method='raw', seed=3, cmap=None, top1=0.5)],
        'summary': {'raw': {'top1': dict(mean=0.5, std=None, n=1)}},
        'goals': dict(range=[1, 2], met=None),
        'title': 'Größe',
    }
    assert 'NaN' not in text and 'Größe' in text
    assert [file.name for file in path.parent.iterdir()] == ['results.json']


def test_a_failing_write_leaves_the_old_file(tmp_path):
    path = tmp_path / 'results.json'
    write_json(path, [], {})
    before = path.read_text(encoding='utf-8')
    with pytest.raises(TypeError):
        write_json(path, [dict(method=object())], {})
    assert path.read_text(encoding='utf-8') == before


def test_attacks_that_raw_lacks_are_compared_with_the_attack_on_raw(tmp_path):
    rows = [
        dict(method='raw', seed=0, cmap=0.9, cmap_chance=0.5),
        dict(method='ours', seed=0, cmap=0.6, cmap_chance=0.5, cmap_finetuned=0.7),
    ]
    text = write_markdown(
        tmp_path / 'r.md',
        Report('T', rows, summarize(rows), ['cmap'], attack_columns=['cmap_finetuned']),
    )
    assert '| ours | 1 | 70.0 (↓ 22.2 %) | 50.0 |' in text
