"""Contents of checkpoint files are data, of the sizes that the files hold."""

import codecs
import io
import pickle
import resource
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from spact_mm.safe_checkpoint import UnsafeCheckpointError, load_from_local

FORMATS = pytest.mark.parametrize('is_archive', [True, False], ids=['archive', 'legacy'])


def save(content, path, is_archive=True):
    torch.save(content, path, _use_new_zipfile_serialization=is_archive)
    return str(path)


def repack(path, change=lambda name, data: data, **options):
    """Write an archive once more, with other records."""
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, 'w', **options) as archive:
        for name, data in records.items():
            archive.writestr(name, change(name.rpartition('/')[2], data))
    return str(path)


class Call:
    """Pickled as a call of a function with arguments, and a state."""

    def __init__(self, function, *arguments, state=None):
        self.reduced = (function, arguments, state)

    def __reduce__(self):
        return self.reduced


@FORMATS
def test_contents_are_as_torch_reads_them(tmp_path, is_archive):
    base = torch.arange(12.0)
    weights = OrderedDict(
        view=base[3:9].view(2, 3).t(),
        base=base,
        half=torch.rand(3).half(),
        bfloat=torch.rand(3).bfloat16(),
        flags=torch.tensor([True, False]),
        number=torch.tensor(5),
        complex=torch.tensor([1 + 2j]),
        empty=torch.zeros(0, 4),
        parameter=torch.nn.Parameter(torch.rand(2), requires_grad=False),
        learned=torch.nn.Parameter(torch.rand(2)),
    )
    weights._metadata = OrderedDict({'': dict(version=1)})
    meta = dict(
        text='ä', data=b'\x00\xff', set={1, 2}, pair=(1, [2.5, None]), size=torch.Size([1, 2]),
        dtype=torch.float16, device=torch.device('cpu'), big=10**40, flag=True, point=1 + 2j,
    )  # fmt: skip
    path = save(dict(state_dict=weights, meta=meta), tmp_path / 'x.pth', is_archive)
    expected, loaded = torch.load(path, weights_only=True), load_from_local(path)
    assert loaded['meta'] == expected['meta'] == meta
    state = loaded['state_dict']
    assert type(state) is OrderedDict and state._metadata == weights._metadata
    assert list(state) == list(weights)
    for name, value in expected['state_dict'].items():
        assert type(state[name]) is type(value) and state[name].dtype is value.dtype
        assert state[name].stride() == value.stride() and torch.equal(state[name], value), name
        assert state[name].requires_grad == value.requires_grad
    # What was one memory is one again.
    state['base'][3] = 7
    assert state['view'][0, 0] == 7


@FORMATS
def test_numpy_and_histories_are_copied_through_stand_ins(tmp_path, is_archive):
    content = dict(
        loss=HistoryBuffer([1.0, 2.5], [1, 1]), table=np.arange(6.0).reshape(2, 3),
        fortran=np.asfortranarray(np.arange(6).reshape(2, 3)), names=np.array(['a', 'bc']),
        big=np.arange(3, dtype='>i4'), best=np.float32(0.5), name=np.str_('x'), none=np.zeros(0),
    )  # fmt: skip
    loaded = load_from_local(save(content, tmp_path / 'x.pth', is_archive))
    assert loaded['loss'].data[0].tolist() == [1.0, 2.5] and loaded['loss'].mean() == 1.75
    loaded['loss'].update(3.0)
    for name in ('table', 'fortran', 'names', 'big', 'none'):
        assert loaded[name].dtype == content[name].dtype and loaded[name].flags.writeable
        assert np.array_equal(loaded[name], content[name])
    assert type(loaded['best']) is np.float32 and loaded['best'] == 0.5 and loaded['name'] == 'x'


@FORMATS
@pytest.mark.parametrize('map_location', ['cpu', torch.device('cpu'), {'cpu': 'cpu'}, 'call'])
def test_tensors_go_where_they_are_sent(tmp_path, is_archive, map_location):
    places = []

    def call(storage, place):
        places.append(place)
        return storage

    path = save(dict(w=torch.ones(2)), tmp_path / 'x.pth', is_archive)
    loaded = load_from_local(path, call if map_location == 'call' else map_location)
    assert loaded['w'].tolist() == [1, 1] and loaded['w'].device.type == 'cpu'
    assert places == (['cpu'] if map_location == 'call' else [])


