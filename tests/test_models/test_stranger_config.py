"""An anonymizer's config in a checkpoint is data, and names registered anonymizers only."""

import resource

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.model import BaseModule

from spact_mm.apis import AnonymizeInferencer
from spact_mm.models import AnonymizedActionPreprocessor, UNetAnonymizer
from spact_mm.models.anonymizers.checkpoint import find_config, load_checkpoint
from spact_mm.protocols import load_protocol

UNET = dict(type='UNetAnonymizer', base_channels=2, num_levels=2)


@MODELS.register_module()
class StrangerTestAnonymizer(BaseModule):
    """A user's own, registered by his module."""

    def __init__(self, shift=0.25):
        super().__init__()
        self.shift = torch.nn.Parameter(torch.tensor(shift))

    def forward(self, frames):
        return (1 - frames) * self.shift


def save(folder, config, state=None):
    path = folder / 'minimax.pth'
    if state is None:
        state = UNetAnonymizer(2, 2).state_dict()
    state = {f'anonymizer.{name}': value for name, value in state.items()}
    torch.save(dict(state_dict=state, meta=dict(cfg=f'model = dict(anonymizer={config})\n')), path)
    return str(path)


def by_inferencer(path, folder):
    AnonymizeInferencer(weights=path, device='cpu')


def by_preprocessor(path, folder):
    AnonymizedActionPreprocessor(checkpoint=path, mean=[0.0] * 3, std=[1.0] * 3)


def by_protocol(path, folder):
    (folder / 'stage.py').write_text('model = dict(data_preprocessor=dict())\n')
    (folder / 'protocol.py').write_text(
        f'protocol = dict(seeds=[0], methods=[dict(name="a", checkpoint={path!r})],'
        'stages=dict(action=dict(config="stage.py", train=False)))\n'
    )
    load_protocol(folder / 'protocol.py', folder / 'work')


USERS = pytest.mark.parametrize('use', [by_inferencer, by_preprocessor, by_protocol])


def call(marker, name='os.mkdir'):
    return f'dict(type={name!r}, path={str(marker)!r})'


@USERS
@pytest.mark.parametrize(
    'config',
    [
        '{call}',
        "dict(type='SequentialAnonymizer', stages=[{call}])",
        "dict(type='SequentialAnonymizer', stages=["
        "dict(type='SequentialAnonymizer', stages=[{call}])])",
        "dict(type='UNetAnonymizer', base_channels={call})",
        "dict(type='UNetAnonymizer', base_channels=2, num_levels=2, act=dict(deep=[({call},)]))",
        '{scoped}',
    ],
)
def test_no_name_in_it_is_imported_or_called(tmp_path, use, config):
    marker = tmp_path / 'called'
    scoped = f"dict(type='mkdir', _scope_='os', path={str(marker)!r})"
    path = save(tmp_path, config.format(call=call(marker), scoped=scoped))
    with pytest.raises(ValueError, match=r"minimax.pth (names the anonymizer '|tells has the arg)"):
        use(path, tmp_path)
    assert not marker.exists()


@pytest.mark.parametrize(
    'name',
    ["'builtins.eval'", "'mmengine.Config'", "'mmaction.UNetAnonymizer'", "'_scope_.x'",
     'None', '7', "'spact_mm.models.UNetAnonymizer'", "''", "'unetanonymizer'",
     "['UNetAnonymizer']", "'X' * 3"],
)  # fmt: skip
def test_only_exact_names_are_known(tmp_path, name):
    path = save(tmp_path, f'dict(type={name})')
    with pytest.raises(ValueError, match='minimax.pth (names the anonymizer|does not tell)'):
        find_config(torch.load(path, weights_only=True), path)


@pytest.mark.parametrize(
    'name', ['ResNet3d', 'Conv2d', 'MinimaxAnonymization', 'Recognizer3D', 'ReconstructionAttack']
)
def test_other_models_are_no_anonymizers(tmp_path, name):
    path = save(tmp_path, dict(type=name))
    with pytest.raises(ValueError, match=f"names '{name}' as its anonymizer, which is another"):
        find_config(torch.load(path, weights_only=True), path)


@USERS
def test_init_cfg_is_ignored_at_every_depth(tmp_path, use):
    evil = dict(type='Pretrained', checkpoint=str(tmp_path / 'absent.pth'), prefix='anonymizer.')
    mkdir = dict(type='os.mkdir', path=str(tmp_path / 'called'))
    stage = dict(UNET, init_cfg=evil)
    config = dict(type='SequentialAnonymizer', stages=[stage], init_cfg=mkdir)
    state = {f'stages.0.{k}': v for k, v in UNetAnonymizer(2, 2).state_dict().items()}
    path = save(tmp_path, config, state)
    assert find_config(torch.load(path, weights_only=True), path) == dict(
        type='SequentialAnonymizer', stages=[UNET]
    )
    if use is not by_inferencer:  # it also measures its output
        use(path, tmp_path)
    assert not (tmp_path / 'called').exists()


