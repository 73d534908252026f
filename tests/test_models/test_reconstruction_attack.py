import pytest
import torch
from mmaction.registry import METRICS, MODELS
from mmengine.optim import OptimWrapper
from mmpretrain.structures import DataSample
from tiny import build_model, changed, snapshot

from spact_mm.evaluation.image_quality import psnr, ssim

UNET = dict(type='UNetAnonymizer', base_channels=2, num_levels=2)
IDENTITY = dict(type='IdentityAnonymizer')


class Halving(torch.nn.Module):
    def forward(self, frames):
        return frames / 2


class Gain(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(()))

    def forward(self, frames):
        return self.gain * frames


@pytest.fixture(autouse=True)
def toy_networks():
    for module in (Halving, Gain):
        MODELS.register_module(module=module)
    yield
    for name in ('Halving', 'Gain'):
        MODELS.module_dict.pop(name)


def attack(**settings):
    return MODELS.build(dict(dict(type='ReconstructionAttack', inverter=UNET), **settings))


def images(count=3, size=16):
    inputs = [torch.randint(0, 256, (3, size, size), dtype=torch.uint8) for _ in range(count)]
    return dict(inputs=inputs, data_samples=[DataSample() for _ in inputs])


def save_minimax(path):
    model = build_model()
    for buffer in model.anonymizer.buffers():
        buffer.add_(1)
    torch.save(dict(state_dict=model.state_dict()), path)
    return model.anonymizer.eval()


@pytest.mark.parametrize('loss, power', [('l1', 1), ('mse', 2)])
def test_loss_is_against_the_raw_images(loss, power):
    model = attack(anonymizer=dict(type='Halving'), inverter=IDENTITY, loss=loss)
    data = images()
    x = torch.stack(data['inputs']) / 255
    value = model(**model.data_preprocessor(data, True), mode='loss')['loss_reconstruction']
    assert value.item() == pytest.approx((x / 2).pow(power).mean().item(), abs=1e-6)


def test_predictions_hold_the_images():
    model = attack(anonymizer=dict(type='Halving')).eval()
    data = images()
    x = torch.stack(data['inputs']) / 255
    with torch.no_grad():
        expected = dict(restored=model.inverter(x / 2), anonymized=x / 2, raw=x)
        samples = model.test_step(data)
    for name, batch in expected.items():
        found = torch.stack([sample.get(name) for sample in samples])
        torch.testing.assert_close(found, batch, atol=1e-5, rtol=0)
    assert samples == data['data_samples']


def test_metric_averages_over_the_images():
    metric = METRICS.build(dict(type='ReconstructionMetric'))
    model = attack(anonymizer=dict(type='Halving'), inverter=IDENTITY).eval()
    data = images(3)
    x = torch.stack(data['inputs']) / 255
    for start, end in ((0, 2), (2, 3)):
        part = {name: value[start:end] for name, value in data.items()}
        metric.process(part, [sample.to_dict() for sample in model.test_step(part)])
    decibels, similarity = psnr(x / 2, x).mean().item(), ssim(x / 2, x).mean().item()
    assert metric.evaluate(3) == {
        'reconstruction/PSNR': pytest.approx(decibels, abs=1e-4),
        'reconstruction/SSIM': pytest.approx(similarity, abs=1e-6),
        'reconstruction/PSNR_anonymized': pytest.approx(decibels, abs=1e-4),
        'reconstruction/SSIM_anonymized': pytest.approx(similarity, abs=1e-6),
    }


def test_training_finds_the_inverse():
    model = attack(anonymizer=dict(type='Halving'), inverter=dict(type='Gain'), loss='mse')
    optimizer = OptimWrapper(torch.optim.Adam(model.parameters(), lr=0.05))
    data = images()
    for _ in range(150):
        model.train_step(data, optimizer)
    assert model.inverter.gain.item() == pytest.approx(2, abs=0.01)


def test_training_leaves_the_anonymizer_as_it_is(tmp_path):
    frozen = save_minimax(tmp_path / 'minimax.pth')
    model = attack(anonymizer=UNET, checkpoint=str(tmp_path / 'minimax.pth'))
    model.init_weights()
    before = snapshot(model.inverter)
    optimizer = OptimWrapper(torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=0.1))
    for _ in range(2):
        model.train().train_step(images(), optimizer)
    after = model.data_preprocessor.anonymizer
    assert not any(module.training for module in after.modules())
    assert changed(frozen.state_dict(), after) == set()
    assert changed(before, model.inverter) == set(before)


def test_trained_inverter_is_a_stage_of_an_anonymizer(tmp_path):
    save_minimax(tmp_path / 'minimax.pth')
    model = attack(anonymizer=UNET, checkpoint=str(tmp_path / 'minimax.pth')).eval()
    path = str(tmp_path / 'attack.pth')
    torch.save(dict(state_dict=model.state_dict()), path)
    stages = [
        dict(UNET, init_cfg=dict(type='Pretrained', checkpoint=path, prefix=prefix))
        for prefix in ('data_preprocessor.anonymizer.', 'inverter.')
    ]
    sequence = MODELS.build(dict(type='SequentialAnonymizer', stages=stages)).eval()
    sequence.init_weights()
    data = images()
    batch = model.data_preprocessor(data)
    with torch.no_grad():
        expected = model(batch['inputs'])
        torch.testing.assert_close(sequence(batch['raw']), expected, atol=1e-6, rtol=0)


def test_bgr_images_become_rgb():
    model = attack(anonymizer=IDENTITY, data_preprocessor=dict(to_rgb=True))
    data = images()
    expected = torch.stack(data['inputs']).flip(1) / 255
    batch = model.data_preprocessor(data)
    torch.testing.assert_close(batch['raw'], expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(batch['inputs'], expected, atol=1e-6, rtol=0)


def test_images_without_samples_are_predicted():
    model = attack(anonymizer=IDENTITY, inverter=IDENTITY).eval()
    inputs = images()['inputs']
    for sample, image in zip(model.test_step(dict(inputs=inputs)), inputs, strict=True):
        torch.testing.assert_close(sample.restored, image / 255, atol=1e-6, rtol=0)


def test_bad_input_is_named():
    data = images()
    data['inputs'][1] = data['inputs'][1][:, :12]
    model = attack(anonymizer=IDENTITY)
    with pytest.raises(ValueError, match=r'2 sizes, \(12, 16\) to \(16, 16\).*mmpretrain.Resize'):
        model.data_preprocessor(data)
    with pytest.raises(ValueError, match="no loss 'l2'"):
        attack(anonymizer=IDENTITY, loss='l2')
    with pytest.raises(ValueError, match="but not 'train'"):
        model(torch.rand(1, 3, 16, 16), mode='train')
