"""Operations of obfuscations on frames (N, 3, H, W), as nodes of a graph."""

import numpy as np

from .onnx_graph import Graph, Value


def as_frames(clips: Value) -> Value:
    """Lay out clips (N, T, 3, H, W) as frames (N * T, 3, H, W)."""
    return clips.reshape(-1, 3, clips.size(3), clips.size(4))


def sizes_of(frames: Value) -> dict[int, Value]:
    """Return height and width by their axes."""
    return {axis: frames.size(axis) for axis in (2, 3)}


def crop(graph: Graph, frames: Value, height: Value, width: Value) -> Value:
    """Return the upper left part of the given size."""
    ends, starts, axes = (graph.sizes(*v) for v in ((height, width), (0, 0), (2, 3)))
    return frames.then('Slice', starts, ends, axes)


def convolve(graph: Graph, x: Value, kernel: Value, radius: Value) -> Value:
    """Convolve rows and columns, (2 * radius + 1,), mirrored beyond the border."""
    height, width = x.size(2), x.size(3)
    x = x.reshape(-1, 1, height, width)
    x = _mirror(graph, x, 2, radius).then('Conv', kernel.reshape(1, 1, -1, 1))
    x = _mirror(graph, x, 3, radius).then('Conv', kernel.reshape(1, 1, 1, -1))
    return x.reshape(-1, 3, height, width).clamp(0, 1)


def _mirror(graph: Graph, x: Value, axis: int, radius: Value) -> Value:
    """Pad an axis by mirroring; if the axis is too short, its ends are repeated."""
    size = x.size(axis)
    last = size - 1
    place = graph.arange(radius * -1, size + radius)
    mirrored = last - (last - place.abs()).abs()
    return x.take(graph.where(radius < size, mirrored, place.clamp(0, last)), axis)


def shrink(graph: Graph, x: Value, counts: dict[int, Value]) -> Value:
    """Average areas, including pixels covered in part, as PyTorch's interpolation by area does."""
    for axis, count in counts.items():
        index, size = graph.arange(0, count), x.size(axis)
        x = _average(graph, x, axis, index * size / count, ((index + 1) * size + count - 1) / count)
    return x


def enlarge(graph: Graph, x: Value, sizes: dict[int, Value]) -> Value:
    """Interpolate linearly, with PyTorch's rounding of coordinates."""
    for axis, size in sizes.items():
        count = x.size(axis)
        scale = count.to(np.float32) / size.to(np.float32)
        place = ((graph.arange(0, size).to(np.float32) + 0.5) * scale - 0.5).at_least(0)
        low = place.to(np.int64)
        high = (low + 1).then('Min', count - 1)
        part = place - low.to(np.float32)
        part = part.reshape(-1, 1) if axis == 2 else part
        x = x.take(low, axis) * (1 - part) + x.take(high, axis) * part
    return x


def _average(graph: Graph, x: Value, axis: int, first: Value, end: Value) -> Value:
    """Return the means of ranges of rows (axis 2) or columns (axis 3)."""
    place = graph.arange(0, x.size(axis))
    first, end = first.reshape(-1, 1), end.reshape(-1, 1)
    weights = ((place >= first) & (place < end)).to(np.float32) / (end - first).to(np.float32)
    if axis == 2:
        return weights.then('MatMul', x)
    return x.then('MatMul', graph.op('Transpose', weights, dtype=weights.dtype))


def mosaic(graph: Graph, x: Value, block: Value) -> Value:
    """Replace blocks, which start at the upper left corner, by their means."""
    sizes = sizes_of(x)
    for axis, size in sizes.items():
        first = graph.arange(0, (size + block - 1) / block) * block
        x = _average(graph, x, axis, first, (first + block).then('Min', size))
    for axis, size in sizes.items():
        x = x.take(graph.arange(0, size) / block, axis)
    return x


def fill(graph: Graph, x: Value, value: float) -> Value:
    """Return frames of one number."""
    return graph.constant(value).then('Expand', x.shape())
