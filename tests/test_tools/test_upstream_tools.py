"""Tools and inferencers of MMAction2 and MMPretrain on the configs as they are.

Each runs in a process of its own that knows this package by the config's ``custom_imports`` alone,
as MMAction2's users run it; where that cannot be (docs/upstream_tools.md), by
``tools/upstream.py``.
"""

import json
import pickle
import shutil
import sys
from types import SimpleNamespace

import cv2
import decord
import numpy as np
import pytest
import torch
from e2e import ROOT, environment, run_process, write_image
from mmaction.apis.inferencers import ActionRecogInferencer
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from test_docs import blocks

from spact_mm.apis import find_tool, publish
from spact_mm.datasets.annotation_files import write_attribute_file

CONFIGS = ROOT / 'configs'
ACTION = CONFIGS / 'eval' / 'action_r3d_demo.py'
PRIVACY = CONFIGS / 'eval' / 'privacy_resnet_demo.py'
RECIPE = CONFIGS / 'spact_r3d_demo.py'
RECIPES = [*CONFIGS.glob('*.py')]
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
#: A stand-in for the package with which MMAction2 writes videos; it keeps the frames.
MOVIEPY = """
import numpy as np


class ImageSequenceClip:
    def __init__(self, frames, fps):
        self.frames = np.stack(frames)

    def write_videofile(self, path, **options):
        np.save(path, self.frames)
"""


@pytest.fixture(scope='module')
def site(tmp_path_factory, tiny_data):
    """Return a folder with tiny data where the demo's configs look, and weights of their models."""
    folder = tmp_path_factory.mktemp('site')
    data = folder / 'data' / 'demo'
    shutil.copytree(tiny_data, data)
    rng = np.random.default_rng(0)
    attributes = Config.fromfile(PRIVACY).attributes
    for split, count in (('train', 34), ('attacker_train', 34), ('attacker_val', 12), ('test', 12)):
        names = [f'{split}/{index:02}.jpg' for index in range(count)]
        for index, name in enumerate(names):
            write_image(data / 'images' / name, index)
        entries = [(n, [a for a in attributes if rng.random() < 0.5]) for n in names]
        write_attribute_file(data / f'{split}_attributes.json', attributes, entries, 'test')
    (folder / 'stubs' / 'moviepy').mkdir(parents=True)
    (folder / 'stubs' / 'moviepy' / '__init__.py').touch()
    (folder / 'stubs' / 'moviepy' / 'editor.py').write_text(MOVIEPY)
    with DefaultScope.overwrite_default_scope('mmaction'):
        for path in (ACTION, PRIVACY, RECIPE):
            torch.manual_seed(0)
            model = MODELS.build(Config.fromfile(path).model)
            model.init_weights()
            for name, parameter in model.named_parameters():
                if name.endswith('fc_cls.weight') or name == 'head.fc.weight':
                    torch.nn.init.normal_(parameter)  # predictions that differ from one another
            torch.save(dict(state_dict=model.state_dict(), meta={}), folder / f'{path.stem}.pth')
    return folder


def run(site, *command):
    path = f'{environment()["PYTHONPATH"]}:{site / "stubs"}'
    process = run_process(site, sys.executable, *command, PYTHONPATH=path)
    assert process.code == 0, process.stdout[-2000:] + process.stderr[-4000:]
    return process.stdout


def mmaction(site, tool, *arguments):
    return run(site, find_tool(tool), *arguments)


def upstream(site, tool, *arguments):
    return run(site, ROOT / 'tools' / 'upstream.py', tool, *arguments)


def weights(site, path):
    return site / f'{path.stem}.pth'


@pytest.fixture(scope='module')
def results(site):
    """Return the file that MMAction2's ``test.py --dump`` writes, and its content."""
    path = site / 'action.pkl'
    options = ['--work-dir', site / 'work', '--dump', path]
    mmaction(site, 'test', ACTION, weights(site, ACTION), *options)
    # The tool wrote it a moment ago.
    with open(path, 'rb') as file:
        samples = pickle.load(file)
    scores = np.stack([sample['pred_score'].numpy() for sample in samples])
    assert scores.shape == (8, 8) and np.ptp(scores, axis=0).max() > 0.1
    return SimpleNamespace(path=path, samples=samples, scores=scores)


