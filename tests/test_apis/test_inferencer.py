import numpy as np
import pytest
import torch
from media import draw_frames, read_video, write_video
from mmaction.registry import MODELS

from spact_mm.apis import AnonymizeInferencer
from spact_mm.models.anonymizers import UNetAnonymizer

CONFIG = dict(type='UNetAnonymizer', base_channels=4, num_levels=2)


@pytest.fixture
def network():
    network = UNetAnonymizer(base_channels=4, num_levels=2)
    with torch.no_grad():  # so that BatchNorm has something to fold
        network.train()(torch.rand(2, 3, 32, 32))
    return network.eval()


@pytest.fixture
def checkpoint(network, tmp_path):
    return save(network, tmp_path, f'model = dict(anonymizer={CONFIG})')


def save(network, folder, cfg=None, prefix='anonymizer.'):
    path = str(folder / 'minimax.pth')
    state = {prefix + name: value for name, value in network.state_dict().items()}
    torch.save(dict(state_dict=state, meta=dict(cfg=cfg) if cfg else {}), path)
    return path


def run(network, frames):
    """Return what the network makes of uint8 frames (N, H, W, 3)."""
    x = torch.from_numpy(frames).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        return (network(x) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def assert_same(found, expected):
    """Compare up to the rounding of folded BatchNorm."""
    assert found.dtype == expected.dtype
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_arrays_come_out_as_the_network_makes_them(network, checkpoint):
    anonymize = AnonymizeInferencer(weights=checkpoint, device='cpu', show_progress=False)
    frames = draw_frames(5)
    several, one = anonymize([frames, frames[0]])['predictions']
    assert_same(several, run(network, frames))
    assert_same(one, run(network, frames[:1])[0])


def test_tensors_keep_their_type_and_range(network, checkpoint):
    anonymize = AnonymizeInferencer(weights=checkpoint, device='cpu', show_progress=False)
    frames = torch.rand(3, 3, 32, 48)
    with torch.no_grad():
        expected = network(frames)
    assert torch.allclose(anonymize(frames)['predictions'][0], expected, atol=1e-4)
    assert torch.allclose(anonymize(frames[0])['predictions'][0], expected[0], atol=1e-4)
    (found,) = anonymize((frames * 255).to(torch.uint8))['predictions']
    assert found.dtype == torch.uint8
    assert (found / 255 - expected).abs().max() < 0.02


def test_batches_do_not_change_what_comes_out(checkpoint):
    frames = draw_frames(7)
    one, all_ = (
        AnonymizeInferencer(weights=checkpoint, device='cpu', batch_size=n, show_progress=False)(
            frames
        )['predictions'][0]
        for n in (1, 7)
    )
    assert_same(one, all_)


def test_paths_become_files_or_arrays(network, checkpoint, tmp_path):
    source = write_video(tmp_path / 'walk.mkv', codec='ffv1', pix_fmt='bgr0')
    anonymize = AnonymizeInferencer(weights=checkpoint, device='cpu', show_progress=False)
    expected = run(network, draw_frames())
    assert_same(anonymize(str(source))['predictions'][0], expected)
    (path,) = anonymize(str(source), out_dir=str(tmp_path / 'out'))['predictions']
    assert path == str(tmp_path / 'out' / 'walk.mp4')
    assert np.abs(read_video(path)[0].astype(int) - expected).mean() < 8


@pytest.mark.parametrize('method', ['blur', 'downsample', 'pixelate', 'black'])
def test_obfuscation_is_as_strong_at_any_size(method):
    anonymize = AnonymizeInferencer(method=method, device='cpu', show_progress=False)
    for scale in (1, 3):
        stripes = np.zeros((1, 112 * scale, 112 * scale, 3), np.uint8)
        stripes[:, :, : 2 * scale] = 255
        stripes = np.tile(stripes[:, :, : 4 * scale], (1, 1, 28, 1))
        (found,) = anonymize(stripes)['predictions']
        assert found.shape == stripes.shape
        inside = found[:, 20 * scale : -20 * scale, 20 * scale : -20 * scale].astype(float)
        assert inside.std() < 12


def test_config_tells_what_the_checkpoint_does_not(network, tmp_path):
    checkpoint = save(network, tmp_path)
    with pytest.raises(ValueError, match='minimax.pth does not tell its anonymizer'):
        AnonymizeInferencer(weights=checkpoint)
    config = tmp_path / 'config.py'
    config.write_text(f'model = dict(anonymizer={CONFIG})')
    anonymize = AnonymizeInferencer(str(config), checkpoint, 'cpu', show_progress=False)
    assert_same(anonymize(draw_frames(2))['predictions'][0], run(network, draw_frames(2)))


def test_a_random_anonymizer_gives_other_frames_in_each_run(tmp_path):
    stages = [dict(type='PixelateAnonymizer', block=4), dict(type='NoiseAnonymizer', std=0.1)]
    config = dict(type='SequentialAnonymizer', stages=stages)
    source = str(write_video(tmp_path / 'walk.mkv', codec='ffv1', pix_fmt='bgr0'))
    checkpoint = save(torch.nn.Identity(), tmp_path, f'model = dict(anonymizer={config})')
    anonymize = AnonymizeInferencer(weights=checkpoint, device='cpu', show_progress=False)
    first, second = (anonymize(source)['predictions'][0].astype(float) for _ in range(2))
    expected = run(MODELS.build(stages[0]), draw_frames()).astype(float)
    for found in (first, second):
        assert 10 < np.abs(found - expected).mean() < 25
    assert np.abs(first - second).mean() > 10
    for _ in range(2):
        (path,) = anonymize(source, out_dir=str(tmp_path / 'out'))['predictions']
        assert len(read_video(path)[0]) == len(expected)


def test_weights_behind_a_preprocessor_are_found(network, tmp_path):
    cfg = f'model = dict(data_preprocessor=dict(anonymizer={CONFIG}))'
    checkpoint = save(network, tmp_path, cfg, 'data_preprocessor.anonymizer.')
    anonymize = AnonymizeInferencer(weights=checkpoint, device='cpu', show_progress=False)
    assert_same(anonymize(draw_frames(2))['predictions'][0], run(network, draw_frames(2)))


def test_settings_tell_weights_apart(checkpoint, network, tmp_path):
    first = AnonymizeInferencer(weights=checkpoint, device='cpu').settings
    assert first == AnonymizeInferencer(weights=checkpoint, device='cpu').settings
    with torch.no_grad():
        next(network.parameters()).add_(1)
    other = save(network, tmp_path, f'model = dict(anonymizer={CONFIG})')
    assert first != AnonymizeInferencer(weights=other, device='cpu').settings
    assert AnonymizeInferencer(method='blur').settings == dict(method='blur')


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(), 'either weights .* or a method, one of blur.*; got neither'),
        (dict(weights='a.pth', method='blur'), 'got both'),
        (dict(method='magic'), 'There is no method magic; there are blur'),
        (dict(method='blur', model=dict(model={})), 'and blur is none: leave the config out'),
        (dict(method='blur', batch_size=0), 'batch_size must be 1 or more, but is 0'),
        (dict(weights='no/such.pth'), 'no/such.pth'),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        AnonymizeInferencer(**arguments)