def test_absent_device_is_named(tmp_path):
    if torch.cuda.is_available():
        pytest.skip('there is a GPU')
    path = save(dict(w=torch.ones(2)), tmp_path / 'x.pth')
    repack(path, lambda name, data: data.replace(b'X\x03\x00\x00\x00cpu', b'X\x04\x00\x00\x00cuda'))
    with pytest.raises(ValueError, match="x.pth is not loaded, .* cuda: give map_location='cpu'"):
        load_from_local(path)
    assert load_from_local(path, 'cpu')['w'].tolist() == [1, 1]


def dtype_behind(array, code):
    """Pickle an array whose type becomes another once it is there."""
    reconstruct, arguments, (version, shape, dtype, is_fortran, data) = array.__reduce__()
    make, named, state = np.dtype(code).__reduce__()
    other = Call(make, *named, state=(*state[:5], 1 << 21, 1, 0))
    return Call(reconstruct, *arguments, state=(version, shape, other, is_fortran, data))


@FORMATS
def test_arrays_end_where_their_bytes_do(tmp_path, is_archive):
    array = np.frombuffer(b'abcdefgh', 'S8')
    path = save(dict(x=dtype_behind(array, 'S8')), tmp_path / 'size.pth', is_archive)
    # What numpy itself would make of it is 2 MB of other people's memory.
    assert load_from_local(path)['x'].tobytes() == b'abcdefgh'
    reconstruct, arguments, state = np.zeros(1).__reduce__()
    for name, shape in (('long', (1 << 40,)), ('negative', (-1,)), ('text', ('1',))):
        lying = Call(reconstruct, *arguments, state=(state[0], shape, *state[2:]))
        path = save(dict(x=lying), tmp_path / f'{name}.pth', is_archive)
        with pytest.raises(ValueError, match=f'{name}.pth is no whole .*an array of the shape'):
            load_from_local(path)
    letters = np.array([0x110000], 'u4').view('U1')
    path = save(dict(x=letters), tmp_path / 'text.pth', is_archive)
    with pytest.raises(ValueError, match='text.pth is no whole .*letters that do not exist'):
        load_from_local(path)
    for content in (np.array([print], object), np.zeros(1, 'f4,f4'), np.datetime64('2020')):
        path = save(dict(x=content), tmp_path / 'kind.pth', is_archive)
        with pytest.raises(UnsafeCheckpointError, match='kind.pth is not loaded, .* global numpy'):
            load_from_local(path)


@FORMATS
def test_array_keeps_its_type_when_another_state_follows(tmp_path, is_archive):
    """numpy would read the array, of 8 bytes, as one of 2 MB."""
    make, named, state = np.dtype('S8').__reduce__()
    dtype = Call(make, *named)

    def of_type(array):
        reconstruct, arguments, parts = array.__reduce__()
        # As pickle writes bytes of any number but none.
        data = Call(codecs.encode, parts[4].decode('latin1'), 'latin1')
        return Call(reconstruct, *arguments, state=(*parts[:2], dtype, parts[3], data))

    empty, array = of_type(np.zeros(0, 'S8')), of_type(np.array([b'abcdefgh'], 'S8'))
    # The type's own state holds the array, and comes when that is whole.
    dtype.reduced = (make, named, (4, *state[1:5], 1 << 21, 1, 0, dict(array=array)))
    path = save([empty, array], tmp_path / 'x.pth', is_archive)
    assert load_from_local(path)[1].nbytes == 8


def lying_tensor(size, stride, offset=0):
    storage = torch.zeros(4).storage()
    return Call(
        torch._utils._rebuild_tensor_v2, storage, offset, size, stride, False, OrderedDict()
    )


@FORMATS
@pytest.mark.parametrize(
    ('size', 'stride', 'offset'),
    [
        ((10**10,), (1,), 0),
        ((10**10,), (0,), 0),
        ((2,), (4,), 0),
        ((1,), (1,), 4),
        ((2, 2), (1,), 0),
        ((-1,), (1,), 0),
        ((2,), (-1,), 3),
        ((0, 2**40), (1, 1), 0),
        ((1,), (1,), 2**70),
        (('a',), (1,), 0),
        ((1,) * 70, (1,) * 70, 0),
    ],
)
def test_tensors_end_where_their_storage_does(tmp_path, is_archive, size, stride, offset):
    path = save(dict(w=lying_tensor(size, stride, offset)), tmp_path / 'x.pth', is_archive)
    with pytest.raises(ValueError, match='x.pth is no whole PyTorch checkpoint'):
        load_from_local(path)


