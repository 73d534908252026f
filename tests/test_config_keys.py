import pytest
from mmengine.config import Config

from spact_mm.config_keys import choose_variables, read_config, refuse_unread

BASE = """
root, split = 'data/a', 1
size = 32
train_pipeline = [dict(type='Resize', scale=(size, size))]
train_dataloader = dict(ann_file=f'{root}/list_{split}.txt', pipeline=train_pipeline)
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / 'base.py').write_text(BASE)

    def write(text='', name='child.py'):
        (tmp_path / name).write_text(f"_base_ = './base.py'\n{text}\n")
        return str(tmp_path / name)

    return write


def changed(path, **options):
    config = Config.fromfile(path)
    config.merge_from_dict(options)
    return config


def test_variables_are_set_before_what_is_made_of_them(files):
    config = read_config(files(), dict(root='/mnt/x', split=3, size=64))
    loader = config.train_dataloader
    assert loader.ann_file == '/mnt/x/list_3.txt'
    assert loader.pipeline[0].scale == (64, 64)
    # For this one reading only.
    assert Config.fromfile(files()).train_dataloader.ann_file == 'data/a/list_1.txt'


def test_settings_are_changed_as_by_mmengine(files):
    config = read_config(files(), {'train_dataloader.ann_file': 'b.txt', 'randomness.seed': 3})
    assert config.train_dataloader.ann_file == 'b.txt' and config.randomness.seed == 3
    assert choose_variables({'model.x': 1, 'load_from': 'a', 'size': 3}) == dict(size=3)


@pytest.mark.parametrize('key, value', [('size', 64), ('train_pipeline.0.scale', (8, 8))])
def test_a_variable_that_was_changed_too_late_is_refused(files, key, value):
    path = files()
    with pytest.raises(ValueError, match=rf"'{key.split('.')[0]}' is a variable of .*child.py, "):
        refuse_unread(changed(path, **{key: value}))


def test_a_name_that_nobody_reads_is_refused(files):
    with pytest.raises(ValueError, match=r"'ucf_root' is no setting that anything reads"):
        refuse_unread(changed(files(), ucf_root='x'))
    with pytest.raises(ValueError, match=r"'ucf_root' is no setting"):
        read_config(files(), dict(ucf_root='x'))
    with pytest.raises(ValueError, match="'train_pipeline' is a variable"):
        read_config(files(), {'train_pipeline.0.scale': (8, 8)})


@pytest.mark.parametrize('text', ['size = 64', 'train_pipeline = []', "root = '/mnt'"])
def test_a_child_whose_variable_comes_too_late_is_refused(files, tmp_path, text):
    path = files(text)
    key = text.split()[0]
    with pytest.raises(ValueError, match=rf"'{key}' in .*child.py changes nothing: ./base.py has"):
        refuse_unread(Config.fromfile(path))
    (tmp_path / 'grandchild.py').write_text("_base_ = './child.py'\n")
    with pytest.raises(ValueError, match=f"'{key}' in .*child.py changes nothing"):
        refuse_unread(Config.fromfile(tmp_path / 'grandchild.py'))


@pytest.mark.parametrize(
    'text',
    [
        'size = 64\ntest_dataloader = dict(size=size)',
        'train_dataloader = dict(batch_size=2)',
        'another = 3',
        'pipeline = _base_.train_pipeline\npipeline[0].scale = (8, 8)\ndel pipeline',
    ],
)
def test_children_that_use_their_variables_are_left_alone(files, text):
    refuse_unread(Config.fromfile(files(text)))


@pytest.mark.parametrize(
    'settings, message',
    [
        (dict(env_cfg=dict(cudnn_bench=True)), r'^env_cfg.cudnn_bench is no setting .*cudnn_bench'),
        (dict(auto_scale_lr=dict(batch_size=8)), '^auto_scale_lr.batch_size is no setting'),
        (
            dict(find_unused_parameters=True, model_wrapper_cfg=dict(type='x')),
            'write model_wrapper_cfg.find_unused_parameters',
        ),
    ],
)
def test_keys_that_mmengine_does_not_look_up_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        refuse_unread(Config(settings))


def test_what_is_dumped_and_what_has_no_file_is_left_alone(files, tmp_path):
    config = read_config(files(), dict(size=64))
    config.dump(tmp_path / 'dumped.py')
    refuse_unread(changed(tmp_path / 'dumped.py', load_from='x', work_dir='y'))
    refuse_unread(Config(dict(a=1)))
