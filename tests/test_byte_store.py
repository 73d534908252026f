import copy
import logging
import multiprocessing
import os
import shutil
import sqlite3

import pytest
from mmengine.logging import MMLogger

from spact_mm.byte_store import ByteStore


@pytest.fixture
def warnings():
    """Return the warnings of MMEngine's logger."""
    logger, messages = MMLogger.get_current_instance(), []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)


def items(start, end, size=500):
    return {b'%8d' % i: bytes([i % 256]) * size for i in range(start, end)}


def file_of(folder):
    return folder / 'store.sqlite'


def test_what_was_added_is_found_also_by_others_and_the_first_value_stays(tmp_path):
    store = ByteStore(tmp_path / 'new' / 'a', 1.0)
    assert store.find([b'x']) == {}
    store.add(items(0, 1200))
    store.add({b'%8d' % 0: b'other'})
    other = ByteStore(tmp_path / 'new' / 'a', 1.0)
    assert other.find([*items(0, 1200), b'x']) == items(0, 1200)
    store.close()
    assert store.find([b'%8d' % 7]) == items(7, 8)
    assert copy.deepcopy(store).find([b'%8d' % 7]) == items(7, 8)


def test_a_full_store_is_read_and_warns_once(tmp_path, warnings):
    store = ByteStore(tmp_path / 'a', 2**-12)
    store.add(items(0, 10))
    for start in range(10, 5000, 500):
        store.add(items(start, start + 500))
    assert store.find(items(0, 10)) == items(0, 10)
    (warning,) = warnings
    assert f'{tmp_path / "a"} takes nothing more from this process' in warning
    assert 'is full' in warning
    assert file_of(tmp_path / 'a').stat().st_size <= 2**18


def write(folder, start, barrier):
    barrier.wait(60)
    store = ByteStore(folder, 1.0)
    # Half of what the two write is the same.
    for i in range(start, start + 200, 20):
        store.add(items(i, i + 20))
    assert store.find(items(start, start + 200)) == items(start, start + 200)


def test_two_processes_write_at_once(tmp_path, warnings):
    context = multiprocessing.get_context('fork')
    barrier = context.Barrier(2)
    workers = [
        context.Process(target=write, args=(tmp_path / 'a', start, barrier)) for start in (0, 100)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert ByteStore(tmp_path / 'a', 1.0).find(items(0, 300)) == items(0, 300)


def test_a_child_has_a_connection_of_its_own(tmp_path):
    store = ByteStore(tmp_path / 'a', 1.0)
    store.add(items(0, 5))
    context = multiprocessing.get_context('fork')
    barrier = context.Barrier(1)

    def use():
        store.add(items(5, 10))
        write(tmp_path / 'a', 0, barrier)

    child = context.Process(target=use)
    child.start()
    child.join(120)
    assert child.exitcode == 0
    store.add(items(500, 505))
    assert store.find(items(0, 1000)) == {**items(0, 200), **items(500, 505)}


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def overwrite(path):
    path.write_bytes(b'no data base at all' * 1000)


def flip(path):
    data = bytearray(path.read_bytes())
    # In one of the values.
    place = data.rindex(bytes([77]) * 500) + 250
    data[place] ^= 1
    path.write_bytes(data)


def rename_columns(path):
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute('CREATE TABLE store (a BLOB)')


@pytest.mark.parametrize('damage', [cut, overwrite, flip, rename_columns])
def test_a_damaged_store_is_made_anew(tmp_path, warnings, damage):
    folder = tmp_path / 'a'
    store = ByteStore(folder, 1.0)
    store.add(items(0, 200))
    store.close()
    damage(file_of(folder))
    store = ByteStore(folder, 1.0)
    assert store.find(items(0, 200)) == {}
    assert [f'The cache {folder} was damaged' in warning for warning in warnings] == [True]
    store.add(items(0, 200))
    assert store.find(items(0, 200)) == items(0, 200)
    assert os.listdir(tmp_path) == ['a']


def test_who_finds_the_damage_later_keeps_the_new_store(tmp_path, warnings):
    folder = tmp_path / 'a'
    late, early = ByteStore(folder, 1.0), ByteStore(folder, 1.0)
    # More than SQLite has in memory.
    large = items(0, 100, size=50_000)
    late.add(large)
    late.close()
    late.find([b'x'])
    cut(file_of(folder))
    assert early.find(large) == {}
    early.add(items(0, 10))
    assert late.find(large) == items(0, 10)
    assert len(warnings) == 1
    late.add(items(10, 15))
    late.close()
    assert early.find(large) == items(0, 15)


def test_a_store_that_was_deleted_is_no_error(tmp_path):
    store = ByteStore(tmp_path / 'a', 1.0)
    store.add(items(0, 5))
    shutil.rmtree(tmp_path / 'a')
    store.add(items(5, 10))
    assert set(store.find(items(0, 10))) <= set(items(0, 10))
    store.close()
    assert store.find(items(0, 10)) == {}


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(OSError, match='The cache .*file/a cannot be used .*: delete it, choose a'):
        ByteStore(tmp_path / 'file' / 'a', 1.0).find([b'x'])
    (tmp_path / 'b' / 'store.sqlite').mkdir(parents=True)
    with pytest.raises(OSError, match='The cache .*b cannot be used .unable to open'):
        ByteStore(tmp_path / 'b', 1.0).find([b'x'])


def test_no_room_at_all_is_refused(tmp_path):
    with pytest.raises(ValueError, match='max_gib of a cache must be positive, but is 0'):
        ByteStore(tmp_path, 0)
