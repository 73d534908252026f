"""How well the anonymizer was undone."""

from collections.abc import Sequence

from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric

from ..registration import register


@register(METRICS)
class ReconstructionMetric(BaseMetric):
    """Mean PSNR (dB) and SSIM over the images, with the prefix ``reconstruction``.

    ``PSNR`` and ``SSIM`` compare the reconstruction with the raw image, ``PSNR_anonymized`` and
    ``SSIM_anonymized`` the anonymized image: what an attacker gains is their difference. PSNR is
    capped at 100 dB for each image.

    Reads what :class:`ReconstructionAttack` adds to its data samples.
    """

    default_prefix = 'reconstruction'

    _NAMES = dict(
        PSNR='psnr',
        SSIM='ssim',
        PSNR_anonymized='psnr_anonymized',
        SSIM_anonymized='ssim_anonymized',
    )

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Collect the qualities of each image."""
        for sample in data_samples:
            self.results.append({name: float(sample[key]) for name, key in self._NAMES.items()})

    def compute_metrics(self, results: list[dict[str, float]]) -> dict[str, float]:
        """Average over the images."""
        return {name: sum(r[name] for r in results) / len(results) for name in self._NAMES}
