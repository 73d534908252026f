"""Anonymizers in a row."""

from collections.abc import Sequence
from functools import partial

from mmaction.registry import MODELS
from mmengine.model import BaseModule, ModuleList
from torch import Tensor

from ...registration import register
from .build import build_anonymizer
from .traits import is_random, min_size, mixes_frames, rewrite_clips, shares_noise, takes_clips


@register(MODELS)
class SequentialAnonymizer(BaseModule):
    """Apply anonymizers one after the other.

    For instance an obfuscation before a network, or an anonymizer followed by an attacker's network
    that tries to invert it. Weights of a stage come from its own ``init_cfg``::

        dict(
            type='SequentialAnonymizer',
            stages=[
                dict(type='DownsampleAnonymizer', factor=2),
                dict(
                    type='UNetAnonymizer',
                    init_cfg=dict(
                        type='Pretrained', checkpoint='minimax.pth', prefix='anonymizer.'
                    ),
                ),
            ],
        )

    Args:
        stages (Sequence[dict]): Configs of anonymizers, in the order they are applied.
        init_cfg (dict, optional): Initialization config of all stages.

    Raises:
        ValueError: If there is no stage.
    """

    def __init__(self, stages: Sequence[dict], init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg=init_cfg)
        if not stages:
            raise ValueError(
                'SequentialAnonymizer has no stages; list at least one, for instance '
                "dict(type='IdentityAnonymizer')."
            )
        self.stages = ModuleList([build_anonymizer(stage) for stage in stages])

    @property
    def needs_boxes(self) -> bool:
        """Whether a stage needs boxes of persons."""
        return any(getattr(stage, 'needs_boxes', False) for stage in self.stages)

    @property
    def is_random(self) -> bool:
        """Whether a stage is random: the same frames give another output in another call."""
        return any(map(is_random, self.stages))

    @property
    def min_size(self) -> int:
        """Smallest height and width in pixels that all stages take."""
        return max(map(min_size, self.stages))

    @property
    def takes_clips(self) -> bool:
        """Whether a stage takes clips; then the whole sequence takes clips."""
        return any(map(takes_clips, self.stages))

    @property
    def mixes_frames(self) -> bool:
        """Whether the output of a stage for a frame depends on other frames."""
        return any(map(mixes_frames, self.stages))

    @property
    def shares_noise(self) -> bool:
        """Whether a stage takes the noise that a video's clips share."""
        return any(map(shares_noise, self.stages))

    def forward(
        self,
        frames: Tensor,
        boxes: Sequence[Tensor] | None = None,
        shared: Tensor | None = None,
        fresh: Tensor | None = None,
    ) -> Tensor:
        """Anonymize frames, or clips where a stage takes them.

        Args:
            frames (Tensor): RGB in [0, 1], (N, 3, H, W), or clips (N, T, 3, H, W).
            boxes (Sequence[Tensor], optional): Boxes of persons in each frame, for the stages that
                need them; see :class:`BlackenAnonymizer`.
            shared (Tensor, optional): Noise for the stages that share it, as for
                :class:`GaussianChannel`.
            fresh (Tensor, optional): Noise of each frame, for the same stages.

        Returns:
            Tensor: RGB in [0, 1], same shape.
        """
        is_clips = self.takes_clips
        for stage in self.stages:
            extra = (boxes,) if getattr(stage, 'needs_boxes', False) else ()
            noise = dict(shared=shared, fresh=fresh) if shares_noise(stage) else {}
            run = partial(rewrite_clips, stage) if is_clips else stage
            frames = run(frames, *extra, **noise)
        return frames
