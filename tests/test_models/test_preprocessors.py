import copy
import logging
from collections import OrderedDict
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import BaseModule, MMDistributedDataParallel
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.registry import DefaultScope
from mmengine.runner import load_checkpoint
from mmpretrain.models.utils import ClsDataPreprocessor
from mmpretrain.structures import DataSample
from tiny import changed, snapshot

from spact_mm.engine import PlainCheckpointHook
from spact_mm.models import (
    AnonymizedActionPreprocessor,
    AnonymizedImagePreprocessor,
    UNetAnonymizer,
)

UNET = dict(type='UNetAnonymizer', base_channels=2, num_levels=2)
IDENTITY = dict(type='IdentityAnonymizer')
NORM = dict(mean=[123.0, 116.0, 103.0], std=[58.0, 57.0, 55.0])
SHAPES = dict(NCTHW=(2, 3, 4, 16, 20), NCHW=(6, 3, 16, 20))
MIXUP = dict(type='MixupBlending', num_classes=5)


@MODELS.register_module()
class RecordingAnonymizer(BaseModule):
    """Remember the largest batch and the values; return the frames shifted."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def forward(self, frames):
        self.batches.append(frames.clone())
        return (frames + 0.25).clamp(0, 1)


@pytest.fixture
def log():
    """Return the messages of MMEngine's logger."""
    logger, messages = MMLogger.get_current_instance(), []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append((record.levelname, record.getMessage()))
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)


def warnings_of(log):
    return [message for level, message in log if level == 'WARNING']


def trained_unet(seed=1, **settings):
    torch.manual_seed(seed)
    network = MODELS.build(dict(UNET, **settings))
    network.train()
    with torch.no_grad():
        network(torch.rand(4, 3, 16, 16))
    return network.eval()


def save(path, network=None, prefix='anonymizer.', cfg=None, **extra):
    state = {} if network is None else network.state_dict()
    state = OrderedDict((prefix + k, v) for k, v in state.items())
    state['recognizer.fc.weight'] = torch.zeros(2)
    meta = {} if cfg is None else dict(cfg=Config(cfg).pretty_text)
    torch.save(dict(state_dict=state, meta=meta, **extra), path)
    return str(path)


def action(anonymizer=None, format_shape='NCTHW', **settings):
    return AnonymizedActionPreprocessor(
        anonymizer, format_shape=format_shape, **dict(NORM, **settings)
    )


def action_data(shape=SHAPES['NCTHW'], count=3, seed=0, **metainfo):
    generator = torch.Generator().manual_seed(seed)
    inputs = [
        torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator) for _ in range(count)
    ]
    samples = [ActionDataSample(metainfo=metainfo).set_gt_label(i) for i in range(count)]
    return dict(inputs=inputs, data_samples=samples)


def image_data(count=4, size=(16, 20), seed=0):
    generator = torch.Generator().manual_seed(seed)
    inputs = [
        torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=generator)
        for _ in range(count)
    ]
    return dict(inputs=inputs, data_samples=[DataSample().set_gt_label(i) for i in range(count)])


def forward(preprocessor, data, training=False):
    """Run on a copy, at a fixed seed for what the batch augmentation draws."""
    torch.manual_seed(7)
    np.random.seed(7)
    return preprocessor(copy.deepcopy(data), training)