@pytest.mark.parametrize(
    'inputs, message',
    [
        (np.zeros((4, 4), np.uint8), r'An array must be RGB uint8.*but is uint8 \(4, 4\)'),
        (np.zeros((4, 4, 3)), 'An array must be RGB uint8.*but is float64'),
        (torch.zeros(4, 4, 3), r'A tensor must be RGB.*but is torch.float32 \(4, 4, 3\)'),
        (torch.zeros(3, 4, 4, dtype=torch.int64), 'A tensor must be RGB.*but is torch.int64'),
        (7, 'An input must be a path, an array or a tensor, but is a int'),
    ],
)
def test_wrong_inputs_are_refused(inputs, message):
    anonymize = AnonymizeInferencer(method='blur', device='cpu', show_progress=False)
    with pytest.raises((ValueError, TypeError), match=message):
        anonymize(inputs)


SCHEDULE = [dict(phase='reconstruction', epochs=2), dict(phase='anonymizer', epochs=2)]
INVERTER = dict(type='SequentialAnonymizer', stages=[CONFIG, dict(CONFIG, init_cfg=dict(
    type='Pretrained', checkpoint='attack.pth', prefix='inverter.'
))])  # fmt: skip


@pytest.mark.parametrize(
    ('config', 'reason'),
    [
        (CONFIG, 'before an epoch of the minimax was over'),
        (dict(type='IdentityAnonymizer'), 'ends in IdentityAnonymizer'),
        (INVERTER, 'the inverter'),
    ],
    ids=['reconstruction', 'raw video', 'inverter'],
)
def test_checkpoint_that_hides_nothing_is_not_used(network, tmp_path, config, reason):
    hook = dict(type='MinimaxPhaseHook', schedule=SCHEDULE)
    cfg = f'model = dict(anonymizer={config})\ncustom_hooks = [{hook}]\n'
    stages = [network, network] if config is INVERTER else [network]
    prefixes = [f'stages.{i}.' for i in range(2)] if config is INVERTER else ['']
    state = {} if 'Identity' in str(config) else {
        f'anonymizer.{prefix}{name}': value
        for prefix, stage in zip(prefixes, stages, strict=True)
        for name, value in stage.state_dict().items()
    }  # fmt: skip
    path = str(tmp_path / 'epoch_2.pth')
    torch.save(dict(state_dict=state, meta=dict(cfg=cfg, epoch=2)), path)
    with pytest.raises(ValueError, match=f'epoch_2.pth is no anonymizer: .*{reason}.*--force'):
        AnonymizeInferencer(weights=path, device='cpu', show_progress=False)


@pytest.mark.parametrize('option', ['images', 'keep_audio'])
def test_what_files_have_needs_a_folder_for_them(option):
    anonymize = AnonymizeInferencer(method='blur', device='cpu', show_progress=False)
    with pytest.raises(ValueError, match='are about files: give out_dir'):
        anonymize(np.zeros((8, 8, 3), np.uint8), **{option: True})
