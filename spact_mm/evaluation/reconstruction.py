"""Metrics of an attack that undoes the anonymizer."""

from collections.abc import Sequence
from statistics import fmean

from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric

from ..registration import register
from .image_quality import psnr, ssim


@register(METRICS)
class ReconstructionMetric(BaseMetric):
    """Mean PSNR (dB) and SSIM over the images, with the prefix ``reconstruction``.

    ``PSNR`` and ``SSIM`` compare the reconstruction with the raw image, ``PSNR_anonymized`` and
    ``SSIM_anonymized`` compare the anonymized image with it. The difference is the attacker's gain.
    PSNR is capped at 100 dB for each image.

    Reads the images that :class:`ReconstructionAttack` adds to its data samples.
    """

    default_prefix = 'reconstruction'

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Measure each image."""
        for sample in data_samples:
            raw, restored, anonymized = (
                sample[name].float()[None] for name in ('raw', 'restored', 'anonymized')
            )
            self.results.append(
                dict(
                    PSNR=psnr(restored, raw).item(),
                    SSIM=ssim(restored, raw).item(),
                    PSNR_anonymized=psnr(anonymized, raw).item(),
                    SSIM_anonymized=ssim(anonymized, raw).item(),
                )
            )

    def compute_metrics(self, results: list[dict[str, float]]) -> dict[str, float]:
        """Average over the images."""
        return {name: fmean(result[name] for result in results) for name in results[0]}
