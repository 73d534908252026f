"""The interface between the minimax training and a privacy branch f_B."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor


class PrivacyBranch(BaseModule):
    """Base class of privacy branches: a loss that f_B minimises, and one that f_A minimises.

    A subclass defines :meth:`loss`, and :meth:`confuse` if f_A has another objective than raising
    that loss. It may define ``loss_bounds(batch_size)``: the loss of a branch that is right about
    all images, and the loss of a blind branch; a run warns while the loss stays at one of these
    values.
    """

    #: Smallest usable number of images in a batch.
    min_batch_size = 1
    #: Modes of :meth:`forward`; each is the name of a method.
    modes = ('loss', 'confuse')

    def forward(
        self, views: Sequence[Tensor], data_samples: Sequence | None = None, mode: str = 'loss'
    ):
        """Call the method of the mode.

        Args:
            views (Sequence[Tensor]): Views of N images, RGB in [0, 1], (N, 3, H, W) each.
            data_samples (Sequence, optional): MMPretrain's data samples of the images, if they have
                labels.
            mode (str): One of :attr:`modes`. Defaults to ``'loss'``.

        Raises:
            ValueError: If the mode is unknown.
        """
        if mode not in self.modes:
            raise ValueError(
                f'{type(self).__name__} has no mode {mode!r}; choose from {list(self.modes)}.'
            )
        return getattr(self, mode)(views, data_samples)

    def loss(self, views: Sequence[Tensor], data_samples: Sequence | None) -> dict[str, Tensor]:
        """Return ``dict(loss_privacy=...)``, which f_B minimises."""
        raise NotImplementedError

    def confuse(self, views: Sequence[Tensor], data_samples: Sequence | None) -> dict[str, Tensor]:
        """Return the losses of f_A: by default ``dict(loss_confusion=-L_B)``, as in SPAct.

        Values are logged by their names; the sum of those with ``loss`` in their names is weighted
        by omega.
        """
        losses = self.loss(views, data_samples)
        return dict(loss_confusion=-sum(value for key, value in losses.items() if 'loss' in key))
