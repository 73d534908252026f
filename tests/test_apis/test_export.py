import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule

from spact_mm.apis import METHODS, AnonymizeInferencer, FrameAnonymizer, export, export_onnx
from spact_mm.apis.onnx_graph import Graph
from spact_mm.models import anonymizers

UNET = dict(type='UNetAnonymizer', base_channels=4, num_levels=3)
PIXELS = dict(type='PixelateAnonymizer', block=2)
#: Of each class of the package, by name: its settings.
CASES = dict(
    BlackenAnonymizer=[dict(value=0.2)],
    ClipRenderer=[dict(network=UNET), dict(network=PIXELS, window=1)],
    ConstantAnonymizer=[dict(value=0.3)],
    DownsampleAnonymizer=[dict(factor=2.7), dict(factor=1), dict(factor=100)],
    GaussianBlurAnonymizer=[dict(kernel_size=13, sigma=10), dict(kernel_size=61, sigma=9)],
    GaussianChannel=[
        dict(anonymizer=UNET),
        dict(anonymizer=dict(type='IdentityAnonymizer'), stride=3, sigma_shared=0),
    ],
    IdentityAnonymizer=[dict()],
    NoiseAnonymizer=[dict(std=0.3)],
    PixelateAnonymizer=[dict(block=5), dict(block=1)],
    RecolorAnonymizer=[dict(seed=seed) for seed in range(3)],
    SequentialAnonymizer=[
        dict(stages=[dict(type='PixelateAnonymizer', block=2), dict(type='BlackenAnonymizer')]),
        dict(
            stages=[
                dict(type='DownsampleAnonymizer', factor=2),
                dict(type='GaussianChannel', anonymizer=UNET),
                dict(type='GaussianBlurAnonymizer', kernel_size=5, sigma=2),
            ]
        ),
        dict(
            stages=[
                dict(type='GaussianChannel', anonymizer=UNET, stride=2),
                dict(type='ClipRenderer', network=UNET),
            ]
        ),
    ],
    UNetAnonymizer=[dict(base_channels=4, num_levels=4), dict(base_channels=2, num_levels=1)],
    UNetPlusPlusAnonymizer=[dict(base_channels=4, num_levels=3)],
)
CONFIGS = [dict(type=kind, **settings) for kind, cases in CASES.items() for settings in cases]


def build(config):
    """Return an anonymizer whose output is far from constant, as a trained one's."""
    torch.manual_seed(0)
    network = MODELS.build(dict(config, _scope_='mmaction')).eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.3)
            layer.running_var.uniform_(0.05, 0.2)
        if isinstance(layer, torch.nn.BatchNorm2d | torch.nn.Conv2d):
            layer.bias.data.normal_(0, 0.3)
    for layer in network.modules():
        if isinstance(layer, anonymizers.ClipRenderer):
            layer.momentum = 1
            layer.train()(torch.rand(2, 2, 3, 32, 32))
    return network.eval()


def session_of(model):
    data = model if isinstance(model, bytes) else model.SerializeToString()
    return onnxruntime.InferenceSession(data, providers=['CPUExecutionProvider'])


def inputs_of(session, number, height, width):
    """Draw what a model takes, for `number` clips of two frames."""
    sizes = dict(batch=number, length=2, height=height, width=width, boxes=3)
    is_clips = session.get_inputs()[0].name == 'clips'
    sizes['frames'] = 2 * number if is_clips else number
    drawn = {}
    for value in session.get_inputs():
        shape = [sizes.get(size, size) for size in value.shape]
        is_noise = value.name in ('shared', 'fresh', 'noise')
        drawn[value.name] = torch.randn(shape) if is_noise else torch.rand(shape)
    if 'boxes' in drawn:
        drawn['boxes'] = drawn['boxes'].unflatten(-1, (2, 2)).sort(-2).values.flatten(-2)
    return drawn


def run(session, inputs):
    return session.run(None, {name: value.numpy() for name, value in inputs.items()})[0]


def test_every_anonymizer_is_compared():
    classes = [getattr(anonymizers, name) for name in anonymizers.__all__]
    assert set(CASES) == {kind.__name__ for kind in classes if isinstance(kind, type)}


