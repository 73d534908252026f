"""How files are damaged."""

import io
import json
import zipfile
from random import Random

_NUMBERS = [0, -1, 1, 2, 255, 256, 2**31 - 1, 2**31, 2**32 - 1, 2**63, -(2**63), 10**30, 10**400]
_FLOATS = [0.5, -0.5, 1e308, -1e308, 1e-320, float('nan'), float('inf'), float('-inf')]
_TEXTS = [
    '', ' ', 'hat ', 'Hat', '\0', '\ud800', '..', '../../x', '/etc/passwd', '/dev/zero', '%s%n',
    'a' * 5000,
    '\u0661', '\u202e', '-7', '1_0', '1e3', 'nan', 'NaN', '0x10', 'true', '\n', '\r', '\x85',
]  # fmt: skip
_WORDS = [b'\0\0\0\0', b'\xff\xff\xff\xff', b'\x7f\xff\xff\xff', b'\x80\0\0\0', b'\0\0\0\1']


def mutate(rng: Random, seeds: list[bytes], kind: str) -> bytes:
    """Damage one of some valid files.

    Args:
        rng (Random): All that is random comes from it.
        seeds (list[bytes]): Valid files.
        kind (str): ``'json'``, ``'lines'``, ``'zip'`` or ``'bytes'``.

    Returns:
        bytes: Another file; rarely a valid one.
    """
    content = rng.choice(seeds)
    if kind == 'json' and rng.random() < 0.7:
        return _mutate_json(rng, content)
    if kind == 'lines' and rng.random() < 0.7:
        return _mutate_lines(rng, content)
    if kind == 'zip' and rng.random() < 0.7 and content.startswith(b'PK'):
        return _mutate_zip(rng, content)
    return _mutate_bytes(rng, content, seeds)


def _mutate_bytes(rng: Random, content: bytes, seeds: list[bytes]) -> bytes:
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        size = len(data)
        at = rng.randrange(size + 1)
        end = min(size, at + rng.choice([1, 2, 4, 16, 256]))
        action = rng.randrange(9)
        if action == 0 and size:
            data[min(at, size - 1)] ^= 1 << rng.randrange(8)
        elif action == 1:
            data[at : at + 1] = bytes([rng.choice([0, 0xFF, 0x80, 0x0A, rng.randrange(256)])])
        elif action == 2:
            del data[at:]
        elif action == 3:
            del data[at:end]
        elif action == 4:
            data[at:at] = data[at:end] * rng.choice([1, 2, 50])
        elif action == 5:
            data[at:at] = rng.randbytes(rng.choice([1, 3, 40]))
        elif action == 6:
            other = rng.choice(seeds)
            data[at:] = other[rng.randrange(len(other) + 1) :]
        elif action == 7:
            word = rng.choice(_WORDS)
            data[at : at + 4] = word if rng.random() < 0.5 else word[::-1]
        else:
            data[at:end] = bytes(end - at)
    return bytes(data)


def _weird(rng: Random):
    kind = rng.randrange(6)
    if kind == 0:
        return rng.choice(_NUMBERS)
    if kind == 1:
        return rng.choice(_FLOATS)
    if kind == 2:
        return rng.choice(_TEXTS)
    return rng.choice([None, True, False, [], {}, [[]], {'': {}}, [None], 'x', 7])


def _nodes(value, found: list) -> list:
    if isinstance(value, (dict, list)):
        keys = list(value) if isinstance(value, dict) else range(len(value))
        for key in keys:
            found.append((value, key))
            _nodes(value[key], found)
    return found


def _mutate_json(rng: Random, content: bytes) -> bytes:
    if rng.random() < 0.03:
        return rng.choice([b'[', b'{"a":', b'[{"":']) * rng.choice([100, 3000, 100_000])
    # A file of several lines of JSON is damaged in one of them.
    lines = content.split(b'\n')
    at = rng.randrange(len(lines)) if _is_json(lines[0]) else None
    value = json.loads(content if at is None else lines[at] or b'{}')
    for _ in range(rng.choice([1, 1, 2, 4])):
        nodes = _nodes(value, [])
        if not nodes or rng.random() < 0.02:
            value = _weird(rng)
            continue
        parent, key = rng.choice(nodes)
        action = rng.randrange(6)
        if action == 0:
            del parent[key]
        elif action == 1 and isinstance(parent, dict):
            parent[rng.choice(_TEXTS)] = parent.pop(key)
        elif action == 2:
            parent[key] = [parent[key]]
        elif action == 3:
            parent[key] = rng.choice(nodes)[0]
            # A value within itself has no end.
            parent[key] = _copy(parent[key])
        else:
            parent[key] = _weird(rng)
    text = json.dumps(value).encode()
    if at is None:
        return text
    lines[at] = text
    return b'\n'.join(lines)


def _copy(value):
    try:
        return json.loads(json.dumps(value))
    except ValueError:
        return None


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _mutate_lines(rng: Random, content: bytes) -> bytes:
    lines = content.split(b'\n')
    for _ in range(rng.choice([1, 1, 2, 4])):
        at = rng.randrange(len(lines))
        words = lines[at].split(b' ')
        weird = str(_weird(rng)).encode('utf-8', 'surrogatepass')
        action = rng.randrange(7)
        if action == 0:
            lines.insert(at, b' ' * rng.randrange(3))
        elif action == 1:
            words[rng.randrange(len(words))] = weird
        elif action == 2:
            words.insert(rng.randrange(len(words) + 1), weird)
        elif action == 3:
            words.pop(rng.randrange(len(words)))
        elif action == 4:
            lines.insert(at, rng.choice(lines))
        elif action == 5:
            words[-1] = rng.randbytes(rng.choice([1, 4]))
        else:
            lines[at] = weird
        if action in (1, 2, 3, 5):
            lines[at] = b' '.join(words)
    return b'\n'.join(lines)


def _mutate_zip(rng: Random, content: bytes) -> bytes:
    """Damage a member of an archive whose checksums are right again after that."""
    source, out = zipfile.ZipFile(io.BytesIO(content)), io.BytesIO()
    members = {name: source.read(name) for name in source.namelist()}
    pickles = [name for name in members if name.endswith('.pkl')]
    chosen = rng.choice(pickles if pickles and rng.random() < 0.8 else list(members))
    action = rng.randrange(10)
    if action == 0:
        del members[chosen]
    elif action == 1:
        members[rng.choice(['../x', '/x', 'archive/data/99', 'a' * 300])] = b'x'
    else:
        members[chosen] = _mutate_bytes(rng, members[chosen], list(members.values()))
    with zipfile.ZipFile(out, 'w') as target:
        for name, data in members.items():
            target.writestr(name, data)
    return out.getvalue()
