import math

import numpy as np
import pytest
import torch

from spact_mm.evaluation.image_quality import psnr, ssim


def ssim_by_windows(x, y):
    """Equation 13 of Wang et al., window by window, for two (C, H, W) arrays."""
    x, y = x.astype(float), y.astype(float)
    rows, columns = np.mgrid[-5:6, -5:6]
    weights = np.exp(-(rows**2 + columns**2) / (2 * 1.5**2))
    weights /= weights.sum()
    values = []
    for a, b in zip(x, y, strict=True):
        for i in range(a.shape[0] - 10):
            for j in range(a.shape[1] - 10):
                p, q = a[i : i + 11, j : j + 11], b[i : i + 11, j : j + 11]
                mp, mq = (weights * p).sum(), (weights * q).sum()
                vp, vq = (weights * (p - mp) ** 2).sum(), (weights * (q - mq) ** 2).sum()
                cov = (weights * (p - mp) * (q - mq)).sum()
                up = (2 * mp * mq + 0.01**2) * (2 * cov + 0.03**2)
                values.append(up / ((mp**2 + mq**2 + 0.01**2) * (vp + vq + 0.03**2)))
    return np.mean(values)


def test_ssim_is_that_of_the_paper():
    x = torch.rand(3, 3, 14, 19)
    y = (x + torch.tensor([0.02, 0.1, 0.5]).view(3, 1, 1, 1) * torch.randn_like(x)).clamp(0, 1)
    expected = [ssim_by_windows(a, b) for a, b in zip(x.numpy(), y.numpy(), strict=True)]
    assert ssim(x, y).tolist() == pytest.approx(expected, abs=1e-6)
    assert expected[0] > 0.98 and expected[2] < 0.7


def test_ssim_tells_flat_images_apart():
    x, y = torch.full((1, 3, 11, 11), 0.5), torch.full((1, 3, 11, 11), 0.25)
    assert ssim(x, y).item() == pytest.approx((0.25 + 1e-4) / (0.3125 + 1e-4), abs=1e-6)


def test_psnr_of_known_errors():
    x = torch.zeros(3, 3, 2, 2)
    y = torch.stack([torch.full((3, 2, 2), 0.1), torch.zeros(3, 2, 2), torch.ones(3, 2, 2)])
    y[1, 0, 0, 0] = 0.6
    expected = [20, -10 * math.log10(0.36 / 12), 0]
    assert psnr(x, y).tolist() == pytest.approx(expected, abs=1e-5)


def test_equal_images_have_the_highest_values():
    x = torch.rand(2, 3, 12, 12)
    assert psnr(x, x).tolist() == [100, 100]
    assert ssim(x, x).tolist() == [1, 1]


def test_precision_is_kept_under_autocast():
    x, y = torch.rand(2, 2, 3, 16, 16)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        mixed = ssim(x, y)
    assert torch.equal(mixed, ssim(x, y))


def test_small_or_unequal_images_are_refused():
    with pytest.raises(ValueError, match=r'at least 11x11 pixels, but got \(10, 30\)'):
        ssim(torch.rand(1, 3, 10, 30), torch.rand(1, 3, 10, 30))
    with pytest.raises(ValueError, match='one shape'):
        psnr(torch.rand(1, 3, 4, 4), torch.rand(2, 3, 4, 4))
