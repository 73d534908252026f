import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from spact_mm.evaluation.label_placement import place_labels
from spact_mm.evaluation.method_styles import style_methods
from spact_mm.evaluation.tradeoff import pareto_front, plot_tradeoff


def entry(mean, std=0.01):
    return dict(mean=mean, std=std, n=3)


SUMMARY = {
    'raw': dict(top1=entry(0.9), cmap=entry(0.8)),
    'blur': dict(top1=entry(0.7), cmap=entry(0.75)),
    'SPAct': dict(top1=entry(0.88), cmap=entry(0.6)),
    'half-done': dict(top1=entry(0.88)),
}
PUBLISHED = {'paper, UCF101': {'raw': dict(top1=0.6, cmap=0.64), 'Other': dict(top1=0.5, cmap=0.5)}}


@pytest.fixture
def figure(monkeypatch):
    """Keep the figure that is saved, to look into."""
    kept, save = [], Figure.savefig

    def keep(self, *args, **kwargs):
        kept.append(self)
        return save(self, *args, **kwargs)

    monkeypatch.setattr(Figure, 'savefig', keep)
    return kept


def test_front_holds_what_nothing_beats():
    points = [(0.5, 0.2), (0.7, 0.9), (0.6, 0.2), (0.3, 0.1), (0.7, 0.8), (0.5, 0.2), (0.9, 0.9)]
    assert pareto_front(points) == [3, 0, 5, 1]
    assert pareto_front([(1.0, 0.0)]) == [0]
    assert pareto_front([]) == []


def test_plot_is_a_picture_with_all_that_was_given(tmp_path, figure):
    path = plot_tradeoff(
        SUMMARY,
        tmp_path / 'new' / 'plot.png',
        PUBLISHED,
        dict(cmap=0.25, top1=0.01),
        title='Test data',
        connect=[('raw', 'blur')],
    )
    assert path == tmp_path / 'new' / 'plot.png'
    with Image.open(path) as image:
        assert image.size == (1260, 900)
        assert np.asarray(image.convert('L')).std() > 10
    (axes,) = figure[0].axes
    assert 'more private' in axes.get_xlabel() and axes.get_title(loc='left') == 'Test data'
    texts = {text.get_text(): text for text in axes.texts}
    assert set(texts) == {
        'raw', 'blur', 'SPAct', 'Other', 'chance 25.0 %', 'chance 1.0 %, beyond this edge ↓'
    }  # fmt: skip
    assert texts['SPAct'].xy == pytest.approx((60, 88))
    legend = [text.get_text() for text in figure[0].legends[0].get_texts()]
    assert legend == [
        'measured, mean ± std over seeds',
        'Pareto front of the measured',
        'published (paper, UCF101)',
    ]
    bars = [container for container in axes.containers if container.has_xerr]
    assert len(bars) == 3 and all(container.has_yerr for container in bars)


def test_legend_names_what_is_drawn_alone(tmp_path, figure):
    once = dict(mean=0.9, std=0.0, n=1)
    summary = {'raw': dict(top1=once, cmap=once)}
    published = {'paper': {'Other': dict(top1=0.5)}}
    plot_tradeoff(summary, tmp_path / 'plot.png', published)
    legend = [text.get_text() for text in figure[0].legends[0].get_texts()]
    assert legend == ['measured, one seed']


def test_no_axis_goes_beyond_all_and_nothing(tmp_path, figure):
    summary = {
        'raw': dict(top1=entry(1.0, 0), cmap=entry(1.0, 0)),
        'grey': dict(top1=entry(0.0, 0), cmap=entry(0.0, 0)),
    }
    plot_tradeoff(summary, tmp_path / 'plot.png')
    spines = figure[0].axes[0].spines
    assert spines['bottom'].get_bounds() == spines['left'].get_bounds() == (0, 100)


def test_spreads_end_at_all(tmp_path, figure):
    summary = {
        'raw': dict(top1=entry(0.998, 0.004), cmap=entry(0.99, 0.02)),
        'SPAct': dict(top1=entry(0.98, 0.01), cmap=entry(-0.02, 0.01)),
    }
    plot_tradeoff(summary, tmp_path / 'plot.png')
    axes = figure[0].axes[0]
    assert max(axes.get_yticks()) <= 100 and max(axes.get_xticks()) <= 100
    assert len(axes.get_yticks()) > 2
    ends = [line.get_segments() for bar in axes.containers for line in bar.lines[2]]
    assert np.max([np.max(segment) for segments in ends for segment in segments]) == 100


def test_a_method_looks_the_same_in_all_pictures():
    first = style_methods(['raw', 'SPAct', 'my own', 'weak blur'], 'raw')
    second = style_methods(['weak blur', 'raw', 'supervised', 'my own', 'SPAct'], 'raw')
    assert {name: second[name] for name in first} == first
    many = style_methods([f'method {i}' for i in range(8)], 'raw')
    assert len(set(many.values())) == 8
    assert len(style_methods([f'method {i}' for i in range(30)], 'raw')) == 30


def test_names_do_not_cover_each_other(tmp_path, figure):
    summary = {
        f'method {i}': dict(top1=entry(0.5 + 0.005 * i), cmap=entry(0.5 + 0.003 * (i % 3)))
        for i in range(8)
    }
    plot_tradeoff(summary, tmp_path / 'plot.png')
    axes = figure[0].axes[0]
    renderer = figure[0].canvas.get_renderer()
    boxes = [matplotlib.text.Text.get_window_extent(text, renderer) for text in axes.texts]
    assert len(boxes) == 8
    for i, box in enumerate(boxes):
        assert axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def test_the_state_of_pyplot_is_left_alone(tmp_path):
    import matplotlib.pyplot as plt

    before = (plt.get_fignums(), dict(matplotlib.rcParams))
    plot_tradeoff(SUMMARY, tmp_path / 'plot.svg')
    assert (plt.get_fignums(), dict(matplotlib.rcParams)) == before
    assert (tmp_path / 'plot.svg').read_text().startswith('<?xml')


def test_a_plot_without_points_is_refused(tmp_path):
    with pytest.raises(ValueError, match="both 'cmap' and 'top1'"):
        plot_tradeoff({'raw': dict(top1=entry(0.9))}, tmp_path / 'plot.png')


def test_a_lone_label_is_as_near_as_can_be_and_avoids_what_is_there():
    def place(obstacles):
        bounds = np.array([0.0, 0, 200, 200])
        point, size = np.array([[100.0, 100]]), np.array([[40.0, 10]])
        return place_labels(point, size, np.array(obstacles, dtype=float), bounds)[0]

    assert place([[0, 0, 1, 1]]) == pytest.approx((127, 100))
    # The right half is taken.
    x, y = place([[100, 0, 200, 200]])
    assert x + 20 <= 100 and np.hypot(x + 20 - 100, y - 100) < 7.01