class TestBaseClassResult:
    """With the identity, the output is that of the base class."""

    @pytest.mark.parametrize('format_shape', SHAPES)
    @pytest.mark.parametrize(
        'settings', [{}, dict(to_rgb=True), dict(blending=MIXUP), dict(mean=None, std=None)]
    )
    @pytest.mark.parametrize('training', [True, False])
    def test_clips(self, format_shape, settings, training):
        settings = dict(dict(NORM, format_shape=format_shape), **settings)
        data = action_data(SHAPES[format_shape])
        theirs = forward(ActionDataPreprocessor(**copy.deepcopy(settings)), data, training)
        ours = forward(
            AnonymizedActionPreprocessor(IDENTITY, max_frames_per_pass=5, **settings),
            data,
            training,
        )
        assert ours.keys() == theirs.keys()
        torch.testing.assert_close(ours['inputs'], theirs['inputs'], rtol=0, atol=1e-4)
        for mine, other in zip(ours['data_samples'], theirs['data_samples'], strict=True):
            assert torch.equal(mine.gt_label, other.gt_label)
        assert (ours['data_samples'][0].gt_label.numel() == 5) == (
            training and 'blending' in settings
        )

    @pytest.mark.parametrize(
        'format_shape, shape', [('NCTHW', (3, 4, 16, 20)), ('NCHW', (3, 16, 20))]
    )
    def test_clips_without_an_axis_of_clips(self, format_shape, shape):
        data = action_data(shape)
        settings = dict(NORM, format_shape=format_shape)
        theirs = forward(ActionDataPreprocessor(**settings), data)['inputs']
        ours = forward(AnonymizedActionPreprocessor(IDENTITY, **settings), data)['inputs']
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)

    def test_clips_of_several_sizes_are_padded(self):
        data = action_data((1, 3, 4, 16, 16), count=1)
        data['inputs'] += action_data((1, 3, 4, 12, 20), count=1)['inputs']
        data['data_samples'] *= 2
        settings = dict(NORM, format_shape='NCTHW')
        theirs = forward(ActionDataPreprocessor(**settings), data)['inputs']
        ours = forward(AnonymizedActionPreprocessor(IDENTITY, **settings), data)['inputs']
        assert ours.shape == (2, 1, 3, 4, 16, 20)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)

    def test_tuples_of_batches_and_no_data_samples(self):
        data = (action_data(), dict(action_data(seed=1), data_samples=None))
        settings = dict(NORM, format_shape='NCTHW')
        theirs = forward(ActionDataPreprocessor(**settings), data)
        ours = forward(AnonymizedActionPreprocessor(IDENTITY, **settings), data)
        assert isinstance(ours, tuple) and ours[1]['data_samples'] is None
        for mine, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine['inputs'], other['inputs'], rtol=0, atol=1e-4)

    @pytest.mark.parametrize('stacked', [True, False])
    @pytest.mark.parametrize(
        'settings',
        [
            {},
            dict(to_rgb=True),
            dict(pad_size_divisor=32, pad_value=3),
            dict(num_classes=5, batch_augments=dict(augments=dict(type='CutMix', alpha=1.0))),
            dict(num_classes=5, to_onehot=True, mean=None, std=None),
        ],
    )
    def test_images(self, stacked, settings):
        settings = dict(NORM, **settings)
        data = image_data()
        if stacked:
            data['inputs'] = torch.stack(data['inputs'])
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            theirs = forward(ClsDataPreprocessor(**settings), data, training=True)
            ours = forward(
                AnonymizedImagePreprocessor(IDENTITY, max_frames_per_pass=3, **settings),
                data,
                training=True,
            )
        torch.testing.assert_close(ours['inputs'], theirs['inputs'], rtol=0, atol=1e-4)
        for mine, other in zip(ours['data_samples'], theirs['data_samples'], strict=True):
            assert mine.keys() == other.keys()
            assert torch.equal(mine.gt_label, other.gt_label)
            if 'gt_score' in other:
                assert torch.equal(mine.gt_score, other.gt_score)

    def test_images_of_several_sizes_are_padded_after_f_a(self):
        data = image_data(2)
        data['inputs'] += image_data(2, (12, 24))['inputs']
        data['data_samples'] = None
        theirs = forward(ClsDataPreprocessor(**NORM), data)['inputs']
        ours = forward(AnonymizedImagePreprocessor(IDENTITY, **NORM), data)['inputs']
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)
        shifted = AnonymizedImagePreprocessor(dict(type='RecordingAnonymizer'))
        out = forward(shifted, dict(inputs=data['inputs']))['inputs']
        assert out.shape == (4, 3, 16, 24)
        assert (out[:2, :, :, 20:] == 0).all() and (out[:2, :, :, :20] > 60).all()


class TestFrames:
    @pytest.mark.parametrize('format_shape', SHAPES)
    def test_f_a_sees_rgb_frames_in_0_1_and_its_output_is_normalised(self, format_shape):
        data = action_data(SHAPES[format_shape])
        preprocessor = action(dict(type='RecordingAnonymizer'), format_shape)
        out = forward(preprocessor, data)['inputs']
        frames = torch.cat(preprocessor.anonymizer.batches)
        raw = torch.stack(data['inputs']) / 255
        by_frame = raw.transpose(2, 3) if format_shape == 'NCTHW' else raw
        torch.testing.assert_close(frames, by_frame.reshape(-1, 3, 16, 20))
        shape = (3, 1, 1, 1) if format_shape == 'NCTHW' else (3, 1, 1)
        mean, std = (torch.tensor(NORM[name]).view(shape) for name in ('mean', 'std'))
        expected = ((raw + 0.25).clamp(0, 1) * 255 - mean) / std
        torch.testing.assert_close(out, expected)

    def test_bgr_input_is_converted_before_f_a(self):
        data = action_data()
        preprocessor = action(dict(type='RecordingAnonymizer'), to_rgb=True)
        out = forward(preprocessor, data)['inputs']
        rgb = torch.stack(data['inputs']).flip(2) / 255
        first = preprocessor.anonymizer.batches[0][0]
        torch.testing.assert_close(first, rgb[0, 0, :, 0])
        red = ((rgb[:, :, 0] + 0.25).clamp(0, 1) * 255 - 123) / 58
        torch.testing.assert_close(out[:, :, 0], red)

    def test_bgr_images_are_converted_before_f_a(self):
        data = image_data()
        preprocessor = AnonymizedImagePreprocessor(
            dict(type='RecordingAnonymizer'), to_rgb=True, **NORM
        )
        forward(preprocessor, data)
        rgb = torch.stack(data['inputs']).flip(1) / 255
        torch.testing.assert_close(torch.cat(preprocessor.anonymizer.batches), rgb)

    def test_ten_times_the_clips_need_no_larger_batch(self):
        # Five clips in three crops of 32 frames.
        preprocessor = action(dict(type='RecordingAnonymizer'), max_frames_per_pass=64)
        forward(preprocessor, action_data((15, 3, 32, 4, 4), count=1))
        sizes = [len(batch) for batch in preprocessor.anonymizer.batches]
        assert max(sizes) == 64 and sum(sizes) == 480

    def test_images_go_in_chunks(self):
        preprocessor = AnonymizedImagePreprocessor(
            dict(type='RecordingAnonymizer'), max_frames_per_pass=3
        )
        forward(preprocessor, image_data(7))
        assert [len(batch) for batch in preprocessor.anonymizer.batches] == [3, 3, 1]

    def test_chunks_change_nothing(self, tmp_path):
        filename = save(tmp_path / 'a.pth', trained_unet())
        data = action_data()
        whole = forward(action(UNET, checkpoint=filename, max_frames_per_pass=None), data)
        parts = forward(action(UNET, checkpoint=filename, max_frames_per_pass=5), data)
        torch.testing.assert_close(whole['inputs'], parts['inputs'], rtol=1e-4, atol=1e-4)

    def test_other_channels_are_refused(self):
        with pytest.raises(ValueError, match='inputs of 2 channels, but anonymizers take RGB'):
            action(IDENTITY, 'NCHW', mean=None, std=None)(action_data((6, 2, 16, 20)))

    def test_other_layouts_are_refused(self):
        with pytest.raises(ValueError, match="format_shape='MIX2d3d'"):
            action(IDENTITY, 'MIX2d3d')

    def test_no_frames_a_pass_are_refused(self):
        with pytest.raises(ValueError, match='max_frames_per_pass .* is 0'):
            action(IDENTITY, max_frames_per_pass=0)


