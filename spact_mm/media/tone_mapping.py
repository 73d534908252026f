"""High dynamic range to standard range: PQ and HLG of ITU-R BT.2100 to BT.709."""

from functools import lru_cache

import numpy as np

#: Codes of ITU-T H.273 for transfer functions.
PQ, HLG = 16, 18
#: Candela per square metre: of the white of standard range in HDR (ITU-R BT.2408), and of HLG's
#: peak.
_WHITE, _HLG_PEAK = 203, 1000
#: Brightness relative to white above which light is compressed.
_KNEE = 0.7
#: Gamma of a display of standard range (ITU-R BT.1886).
_GAMMA = 2.4
#: Codes of primaries; below, matrices from linear RGB of BT.2020 and Display P3 to BT.709.
_BT2020, _BT709, _P3 = 9, 1, 12
_TO_BT709 = {
    _BT709: np.eye(3),
    _BT2020: [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    _P3: [[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0196, -0.0786, 1.0979]],
}
_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)
_LEVELS = 1 << 16


def map_to_sdr(values: np.ndarray, transfer: int, primaries: int) -> np.ndarray:
    """Map HDR to the range of a standard display.

    Brightness up to 0.7 of white stays. Above, it is compressed by the largest of the three
    channels, so that hues stay. Colours beyond BT.709 are clipped.

    Args:
        values (np.ndarray): Coded RGB, uint16, (H, W, 3).
        transfer (int): :data:`PQ` or :data:`HLG`.
        primaries (int): Code of ITU-T H.273; unknown primaries are treated as BT.2020.

    Returns:
        np.ndarray: RGB uint8, (H, W, 3), for BT.709.
    """
    light = _decoder(transfer)[values]
    if transfer == HLG:
        # The OOTF of BT.2100, from scene light to display light relative to white.
        brightness = light @ _LUMINANCE
        light = light * (_HLG_PEAK / _WHITE * brightness**0.2)[..., None]
    matrix = np.asarray(_TO_BT709.get(primaries, _TO_BT709[_BT2020]), np.float32)
    light = np.maximum(light @ matrix.T, 0)
    peak = light.max(-1, keepdims=True)
    light *= _compress(peak) / np.maximum(peak, 1e-6)
    return _encoder()[(light * (_LEVELS - 1)).round().astype(np.uint16)]


def _compress(light: np.ndarray) -> np.ndarray:
    room = 1 - _KNEE
    rolled = 1 - room * np.exp(-np.maximum(light - _KNEE, 0) / room)
    return np.where(light <= _KNEE, light, rolled)


@lru_cache(maxsize=2)
def _decoder(transfer: int) -> np.ndarray:
    """Return the light of each coded number: relative to white for PQ, scene light for HLG."""
    x = np.arange(_LEVELS) / (_LEVELS - 1)
    if transfer == PQ:
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        root = x ** (1 / m2)
        light = 10000 / _WHITE * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    else:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(x <= 0.5, x**2 / 3, (np.exp((x - c) / a) + b) / 12)
    return light.astype(np.float32)


@lru_cache(maxsize=1)
def _encoder() -> np.ndarray:
    x = np.arange(_LEVELS) / (_LEVELS - 1)
    return (255 * x ** (1 / _GAMMA)).round().astype(np.uint8)