@pytest.mark.parametrize('config', CONFIGS, ids=lambda config: config['type'])
def test_one_file_gives_what_pytorch_gives_at_any_size_and_number(config, monkeypatch):
    network = build(config)
    session = session_of(export.build_onnx(network)[0])
    for number, height, width in ((1, 16, 16), (3, 37, 53), (2, 121, 160)):
        inputs = inputs_of(session, number, height, width)
        found = run(session, inputs)
        noise = inputs.pop('noise', None)
        monkeypatch.setattr(torch, 'randn_like', lambda _, noise=noise: noise)
        expected = export._run_pytorch(network, **inputs)
        difference = np.abs(found - expected.numpy())
        if 'shared' in inputs and config['type'] == 'GaussianChannel':
            # What lies halfway between two levels may come out as either of them.
            steps = difference * 255
            assert steps.max() < 1.01 and (steps > 0.003).mean() < 1e-3
        elif 'shared' in inputs:
            assert (difference > 1e-5).mean() < 0.03 and difference.max() < 1.01 / 255
        else:
            assert difference.max() <= 1e-5
        if any(True for _ in network.parameters()):
            assert found.std() > 0.05


@pytest.mark.parametrize('method', METHODS)
def test_strength_of_a_method_follows_the_size_of_the_frames(method):
    session = session_of(export.build_onnx(method)[0])
    for height, width in ((112, 112), (37, 61), (240, 321), (9, 300), (3, 3), (5, 2)):
        frames = torch.rand(2, 3, height, width)
        network = MODELS.build(METHODS[method](min(height, width)))
        assert np.abs(run(session, dict(frames=frames)) - network(frames).numpy()).max() <= 1e-5


def test_small_frames_pass_as_through_the_tool(tmp_path):
    network = build(UNET)
    session = session_of(export.build_onnx(network)[0])
    frames = torch.rand(2, 3, 5, 11)
    expected = FrameAnonymizer(network).anonymize_tensor(frames)
    assert np.abs(run(session, dict(frames=frames)) - expected.numpy()).max() <= 1e-5


@pytest.mark.parametrize('boxes', [0, 1])
def test_few_boxes_cover_what_they_cover_in_pytorch(boxes):
    network = build(dict(type='BlackenAnonymizer', value=0.5))
    session = session_of(export.build_onnx(network)[0])
    frames = torch.rand(2, 3, 20, 30)
    boxes = torch.tensor([[[0.1, 0.25, 0.5, 1.0]]]).expand(2, 1, 4)[:, :boxes]
    found = run(session, dict(frames=frames, boxes=boxes))
    assert np.array_equal(found, network(frames, list(boxes)).numpy())


@pytest.mark.parametrize('name', ['GaussianChannel', 'NoiseAnonymizer'])
def test_noise_is_always_an_input(name):
    model, noise = export.build_onnx(build(dict(type=name, **CASES[name][0])))
    assert noise == (['noise'] if name == 'NoiseAnonymizer' else ['shared', 'fresh'])
    assert not any('Random' in node.op_type for node in model.graph.node)
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert told['noise'].startswith(f'outside: {", ".join(noise)}: ')
    session = session_of(model)
    inputs = inputs_of(session, 1, 16, 16)
    assert np.array_equal(run(session, inputs), run(session, inputs))
    other = {**inputs, noise[0]: torch.randn_like(inputs[noise[0]])}
    assert np.abs(run(session, inputs) - run(session, other)).mean() > 0.01
    del inputs[noise[-1]]
    with pytest.raises(ValueError, match='missing|Required'):
        run(session, inputs)


@pytest.mark.parametrize('kind', ['RandomNormalLike', 'RandomUniform', 'Bernoulli'])
def test_no_graph_can_draw(kind):
    graph = Graph()
    frames = graph.add_input('frames', ('batch', 3))
    with pytest.raises(ValueError, match='noise has to be an input'):
        graph.op(kind, frames, dtype=frames.dtype)


def test_channels_within_one_another_have_noise_of_their_own():
    inner = dict(type='GaussianChannel', anonymizer=dict(type='IdentityAnonymizer'))
    _, noise = export.build_onnx(build(dict(type='GaussianChannel', anonymizer=inner)))
    assert sorted(noise) == ['fresh', 'fresh2', 'shared', 'shared2']


