"""Export of anonymizers to ONNX files, for programs without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from mmaction.registry import MODELS
from mmcv.cnn import fuse_conv_bn
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from ..files import write_whole
from ..models.anonymizers import shares_noise, takes_clips
from .choices import METHODS
from .drawn_pictures import find_flaw_on_drawn_pictures
from .load_anonymizer import hash_anonymizer, load_anonymizer

if TYPE_CHECKING:
    import onnx

#: Largest allowed difference between ONNX Runtime and PyTorch for 99.9 % of the values: a thirtieth
#: of an 8-bit grey level. The other values may differ more: channels round, perhaps to the
#: neighbouring level.
_TOLERANCE, _QUANTILE = 1e-4, 0.999
#: Height and width of the frames for the comparison.
_SIZES = ((64, 80), (51, 67))


@dataclass(frozen=True)
class Export:
    """Facts about a written ONNX file.

    Attributes:
        path (Path): The file.
        inputs (tuple[str, ...]): Names of its inputs: frames or clips, then boxes and noise, if
            any.
        noise (tuple[str, ...]): Names of the inputs that the user of the file has to draw.
        difference (float, optional): Largest difference between the outputs of ONNX Runtime and of
            PyTorch on random frames, apart from one value in a thousand. None if the outputs were
            not compared.
    """

    path: Path
    inputs: tuple[str, ...]
    noise: tuple[str, ...]
    difference: float | None


def export_onnx(
    source: str, target: str | Path, config: str | None = None, force: bool = False
) -> Export:
    """Write an anonymizer as an ONNX file.

    The graph takes frames of any size and number, float32 RGB in [0, 1], (N, 3, H, W), as
    ``frames`` (or ``clips``, (N, T, 3, H, W)), and gives the same shape as ``anonymized``.
    BatchNorm is folded into the convolutions. The graph draws no noise: an anonymizer that adds
    noise takes it as inputs.

    Args:
        source (str): One of :data:`~.choices.METHODS`, whose strength depends on the size of the
            frames, or a checkpoint, which is read as data.
        target (str | Path): The file, which must not exist.
        config (str, optional): Config for a checkpoint that does not name its anonymizer. A config
            is a program and runs. Defaults to None.
        force (bool): Whether to write a network that ``tools/anonymize.py`` would refuse as no
            anonymizer. Defaults to False.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        FileExistsError: If the target's name is taken.
        ValueError: If the checkpoint holds no anonymizer, or one of a class without a graph.
        RuntimeError: If ``onnx`` is not installed, or the graph gives other frames than PyTorch.
    """
    target = Path(target)
    if target.exists() or target.is_symlink():
        raise FileExistsError(f'{target} exists and is not replaced: give another name.')
    init_default_scope('mmaction')
    if source in METHODS:
        if config is not None:
            raise ValueError(f'{source} is a method, for which no config is read: leave it out.')
        anonymizer, details = source, dict(method=source)
    else:
        anonymizer = _load(source, config, force)
        details = dict(anonymizer=type(anonymizer).__name__, weights=hash_anonymizer(anonymizer))
    model, noise = build_onnx(anonymizer, details)
    data = model.SerializeToString()
    difference = None
    if find_spec('onnxruntime') is not None:
        difference = compare_with_pytorch(data, anonymizer)
        if difference is not None and not difference <= _TOLERANCE:
            raise RuntimeError(
                f'{target} is not written, as ONNX Runtime gives frames that differ from those of '
                f'PyTorch by {difference:.1e}: install other versions of onnx and onnxruntime.'
            )
    write_whole(target, data)
    inputs = tuple(value.name for value in model.graph.input)
    return Export(target, inputs, tuple(noise), difference)


def build_onnx(
    anonymizer: nn.Module | str, details: Mapping[str, str] | None = None
) -> tuple[onnx.ModelProto, list[str]]:
    """Return an anonymizer as an ONNX model.

    Args:
        anonymizer (nn.Module | str): f_A, which is left as it is, or one of
            :data:`~.choices.METHODS`.
        details (Mapping[str, str], optional): Metadata for the file. Defaults to nothing.

    Returns:
        tuple: The model, and the names of its inputs of noise.

    Raises:
        ValueError: If there is no graph for its class.
        RuntimeError: If ``onnx`` is not installed.
    """
    if find_spec('onnx') is None:
        raise RuntimeError(
            "ONNX files need a package that is not installed: pip install 'spact_mm[onnx]'."
        )
    from .. import __version__
    from .onnx_anonymizers import CLIPS, FRAMES, Extras, write_anonymizer, write_method
    from .onnx_graph import Graph

    graph = Graph()
    extras = Extras(graph)
    if isinstance(anonymizer, str):
        sizes = FRAMES
        y = write_method(graph, anonymizer, graph.add_input('frames', sizes))
    else:
        network = fuse_conv_bn(deepcopy(anonymizer).cpu().float().eval()).requires_grad_(False)
        name, sizes = ('clips', CLIPS) if takes_clips(network) else ('frames', FRAMES)
        y = write_anonymizer(graph, network, graph.add_input(name, sizes), extras)
    graph.add_output(y, 'anonymized', sizes)
    told = dict(details or {}, frames='RGB, float32, 0 to 1', noise='none')
    if extras.noise:
        told['noise'] = (
            f'outside: {", ".join(extras.noise)}: standard normal numbers, which whoever runs it '
            "draws for each video from the operating system's entropy, and never keeps"
        )
    return graph.build(told, __version__), extras.noise


def compare_with_pytorch(model: bytes, anonymizer: nn.Module | str) -> float | None:
    """Return the difference between the outputs of ONNX Runtime and PyTorch on random frames.

    Args:
        model (bytes): A model of :func:`build_onnx`.
        anonymizer (nn.Module | str): The anonymizer or method that it was built from.

    Returns:
        float: Largest difference, apart from one value in a thousand. None if PyTorch's network
        draws noise by itself.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider'])
    names = {value.name for value in session.get_inputs()}
    if names - {'frames', 'clips', 'boxes', 'shared', 'fresh'}:
        return None
    differences = []
    for height, width in _SIZES:
        inputs = _draw_inputs(names, height, width)
        expected = _run_pytorch(anonymizer, **inputs).numpy()
        given = {name: value.numpy() for name, value in inputs.items()}
        found = session.run(None, given)[0]
        differences.append(np.quantile(np.abs(found - expected), _QUANTILE))
    return float(max(differences))


