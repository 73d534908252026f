"""The anonymizers of this package as ONNX graphs, for frames of any size and number."""

from collections.abc import Callable

import numpy as np
from torch import nn

from ..models.anonymizers import (
    BlackenAnonymizer,
    ClipRenderer,
    ConstantAnonymizer,
    DownsampleAnonymizer,
    GaussianBlurAnonymizer,
    GaussianChannel,
    IdentityAnonymizer,
    NoiseAnonymizer,
    PixelateAnonymizer,
    RecolorAnonymizer,
    SequentialAnonymizer,
    UNetAnonymizer,
    UNetPlusPlusAnonymizer,
    takes_clips,
)
from ..models.anonymizers.blacken import ROUNDING
from .onnx_frames import as_frames, convolve, crop, enlarge, fill, mosaic, shrink, sizes_of
from .onnx_graph import Graph, Value

CLIPS = ('batch', 'length', 3, 'height', 'width')
FRAMES = ('batch', 3, 'height', 'width')


class Extras:
    """Inputs of an anonymizer other than frames; each is added to the graph at its first use.

    Args:
        graph (Graph): Graph to which the inputs are added.
        parent (Extras, optional): Inputs of the enclosing anonymizer: the boxes are shared, the
            noise is not.
    """

    def __init__(self, graph: Graph, parent: 'Extras | None' = None) -> None:
        self._graph = graph
        self._found: dict[str, Value] = {}
        self._root = parent._root if parent else self
        #: Names of all noise inputs and of the boxes.
        self.noise: list[str] = parent.noise if parent else []
        self.boxes: list[str] = parent.boxes if parent else []

    def find_boxes(self) -> Value:
        """Return boxes of persons (frames, K, 4), padded with zeros for frames with fewer boxes."""
        found = self._root._found
        if 'boxes' not in found:
            found['boxes'] = self._graph.add_input('boxes', ('frames', 'boxes', 4))
            self.boxes.append('boxes')
        return found['boxes']

    def find_noise(self, name: str, sizes: tuple) -> Value:
        """Return the noise of a name, the same for all anonymizers of a sequence."""
        if name not in self._found:
            self._found[name] = self.add_noise(name, sizes)
        return self._found[name]

    def add_noise(self, name: str, sizes: tuple) -> Value:
        """Return noise for a single use in the graph."""
        count = sum(known.rstrip('0123456789') == name for known in self.noise)
        self.noise.append(f'{name}{count + 1}' if count else name)
        return self._graph.add_input(self.noise[-1], sizes)


def write_anonymizer(graph: Graph, network: nn.Module, x: Value, extras: Extras) -> Value:
    """Add an anonymizer's nodes to a graph.

    Args:
        graph (Graph): Graph to which the nodes are added.
        network (nn.Module): f_A in eval mode, BatchNorm folded into the convolutions.
        x (Value): RGB in [0, 1], frames (N, 3, H, W), or clips (N, T, 3, H, W) for an anonymizer of
            clips.
        extras (Extras): The anonymizer's other inputs.

    Returns:
        Value: Same shape and range.

    Raises:
        ValueError: If there is no graph for the network's class.
    """
    if type(network) not in _WRITERS:
        raise ValueError(
            f'{type(network).__name__} cannot be exported: there are ONNX graphs for '
            f'{", ".join(sorted(kind.__name__ for kind in _WRITERS))} only.'
        )
    return _WRITERS[type(network)](graph, network, x, extras)


def write_method(graph: Graph, method: str, x: Value) -> Value:
    """Add an obfuscation of the command line, with a strength that depends on the frames' size.

    Args:
        graph (Graph): Graph to which the nodes are added.
        method (str): One of :data:`~.choices.METHODS`.
        x (Value): RGB in [0, 1], (N, 3, H, W).

    Returns:
        Value: Same shape and range.
    """
    # Converted to 64-bit floating point, as in Python.
    side = x.size(2).then('Min', x.size(3)).to(np.float64)
    return METHOD_WRITERS[method](graph, x, side)


def _identity(graph: Graph, network: IdentityAnonymizer, x: Value, extras: Extras) -> Value:
    return x


def _constant(graph: Graph, network: ConstantAnonymizer, x: Value, extras: Extras) -> Value:
    return fill(graph, x, network.value)


def _recolor(graph: Graph, network: RecolorAnonymizer, x: Value, extras: Extras) -> Value:
    x = x.take(list(network.order), 1)
    bent = x / (x + (1 - x) * graph.constant(network.curves.numpy()))
    return graph.where(graph.constant(network.falls.numpy(), bool), 1 - bent, bent)


def _noise(graph: Graph, network: NoiseAnonymizer, x: Value, extras: Extras) -> Value:
    return (x + extras.add_noise('noise', ('frames', *FRAMES[1:])) * network.std).clamp(0, 1)