# ---- where they look -----------------------------------------------------------------------------
@pytest.mark.parametrize('path', [*RECIPES, *CONFIGS.glob('eval/*.py')], ids=lambda p: p.stem)
def test_pipelines_stand_where_tools_look_and_hide_nothing(path):
    config = Config.fromfile(path)
    datasets = [config[key].dataset for key in LOADERS if key in config]
    privacy = (config.get('train_cfg') or {}).get('privacy_dataloader')
    datasets += [privacy.dataset] if privacy else []
    for dataset in datasets:
        assert dataset.type == 'ReproducibleDataset'
        repeated = dataset.get('dataset')
        if isinstance(repeated, dict):  # what MMAction2's users know, too
            assert (
                repeated.type == 'RepeatDataset' and dataset is not config.test_dataloader.dataset
            )
            dataset = repeated.dataset
        assert {'ann_file', 'data_prefix'} <= set(dataset)
        kinds = [step.type.split('.')[-1] for step in dataset.pipeline]
        assert kinds[-1] in ('PackActionInputs', 'PackInputs')
        for step in dataset.pipeline:
            assert set(step.get('cache', ())) <= {'max_gib'}
    if 'test_pipeline' in config:
        assert config.test_dataloader.dataset.pipeline == config.test_pipeline


def test_pipeline_without_its_decoder_keeps_the_crop(site, monkeypatch):
    """MMAction2 drops what has Init in its name for arrays, and exchanges what has Decode."""
    monkeypatch.chdir(site)
    inferencer = ActionRecogInferencer(
        str(ACTION), str(weights(site, ACTION)), 'cpu', input_format='array'
    )
    dataset = DATASETS.build(Config.fromfile(ACTION).test_dataloader.dataset)
    for index in range(3):
        video = dataset.get_data_info(index)['filename']
        inputs = inferencer.pipeline(read_frames(video))['inputs']
        assert inputs.shape == (5, 3, 8, 48, 48)
        assert torch.equal(inputs, dataset[index]['inputs'])


def read_frames(path):
    reader = decord.VideoReader(str(path))
    return reader.get_batch(range(len(reader))).asnumpy()


# ---- predictions ---------------------------------------------------------------------------------
INFERENCE = """
import json
import sys

import cv2
import decord
import numpy as np
from mmaction.apis import MMAction2Inferencer, inference_recognizer, init_recognizer

config, checkpoint, folder, out = sys.argv[1:]
videos = [line.split()[0] for line in open('data/demo/test_videos.txt')]
assert 'spact_mm' not in sys.modules
paths = ['data/demo/videos/' + name for name in videos]
readers = [decord.VideoReader(path) for path in paths]
arrays = [reader.get_batch(range(len(reader))).asnumpy() for reader in readers]
frames = []
for name, array in zip(videos, arrays):
    frames.append(f'{folder}/{name}')
    for index, frame in enumerate(array):
        path = f'{folder}/{name}/img_{index + 1:05}.jpg'
        import os
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # Lossless, whatever it is called.
        open(path, 'wb').write(cv2.imencode('.png', frame[..., ::-1])[1].tobytes())
found = {}
for kind, inputs in dict(video=paths, array=arrays, rawframes=frames).items():
    inferencer = MMAction2Inferencer(config, checkpoint, 'cpu', input_format=kind)
    found[kind] = [x['rec_scores'][0] for x in inferencer(inputs)['predictions']]
model = init_recognizer(config, checkpoint, 'cpu')
found['inference_recognizer'] = [
    inference_recognizer(model, path).pred_score.tolist() for path in paths
]
json.dump(found, open(out, 'w'))
"""


@pytest.mark.slow
@pytest.mark.parametrize('path', [ACTION, RECIPE], ids=lambda p: p.stem)
def test_inferencer_predicts_what_the_test_tool_does(site, results, path, tmp_path):
    expected = results.scores
    if path is RECIPE:
        out = tmp_path / 'recipe.pkl'
        options = ['--work-dir', tmp_path / 'work', '--dump', out]
        mmaction(site, 'test', path, weights(site, path), *options)
        with open(out, 'rb') as file:
            expected = np.stack([sample['pred_score'].numpy() for sample in pickle.load(file)])
    (tmp_path / 'inference.py').write_text(INFERENCE)
    out = tmp_path / 'scores.json'
    run(site, tmp_path / 'inference.py', path, weights(site, path), tmp_path / 'frames', out)
    found = json.loads(out.read_text())
    assert set(found) == {'video', 'array', 'rawframes', 'inference_recognizer'}
    for kind, scores in found.items():
        np.testing.assert_allclose(scores, expected, atol=1e-5, err_msg=kind)


