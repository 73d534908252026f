import os
import pickle

import numpy as np
import pytest

from spact_mm.datasets.restricted_pickle import UnsafePickleError, load_arrays


class Call:
    """What a malicious file holds: a call of anything."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def dump(path, content, protocol=4):
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize('protocol', [3, 4])
@pytest.mark.parametrize(
    'array',
    [
        np.arange(6).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array([[True, False]]),
        np.array([1, 500], '>i2'),
        np.array(3, np.uint8),
        np.zeros((0, 4), np.float32),
    ],
)
def test_numeric_arrays_come_back_as_written(tmp_path, array, protocol):
    content = {'class/b.mp4': array, 'class/c.mp4': array.copy()}
    loaded = load_arrays(dump(tmp_path / 'x.pickle', content, protocol))
    assert list(loaded) == list(content)
    for result in loaded.values():
        np.testing.assert_array_equal(result, array)
        assert result.dtype == array.dtype and result.flags.writeable


def test_name_of_the_module_in_numpy_2_is_known(tmp_path):
    path = dump(tmp_path / 'x.pickle', {'a': np.arange(3)}, protocol=3)
    path.write_bytes(path.read_bytes().replace(b'numpy.core.multi', b'numpy._core.multi'))
    assert load_arrays(path)['a'].tolist() == [0, 1, 2]


@pytest.mark.parametrize('place', ['key', 'value', 'around', 'element'])
def test_no_call_is_made(tmp_path, place):
    trap = tmp_path / 'run'
    call = Call(os.system, f'touch {trap}')
    content = {
        'key': {('a', call): np.arange(2)},
        'value': {'a': np.arange(2), 'b': call},
        'around': call,
        'element': {'a': np.array([call], dtype=object)},
    }[place]
    path = dump(tmp_path / 'labels.pickle', content)
    # The type of an array comes before its elements, so that one is refused even earlier.
    what = 'an array of the type O' if place == 'element' else r'the global \w+\.system'
    with pytest.raises(ValueError, match=rf'labels\.pickle .*{what}') as error:
        load_arrays(path)
    assert str(error.value).count('\n') == 0 and not trap.exists()
    # So the file is what it looks like.
    pickle.loads(path.read_bytes())
    assert trap.exists()


@pytest.mark.parametrize(
    ('function', 'name'),
    [
        (eval, 'builtins.eval'),
        (getattr, 'builtins.getattr'),
        (np.load, 'numpy.load'),
        (np.zeros, 'numpy.zeros'),
    ],
)
def test_other_globals_are_named(tmp_path, function, name):
    with pytest.raises(UnsafePickleError, match=name):
        load_arrays(dump(tmp_path / 'x.pickle', {'a': Call(function, '1')}))


@pytest.mark.parametrize(
    'content',
    [
        [np.arange(3)],
        {'a': [1, 2]},
        {'a': 'text'},
        {1: np.arange(3)},
        {'a': np.array([None])},
        {'a': np.array(['text'])},
        {'a': np.zeros(2, [('x', 'i4')])},
        {'a': np.dtype('i8')},
    ],
)
def test_anything_but_a_dictionary_of_numeric_arrays_is_refused(tmp_path, content):
    with pytest.raises(ValueError, match=r'x\.pickle is no whole pickle of a dictionary'):
        load_arrays(dump(tmp_path / 'x.pickle', content))


def test_truncated_and_foreign_files_are_refused(tmp_path):
    path = dump(tmp_path / 'x.pickle', {f'a{i}': np.arange(40) + i for i in range(9)})
    data = path.read_bytes()
    for length in range(0, len(data), 7):
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=r'x\.pickle is no whole pickle'):
            load_arrays(path)
    path.write_bytes(b'version https://git-lfs.github.com/spec/v1\n')
    with pytest.raises(ValueError, match=r'x\.pickle is no whole pickle'):
        load_arrays(path)


def test_absent_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'absent\.pickle does not exist'):
        load_arrays(tmp_path / 'absent.pickle')


def test_sizes_that_a_file_cannot_hold_take_no_memory(tmp_path):
    path = tmp_path / 'labels.pickle'
    # A dictionary whose place in the unpickler's table is the four-billionth.
    path.write_bytes(b'\x80\x04}r\xff\xff\xff\xff.')
    with pytest.raises(ValueError, match='the place 4294967295 of a table in a file of 9 bytes'):
        load_arrays(path)


def test_an_array_that_is_named_often_is_kept_once(tmp_path):
    path = tmp_path / 'labels.pickle'
    array = np.zeros(10)
    path.write_bytes(pickle.dumps({str(index): array for index in range(100)}))
    assert len({id(value) for value in load_arrays(path).values()}) == 1


def test_a_name_of_several_lines_is_shown_on_one(tmp_path):
    path = tmp_path / 'labels.pickle'
    path.write_bytes(b'\x80\x04\x8c\x03a\nb\x8c\x01c\x93.')
    with pytest.raises(UnsafePickleError, match=r'the global a\\nb\.c and'):
        load_arrays(path)