def _load(source: str, config: str | None, force: bool) -> nn.Module:
    network = load_anonymizer(source, Config.fromfile(config) if config else {}, force)
    if not force and not getattr(network, 'needs_boxes', False):
        flaw = find_flaw_on_drawn_pictures(network)
        if flaw:
            raise ValueError(
                f'{source} is not exported as an anonymizer: {flaw}; choose a checkpoint from the '
                'end of a minimax training, or --force (force=True).'
            )
    return network


def _draw_inputs(names: set[str], height: int, width: int) -> dict[str, Tensor]:
    """Draw two clips of three frames, or six frames, and their boxes and noise."""
    generator = torch.Generator().manual_seed(0)
    clips = torch.rand(2, 3, 3, height, width, generator=generator)
    corners = torch.rand(6, 2, 2, 2, generator=generator).sort(2).values
    known = dict(
        frames=clips.flatten(0, 1),
        clips=clips,
        boxes=corners.flatten(2),
        shared=torch.randn(2, 3, height, width, generator=generator),
        fresh=torch.randn(2, 3, 3, height, width, generator=generator),
    )
    return {name: value for name, value in known.items() if name in names}


@torch.inference_mode()
def _run_pytorch(
    anonymizer: nn.Module | str,
    frames: Tensor | None = None,
    clips: Tensor | None = None,
    boxes: Tensor | None = None,
    shared: Tensor | None = None,
    fresh: Tensor | None = None,
) -> Tensor:
    x = frames if clips is None else clips
    if isinstance(anonymizer, str):
        anonymizer = MODELS.build(METHODS[anonymizer](min(x.shape[-2:])))
    noise = dict(shared=shared, fresh=fresh) if shares_noise(anonymizer) else {}
    extra = () if boxes is None else (list(boxes),)
    return anonymizer(x, *extra, **noise)