class TestCheckpoint:
    def check(self, preprocessor, network):
        assert preprocessor.anonymizer.state_dict().keys() == network.state_dict().keys()
        assert not changed(snapshot(network), preprocessor.anonymizer)
        data = image_data()
        frames = torch.stack(data['inputs']) / 255
        with torch.no_grad():
            expected = network(frames) * 255
        out = forward(preprocessor, data)['inputs']
        torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-3)

    @pytest.mark.parametrize(
        'prefix',
        [
            'anonymizer.',
            'data_preprocessor.anonymizer.',
            'module.anonymizer.',
            'anonymizer.module.',
        ],
    )
    def test_weights_are_found_under_every_name(self, tmp_path, prefix):
        network = trained_unet()
        filename = save(tmp_path / 'a.pth', network, prefix)
        self.check(AnonymizedImagePreprocessor(UNET, filename), network)

    @pytest.mark.parametrize('key', ['anonymizer', 'data_preprocessor'])
    def test_the_config_is_taken_from_the_checkpoint(self, tmp_path, key):
        network = trained_unet()
        config = dict(UNET, init_cfg=dict(type='Pretrained', checkpoint='/elsewhere/a.pth'))
        model = dict(type='MinimaxAnonymization', anonymizer=config)
        prefix = 'anonymizer.'
        if key == 'data_preprocessor':
            model = dict(type='Recognizer3D', data_preprocessor=dict(anonymizer=config))
            prefix = 'data_preprocessor.anonymizer.'
        model['recognizer'] = {'not a name': [dict(a=1), (1.5, None)], 'type': 'X'}
        filename = save(tmp_path / 'a.pth', network, prefix, dict(model=model, x=[float('inf')]))
        self.check(AnonymizedImagePreprocessor(checkpoint=filename), network)

    def test_nested_configs_are_taken_too(self, tmp_path):
        row = dict(
            type='SequentialAnonymizer',
            stages=[dict(type='GaussianBlurAnonymizer', kernel_size=3, sigma=-1 + 2.5), UNET],
        )
        network = MODELS.build(row).eval()
        cfg = dict(model=dict(anonymizer=row))
        filename = save(tmp_path / 'a.pth', network, cfg=cfg)
        self.check(AnonymizedImagePreprocessor(checkpoint=filename), network)

    def test_the_config_text_is_read_and_never_run(self, tmp_path):
        text = (
            f'import os\nos.mkdir({str(tmp_path / "run")!r})\n'
            f'model = dict(anonymizer=dict(type="IdentityAnonymizer", '
            f'x=os.mkdir({str(tmp_path / "run")!r})))'
        )
        torch.save(dict(state_dict={}, meta=dict(cfg=text)), tmp_path / 'a.pth')
        with pytest.raises(ValueError, match='a.pth does not tell its anonymizer'):
            AnonymizedImagePreprocessor(checkpoint=str(tmp_path / 'a.pth'))
        assert not (tmp_path / 'run').exists()

    @pytest.mark.parametrize('cfg', [None, dict(model=dict(type='X')), dict(x=1)])
    def test_a_checkpoint_without_a_config_is_told(self, tmp_path, cfg):
        filename = save(tmp_path / 'a.pth', trained_unet(), cfg=cfg)
        with pytest.raises(ValueError, match='a.pth does not tell its anonymizer'):
            AnonymizedImagePreprocessor(checkpoint=filename)

    def test_neither_config_nor_checkpoint_is_told(self):
        with pytest.raises(ValueError, match='neither an anonymizer nor a checkpoint'):
            AnonymizedImagePreprocessor()

    def test_an_anonymizer_without_weights_needs_none(self, tmp_path):
        cfg = dict(model=dict(anonymizer=dict(type='PixelateAnonymizer', block=4)))
        preprocessor = AnonymizedImagePreprocessor(checkpoint=save(tmp_path / 'a.pth', cfg=cfg))
        assert preprocessor.anonymizer.block == 4
        forward(preprocessor, image_data())

    @pytest.mark.parametrize(
        'network, problem',
        [
            (None, 'holds no anonymizer'),
            (dict(base_channels=3), r'other shapes of stem\.0\.weight, .* more'),
            (dict(num_levels=1), r'no encoder\.1\.0\.weight, .* more'),
            (dict(num_levels=3), r'also encoder\.2\.0\.weight, .* more'),
        ],
    )
    def test_other_weights_are_refused(self, tmp_path, network, problem):
        network = None if network is None else trained_unet(**network)
        filename = save(tmp_path / 'a.pth', network)
        with pytest.raises(ValueError, match=f'a.pth.*{problem}'):
            AnonymizedImagePreprocessor(UNET, filename)

    def test_an_absent_checkpoint_is_told_at_the_first_use(self, tmp_path):
        filename = str(tmp_path / 'absent.pth')
        preprocessor = AnonymizedImagePreprocessor(UNET, filename)
        with pytest.raises(FileNotFoundError, match='absent.pth of the anonymizer does not exist'):
            forward(preprocessor, image_data())
        with pytest.raises(FileNotFoundError, match='absent.pth of the anonymizer does not exist'):
            tiny_classifier(preprocessor).init_weights()
        network = trained_unet()
        preprocessor.load_state_dict(
            {f'anonymizer.{k}': v for k, v in network.state_dict().items()}
        )
        preprocessor.init_weights()
        self.check(preprocessor, network)

    def test_an_absent_checkpoint_cannot_name_the_anonymizer(self, tmp_path):
        with pytest.raises(FileNotFoundError, match='absent.pth, which would name'):
            AnonymizedImagePreprocessor(checkpoint=str(tmp_path / 'absent.pth'))

    def test_init_cfg_of_the_anonymizer_is_honoured(self, tmp_path, log):
        network = trained_unet()
        source = dict(
            type='Pretrained',
            checkpoint=save(tmp_path / 'a.pth', network),
            prefix='anonymizer.',
        )
        self.check(AnonymizedImagePreprocessor(dict(UNET, init_cfg=source)), network)
        row = dict(type='SequentialAnonymizer', stages=[IDENTITY, dict(UNET, init_cfg=source)])
        preprocessor = AnonymizedImagePreprocessor(row)
        assert not changed(snapshot(network), preprocessor.anonymizer.stages[1])
        assert not warnings_of(log)
        source['checkpoint'] = str(tmp_path / 'absent.pth')
        preprocessor = AnonymizedImagePreprocessor(dict(UNET, init_cfg=source))
        with pytest.raises(FileNotFoundError, match='init_cfg.*absent.pth'):
            forward(preprocessor, image_data())

    def test_random_weights_are_allowed_with_one_warning(self, log):
        preprocessor = AnonymizedImagePreprocessor(UNET)
        (warning,) = warnings_of(log)
        assert 'UNetAnonymizer of AnonymizedImagePreprocessor has random weights' in warning
        forward(preprocessor, image_data())
        AnonymizedImagePreprocessor(IDENTITY)
        assert len(warnings_of(log)) == 1

    def test_a_row_with_one_random_stage_is_warned_of(self, log, tmp_path):
        source = dict(type='Pretrained', checkpoint='x.pth', prefix='anonymizer.')
        row = dict(type='SequentialAnonymizer', stages=[dict(UNET, init_cfg=source), UNET])
        AnonymizedImagePreprocessor(row)
        assert 'random weights' in warnings_of(log)[0]


