import pytest
from media_matrix import Case, cases, examine

#: One of each kind of sound and time that is not as plain as it looks; the others take minutes.
QUICK = [
    Case('ts', 'h264', sound='aac', start=18),
    Case('mkv', 'h264', start=18),
    Case('avi', 'mpeg4', sound='ac3', b_frames=2),
    Case('avi', 'mpeg4', rate=None),
    Case('mp4', 'h264', colour='bt709 full', rotation=90),
]


@pytest.mark.parametrize('case', QUICK, ids=lambda case: case.name)
def test_a_few_media_come_out_as_they_went_in(case, tmp_path):
    assert examine(case, tmp_path).faults == []


@pytest.mark.slow
@pytest.mark.parametrize('case', cases(), ids=lambda case: case.name)
def test_all_media_come_out_as_they_went_in(case, tmp_path):
    assert examine(case, tmp_path).faults == []
