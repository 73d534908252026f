import pytest
import torch

from spact_mm.models.frames import check_format, fold_frames, map_chunks, unfold_frames

SHAPES = {'NCTHW': (2, 3, 3, 5, 4, 6), 'NCHW': (2, 8, 3, 4, 6)}


@pytest.mark.parametrize('layout', SHAPES)
def test_unfold_undoes_fold(layout):
    clips = torch.rand(SHAPES[layout])
    frames = fold_frames(clips, layout)
    assert frames.shape == (clips.numel() // 72, 3, 4, 6)
    assert torch.equal(unfold_frames(frames, clips, layout), clips)


@pytest.mark.parametrize('layout', SHAPES)
def test_a_frame_has_the_colours_of_one_moment(layout):
    clips = torch.zeros(SHAPES[layout])
    time = {'NCTHW': 3, 'NCHW': 1}[layout]
    for t in range(clips.shape[time]):
        clips.select(time, t)[:] = t
    for frame in fold_frames(clips, layout):
        assert frame.min() == frame.max()


@pytest.mark.parametrize('chunk', [None, 1, 3, 100])
def test_chunks_cover_all_frames_in_order(chunk):
    frames, seen = torch.rand(7, 3, 2, 2), []

    def double(part):
        seen.append(len(part))
        return 2 * part

    assert torch.equal(map_chunks(double, frames, chunk), 2 * frames)
    assert max(seen) <= (chunk or 7) and sum(seen) == 7


@pytest.mark.parametrize('side, most', [(112, 16), (224, 4), (500, 1)])
def test_large_frames_pass_a_cpu_few_at_a_time(side, most):
    frames, seen = torch.rand(17, 1, side, side), []

    def double(part):
        seen.append(len(part))
        return 2 * part

    assert torch.equal(map_chunks(double, frames, None), 2 * frames)
    assert max(seen) == most and sum(seen) == 17


def test_layouts_without_frames_are_refused():
    with pytest.raises(ValueError, match="format_shape='NCTHW_Heatmap'"):
        check_format('NCTHW_Heatmap')
