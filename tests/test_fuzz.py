"""A sample of `tests/fuzz.py`, which feeds damaged files to all readers."""

import os
import re
import resource
from random import Random

import fuzz
import pytest
from fuzz_mutations import mutate
from fuzz_readers import READERS, Reader

from spact_mm.media.unreadable import check_regular


@pytest.mark.parametrize('name', READERS)
def test_damaged_files_are_refused_in_one_sentence(name):
    reader = READERS[name]
    tally = fuzz.run(reader, seed=1, count=200 if reader.batch > 1 else 24)
    assert tally.faults == {}
    # Else the files would be too broken to reach the checks, or not broken at all.
    assert tally.counts['accepted'] > 0
    assert tally.counts['refused'] > 0 or name in ('manifest', 'results', 'progress')


@pytest.mark.parametrize('name', READERS)
def test_valid_files_are_accepted(tmp_path, name):
    reader = READERS[name]
    for content in reader.make_seeds(tmp_path):
        path = tmp_path / reader.file_name
        path.write_bytes(content)
        reader.read(path)


@pytest.mark.parametrize('kind', ['json', 'lines', 'zip', 'bytes'])
def test_files_are_a_function_of_seed_and_index(tmp_path, kind):
    seeds = READERS['checkpoints' if kind == 'zip' else 'boxes'].make_seeds(tmp_path)
    first, again, other = (
        [mutate(Random(f'{seed}/{i}'), seeds, kind) for i in range(30)] for seed in (0, 0, 1)
    )
    assert first == again and first != other
    assert sum(content in seeds for content in first) < 15


def _misbehave(path):
    index = int(path.read_bytes())
    if index == 1:
        raise KeyError('slip')
    if index == 2:
        os._exit(139)
    if index == 3:
        while True:
            pass
    if index == 4:
        assert b'x' * (3 << 27)
    if index == 5:
        raise ValueError(f'{path}: not of this package')
    if index == 6:
        check_regular(path.with_name('b.txt'))
    if index == 7:
        check_regular(path / 'x')


def _write_index(reader, seeds, seed, index, folder):
    path = folder / reader.file_name
    path.write_bytes(str(index).encode())
    return path


def test_an_earlier_peak_hides_nothing():
    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    assert b'x' * (1 << 28)
    high = peak()
    fuzz.forget_peak()
    assert peak() < high - (1 << 17)  # KiB


def test_the_harness_finds_what_it_is_for(monkeypatch):
    monkeypatch.setattr(fuzz, 'make_file', _write_index)
    monkeypatch.setattr(fuzz, 'TIME_LIMIT', 3)
    monkeypatch.setattr(fuzz, 'MEMORY_LIMIT', 1 << 27)
    reader = Reader('bad', 'a.txt', 'bytes', lambda _: [b''], _misbehave, 1, batch=1)
    tally = fuzz.run(reader, seed=0, count=9)
    assert tally.counts == dict(accepted=2, refused=1, fault=6)
    found = {index: kind for kind, indices in tally.faults.items() for index in indices}
    assert list(found) == [1, 2, 3, 4, 5, 6]
    assert found[1].startswith('KeyError at test_fuzz.py')
    assert found[2] == 'crash: the process ended with 139'
    assert found[3] == 'hang: more than 3 s'
    # Pages that the process no longer uses may leave it meanwhile: less is seen than was taken.
    assert 128 < int(re.fullmatch(r'memory: (\d+) MiB', found[4])[1]) <= 392
    # A sentence of a library's, and one that names another file.
    assert found[5].startswith('ValueError at test_fuzz.py')
    assert found[6].startswith('UnreadableFileError at unreadable.py')
