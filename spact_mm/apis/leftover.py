"""Measure how much of an anonymizer's input frames is left in its output."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np

from .refusals import NonFiniteError

#: Number of measured frames of a file: its first frames that are not blank.
NUM_FRAMES = 8
#: Above these correlations the output of a trained network is refused; docs/anonymize.md explains
#: the choice.
MAX_LEFT, MAX_DETAIL_LEFT = 0.9, 0.8
#: Largest number of pixels of all measured frames together; at least one frame is measured.
_MAX_PIXELS = 1 << 22
#: Least standard deviation, in 255 grey levels, of a frame that is not blank.
_LEAST_DEVIATION = 2.0
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Leftover:
    """How much of a frame is left in the output, and how much has changed.

    Attributes:
        left (float): Correlation of the input's brightness with the best linear mixture of the
            output's colours, in [0, 1]. A negative, swapped or faded colours do not lower it.
        detail_left (float): The same correlation for structures of some pixels, such as the lines
            of a face.
        change (float): Mean absolute difference, in [0, 1].
        is_same (bool): Whether no value differs by more than a grey level.
        is_constant (bool): Whether the output has one colour everywhere.
    """

    left: float
    detail_left: float
    change: float
    is_same: bool
    is_constant: bool


class LeftoverCheck:
    """Anonymize frames, measure how much of them is left, and refuse if it is too much.

    A check is called in place of ``anonymize``, for one file. It measures the first
    :data:`NUM_FRAMES` frames that are not blank (black or of one colour), and fewer if frames are
    large. A refused output has not been written under its name yet.

    Args:
        anonymize (Callable): RGB uint8 frames (N, H, W, 3) to the same.
        name (str): Name of the file in an error.
        is_trained (bool): Whether ``anonymize`` is a trained network. An obfuscation leaves coarse
            structure by design, and so is refused only if frames come out unchanged.
        force (bool): Whether to set :attr:`warning` instead of refusing. Defaults to False.
        clip_length (int): Number of successive frames that ``anonymize`` takes as a clip. Defaults
            to 1.

    Attributes:
        warning (str): Reason for a refusal, with ``force``; empty if there is none.
    """

    def __init__(
        self,
        anonymize: Callable[[np.ndarray], np.ndarray],
        name: str,
        is_trained: bool,
        force: bool = False,
        clip_length: int = 1,
    ) -> None:
        self.anonymize, self.name, self.clip_length = anonymize, name, clip_length
        self.is_trained, self.force = is_trained, force
        self.warning = ''
        self._measured: list[Leftover] = []

    @property
    def facts(self) -> dict[str, float | None]:
        """The measured numbers, means over the frames; None if all frames were blank."""
        names = ('left', 'detail_left', 'change')
        return {
            name: round(float(np.mean([getattr(m, name) for m in self._measured])), 4)
            if self._measured
            else None
            for name in names
        }

    def __str__(self) -> str:
        """Return the measured numbers as the end of a line."""
        if not self._measured:
            return 'Nothing to measure: no frame shows anything.'
        left, detail, change = self.facts.values()
        text = f'Left: {left:.2f}, of detail {detail:.2f}; change {change:.2f}.'
        return f'{text} WARNING: {self.warning}.' if self.warning else text

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Anonymize frames, and measure them until enough are measured.

        Raises:
            ValueError: If too much is left, the output has one colour, or numbers are not finite.
        """
        try:
            done = self.anonymize(frames)
        except NonFiniteError as error:
            raise ValueError(f'{self.name} is not written: {error}') from None
        self.observe(frames, done)
        return done

    def observe(self, frames: np.ndarray, done: np.ndarray) -> None:
        """Measure input frames and output frames until enough are measured.

        Raises:
            ValueError: As for a call.
        """
        height, width = frames.shape[1:3]
        wanted = max(1, min(NUM_FRAMES, _MAX_PIXELS // (height * width))) - len(self._measured)
        if wanted > 0:
            shown = (i for i in range(len(frames)) if frames[i, ::2, ::2].std() > _LEAST_DEVIATION)
            chosen = list(islice(shown, wanted))
            self._measured += [measure(frames[i], done[i]) for i in chosen]
            if chosen:
                self._judge()

    def _judge(self) -> None:
        flaw = self._find_flaw()
        if flaw and not self.force:
            raise ValueError(
                f'{self.name} is not written: {flaw} (docs/anonymize.md, "What is left"); '
                'choose a checkpoint whose minimax has done its work, or --force (force=True).'
            )
        self.warning = flaw

    def _find_flaw(self) -> str:
        facts, measured = self.facts, self._measured
        if all(m.is_same for m in measured):
            return 'its frames come out as they went in'
        if not self.is_trained:
            return ''
        if all(m.is_constant for m in measured):
            return 'its frames come out in one colour, so the network is dead'
        for name, bound, what in (
            ('left', MAX_LEFT, 'input'),
            ('detail_left', MAX_DETAIL_LEFT, "input's detail"),
        ):
            if facts[name] > bound:
                return (
                    f'much of the {what} is left in what comes out, a correlation of '
                    f'{facts[name]:.2f}, where at most {bound} is accepted'
                )
        return ''


def measure(raw: np.ndarray, done: np.ndarray) -> Leftover:
    """Compare a frame with the anonymizer's output for it.

    Args:
        raw (np.ndarray): RGB uint8, (H, W, 3).
        done (np.ndarray): Same shape and type.

    Returns:
        Leftover: The numbers.
    """
    difference = np.abs(raw.astype(np.int16) - done)
    before, after = (x.astype(np.float32) / 255 for x in (raw, done))
    luma = (before @ np.float32(_LUMA))[..., None]
    return Leftover(
        left=_correlate(luma, after),
        detail_left=_correlate(_detail(luma), _detail(after)),
        change=float(difference.mean()) / 255,
        is_same=int(difference.max()) <= 1,
        is_constant=int(np.ptp(done.reshape(-1, 3), axis=0).max()) == 0,
    )


def _detail(x: np.ndarray) -> np.ndarray:
    """Return the difference from a blur at half the resolution: structures of some pixels."""
    height, width = x.shape[:2]
    if min(height, width) < 8:
        return x
    # By area, halves are means of 2 x 2 pixels.
    even = x[: height // 2 * 2, : width // 2 * 2]
    half = cv2.resize(even, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    kernel = cv2.getGaussianKernel(9, 2.0, cv2.CV_32F)
    blurred = cv2.sepFilter2D(half, -1, kernel, kernel, borderType=cv2.BORDER_REPLICATE)
    return half - blurred


def _correlate(target: np.ndarray, channels: np.ndarray) -> float:
    """Return the multiple correlation of (H, W) with a best linear mixture of (H, W, 3)."""
    target = target.reshape(-1).astype(np.float64)
    channels = channels.reshape(-1, 3).T.astype(np.float64)
    target -= target.mean()
    channels -= channels.mean(1, keepdims=True)
    power = float(target @ target)
    spread = np.square(channels).sum(1)
    # Channels that vary by less than rounding to whole grey levels carry no signal.
    used = channels[spread / target.size > (0.25 / 255) ** 2]
    if power == 0 or not len(used):
        return 0.0
    shared = used @ target
    gram = used @ used.T + 1e-9 * spread.sum() * np.eye(len(used))
    explained = float(shared @ np.linalg.solve(gram, shared)) / power
    return min(1.0, max(0.0, explained)) ** 0.5
