import base64
import re
import shutil
import subprocess

import cv2
import numpy as np
import pytest

from spact_mm.evaluation import Report, goals, plot_tradeoff, summarize, write_html

RESULTS = [
    ('raw', 0, 0.9, 0.8),
    ('raw', 1, 0.92, 0.84),
    ('a < b', 0, 0.8, 0.6),
    ('a < b', 1, 0.9, 0.6),
]
ROWS = [
    dict(method=m, seed=seed, fold=None, top1=top1, cmap=cmap, cmap_chance=0.4, commit='c0ffee')
    for m, seed, top1, cmap in RESULTS
]


@pytest.fixture
def report(tmp_path):
    summary = summarize(ROWS)
    plot_tradeoff(summary, tmp_path / 'plot.png')
    frames = np.zeros((16, 64, 3), np.uint8)
    frames[..., 1] = 200
    write_html(
        tmp_path / 'report.html',
        Report(
            'Actions & attributes',
            ROWS,
            summary,
            columns=('top1', 'cmap'),
            goals=goals(summary, method='a < b', min_advantage_removed=0.9),
            notes=['Drawn <figures>.'],
            provenance=dict(Command='`run`'),
        ),
        plot=tmp_path / 'plot.png',
        examples={'raw': cv2.imencode('.png', frames)[1].tobytes()},
        attributes={'raw': dict(hat=0.5, hair=0.125), 'a < b': dict(hat=1.0)},
        configs={'Config: train': "model = dict(type='<x>')"},
    )
    return tmp_path / 'report.html'


def test_everything_is_in_one_file(report):
    text = report.read_text()
    assert not re.search(r'(src|href)="(?!data:)', text) and 'http' not in text
    plot, frames = (base64.b64decode(d) for d in re.findall('base64,([^"]+)"', text))
    assert plot == report.with_name('plot.png').read_bytes()
    assert cv2.imdecode(np.frombuffer(frames, np.uint8), 1)[3, 3].tolist() == [0, 200, 0]


def test_numbers_goals_and_warnings_are_told(report):
    text = report.read_text()
    assert '<td>91.0 ± 1.4</td>' in text and '<td>a &lt; b</td>' in text
    assert '<td class="missed">missed</td>' in text
    assert 'What is not protected' in text and 'Gait' in text
    assert '--width: 12.5%">12.5</td>' in text and '--width: 100.0%">100.0</td>' in text
    assert '<li>commit: c0ffee</li>' in text and '<li>Command: `run`</li>' in text


def test_what_users_name_is_text_and_no_markup(report):
    text = report.read_text()
    assert '<title>Actions &amp; attributes</title>' in text
    assert 'Drawn &lt;figures&gt;.' in text and '<figures>' not in text and '<x>' not in text


def test_report_without_pictures_has_the_tables(tmp_path):
    report = Report('T', ROWS, summarize(ROWS), columns=('top1', 'cmap'))
    text = write_html(tmp_path / 'r.html', report)
    assert '<img' not in text and text.count('<table>') == 1


@pytest.mark.slow
def test_browser_shows_the_page(report):
    """The page in headless Chromium: text, a bar that is half full, and no error."""
    browser = shutil.which('chromium') or shutil.which('google-chrome')
    if browser is None:
        pytest.skip('there is no Chromium to look with (apt-get install chromium)')
    picture = report.with_name('page.png')
    subprocess.run(
        [browser, '--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars',
         '--window-size=1200,3000', f'--screenshot={picture}', report.as_uri()],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    page = cv2.imread(str(picture))
    assert page.shape == (3000, 1200, 3)

    def count(rgb, tolerance=6):
        return int((np.abs(page.astype(int) - rgb[::-1]).max(-1) <= tolerance).sum())

    assert count((0xFF, 0xF4, 0xE0)) > 20_000  # the warning
    assert count((0, 200, 0)) > 50_000  # the frames, enlarged
    assert count((0x56, 0xB4, 0xE9)) > 1_000  # the bars