IMAGE_INFERENCE = """
import json
import sys

from mmpretrain import ImageClassificationInferencer

config, checkpoint, out, *images = sys.argv[1:]
inferencer = ImageClassificationInferencer(config, pretrained=checkpoint, device='cpu')
json.dump([x['pred_scores'].tolist() for x in inferencer(images)], open(out, 'w'))
"""


@pytest.mark.slow
def test_image_inferencer_predicts_what_the_test_tool_does(site, tmp_path):
    checkpoint, out = weights(site, PRIVACY), tmp_path / 'privacy.pkl'
    options = ['--work-dir', tmp_path / 'work', '--out', out]
    run(site, find_tool('test', 'mmpretrain'), PRIVACY, checkpoint, *options)
    with open(out, 'rb') as file:
        samples = pickle.load(file)
    expected = np.stack([sample['pred_score'].numpy() for sample in samples])
    assert np.ptp(expected, axis=0).max() > 0.1
    (tmp_path / 'inference.py').write_text(IMAGE_INFERENCE)
    images = sorted((site / 'data/demo/images/test').iterdir())
    run(site, tmp_path / 'inference.py', PRIVACY, checkpoint, tmp_path / 'scores.json', *images)
    scores = json.loads((tmp_path / 'scores.json').read_text())
    np.testing.assert_allclose(scores, expected, atol=1e-5)

    metric = ['--metric', 'type=PrivacyAttributeMetric']
    printed = upstream(site, 'mmpretrain/analysis_tools/eval_metric', out, *metric)
    assert "'privacy/cMAP'" in printed


# ---- the data ------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize(('path', 'phase'), [(ACTION, 'test'), (RECIPE, 'train')])
def test_browse_dataset_shows_the_frames_before_and_after(site, tmp_path, path, phase):
    for mode, shape in (('original', (48, 64, 3)), ('transformed', (48, 48, 3))):
        options = ['--phase', phase, '--mode', mode, '-n', '2']
        mmaction(site, 'visualizations/browse_dataset', path, tmp_path / mode, *options)
        videos = [np.load(file) for file in (tmp_path / mode).rglob('*.npy')]
        assert len(videos) == 2
        assert {video.shape for video in videos} == {(40 if phase == 'test' else 8, *shape)}
        assert np.ptp(videos[0]) > 100


@pytest.mark.slow
def test_image_browser_shows_the_images(site, tmp_path):
    options = ['--phase', 'test', '--mode', 'original', '-n', '2', '--not-show']
    tool = 'mmpretrain/visualization/browse_dataset'
    upstream(site, tool, PRIVACY, *options, '--output-dir', tmp_path / 'shown')
    shown = sorted((tmp_path / 'shown').iterdir())
    assert [path.name for path in shown] == ['00.jpg', '01.jpg']
    assert min(cv2.imread(str(shown[0])).shape[:2]) > 40


@pytest.fixture
def recognizer(site, tmp_path):
    """Return the documented config of a recipe's recognizer, and its published weights."""
    config = tmp_path / 'my_recognizer.py'
    code = blocks('upstream_tools.md')['configs/my_recognizer.py']
    config.write_text(code.replace("'./spact_r3d_demo.py'", repr(str(RECIPE))))
    source = str(weights(site, RECIPE))
    return config, publish(source, tmp_path / 'recognizer.pth', 'recognizer')


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize('alone', [False, True])
def test_features_are_those_of_the_backbone(site, tmp_path, recognizer, alone):
    path, checkpoint = recognizer if alone else (ACTION, weights(site, ACTION))
    mmaction(site, 'misc/clip_feature_extraction', path, checkpoint, tmp_path / 'features')
    config = Config.fromfile(path)
    model = MODELS.build(config.model).eval()
    model.load_state_dict(torch.load(checkpoint)['state_dict'])
    if alone:
        recipe = MODELS.build(Config.fromfile(RECIPE).model).eval()
        recipe.load_state_dict(torch.load(weights(site, RECIPE))['state_dict'])
    config.test_dataloader.dataset.ann_file = str(site / 'data/demo/test_videos.txt')
    config.test_dataloader.dataset.data_prefix.video = str(site / 'data/demo/videos')
    dataset = DATASETS.build(config.test_dataloader.dataset)
    for index in range(2):
        sample = dataset[index]
        batch = dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']])
        with torch.no_grad():
            data = model.data_preprocessor(batch)
            features = model.backbone(data['inputs'].flatten(0, 1)).mean((0, 2, 3, 4))
            scores = model.test_step(batch)[0].pred_score
            if alone:
                torch.testing.assert_close(scores, recipe.test_step(batch)[0].pred_score)
        with open(tmp_path / f'features/test/{index:02}.mp4.pkl', 'rb') as file:
            found = pickle.load(file)
        np.testing.assert_allclose(np.asarray(found).ravel(), features, atol=1e-5)


