"""Two views of an image or a video for a contrastive privacy branch."""

from collections.abc import Callable, Sequence

from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from mmengine.dataset import Compose

from ...registration import register


@register(TRANSFORMS)
class TwoViews(BaseTransform):
    """Augment an image twice, or two frames of a video once each, with transforms made for clips.

    The transforms get the image as a clip of one frame (``imgs``), so images pass the same
    augmentations as clips, including MMAction2's. (MMPretrain's ``MultiView`` passes ``img``, which
    MMAction2's transforms, such as ``Resize``, ignore silently.) In the official code of SPAct the
    two views share the origin of the crop and gamma; here they share nothing. The paper's views are
    two frames of a video. People move between these frames, so f_B has to rely on what stays the
    same: the person, not the pose.

    Required Keys:

    - img (np.ndarray): (H, W, 3) uint8 RGB; or imgs (list[np.ndarray]), two of them.

    Added Keys:

    - img (list[np.ndarray]): The two views, (h, w, 3) each.
    - img_shape (tuple): (h, w).

    Args:
        transforms (Sequence[dict | Callable]): The transforms of a view.
    """

    def __init__(self, transforms: Sequence[dict | Callable]) -> None:
        self.pipeline = Compose(
            [TRANSFORMS.build(x) if isinstance(x, dict) else x for x in transforms]
        )

    def transform(self, results: dict) -> dict:
        """Replace the image, or the frames, by two views.

        Raises:
            ValueError: If there are not two frames, or the views differ in size.
        """
        images = results.pop('imgs') if 'imgs' in results else [results.pop('img')] * 2
        if len(images) != 2:
            raise ValueError(
                f'TwoViews got {len(images)} frames of {results.get("filename", "a video")}; '
                'sample two (clip_len=1, num_clips=2).'
            )
        views = [self.pipeline(dict(results, imgs=[image]))['imgs'][0] for image in images]
        if views[0].shape != views[1].shape:
            raise ValueError(
                f'The two views have the shapes {views[0].shape} and {views[1].shape}; add '
                "MMAction2's Resize (type='Resize', keep_ratio=False) to transforms of TwoViews."
            )
        results['img'] = views
        results['img_shape'] = views[0].shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.pipeline})'
