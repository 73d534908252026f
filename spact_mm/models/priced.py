"""A price on information: f_A keeps only information that is worth its price to the action."""

import math
from collections.abc import Sequence

import torch
from mmaction.registry import MODELS
from mmengine.optim import OptimWrapperDict
from torch import Tensor

from ..registration import register
from .anonymizers import GaussianChannel
from .minimax import MinimaxAnonymization

#: Largest change of the price's logarithm in an iteration of ``anonymizer``.
_PACE = 0.1


@register(MODELS)
class PricedAnonymization(MinimaxAnonymization):
    """Charge f_A for the information that it sends through a noisy channel.

    In the phase ``anonymizer`` f_A minimises L_T + price * rate (deep variational information
    bottleneck, Alemi et al., ICLR 2017, Equation 17), where the rate of a clip, in nats, bounds the
    information that anybody can get about it (:class:`GaussianChannel`). Information that the
    action does not need is not worth its price, whatever it describes. No labels and no adversary
    are needed. Without an adversary nobody plays against f_A: ``anonymizer`` trains f_A and f_T
    together. A privacy branch adds -omega * L_B, and then f_T is frozen there, as in the paper.

    The views of a privacy loader have the same price, as attackers may see images. In
    ``reconstruction`` there is no noise.

    Args:
        rate_weight (float): The price, in units of L_T a nat; with ``target_action_loss`` the
            initial and least price. Defaults to 1e-4.
        target_action_loss (float, optional): Let the price follow the action: the price rises while
            the running mean of L_T by which f_T learns is below this value, and falls, at most to
            ``rate_weight``, while the mean is above. None, the default, keeps the price constant.
        privacy_branch (dict, optional): f_B. Defaults to None: there is no adversary.
        **kwargs: Arguments of :class:`MinimaxAnonymization`; ``anonymizer`` is a
            :class:`GaussianChannel`.

    Raises:
        ValueError: If the anonymizer is no :class:`GaussianChannel` or an argument is out of range.
    """

    def __init__(
        self,
        rate_weight: float = 1e-4,
        target_action_loss: float | None = None,
        privacy_branch: dict | None = None,
        **kwargs,
    ) -> None:
        for name in ('privacy_weight', 'max_action_loss'):
            if privacy_branch is None and name in kwargs:
                raise ValueError(
                    f'{name} of PricedAnonymization has no effect without a privacy_branch; take '
                    'it out, or give a branch.'
                )
        super().__init__(privacy_branch=privacy_branch, **kwargs)
        if not isinstance(self.anonymizer, GaussianChannel):
            raise ValueError(
                f'model.anonymizer is a {type(self.anonymizer).__name__}, which tells no rate: set '
                "it to dict(type='GaussianChannel', anonymizer=...), with the present one inside."
            )
        if privacy_branch is None:
            self.phases = dict(self.phases, anonymizer=('anonymizer', 'recognizer'))
        if not 0 < rate_weight < math.inf:
            raise ValueError(f'rate_weight must be above 0, but is {rate_weight}.')
        if target_action_loss is not None and not target_action_loss > 0:
            raise ValueError(f'target_action_loss must be above 0, but is {target_action_loss}.')
        self.target_action_loss, self.least_rate_weight = target_action_loss, rate_weight
        if target_action_loss is not None:
            self.keep_mean_action_loss()
        # A buffer, so that a resumed run continues with the same price.
        self.register_buffer('rate_weight', torch.tensor(float(rate_weight)))

    @property
    def _channel(self) -> GaussianChannel:
        return getattr(self.anonymizer, 'module', self.anonymizer)

    def forward(self, inputs: Tensor, data_samples: Sequence | None = None, mode: str = 'tensor'):
        """Run the recognizer on anonymized clips; see :class:`MinimaxAnonymization`.

        Returns:
            The recognizer's output for that mode. Predictions also have ``bits_clip``, the bound on
            the information in a clip, averaged over the video's clips.
        """
        if mode != 'predict':
            return super().forward(inputs, data_samples, mode)
        self._channel.keeps_rates = True
        try:
            out = super().forward(inputs, data_samples, mode)
        finally:
            self._channel.keeps_rates = False
            nats = self._channel.take_rates()
        for sample, of_video in zip(out, torch.cat(nats).chunk(len(out)), strict=True):
            sample.set_field(of_video.mean() / math.log(2), 'bits_clip')
        return out

    def _reproduce(self, clips: Tensor) -> Tensor:
        self._channel.is_silent = True
        try:
            return super()._reproduce(clips)
        finally:
            self._channel.is_silent = False

    def _anonymizer_losses(
        self, source: str, raw: Sequence[Tensor], rewritten: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """Return the price of the parts, and their bound in bits a video or image."""
        nats = torch.stack([rate.mean() for rate in self._channel.take_rates()]).mean()
        unit = 'video' if source == 'action' else 'image'
        return {
            f'loss_rate_{unit}': self.rate_weight * nats,
            f'bits_{unit}': nats.detach() / math.log(2),
        }

    def _step_anonymizer(self, batch: dict, optim_wrapper: OptimWrapperDict) -> dict:
        values = super()._step_anonymizer(batch, optim_wrapper)
        values['rate_weight'] = self.rate_weight.clone()
        if self.target_action_loss is not None:
            surplus = 1 - self.mean_action_loss / self.target_action_loss
            self.rate_weight.mul_(torch.exp(_PACE * surplus.clamp(-1, 1)))
            # While f_T has not learnt enough, no lower price would help it.
            self.rate_weight.clamp_(min=self.least_rate_weight)
        return values
