"""The weights in the package are what their cards tell of."""

import hashlib
import json
import shutil
import sys

import numpy as np
import pytest
import torch
from e2e import ROOT, metrics_of, run_cli, run_process
from media import draw_frames, read_video, write_video

from spact_mm import packaged
from spact_mm.apis import AnonymizeInferencer
from spact_mm.apis.load_anonymizer import hash_anonymizer, load_for_use
from spact_mm.apis.onnx_file import OnnxFile
from spact_mm.apis.video_noise import VideoNoise
from spact_mm.commands import anonymize as command
from spact_mm.models.anonymizers import mixes_frames
from spact_mm.packaged import find_graph, find_model, list_models, read_card

CARD = dict(
    method='price',
    seed=1,
    fold=None,
    top1=0.9,
    top1_own=0.8,
    bits_clip=70.2,
    commit='abc',
    strongest=dict(
        attacker='clip',
        cmap=0.5,
        chance=0.4,
        advantage_removed=0.75,
        best_on_test=dict(attacker='mean', cmap=0.55, chance=0.4),
    ),
)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Return a copy of the folder of the weights, which may be changed."""
    folder = shutil.copytree(packaged.WEIGHTS, tmp_path / 'weights')
    monkeypatch.setattr(packaged, 'WEIGHTS', folder)
    return folder


@pytest.mark.parametrize('name', list_models())
def test_weights_are_small_and_have_a_card_for_readers(name):
    path, card = find_model(name), read_card(find_model(name))
    assert path.stat().st_size + find_graph(path).stat().st_size <= 2 * 2**20
    text = path.with_suffix('.md').read_text()
    for part in ('licence', 'trained on', 'strongest attacker', 'Not protected', card['sha256']):
        assert part in text
    report = json.loads((ROOT / card['report']).with_suffix('.json').read_text())
    rows = [row for row in report['rows'] if row['method'] == card['method']]
    row = next(row for row in rows if (row['seed'], row['fold']) == (card['seed'], card['fold']))
    assert {key: row[key] for key in card['measured']} == card['measured']


@pytest.mark.parametrize('name', list_models())
def test_graph_is_that_of_the_weights(name):
    network = load_for_use(None, str(find_model(name)), force=False)
    graph = OnnxFile(find_graph(find_model(name)))
    assert graph.weights == hash_anonymizer(network) and not mixes_frames(network)
    for batch_size, size in ((2, (64, 96)), (16, (37, 50))):
        frames = draw_frames(5, *size)
        noise, graph.batch_size = VideoNoise(), batch_size
        key = noise._generator.bit_generator.state
        theirs = graph(frames, noise)
        # The same noise, of the size of the frames, of which the network takes a part.
        noise._generator.bit_generator.state = key
        noise._shared.clear()
        x = torch.from_numpy(frames).permute(0, 3, 1, 2)[:, None].float() / 255
        parts = []
        for part in x.split(batch_size):
            drawn = noise.draw_arrays(tuple(part.shape[:2]), tuple(part.shape[2:]))
            with torch.no_grad():
                parts.append(network(part, **{k: torch.from_numpy(v) for k, v in drawn.items()}))
        ours = (torch.cat(parts)[:, 0] * 255).round().byte().permute(0, 2, 3, 1).numpy()
        assert theirs.shape == frames.shape and theirs.std() > 5
        assert np.quantile(np.abs(theirs.astype(int) - ours), 0.999) == 0
        assert np.abs(theirs.astype(int) - ours).max() <= 1


def test_a_run_without_pytorch_goes_on_with_it(tmp_path):
    source = write_video(tmp_path / 'a.mp4', draw_frames(3, 48, 64))
    weights = str(find_model('demo'))
    settings = dict(weights=weights, show_progress=False)
    first, second = (AnonymizeInferencer(**settings, backend=x) for x in (None, 'torch'))
    assert first._graph is not None and second._graph is None
    assert first.settings == second.settings
    facts = [x.check('a')(read_video(source)[0]).std() for x in (first, second)]
    assert facts[0] == pytest.approx(facts[1], rel=0.1)
    # Tensors take the network.
    tensor = torch.rand(2, 3, 48, 64)
    assert first(tensor)['predictions'][0].shape == tensor.shape and first.model is not None


def test_other_files_than_the_measured_ones_are_refused(weights):
    with pytest.raises(ValueError, match='There is no model face in this package; there are demo'):
        find_model('face')
    with (weights / 'demo.pth').open('ab') as file:
        file.write(b'\0')
    with pytest.raises(ValueError, match=r'demo.pth is not the file that demo.md tells of'):
        find_model('demo')
    with (weights / 'weizmann.onnx').open('ab') as file:
        file.write(b'\0')
    with pytest.raises(ValueError, match=r'weizmann.onnx is not the file that weizmann.json tells'):
        find_graph(weights / 'weizmann.pth')
    assert read_card('demo.pth') is None and find_graph('demo.pth') is None


def test_video_becomes_as_small_as_it_was_attacked(tmp_path, monkeypatch, capsys):
    source = write_video(tmp_path / 'a.mp4', draw_frames(3, 96, 128))
    arguments = ['anonymize.py', str(source), '--model', 'demo', '--out', str(tmp_path / 'out')]
    monkeypatch.setattr(sys, 'argv', arguments)
    assert command.main() == 0
    assert 'becomes 48 pixels, at which demo was attacked' in capsys.readouterr().err
    assert read_video(tmp_path / 'out' / 'a.mp4')[0].shape == (3, 48, 64, 3)


def test_unknown_model_is_told(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['anonymize.py', 'a.mp4', '--model', 'face', '--out', 'out'])
    with pytest.raises(SystemExit):
        command.main()
    assert '--model: There is no model face' in capsys.readouterr().err


@pytest.mark.slow
def test_a_stage_is_put_into_the_package(tmp_path, tiny_run):
    folder = tmp_path / 'price' / 'seed1' / 'train'
    folder.mkdir(parents=True)
    shutil.copy(max(tiny_run.work_dir.glob('epoch_*.pth')), folder / 'weights.pth')
    report = dict(command='python tools/protocol.py x', rows=[CARD])
    (tmp_path / 'report.json').write_text(json.dumps(report))
    texts = ('--data', 'drawn', '--licence', 'MIT', '--report', 'report.md')
    given = (tmp_path, 'price', 'new', '--seed', 1, '--size', 32, *texts, '--out', tmp_path / 'out')
    tool = ROOT / 'tools' / 'ship_model.py'
    done = run_process(tmp_path, sys.executable, tool, *given)
    assert done.code == 0, done.stderr
    card = json.loads((tmp_path / 'out' / 'new.json').read_text())
    assert card['measured']['bits_clip'] == 70.2 and card['size'] == 32
    graph = (tmp_path / 'out' / 'new.onnx').read_bytes()
    assert hashlib.sha256(graph).hexdigest() == card['onnx_sha256']
    text = (tmp_path / 'out' / 'new.md').read_text()
    assert 'cmap of the strongest attacker (clip), chosen on validation data | 50.0%' in text
    assert '**best cmap on the test** of all attackers (mean) | 55.0%' in text
    assert 'at most | 70 bits' in text
    wrong = run_process(tmp_path, sys.executable, tool, *given[:4], 2, *given[5:])
    assert wrong.code == 1 and 'has no results of price, seed 2, fold None' in wrong.stderr


@pytest.mark.slow
def test_shipped_demo_is_as_good_as_its_card_says(tmp_path):
    """On the demo's own test videos, f_T reads the action and a clip tells as much."""
    tool = ROOT / 'tools' / 'data' / 'demo' / 'render.py'
    few = ('--videos', 8, 160, '--images', 8, 8, '--workers', 1)
    assert run_process(tmp_path, sys.executable, tool, '--out', tmp_path / 'data', *few).code == 0
    data = dict(DEMO_ROOT=str(tmp_path / 'data'))
    config = ROOT / 'configs' / 'price_r3d_demo.py'
    done = run_cli('test', config, find_model('demo'), work_dir=tmp_path / 'work', **data)
    assert done.code == 0, done.stderr
    found, told = metrics_of(tmp_path / 'work'), read_card(find_model('demo'))['measured']
    # Four standard errors of 160 videos, each behind noise of its own.
    assert abs(found['acc/top1'] - told['top1_own']) <= 0.07
    assert found['rate/bits_clip'] == pytest.approx(told['bits_clip'], rel=0.01)