def tiny_classifier(data_preprocessor, **settings):
    config = dict(
        type='mmpretrain.ImageClassifier',
        backbone=dict(type='mmpretrain.ResNet', depth=18, base_channels=4, stem_channels=4),
        neck=dict(type='mmpretrain.GlobalAveragePooling'),
        head=dict(
            type='mmpretrain.LinearClsHead',
            num_classes=5,
            in_channels=32,
            loss=dict(type='mmpretrain.CrossEntropyLoss'),
        ),
    )
    return MODELS.build(dict(config, data_preprocessor=data_preprocessor, **settings))


def preprocessor_config(checkpoint=None, anonymizer=UNET):
    return dict(
        type='AnonymizedImagePreprocessor', anonymizer=anonymizer, checkpoint=checkpoint, **NORM
    )


class TestStateDict:
    def test_weights_travel_in_the_models_checkpoint(self, tmp_path, log):
        network = trained_unet()
        source = tiny_classifier(preprocessor_config(save(tmp_path / 'a.pth', network)))
        torch.save(dict(state_dict=source.state_dict()), tmp_path / 'model.pth')
        log.clear()
        absent = str(tmp_path / 'absent.pth')
        target = tiny_classifier(preprocessor_config(absent))
        load_checkpoint(target, str(tmp_path / 'model.pth'), strict=True)
        assert not changed(snapshot(source), target)
        assert not warnings_of(log)
        assert torch.equal(
            forward(source.data_preprocessor, image_data())['inputs'],
            forward(target.data_preprocessor, image_data())['inputs'],
        )

    @pytest.mark.parametrize('loader', ['torch', 'mmengine'])
    @pytest.mark.parametrize('strict', [True, False])
    @pytest.mark.parametrize('checkpoint', [None, 'absent.pth'])
    def test_a_checkpoint_without_them_is_refused_where_there_are_none(
        self, tmp_path, loader, strict, checkpoint
    ):
        raw = tiny_classifier(dict(type='mmpretrain.ClsDataPreprocessor'))
        torch.save(raw.state_dict(), tmp_path / 'raw.pth')
        model = tiny_classifier(preprocessor_config(checkpoint))
        message = r'no data_preprocessor\.anonymizer\.\*.*set checkpoint of Anonymized'
        with pytest.raises(RuntimeError, match=message):
            if loader == 'torch':
                model.load_state_dict(raw.state_dict(), strict=strict)
            else:
                load_checkpoint(model, str(tmp_path / 'raw.pth'), strict=strict)

    @pytest.mark.parametrize('strict', [True, False])
    def test_a_raw_models_checkpoint_fills_the_rest_where_they_are_there(
        self, tmp_path, strict, log
    ):
        network = trained_unet()
        raw = tiny_classifier(dict(type='mmpretrain.ClsDataPreprocessor'))
        torch.save(raw.state_dict(), tmp_path / 'raw.pth')
        model = tiny_classifier(preprocessor_config(save(tmp_path / 'a.pth', network)))
        load_checkpoint(model, str(tmp_path / 'raw.pth'), strict=strict)
        assert torch.equal(model.head.fc.weight, raw.head.fc.weight)
        assert not changed(snapshot(network), model.data_preprocessor.anonymizer)
        result = model.load_state_dict(raw.state_dict(), strict=strict)
        assert not result.missing_keys and not result.unexpected_keys
        assert not warnings_of(log)

    def test_the_strict_checkpoint_hook_takes_a_raw_models_checkpoint(self, tmp_path):
        raw = tiny_classifier(dict(type='mmpretrain.ClsDataPreprocessor'))
        model = tiny_classifier(preprocessor_config(save(tmp_path / 'a.pth', trained_unet())))
        runner = SimpleNamespace(
            model=model, _has_loaded=False, _load_from='raw.pth', _resume=False
        )
        checkpoint = dict(state_dict=raw.state_dict())
        PlainCheckpointHook().after_load_checkpoint(runner, checkpoint)
        assert torch.equal(model.head.fc.weight, raw.head.fc.weight)

    def test_identity_takes_a_raw_models_checkpoint(self):
        raw = tiny_classifier(dict(type='mmpretrain.ClsDataPreprocessor'))
        model = tiny_classifier(preprocessor_config(anonymizer=IDENTITY))
        model.load_state_dict(raw.state_dict())
        assert torch.equal(model.head.fc.weight, raw.head.fc.weight)

    @pytest.mark.parametrize('loader', ['torch', 'mmengine'])
    def test_identity_refuses_the_checkpoint_of_a_model_behind_another(self, tmp_path, loader):
        behind = tiny_classifier(preprocessor_config(save(tmp_path / 'a.pth', trained_unet())))
        torch.save(behind.state_dict(), tmp_path / 'behind.pth')
        model = tiny_classifier(preprocessor_config(anonymizer=IDENTITY))
        with pytest.raises(RuntimeError, match='another anonymizer than Identity.* also stem'):
            if loader == 'torch':
                model.load_state_dict(behind.state_dict(), strict=False)
            else:
                load_checkpoint(model, str(tmp_path / 'behind.pth'))

    def test_loaded_weights_replace_others_with_a_warning(self, tmp_path, log):
        first, second = trained_unet(1), trained_unet(2)
        filename = save(tmp_path / 'first.pth', first)
        model = tiny_classifier(preprocessor_config(filename))
        state = model.state_dict()
        model.load_state_dict(state)
        assert not warnings_of(log)
        state.update(
            {f'data_preprocessor.anonymizer.{k}': v for k, v in second.state_dict().items()}
        )
        model.load_state_dict(state)
        assert not changed(snapshot(second), model.data_preprocessor.anonymizer)
        (warning,) = warnings_of(log)
        assert f'replaces that of {filename}' in warning

    @pytest.mark.parametrize('loader', ['torch', 'mmengine'])
    @pytest.mark.parametrize(
        'settings, problem',
        [
            (dict(base_channels=3), 'other shapes of stem'),
            (dict(num_levels=1), 'no encoder'),
            (dict(num_levels=3), 'also encoder'),
        ],
    )
    def test_weights_of_another_anonymizer_are_refused(self, tmp_path, loader, settings, problem):
        other = tiny_classifier(preprocessor_config(anonymizer=dict(UNET, **settings)))
        torch.save(other.state_dict(), tmp_path / 'other.pth')
        model = tiny_classifier(preprocessor_config(save(tmp_path / 'a.pth', trained_unet())))
        with pytest.raises(RuntimeError, match=f'another anonymizer than UNet.*{problem}'):
            if loader == 'torch':
                model.load_state_dict(other.state_dict(), strict=False)
            else:
                load_checkpoint(model, str(tmp_path / 'other.pth'))

    def test_loading_the_backbone_alone_asks_for_nothing(self, tmp_path, log):
        raw = tiny_classifier(dict(type='mmpretrain.ClsDataPreprocessor'))
        torch.save(raw.state_dict(), tmp_path / 'raw.pth')
        model = tiny_classifier(preprocessor_config())
        source = dict(type='Pretrained', checkpoint=str(tmp_path / 'raw.pth'), prefix='backbone.')
        model.backbone.init_cfg = source
        before = snapshot(model.data_preprocessor)
        model.init_weights()
        assert torch.equal(model.backbone.conv1.weight, raw.backbone.conv1.weight)
        assert not changed(before, model.data_preprocessor)

    def test_a_whole_raw_checkpoint_as_init_cfg_keeps_the_anonymizer(self, tmp_path):
        raw = tiny_classifier(dict(type='mmpretrain.ClsDataPreprocessor'))
        torch.save(raw.state_dict(), tmp_path / 'raw.pth')
        network = trained_unet()
        config = preprocessor_config(save(tmp_path / 'a.pth', network))
        model = tiny_classifier(config, pretrained=str(tmp_path / 'raw.pth'))
        model.init_weights()
        assert torch.equal(model.head.fc.weight, raw.head.fc.weight)
        assert not changed(snapshot(network), model.data_preprocessor.anonymizer)