def _channel(graph: Graph, network: GaussianChannel, x: Value, extras: Extras) -> Value:
    signal = _on_clips(graph, network.anonymizer, x, Extras(graph, extras))
    shared = extras.find_noise('shared', FRAMES)
    fresh = extras.find_noise('fresh', CLIPS)
    # The shared noise is repeated for each frame.
    shared = shared.reshape(0, 1, 3, x.size(3), x.size(4)).then('Expand', x.shape())
    signal, shared, fresh = (as_frames(value) for value in (signal, shared, fresh))
    sizes = sizes_of(signal)
    if network.stride > 1:
        counts = {
            axis: (size + (network.stride - 1)) / network.stride for axis, size in sizes.items()
        }
        signal = shrink(graph, signal, counts)
        shared, fresh = (crop(graph, value, *counts.values()) for value in (shared, fresh))
    y = (signal + shared * network.sigma_shared + fresh * network.sigma_frame).clamp(0, 1)
    if network.stride > 1:
        y = enlarge(graph, y, sizes)
    return ((y * 255).round() / 255).then('Reshape', x.shape())


def _renderer(graph: Graph, network: ClipRenderer, x: Value, extras: Extras) -> Value:
    total = x.then('ReduceSum', graph.constant([1], np.int64))  # keeps the axis
    mean = total / x.size(1).to(np.float32)
    seen = graph.join(2, x - mean, mean.then('Expand', x.shape()))
    seen = graph.op('Transpose', seen, dtype=x.dtype, perm=[0, 2, 1, 3, 4])
    margins = graph.sizes(0, 0, *network.mix.padding)
    pads = graph.join(0, margins, margins)
    seen = graph.op('Pad', seen, pads, dtype=x.dtype, mode='edge')
    weights = [graph.constant(part.numpy()) for part in (network.mix.weight, network.mix.bias)]
    mixed = graph.op('Conv', seen, *weights, dtype=x.dtype)
    mixed = as_frames(graph.op('Transpose', mixed, dtype=x.dtype, perm=[0, 2, 1, 3, 4]))
    pictures = write_anonymizer(graph, network.network, mixed, extras)
    scale = network.contrast / float(network.variance.sqrt())
    pictures = (pictures - graph.constant(network.mean.numpy())) * scale + 0.5
    return pictures.clamp(0, 1).then('Reshape', x.shape())


def _sequential(graph: Graph, network: SequentialAnonymizer, x: Value, extras: Extras) -> Value:
    write = _on_clips if network.takes_clips else write_anonymizer
    for stage in network.stages:
        x = write(graph, stage, x, extras)
    return x


def _on_clips(graph: Graph, network: nn.Module, x: Value, extras: Extras) -> Value:
    """Run an anonymizer of clips or of frames on clips."""
    if takes_clips(network):
        return write_anonymizer(graph, network, x, extras)
    return write_anonymizer(graph, network, as_frames(x), extras).then('Reshape', x.shape())


def _blacken(graph: Graph, network: BlackenAnonymizer, x: Value, extras: Extras) -> Value:
    boxes = extras.find_boxes().to(np.float64).clamp(0, 1)
    rows = _is_covered(graph, boxes, 1, x.size(2))
    columns = _is_covered(graph, boxes, 0, x.size(3))
    # The product of (N, H, K) and (N, K, W) counts the boxes that cover each pixel.
    rows = graph.op('Transpose', rows, dtype=rows.dtype, perm=[0, 2, 1])
    count = rows.then('MatMul', columns).reshape(0, 1, x.size(2), x.size(3))
    return graph.where(count < 0.5, x, network.value)


def _is_covered(graph: Graph, boxes: Value, axis: int, size: Value) -> Value:
    """Return 1 for each of ``size`` rows or columns that a box touches, else 0, (N, K, size)."""
    length = size.to(np.float64)
    first = (boxes.take([axis], 2) * length + ROUNDING).floor()
    end = (boxes.take([axis + 2], 2) * length - ROUNDING).ceil()
    place = graph.arange(0, size).to(np.float64)
    return ((place >= first) & (place < end)).to(np.float32)