@pytest.mark.slow
def test_check_videos_finds_a_broken_one(site, tmp_path):
    (site / 'data/demo/videos/broken.mp4').write_bytes(b'no video')
    listed = tmp_path / 'videos.txt'
    listed.write_text((site / 'data/demo/test_videos.txt').read_text() + 'broken.mp4 0\n')
    options = ['test_dataloader.dataset.type=VideoDataset']
    options.append(f'test_dataloader.dataset.ann_file={listed}')
    found = tmp_path / 'bad.txt'
    settings = ['--split', 'test', '--nproc', '1', '--output-file', found]
    mmaction(site, 'analysis_tools/check_videos', ACTION, *settings, '--cfg-options', *options)
    assert found.read_text().split() == ['data/demo/videos/broken.mp4']


# ---- schedules, sizes, results -------------------------------------------------------------------
@pytest.mark.thorough
@pytest.mark.slow
def test_schedules_are_drawn(site, tmp_path):
    options = ['--not-show', '--save-path', tmp_path / 'lr.png']
    printed = mmaction(site, 'visualizations/vis_scheduler', ACTION, *options)
    # 30 videos in batches of 8.
    assert 'Iterations per epoch: 4' in printed and '10/10 epochs' in printed
    assert cv2.imread(str(tmp_path / 'lr.png')) is not None
    rates = tmp_path / 'rates.py'
    code = blocks('upstream_tools.md')['configs/my_rates.py']
    rates.write_text(code.replace("'./spact_r3d_demo.py'", repr(str(RECIPE))))
    printed = mmaction(site, 'visualizations/vis_scheduler', rates, *options)
    assert 'Iterations per epoch: 4' in printed and '18/18 epochs' in printed
    options[-1] = tmp_path / 'privacy.png'
    printed = upstream(site, 'mmpretrain/visualization/vis_scheduler', PRIVACY, *options)
    assert 'Iterations per epoch: 1' in printed
    assert cv2.imread(str(tmp_path / 'privacy.png')) is not None


@pytest.mark.thorough
@pytest.mark.slow
def test_results_are_analysed(site, results, tmp_path):
    printed = mmaction(site, 'analysis_tools/eval_metric', ACTION, results.path)
    labels = [int(sample['gt_label']) for sample in results.samples]
    top1 = np.mean(results.scores.argmax(1) == labels)
    assert f"'acc/top1': {top1}" in printed
    options = ['--preds', results.path, '--coefficients', '1']
    printed = upstream(site, 'mmaction/analysis_tools/report_accuracy', *options)
    assert f'Top 1 Accuracy: {top1:.04f}' in printed
    options = ['--show-path', tmp_path / 'confusion.png']
    upstream(site, 'mmaction/analysis_tools/confusion_matrix', ACTION, results.path, *options)
    assert cv2.imread(str(tmp_path / 'confusion.png')) is not None


@pytest.mark.thorough
@pytest.mark.slow
def test_sizes_configs_and_checkpoints_are_printed_and_written(site, tmp_path, recognizer):
    shape = ['--shape', '1', '3', '8', '48', '48']
    for config in (ACTION, recognizer[0]):
        assert 'Params: 0.2' in mmaction(site, 'analysis_tools/get_flops', config, *shape)
    assert 'SquareCrop' in mmaction(site, 'analysis_tools/print_config', ACTION)
    target = tmp_path / 'published.pth'
    mmaction(site, 'deployment/publish_model', weights(site, ACTION), target)
    (published,) = tmp_path.glob('published*-????????.pth')
    states = [torch.load(path)['state_dict'] for path in (published, weights(site, ACTION))]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[1])


@pytest.mark.slow
def test_a_tool_that_is_not_there_is_one_sentence(site):
    for name, sentence in (
        ('mmaction/nothing', 'has no tools/nothing.py; correct the name'),
        ('other/test', "There are tools of mmaction and mmpretrain, none of 'other'."),
    ):
        process = run_process(site, sys.executable, ROOT / 'tools' / 'upstream.py', name)
        assert process.code == 1 and sentence in process.stderr
        assert 'Traceback' not in process.stderr
