"""Errors of networks as one sentence that names the config key and the remedy."""

import inspect
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.model import is_model_wrapper
from torch import Tensor, nn

_PACKAGE = Path(__file__).resolve().parents[1]
#: Arguments of networks that depend on their input size.
_SIZE_KEYS = (
    'img_size',
    'input_size',
    'input_resolution',
    'resolution',
    'spatial_size',
    'temporal_size',
    't_size',
    'num_frames',
    'clip_len',
    'num_segments',
)


@contextmanager
def explain(what: str, name: str, thing: object, inputs: str) -> Iterator[None]:
    """Turn an error in the context into one sentence.

    Args:
        what (str): The action in the context, such as ``"the phase 'adversaries'"``.
        name (str): The config key of the object that acts in the context, such as ``'model'``.
        thing (object): The object of that key; the children of a module have keys of their own.
        inputs (str): Its inputs, in words.

    Raises:
        RuntimeError: From the original error. Errors raised by this package are not changed.
    """
    try:
        yield
    except Exception as error:
        if _is_ours(error):
            raise
        frames = _frames(error)
        if isinstance(thing, nn.Module):
            name, thing = _innermost(frames, name, thing)
        reason = ' '.join(str(error).split()).rstrip('.')[:400]
        raise RuntimeError(
            f'The early check of {what} failed in {name} ({type(thing).__name__}) with '
            f'{type(error).__name__}: {reason}; {_remedy(error, frames, name, thing, inputs)}.'
        ) from error


def describe(batches: dict) -> str:
    """Return the shapes of the inputs of each batch as text.

    Args:
        batches (dict): Batches by the names of their loaders.
    """
    return ' and '.join(f'the {name} inputs of {_shape(one)}' for name, one in batches.items())


def _is_ours(error: Exception) -> bool:
    """Tell whether this package itself has raised an error."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return _PACKAGE in Path(frame.filename).resolve().parents and frame.line.startswith('raise')


def _frames(error: Exception) -> list[dict]:
    """Return the local variables of each frame, the innermost last."""
    return [frame.f_locals for frame, _ in traceback.walk_tb(error.__traceback__)]


def _innermost(frames: list[dict], name: str, model: nn.Module) -> tuple[str, nn.Module]:
    """Return the innermost active module that has a config key, and this key.

    The layers of a network have no key.
    """
    names = {id(module): path for path, module in model.named_modules()}
    place = name, model
    for variables in frames:
        module = variables.get('self')
        keys = [key for key in names.get(id(module), '').split('.') if key not in ('', 'module')]
        # These networks of the minimax consist of further networks with keys.
        nested = bool(keys) and keys[0] in ('recognizer', 'privacy_branch')
        if keys and not is_model_wrapper(module) and len(keys) <= 1 + nested:
            place = '.'.join([name, *keys]), module
    return place


def _remedy(error: Exception, frames: list[dict], name: str, thing: object, inputs: str) -> str:
    text = str(error)
    if 'mmcv.ops' in text or 'mmcv._ext' in text:
        return 'install mmcv 2.1.0 with its compiled operators in place of mmcv-lite'
    if isinstance(error, ImportError):
        return 'install what it lacks'
    if 'out of memory' in text:
        return 'make the networks or the clips smaller (docs/performance.md)'
    linear = next((variables for variables in reversed(frames) if _is_misfit(variables)), None)
    if linear is not None:
        given, expected = linear['input'].shape[-1], linear['self'].in_features
        return f'set {name}.in_channels={given}, which is what it gets, instead of {expected}'
    arguments = inspect.signature(type(thing).__init__).parameters
    keys = [f'{name}.{key}' for key in _SIZE_KEYS if key in arguments]
    if keys:
        return f'set {" and ".join(keys)} so that they fit {inputs}'
    return f'check the config of {name} against {inputs}'


def _is_misfit(variables: dict) -> bool:
    """Tell whether a frame is of a linear layer with a wrong number of input features."""
    layer, given = variables.get('self'), variables.get('input')
    return (
        isinstance(layer, nn.Linear)
        and isinstance(given, Tensor)
        and given.shape[-1] != layer.in_features
    )


def _shape(batch: dict) -> str:
    inputs = batch['inputs']
    while not isinstance(inputs, Tensor):
        inputs = inputs[0]
    return 'x'.join(map(str, inputs.shape))