@USERS
@pytest.mark.parametrize(
    'config',
    [
        dict(UNET, base_channels=10**9),
        dict(UNET, base_channels=4000),
        dict(UNET, num_levels=4000),
        dict(UNET, num_levels=16),
        dict(type='UNetPlusPlusAnonymizer', base_channels=1, num_levels=16),
        dict(type='GaussianBlurAnonymizer', kernel_size=10**9 + 1, sigma=1),
        dict(type='DownsampleAnonymizer', factor=10**400),
        dict(type='SequentialAnonymizer', stages=[dict(UNET, base_channels=4000)] * 20),
        dict(UNET, checkpoint='/etc/passwd'),
        dict(UNET, color='red'),
        dict(UNET, base_channels=-1),
        dict(UNET, base_channels='many'),
        dict(type='RecolorAnonymizer', seed=10**9),
        dict(type='RecolorAnonymizer', seed=-1),
        dict(type='RecolorAnonymizer', seed='0'),
        dict(type='RecolorAnonymizer', seed=dict(value=1)),
        dict(type='NoiseAnonymizer', std=4000.0),
        dict(type='NoiseAnonymizer', std='0.2'),
        dict(type='NoiseAnonymizer', std=None),
    ],
)
def test_sizes_that_the_weights_do_not_have_take_no_memory(tmp_path, use, config):
    path = save(tmp_path, config)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match='minimax.pth'):
        use(path, tmp_path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB


@pytest.mark.parametrize(
    'text',
    [
        '(' * 5000,
        '[' * 150 + ']' * 150,
        'model = dict(anonymizer=' + '-' * 100_000 + '1)',
        'model = dict(anonymizer=dict(**{}))',
        'model = dict({[]: 1})',
        'model = 3',
        '\0',
        'x' * (1 << 22),
        "model = dict(anonymizer=dict(type='UNetAnonymizer', base_channels=open('x')))",
    ],
)
def test_text_that_is_no_config_is_one_sentence(tmp_path, text):
    with pytest.raises(ValueError, match='x.pth does not tell its anonymizer'):
        find_config(dict(meta=dict(cfg=text)), 'x.pth')


@pytest.mark.parametrize('state', [[1], 'x', {3: torch.ones(1)}, None])
def test_weights_of_other_kinds_are_one_sentence(tmp_path, state):
    path = str(tmp_path / 'x.pth')
    torch.save(dict(state_dict=state), path)
    with pytest.raises(ValueError, match='x.pth has a state_dict that is no dictionary of names'):
        load_checkpoint(path)


def test_weights_that_are_none_do_not_fit(tmp_path):
    state = UNetAnonymizer(2, 2).state_dict()
    state['stem.0.weight'] = 'x'
    path = save(tmp_path, UNET, state)
    with pytest.raises(ValueError, match='x.pth holds another anonymizer .* no stem.0.weight'):
        find_config(load_checkpoint(path), 'x.pth')


@pytest.mark.parametrize('meta', [None, [], 'cfg', dict(cfg=3), dict(cfg=b'model = 1')])
def test_meta_of_other_kinds_is_one_sentence(meta):
    with pytest.raises(ValueError, match='x.pth does not tell its anonymizer'):
        find_config(dict(meta=meta), 'x.pth')


@USERS
def test_unregistered_anonymizer_asks_for_the_config(tmp_path, use):
    path = save(tmp_path, dict(type='AnonymizerOfOnesOwn', ratio=0.5))
    with pytest.raises(
        ValueError, match=r"'AnonymizerOfOnesOwn', which is not registered.*--config of"
    ):
        use(path, tmp_path)


@pytest.mark.parametrize(
    'config',
    [
        dict(type='RecolorAnonymizer', seed=7),
        dict(type='NoiseAnonymizer', std=0.5),
        dict(
            type='SequentialAnonymizer',
            stages=[dict(type='RecolorAnonymizer'), dict(type='NoiseAnonymizer')],
        ),
    ],
)
def test_controls_of_a_file_are_built(tmp_path, config):
    path = save(tmp_path, config, {})
    frames = torch.rand(1, 3, 4, 4)
    outputs = []
    for settings in (dict(checkpoint=path), dict(anonymizer=config)):
        preprocessor = AnonymizedActionPreprocessor(mean=[0.0] * 3, std=[1.0] * 3, **settings)
        torch.manual_seed(0)
        outputs.append(preprocessor.anonymizer(frames))
    assert torch.equal(*outputs) and outputs[0].device == frames.device


def test_registered_anonymizer_of_a_user_is_built(tmp_path):
    config = dict(type='StrangerTestAnonymizer', shift=0.5)
    path = save(tmp_path, config, dict(shift=torch.tensor(0.75)))
    assert find_config(torch.load(path, weights_only=True), path) == config
    preprocessor = AnonymizedActionPreprocessor(checkpoint=path, mean=[0.0] * 3, std=[1.0] * 3)
    assert preprocessor.anonymizer.shift == 0.75