def test_anonymizer_of_ones_own_is_refused_in_one_sentence():
    class OwnAnonymizer(BaseModule):
        pass

    with pytest.raises(ValueError, match='OwnAnonymizer cannot be exported: there are ONNX graphs'):
        export.build_onnx(OwnAnonymizer())


def write_checkpoint(path, config, network=None):
    state = network.state_dict() if network else {}
    content = dict(
        meta=dict(cfg=f'model = dict(anonymizer={config!r})'),
        state_dict={f'anonymizer.{name}': value for name, value in state.items()},
    )
    torch.save(content, path)
    return str(path)


def test_checkpoint_becomes_a_file_that_says_what_it_is(tmp_path):
    config = dict(type='DownsampleAnonymizer', factor=3)
    path = write_checkpoint(tmp_path / 'a.pth', config)
    done = export_onnx(path, tmp_path / 'deep' / 'a.onnx')
    assert done.inputs == ('frames',) and done.noise == () and done.difference < 1e-5
    model = onnx.load(done.path)
    told = {entry.key: entry.value for entry in model.metadata_props}
    settings = AnonymizeInferencer(weights=path, device='cpu', show_progress=False).settings
    assert told['anonymizer'] == 'DownsampleAnonymizer' and told['noise'] == 'none'
    assert told['weights'] == settings['weights']
    assert model.opset_import[0].version == 18 and len(model.opset_import) == 1


def test_trained_weights_are_in_the_file(tmp_path):
    network = build(UNET)
    path = write_checkpoint(tmp_path / 'a.pth', UNET, network)
    done = export_onnx(path, tmp_path / 'a.onnx', force=True)
    frames = torch.rand(1, 3, 24, 32)
    found = run(session_of(done.path.read_bytes()), dict(frames=frames))
    assert np.abs(found - network(frames).detach().numpy()).max() <= 1e-5


def test_what_stands_in_the_targets_place_is_kept(tmp_path):
    target = tmp_path / 'mine.onnx'
    target.write_text('mine')
    with pytest.raises(FileExistsError, match='mine.onnx exists and is not replaced'):
        export_onnx('blur', target)
    assert target.read_text() == 'mine'


def test_nothing_that_a_file_names_is_called(tmp_path):
    marker = tmp_path / 'called'
    path = write_checkpoint(tmp_path / 'a.pth', dict(type='os.mkdir', path=str(marker)))
    with pytest.raises(ValueError, match='not registered, and nothing is imported for a file'):
        export_onnx(path, tmp_path / 'a.onnx')

    class Evil:
        def __reduce__(self):
            return marker.mkdir, ()

    torch.save(dict(state_dict={}, meta=Evil()), tmp_path / 'evil.pth')
    with pytest.raises(ValueError, match='evil.pth'):
        export_onnx(str(tmp_path / 'evil.pth'), tmp_path / 'a.onnx')
    assert not marker.exists() and not (tmp_path / 'a.onnx').exists()


def test_what_hides_nothing_is_written_by_force_only(tmp_path):
    path = write_checkpoint(tmp_path / 'a.pth', dict(type='RecolorAnonymizer'))
    with pytest.raises(ValueError, match='only recolours'):
        export_onnx(path, tmp_path / 'a.onnx')
    assert export_onnx(path, tmp_path / 'a.onnx', force=True).path.is_file()


def test_a_method_has_no_config(tmp_path):
    with pytest.raises(ValueError, match='blur is a method'):
        export_onnx('blur', tmp_path / 'a.onnx', config='config.py')


def test_other_frames_than_pytorchs_are_no_export(tmp_path, monkeypatch):
    monkeypatch.setattr(export, 'compare_with_pytorch', lambda *_: float('nan'))
    with pytest.raises(RuntimeError, match='a.onnx is not written'):
        export_onnx('blur', tmp_path / 'a.onnx')
    assert not (tmp_path / 'a.onnx').exists()


def test_missing_packages_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(export, 'find_spec', lambda name: None)
    with pytest.raises(RuntimeError, match=r"pip install 'spact_mm\[onnx\]'"):
        export_onnx('blur', tmp_path / 'a.onnx')


def test_without_a_runtime_nothing_is_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(export, 'find_spec', lambda name: name == 'onnx' or None)
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    assert export_onnx('blur', tmp_path / 'a.onnx').difference is None
