"""Obfuscation by covered persons."""

from collections.abc import Sequence

from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ...registration import register

#: Tolerance in pixels: fractions are rounded, so a box that ends at a pixel's edge may seem to
#: reach this far into the next pixel.
ROUNDING = 1e-3


@register(MODELS)
class BlackenAnonymizer(BaseModule):
    """Cover the boxes of persons, the "blackening" baseline of SPAct.

    ``docs/person_boxes.md`` explains how to get the boxes.

    Args:
        value (float): Value of covered pixels, in [0, 1]. Defaults to 0.

    Raises:
        ValueError: If ``value`` is out of range.
    """

    #: Whether callers must pass boxes.
    needs_boxes = True

    def __init__(self, value: float = 0.0) -> None:
        super().__init__()
        if not 0 <= value <= 1:
            raise ValueError(f'value of BlackenAnonymizer must be in [0, 1], but is {value}.')
        self.value = value

    def forward(self, frames: Tensor, boxes: Sequence[Tensor] | None = None) -> Tensor:
        """Cover every pixel that a box touches.

        Args:
            frames (Tensor): RGB in [0, 1], shape (N, 3, H, W).
            boxes (Sequence[Tensor]): For each frame (K, 4), x1, y1, x2, y2 as fractions of width
                and height.

        Returns:
            Tensor: RGB in [0, 1], same shape; the input is left as it is.

        Raises:
            ValueError: If there are no boxes, or not one entry for each frame.
        """
        if boxes is None:
            raise ValueError(
                'BlackenAnonymizer needs the boxes of the persons in each frame: give the config a '
                'box_file (docs/person_boxes.md), or add LoadPersonBoxes to the pipeline and '
                "'person_boxes' to meta_keys of its packing transform."
            )
        if len(boxes) != len(frames):
            raise ValueError(
                f'BlackenAnonymizer got {len(frames)} frames, but boxes for {len(boxes)}; give one '
                '(K, 4) tensor for each frame, (0, 4) where there is no person.'
            )
        frames = frames.clone()
        height, width = frames.shape[-2:]
        for frame, frame_boxes in zip(frames, boxes, strict=True):
            frame_boxes = frame_boxes.reshape(-1, 4).clamp(0, 1).double().cpu()
            edges = frame_boxes * frame_boxes.new_tensor([width, height, width, height])
            first = (edges[:, :2] + ROUNDING).floor().long().tolist()
            end = (edges[:, 2:] - ROUNDING).ceil().long().tolist()
            for (left, top), (right, bottom) in zip(first, end, strict=True):
                frame[:, top:bottom, left:right] = self.value
        return frames

    def extra_repr(self) -> str:
        """Return the settings for ``print``."""
        return f'value={self.value}'