class TestFrozen:
    def check(self, model):
        anonymizer = model.data_preprocessor.anonymizer
        assert not any(module.training for module in anonymizer.modules())
        assert len(list(anonymizer.parameters())) == len(list(UNetAnonymizer(2, 2).parameters()))
        assert not any(p.requires_grad for p in anonymizer.parameters())

    @pytest.fixture
    def model(self, tmp_path):
        return tiny_classifier(preprocessor_config(save(tmp_path / 'a.pth', trained_unet())))

    def test_modes_and_gradients_cannot_be_switched_on(self, model):
        self.check(model)
        model.train()
        self.check(model)
        model.requires_grad_(True)
        self.check(model)
        for parameter in model.parameters():
            parameter.requires_grad = True
        self.check(model)
        copied = copy.deepcopy(model)
        copied.train().requires_grad_(True)
        self.check(copied)
        model.eval().train()
        self.check(model.to(torch.float64).float())
        assert model.backbone.conv1.weight.requires_grad and model.backbone.training

    def test_training_changes_the_model_and_not_the_anonymizer(self, model):
        model.train()
        model.requires_grad_(True)
        before = snapshot(model)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)
        model.train_step(image_data(), OptimWrapper(optimizer))
        differing = changed(before, model)
        assert 'backbone.conv1.weight' in differing and 'head.fc.bias' in differing
        assert not [name for name in differing if name.startswith('data_preprocessor.')]
        assert all(p.grad is None for p in model.data_preprocessor.parameters())

    @pytest.mark.parametrize('init_cfg', [None, dict(type='Constant', val=0.5, layer='Conv2d')])
    def test_init_weights_of_the_parent_leaves_it(self, tmp_path, init_cfg):
        config = preprocessor_config(save(tmp_path / 'a.pth', trained_unet()))
        model = tiny_classifier(config, init_cfg=init_cfg)
        before = snapshot(model)
        model.init_weights()
        differing = changed(before, model)
        assert 'backbone.conv1.weight' in differing
        assert not [name for name in differing if name.startswith('data_preprocessor.')]

    def test_mixed_precision_shows_the_same_frames(self, model):
        data = image_data()
        expected = forward(model.data_preprocessor, data)['inputs']
        with torch.autocast('cpu', dtype=torch.bfloat16):
            out = forward(model.data_preprocessor, data)['inputs']
        assert out.dtype == torch.float32
        assert torch.equal(out, expected)

    def test_mixed_precision_training_runs(self, model, monkeypatch):
        from mmengine.optim.optimizer import amp_optimizer_wrapper as module

        monkeypatch.setattr(module, 'is_cuda_available', lambda: True)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        wrapper = AmpOptimWrapper(dtype='bfloat16', optimizer=optimizer)
        assert torch.isfinite(model.train_step(image_data(), wrapper)['loss'])

    def test_a_cast_model_is_followed(self, model):
        model.to(torch.float64)
        out = forward(model.data_preprocessor, image_data())['inputs']
        assert out.dtype == torch.float64

    def test_a_moved_model_moves_its_anonymizer_and_inputs(self, model):
        model.to('meta')
        assert model.data_preprocessor.device.type == 'meta'
        assert {p.device.type for p in model.data_preprocessor.parameters()} == {'meta'}

    def test_sync_batchnorm_conversion_keeps_the_weights(self, model):
        from mmengine.model import convert_sync_batchnorm

        before = snapshot(model)
        converted = convert_sync_batchnorm(model)
        assert not changed(before, converted)
        converted.requires_grad_(True).train()
        self.check(converted)

    def test_distributed_training(self, model, tmp_path):
        torch.distributed.init_process_group(
            'gloo', init_method=f'file://{tmp_path / "store"}', rank=0, world_size=1
        )
        try:
            wrapped = MMDistributedDataParallel(model, device_ids=None)
            wrapped.train()
            before = snapshot(model.data_preprocessor)
            optimizer = torch.optim.SGD(wrapped.parameters(), lr=0.1)
            for _ in range(2):
                wrapped.train_step(image_data(), OptimWrapper(optimizer))
            assert not changed(before, model.data_preprocessor)
            self.check(model)
        finally:
            torch.distributed.destroy_process_group()


