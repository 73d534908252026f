"""An ONNX graph, written as one writes arithmetic."""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

#: Version of the operators: ONNX Runtime reads it since 1.14, as do most other runtimes.
_OPSET = 18
_IR_VERSION = 8
_BOOL = np.dtype(bool)
#: Operators that draw numbers, from a seed in the file or from the clock.
_RANDOM = {
    'Bernoulli', 'Multinomial', 'RandomNormal', 'RandomNormalLike', 'RandomUniform',
    'RandomUniformLike',
}  # fmt: skip


class Value:
    """A tensor in a graph, whose operators add nodes to it.

    Numbers in its expressions become constants of its type.
    """

    def __init__(self, graph: 'Graph', name: str, dtype: np.dtype) -> None:
        self.graph, self.name, self.dtype = graph, name, dtype

    def then(self, kind: str, *others, dtype: np.dtype | None = None) -> 'Value':
        """Apply an ONNX operator to this value and others; the output has this type by default."""
        return self.graph.op(kind, self, *others, dtype=dtype or self.dtype)

    def _after(self, kind: str, other) -> 'Value':
        return self.graph.constant(other, self.dtype).then(kind, self)

    def __add__(self, other) -> 'Value':
        return self.then('Add', other)

    __radd__ = __add__

    def __sub__(self, other) -> 'Value':
        return self.then('Sub', other)

    def __rsub__(self, other) -> 'Value':
        return self._after('Sub', other)

    def __mul__(self, other) -> 'Value':
        return self.then('Mul', other)

    __rmul__ = __mul__

    def __truediv__(self, other) -> 'Value':
        return self.then('Div', other)

    def __lt__(self, other) -> 'Value':
        return self.then('Less', other, dtype=_BOOL)

    def __ge__(self, other) -> 'Value':
        return self.then('GreaterOrEqual', other, dtype=_BOOL)

    def __and__(self, other) -> 'Value':
        return self.then('And', other, dtype=_BOOL)

    def to(self, dtype) -> 'Value':
        """Return the value as another type; a conversion to integers truncates."""
        dtype = np.dtype(dtype)
        to = helper.np_dtype_to_tensor_dtype(dtype)
        return self.graph.op('Cast', self, dtype=dtype, to=to)

    def floor(self) -> 'Value':
        """Round down."""
        return self.then('Floor')

    def ceil(self) -> 'Value':
        """Round up."""
        return self.then('Ceil')

    def round(self) -> 'Value':
        """Round to the nearest whole number, halves to the even one, as Python and PyTorch do."""
        return self.then('Round')

    def abs(self) -> 'Value':
        """Return the absolute value."""
        return self.then('Abs')

    def at_least(self, low) -> 'Value':
        """Raise smaller numbers to ``low``."""
        return self.then('Max', low)

    def clamp(self, low, high) -> 'Value':
        """Limit numbers to an interval."""
        return self.then('Max', low).then('Min', high)

    def shape(self) -> 'Value':
        """Return its shape, a vector."""
        return self.then('Shape', dtype=np.dtype(np.int64))

    def size(self, axis: int) -> 'Value':
        """Return its length along an axis, a number."""
        return self.shape().take(axis, 0)

    def take(self, index, axis: int) -> 'Value':
        """Return the entries at some places of an axis."""
        index = self.graph.constant(index, np.int64)
        return self.graph.op('Gather', self, index, dtype=self.dtype, axis=axis)

    def reshape(self, *sizes) -> 'Value':
        """Return the value in another shape, of numbers (0 keeps a size) or values."""
        return self.then('Reshape', self.graph.sizes(*sizes))


class Graph:
    """An ONNX graph under construction. Types follow the inputs; sizes are known at run time."""

    def __init__(self) -> None:
        self._nodes, self._initializers, self._inputs, self._outputs = [], [], [], []
        self._num_names = 0

    def add_input(self, name: str, sizes: Sequence[str | int], dtype=np.float32) -> Value:
        """Add an input; a size given as a name may vary.

        Raises:
            ValueError: If there is an input of that name.
        """
        dtype = np.dtype(dtype)
        kind = helper.np_dtype_to_tensor_dtype(dtype)
        self._inputs.append(helper.make_tensor_value_info(name, kind, sizes))
        return Value(self, name, dtype)

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs, in their order."""
        return [value.name for value in self._inputs]

    def add_output(self, value: Value, name: str, sizes: Sequence[str | int]) -> None:
        """Make a value an output of the given name."""
        self._nodes.append(helper.make_node('Identity', [value.name], [name]))
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        self._outputs.append(helper.make_tensor_value_info(name, kind, sizes))

    def constant(self, value, dtype=np.float32) -> Value:
        """Return a number or an array as a value; a value is returned unchanged."""
        if isinstance(value, Value):
            return value
        array = np.asarray(value, dtype)
        name = self._new_name()
        self._initializers.append(numpy_helper.from_array(array, name))
        return Value(self, name, array.dtype)

    def op(self, kind: str, first: Value, *others, dtype: np.dtype, **attributes) -> Value:
        """Add a node with an operator of ONNX.

        Args:
            kind (str): The operator.
            first (Value): Its first input.
            *others: Further inputs; numbers become constants of the first input's type, None is
                left out.
            dtype (np.dtype): Type of the output.
            **attributes: Attributes of the node.

        Raises:
            ValueError: If the operator is random. A runtime draws from a seed of 31 or 32 bits, and
                an attacker who finds the noise of a video can subtract it. So noise is an input,
                for a better generator.
        """
        if kind in _RANDOM:
            raise ValueError(f'{kind} draws from a seed; noise has to be an input of the graph.')
        names = [first.name]
        for other in others:
            names.append('' if other is None else self.constant(other, first.dtype).name)
        name = self._new_name()
        self._nodes.append(helper.make_node(kind, names, [name], **attributes))
        return Value(self, name, dtype)

    def join(self, axis: int, *values: Value) -> Value:
        """Concatenate values along an axis."""
        return self.op('Concat', *values, dtype=values[0].dtype, axis=axis)

    def sizes(self, *sizes) -> Value:
        """Return numbers and scalar values of whole numbers as a vector."""
        if not any(isinstance(size, Value) for size in sizes):
            return self.constant(sizes, np.int64)
        return self.join(0, *(self._as_vector(size) for size in sizes))

    def _as_vector(self, size) -> Value:
        if not isinstance(size, Value):
            return self.constant([size], np.int64)
        return size.then('Reshape', self.constant([1], np.int64))

    def arange(self, start, stop: Value) -> Value:
        """Return the whole numbers from ``start`` up to, and without, ``stop``."""
        start = self.constant(start, np.int64)
        return start.then('Range', stop, 1)

    def where(self, condition: Value, yes, no, dtype=np.float32) -> Value:
        """Choose between two values, entry by entry."""
        yes, no = self.constant(yes, dtype), self.constant(no, dtype)
        return self.op('Where', condition, yes, no, dtype=yes.dtype)

    def build(self, metadata: dict[str, str], producer_version: str) -> onnx.ModelProto:
        """Return the checked model.

        Args:
            metadata (dict[str, str]): Metadata of the file.
            producer_version (str): Version of this package.
        """
        graph = helper.make_graph(
            self._nodes, 'anonymizer', self._inputs, self._outputs, self._initializers
        )
        model = helper.make_model(
            graph,
            producer_name='spact_mm',
            producer_version=producer_version,
            ir_version=_IR_VERSION,
            opset_imports=[helper.make_opsetid('', _OPSET)],
        )
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model, full_check=True)
        return model

    def _new_name(self) -> str:
        self._num_names += 1
        return f'v{self._num_names}'