def _blur(graph: Graph, network: GaussianBlurAnonymizer, x: Value, extras: Extras) -> Value:
    kernel = graph.constant(network.kernel.numpy())
    return convolve(graph, x, kernel, graph.constant(network.kernel_size // 2, np.int64))


def _scaled_blur(graph: Graph, x: Value, side: Value) -> Value:
    sigma = side * 10.0 / 112.0
    radius = sigma.round().to(np.int64)
    offsets = graph.arange(radius * -1, radius + 1).to(np.float64) / sigma
    kernel = (offsets * offsets * -0.5).then('Exp')
    kernel = kernel / graph.op('ReduceSum', kernel, dtype=kernel.dtype, keepdims=0)
    return convolve(graph, x, kernel.to(np.float32), radius)


def _downsample(graph: Graph, network: DownsampleAnonymizer, x: Value, extras: Extras) -> Value:
    return _shrink_and_enlarge(graph, x, graph.constant(network.factor, np.float64))


def _scaled_downsample(graph: Graph, x: Value, side: Value) -> Value:
    return _shrink_and_enlarge(graph, x, (side / 28.0).at_least(1))


def _shrink_and_enlarge(graph: Graph, x: Value, factor: Value) -> Value:
    sizes = sizes_of(x)
    counts = {
        axis: (size.to(np.float64) / factor).round().to(np.int64).at_least(1)
        for axis, size in sizes.items()
    }
    return enlarge(graph, shrink(graph, x, counts), sizes).clamp(0, 1)


def _pixelate(graph: Graph, network: PixelateAnonymizer, x: Value, extras: Extras) -> Value:
    return mosaic(graph, x, graph.constant(network.block, np.int64))


def _scaled_pixelate(graph: Graph, x: Value, side: Value) -> Value:
    return mosaic(graph, x, (side / 7.0).round().to(np.int64).at_least(1))


def _unet(graph: Graph, network: UNetAnonymizer, x: Value, extras: Extras) -> Value:
    def rewrite(x: Value) -> Value:
        x, skips = _block(network.stem, x), []
        for block in network.encoder:
            skips.append(x)
            x = _block(block, _halve(x))
        for block in network.decoder:
            x = _block(block, _concatenate(graph, skips.pop(), x))
        return _convolve_2d(network.head, x).then('Sigmoid')

    return _on_large_frames(graph, rewrite, x, network.min_size)


def _unet_plus_plus(
    graph: Graph, network: UNetPlusPlusAnonymizer, x: Value, extras: Extras
) -> Value:
    def rewrite(x: Value) -> Value:
        rows = []
        for level, blocks in enumerate(network.nodes):
            x = _block(blocks[0], _halve(x) if level else x)
            rows.append([x])
        for column in range(1, network.num_levels + 1):
            for level in range(network.num_levels - column + 1):
                inputs = (*rows[level], rows[level + 1][column - 1])
                rows[level].append(
                    _block(network.nodes[level][column], _concatenate(graph, *inputs))
                )
        return _convolve_2d(network.head, rows[0][-1]).then('Sigmoid')

    return _on_large_frames(graph, rewrite, x, network.min_size)


def _on_large_frames(
    graph: Graph, rewrite: Callable[[Value], Value], x: Value, min_size: int
) -> Value:
    """Enlarge too small frames by repeating the last row and column, and crop the output."""
    height, width = x.size(2), x.size(3)
    bottom, right = ((min_size - size).at_least(0) for size in (height, width))
    pads = graph.sizes(0, 0, 0, 0, 0, 0, bottom, right)
    return crop(graph, rewrite(graph.op('Pad', x, pads, dtype=x.dtype, mode='edge')), height, width)


def _block(block: nn.Sequential, x: Value) -> Value:
    for layer in block:
        if isinstance(layer, nn.Conv2d):
            x = _convolve_2d(layer, x)
        elif isinstance(layer, nn.ReLU):
            x = x.then('Relu')
        elif not isinstance(layer, nn.Identity):
            raise TypeError(f'{type(layer).__name__} has to be folded before the export.')
    return x


def _convolve_2d(layer: nn.Conv2d, x: Value) -> Value:
    weights = [x.graph.constant(part.numpy()) for part in (layer.weight, layer.bias)]
    pads = [*layer.padding, *layer.padding]
    return x.graph.op('Conv', x, *weights, dtype=x.dtype, pads=pads)


def _halve(x: Value) -> Value:
    return x.graph.op('MaxPool', x, dtype=x.dtype, kernel_shape=[2, 2], strides=[2, 2])


def _concatenate(graph: Graph, *inputs: Value) -> Value:
    """Concatenate features; the last are doubled and zero-padded to the others' size first."""
    *row, below = inputs
    below = graph.op(
        'Resize',
        below,
        None,
        graph.constant([1, 1, 2, 2]),
        dtype=below.dtype,
        mode='linear',
        coordinate_transformation_mode='align_corners',
    )
    missing = [row[0].size(axis) - below.size(axis) for axis in (2, 3)]
    before = [count / 2 for count in missing]
    after = [count - half for count, half in zip(missing, before, strict=True)]
    below = below.then('Pad', graph.sizes(0, 0, *before, 0, 0, *after))
    return graph.join(1, *row, below)


_WRITERS: dict[type[nn.Module], Callable[[Graph, nn.Module, Value, Extras], Value]] = {
    BlackenAnonymizer: _blacken,
    ClipRenderer: _renderer,
    ConstantAnonymizer: _constant,
    DownsampleAnonymizer: _downsample,
    GaussianBlurAnonymizer: _blur,
    GaussianChannel: _channel,
    IdentityAnonymizer: _identity,
    NoiseAnonymizer: _noise,
    PixelateAnonymizer: _pixelate,
    RecolorAnonymizer: _recolor,
    SequentialAnonymizer: _sequential,
    UNetAnonymizer: _unet,
    UNetPlusPlusAnonymizer: _unet_plus_plus,
}
#: The obfuscations of :data:`~.choices.METHODS`. Their settings depend on the shorter side,
#: which is known only when the graph runs.
METHOD_WRITERS: dict[str, Callable[[Graph, Value, Value], Value]] = {
    'black': lambda graph, x, side: fill(graph, x, 0.0),
    'blur': _scaled_blur,
    'downsample': _scaled_downsample,
    'pixelate': _scaled_pixelate,
}