@FORMATS
def test_storages_are_no_larger_than_the_file(tmp_path, is_archive):
    path = tmp_path / 'x.pth'
    save(dict(w=torch.zeros(77)), path, is_archive)
    # K is a number of one byte in a pickle, \x8a one of so many bytes.
    stated, huge = b'KM', b'\x8a\x06' + (10**14).to_bytes(6, 'little')
    if is_archive:
        repack(path, lambda name, data: data.replace(stated, huge))
    else:
        path.write_bytes(path.read_bytes().replace(stated, huge))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match='no whole .*tensors that are larger than the file'):
        load_from_local(str(path))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


def test_flipped_bits_are_found(tmp_path):
    path = tmp_path / 'x.pth'
    save(dict(state_dict=dict(w=torch.arange(1000.0)), meta=dict(epoch=3)), path)
    whole = path.read_bytes()
    start = whole.index(torch.arange(1000.0).numpy().tobytes())
    for position in (start + 2, start + 3999, whole.index(b'epoch') + 1):
        broken = bytearray(whole)
        broken[position] ^= 4
        path.write_bytes(broken)
        with pytest.raises(ValueError, match='x.pth is no whole .*Bad CRC-32'):
            load_from_local(str(path))
        assert 'state_dict' in str(torch.load(path, weights_only=True)) or position < start


def test_archives_expand_to_nothing(tmp_path):
    path = tmp_path / 'x.pth'
    save(dict(w=torch.zeros(1000)), path)
    repack(path, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match='no whole .*compressed records'):
        load_from_local(str(path))
    save(dict(w=torch.zeros(1000)), path)
    with zipfile.ZipFile(path, 'a') as archive, pytest.warns(UserWarning, match='Duplicate'):
        archive.writestr('x/data.pkl', b'N.')
    with pytest.raises(ValueError, match='no whole .*two records of one name'):
        load_from_local(str(path))
    save(dict(w=torch.zeros(1000)), path)
    with zipfile.ZipFile(path, 'a') as archive:
        archive.writestr('y/data.pkl', b'N.')
    with pytest.raises(ValueError, match='no whole .*without one data.pkl'):
        load_from_local(str(path))
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('x/data.pkl', b'\x80\x02}.')
        archive.writestr('x/constants.pkl', b'N.')
    with pytest.raises(UnsafeCheckpointError, match='global TorchScript'):
        load_from_local(str(path))


def pickled(tmp_path, data):
    with zipfile.ZipFile(tmp_path / 'x.pth', 'w') as archive:
        archive.writestr('x/data.pkl', data)
    return str(tmp_path / 'x.pth')


