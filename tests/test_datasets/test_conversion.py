import json

import pytest

from spact_mm.datasets.conversion import ConversionReport, list_files, read_lines


def make_report(**kwargs):
    report = ConversionReport('Set', 'header', **kwargs)
    report.add_count('list', listed=3, published=3, written=3)
    return report


def test_exit_code_tells_a_complete_data_set(tmp_path):
    report = make_report(unlisted=['x'])
    assert report.is_clean and report.finish(tmp_path / 'report.json', False) == 0


@pytest.mark.parametrize('fault', [dict(missing=['a']), dict(broken={'a': 'why'}), 'count'])
def test_exit_code_tells_a_fault_unless_accepted(tmp_path, capsys, fault):
    report = make_report(**(fault if fault != 'count' else {}))
    if fault == 'count':
        report.add_count('other', listed=2, published=4, written=2)
    assert report.finish(tmp_path / 'report.json', allow_missing=False) == 1
    assert '--allow-missing' in capsys.readouterr().err
    assert report.finish(tmp_path / 'report.json', allow_missing=True) == 0
    saved = json.loads((tmp_path / 'report.json').read_text())
    assert (saved['missing'], saved['broken']) == (report.missing, report.broken)
    assert saved['wrong_counts'] == (['other'] if fault == 'count' else [])


def test_summary_names_some_files_and_counts_the_rest():
    summary = make_report(missing=[f'm{i}' for i in range(12)], broken={'b': 'why'}).summary()
    assert '12 missing' in summary and 'm9' in summary and 'm10' not in summary
    assert '... and 2 more' in summary and 'b: why' in summary


def test_lists_are_read_with_any_line_end(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_bytes(b'\xef\xbb\xbfa 1\r\nb 2 \r\n\r\nc 3')
    assert read_lines(path, 'fetch it') == ['a 1', 'b 2', 'c 3']


def test_absent_empty_or_binary_list_is_named_with_the_remedy(tmp_path):
    path = tmp_path / 'list.txt'
    with pytest.raises(FileNotFoundError, match=r'list\.txt does not exist; fetch it\.'):
        read_lines(path, 'fetch it')
    path.write_text('\n')
    with pytest.raises(ValueError, match=r'list\.txt is empty; fetch it\.'):
        read_lines(path, 'fetch it')
    path.write_bytes(b'\xff\xfe\x00')
    with pytest.raises(ValueError, match=r'list\.txt is not a text file; fetch it\.'):
        read_lines(path, 'fetch it')


def test_hidden_files_and_other_suffixes_are_not_listed(tmp_path):
    for name in ('A/b.avi', 'A/a.AVI', 'A/._a.avi', 'A/a.txt'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list_files(tmp_path, ['.avi']) == ['A/a.AVI', 'A/b.avi']