class TestBoxes:
    BLACKEN = dict(type='BlackenAnonymizer')

    @pytest.mark.parametrize('format_shape', SHAPES)
    @pytest.mark.parametrize('chunk', [None, 5])
    def test_each_frame_gets_its_own_boxes(self, format_shape, chunk):
        shape = SHAPES[format_shape]
        num_frames = 8 if format_shape == 'NCTHW' else 6
        data = action_data(shape, count=2)
        data['inputs'] = [x.clamp(min=1) for x in data['inputs']]
        # Frame i of sample s has its column 2i + s covered.
        for number, sample in enumerate(data['data_samples']):
            columns = [(2 * i + number) / 20 for i in range(num_frames)]
            boxes = [np.array([[x, 0, x + 0.05, 1]], np.float32) for x in columns]
            sample.set_metainfo(dict(person_boxes=boxes))
        preprocessor = action(
            self.BLACKEN, format_shape, mean=None, std=None, max_frames_per_pass=chunk
        )
        out = forward(preprocessor, data)['inputs']
        if format_shape == 'NCTHW':
            out = out.transpose(2, 3)
        frames = out.reshape(2, num_frames, 3, 16, 20)
        for number in range(2):
            for index in range(num_frames):
                covered = (frames[number, index] == 0).all(0).all(0)
                assert covered.nonzero().flatten().tolist() == [2 * index + number]

    def test_padded_clips_keep_their_boxes(self):
        data = action_data((1, 3, 1, 8, 10), count=1)
        data['inputs'] += action_data((1, 3, 1, 16, 20), count=1)['inputs']
        data['inputs'] = [x.clamp(min=1) for x in data['inputs']]
        sample = ActionDataSample(metainfo=dict(person_boxes=[np.array([[0.5, 0.5, 1, 1]])]))
        data['data_samples'] = [sample, sample.clone()]
        out = forward(action(self.BLACKEN, mean=None, std=None), data)['inputs']
        first, second = (out[:, 0, 0, 0] == 0).unbind()
        assert first[4:8, 5:10].all() and not first[:4, :10].any() and not first[:8, :5].any()
        assert second[8:, 10:].all() and second.sum() == 80

    def test_images_of_several_sizes(self):
        data = image_data(1)
        data['inputs'] += image_data(1, (8, 10))['inputs']
        data['inputs'] = [x.clamp(min=1) for x in data['inputs']]
        boxes = ([[0, 0, 0.5, 0.5]], [[0.5, 0.5, 1, 1]])
        data['data_samples'] = [
            DataSample(metainfo=dict(person_boxes=[np.array(box)])) for box in boxes
        ]
        out = forward(AnonymizedImagePreprocessor(self.BLACKEN), data)['inputs'][:, 0] == 0
        assert out[0, :8, :10].all() and out[0].sum() == 80
        assert out[1, 4:8, 5:10].all() and out[1, :8, :10].sum() == 20

    @pytest.mark.parametrize('samples', [None, 'without'])
    def test_missing_boxes_are_told_with_the_remedy(self, samples):
        data = action_data()
        if samples is None:
            data['data_samples'] = None
        message = "a box_file .*, or add LoadPersonBoxes after decoding .* 'person_boxes' to meta"
        with pytest.raises(ValueError, match=message):
            action(self.BLACKEN)(data)
        with pytest.raises(ValueError, match=message):
            AnonymizedImagePreprocessor(self.BLACKEN)(dict(image_data(), data_samples=None))

    def test_another_number_of_frames_is_told(self):
        data = action_data(person_boxes=[np.zeros((0, 4))] * 4)
        with pytest.raises(ValueError, match='person_boxes of 4 frames, but 8 frames'):
            action(self.BLACKEN)(data)

    def test_others_ignore_boxes(self):
        forward(action(IDENTITY), action_data(person_boxes='anything'))