@pytest.mark.parametrize(
    'data',
    [
        b'\x80\x04\x8e' + struct.pack('<Q', 1 << 40) + b'x.',  # bytes that are not there
        b'\x80\x05\x96' + struct.pack('<Q', 1 << 33) + b'.',
        b'(' * 100_000 + b'.',
        b'\x80\x02]q\x00h\x00a.',  # a list that holds itself
        b'\x80\x02' + b']' * 5000 + b'a' * 4999 + b'.',
        # A list of two that each hold the list before, forty times over.
        b'\x80\x02]q\x00' + b''.join(b'0](h%ch%ceq%c' % (n, n, n + 1) for n in range(40)) + b'.',
        b'\x80\x02ctorch\nfloat32\n}X\x01\x00\x00\x00x\x86b.',
        b'',
        b'\xff\xfe',
    ],
)
def test_pickles_take_no_memory_and_no_time(tmp_path, data):
    path = pickled(tmp_path, data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match='x.pth is n'):
        load_from_local(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


@pytest.mark.parametrize(
    'data',
    [
        b'\x80\x02Nr\xff\xff\xff\x7f.',  # None, remembered as the two billionth value
        b'\x80\x04\x95' + struct.pack('<Q', 1 << 40) + b'N.',  # a frame of a terabyte
    ],
)
def test_numbers_in_a_pickle_take_no_memory(tmp_path, data):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert load_from_local(pickled(tmp_path, data)) is None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


@pytest.mark.parametrize(
    ('data', 'name'),
    [
        (b'cos\nsystem\n(X\x02\x00\x00\x00id\x85R.', 'os.system'),
        (b'\x80\x02cspact_mm.safe_checkpoint\nload_from_local\n.', 'load_from_local'),
        (b'\x80\x02c__builtin__\neval\n.', 'builtins.eval'),
        (b'\x80\x02ctorch\nFloatStorage\n.', 'torch.FloatStorage'),
        (b'\x80\x02cnumpy\nndarray\n)R.', 'numpy.ndarray'),
        (b'\x80\x02c__builtin__\ngetattr\ncmmengine.logging.history_buffer\nHistoryBuffer\n'
         b'X\x06\x00\x00\x00update\x86R.', 'builtins.getattr'),
        (b'\x80\x02(ctorch\nTensor\nNNtctorch._tensor\n_rebuild_from_type_v2\n.', 'rebuild'),
    ],
)  # fmt: skip
def test_no_other_name_is_known(tmp_path, data, name):
    with pytest.raises(UnsafeCheckpointError, match=name):
        load_from_local(pickled(tmp_path, data))


def test_state_reaches_no_class_and_no_tensor(tmp_path):
    """State on a class would change it for the whole process."""
    from spact_mm import stand_ins

    before = dict(vars(stand_ins.StoredDtype))
    data = b'\x80\x02cnumpy\ndtype\nN}X\x09\x00\x00\x00set_stateNs\x86b.'
    with pytest.raises(UnsafeCheckpointError, match='state of a NamedGlobal'):
        load_from_local(pickled(tmp_path, data))
    assert dict(vars(stand_ins.StoredDtype)) == before
    tensor = Call(
        torch._utils._rebuild_tensor_v2, torch.zeros(4).storage(), 0, (1,), (1,), False, None,
        state=(1, 2),
    )  # fmt: skip
    with pytest.raises(UnsafeCheckpointError, match='state of a StoredTensor'):
        load_from_local(save(tensor, tmp_path / 'y.pth'))


@FORMATS
def test_damaged_files_fail_in_one_sentence(tmp_path, is_archive):
    path, rng = tmp_path / 'x.pth', np.random.default_rng(0)
    content = dict(
        state_dict=dict(w=torch.rand(40), n=torch.tensor(3)),
        meta=dict(cfg='x = 1', table=np.arange(4), epoch=3),
        message_hub=dict(loss=HistoryBuffer([1.0], [1])),
    )
    save(content, path, is_archive)
    whole, refused = path.read_bytes(), 0
    for index in range(300):
        broken = bytearray(whole)
        for _ in range(1 + index % 3):
            broken[rng.integers(len(broken))] = rng.integers(256)
        path.write_bytes(broken[: rng.integers(len(broken))] if index % 4 == 0 else broken)
        try:
            load_from_local(str(path))
        except ValueError as error:
            assert str(error).startswith(f'{path} is n') and '\n' not in str(error)
            refused += 1
    assert refused > 100


def test_pickles_of_a_right_checksum_fail_in_one_sentence(tmp_path):
    """Damage that its author has repaired the checksums of, and so reaches the unpickler."""
    path, rng = tmp_path / 'x.pth', np.random.default_rng(0)
    content = dict(
        state_dict=OrderedDict(w=torch.rand(4, 10).t(), p=torch.nn.Parameter(torch.rand(2))),
        meta=dict(cfg='x = 1', table=np.arange(4), name=np.str_('x'), size=torch.Size([3])),
        message_hub=dict(loss=HistoryBuffer([1.0], [1])),
    )
    save(content, path)
    whole, refused = path.read_bytes(), 0

    def damage(name, data):
        if name != 'data.pkl':
            return data
        data = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            position = rng.integers(len(data))
            if rng.random() < 0.5:
                data[position] = rng.integers(256)
            else:
                start = rng.integers(len(data))
                data[position:position] = data[start : start + rng.integers(1, 40)]
        return bytes(data)

    for _ in range(300):
        path.write_bytes(whole)
        repack(path, damage)
        try:
            load_from_local(str(path))
        except ValueError as error:
            assert str(error).startswith(f'{path} is n') and '\n' not in str(error)
            refused += 1
    assert refused > 200


def test_stream_is_read_like_a_file(tmp_path):
    from spact_mm.safe_checkpoint import _load_restricted

    path = save(dict(w=torch.ones(2)), tmp_path / 'x.pth')
    with open(path, 'rb') as file:
        assert _load_restricted(io.BytesIO(file.read()), 's3://x', None)['w'].tolist() == [1, 1]
    with pytest.raises(ValueError, match='s3://x is no whole'):
        _load_restricted(io.BytesIO(pickle.dumps(dict(x=1))), 's3://x', None)