class TestUpstreamConfigs:
    """Configs of MMAction2 and MMPretrain in which only the data preprocessor is replaced."""

    NARROW = {
        'mmaction::_base_/models/slowonly_r50.py': dict(
            backbone=dict(depth=18, pretrained=None, base_channels=4), cls_head=dict(in_channels=32)
        ),
        'mmaction::_base_/models/tsm_r50.py': dict(
            backbone=dict(depth=18, pretrained=None, pretrained2d=False, num_segments=4),
            cls_head=dict(in_channels=512, num_segments=4),
        ),
    }

    def build(self, tmp_path, base, settings, preprocessor):
        path = tmp_path / 'config.py'
        path.write_text(f'_base_ = {base!r}\nmodel = {settings!r}\n')
        config = Config.fromfile(path)
        config.merge_from_dict(dict(model=dict(data_preprocessor=preprocessor)))
        return config.model

    @pytest.mark.parametrize('base', NARROW)
    def test_mmaction(self, tmp_path, base):
        filename = save(tmp_path / 'a.pth', trained_unet(), cfg=dict(model=dict(anonymizer=UNET)))
        config = self.build(
            tmp_path,
            base,
            self.NARROW[base],
            dict(type='AnonymizedActionPreprocessor', anonymizer=None, checkpoint=filename),
        )
        model = MODELS.build(config)
        model.init_weights()
        preprocessor = model.data_preprocessor
        assert preprocessor.mean.flatten().tolist() == pytest.approx([123.675, 116.28, 103.53])
        assert not changed(snapshot(trained_unet()), preprocessor.anonymizer)
        shape = (1, 3, 4, 32, 32) if 'slowonly' in base else (4, 3, 32, 32)
        data = action_data(shape, count=2)
        before = snapshot(model)
        optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
        assert torch.isfinite(model.train().train_step(copy.deepcopy(data), optimizer)['loss'])
        differing = changed(before, model)
        assert any(name.startswith('backbone.') for name in differing)
        assert not [name for name in differing if name.startswith('data_preprocessor.')]
        predictions = model.eval().test_step(copy.deepcopy(data))
        assert [len(p.pred_score) for p in predictions] == [400, 400]
        # The prediction is that of the raw model on anonymized frames.
        raw_config = copy.deepcopy(config)
        raw_config.data_preprocessor = dict(
            type='ActionDataPreprocessor',
            mean=[0, 0, 0],
            std=[1, 1, 1],
            format_shape=preprocessor.format_shape,
        )
        raw = MODELS.build(raw_config)
        raw.load_state_dict(model.state_dict(), strict=False)
        inputs = forward(preprocessor, data)['inputs']
        raw.eval()
        with torch.no_grad():
            again = raw(inputs, data['data_samples'], mode='predict')
        for one, other in zip(predictions, again, strict=True):
            torch.testing.assert_close(one.pred_score, other.pred_score)

    def test_mmpretrain_in_its_own_scope(self, tmp_path):
        filename = save(tmp_path / 'a.pth', trained_unet(), cfg=dict(model=dict(anonymizer=UNET)))
        config = self.build(
            tmp_path,
            'mmpretrain::_base_/models/resnet18.py',
            dict(
                backbone=dict(base_channels=4, stem_channels=4),
                head=dict(num_classes=6, in_channels=32),
            ),
            dict(type='AnonymizedImagePreprocessor', checkpoint=filename, to_rgb=True, **NORM),
        )
        from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS

        with DefaultScope.overwrite_default_scope('mmpretrain'):
            model = MMPRETRAIN_MODELS.build(config)
            optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
            model.train()
            assert torch.isfinite(model.train_step(image_data(), optimizer)['loss'])
            model.eval()
            predictions = model.test_step(image_data())
        assert [len(p.pred_score) for p in predictions] == [6] * 4
        assert not changed(snapshot(trained_unet()), model.data_preprocessor.anonymizer)


@pytest.mark.parametrize('scope', ['mmaction', 'mmpretrain'])
def test_anonymizer_of_a_user_is_found_below_models_of_mmpretrain(scope):
    """Registered as docs/extending.md tells, in MMAction2's registry alone."""

    class OfAUser(torch.nn.Identity):
        pass

    MODELS.register_module(name='OfAUser', module=OfAUser)
    try:
        config = dict(type='AnonymizedImagePreprocessor', anonymizer=dict(type='OfAUser'))
        preprocessor = MODELS.build(dict(config, _scope_=scope))
    finally:
        MODELS.module_dict.pop('OfAUser')
    assert type(preprocessor.anonymizer) is OfAUser
