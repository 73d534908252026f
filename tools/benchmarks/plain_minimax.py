"""The baseline of ``step``: a round of a plain loop without optimizations.

It does the work of the official code's loop: three f_A passes and one backward pass in step 1,
gradients through everything in both steps, the default memory format and plain Adam. Networks,
weights and data are the same as in the compared loop.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PlainRound:
    """Step 1 and step 2 of the paper on one batch.

    Args:
        anonymizer (nn.Module): f_A.
        recognizer (nn.Module): f_T, an MMAction2 recognizer of clips (N, M, C, T, H, W).
        privacy_branch (nn.Module): f_B, a contrastive one; its backbone and neck are used.
        rates (dict): Learning rate of each network, by the names of the arguments.
        weight (float): omega.
        temperature (float): Temperature of the contrastive loss.
    """

    def __init__(
        self,
        anonymizer: nn.Module,
        recognizer: nn.Module,
        privacy_branch: nn.Module,
        rates: dict,
        weight: float,
        temperature: float,
    ) -> None:
        self.fa, self.ft, self.fb = anonymizer, recognizer, privacy_branch
        self.optimizer_a = torch.optim.Adam(anonymizer.parameters(), lr=rates['anonymizer'])
        self.optimizer_t = torch.optim.Adam(recognizer.parameters(), lr=rates['recognizer'])
        self.optimizer_b = torch.optim.Adam(privacy_branch.parameters(), lr=rates['privacy_branch'])
        self.weight, self.temperature = weight, temperature

    def __call__(self, clips: Tensor, samples: list, views: list[Tensor]) -> None:
        """Do a round.

        Args:
            clips (Tensor): (N, M, C, T, H, W) in [0, 1].
            samples (list): MMAction2's data samples of the clips.
            views (list[Tensor]): Two views, (P, C, H, W) in [0, 1] each.
        """
        self.fa.train(), self.ft.eval(), self.fb.eval()
        self._zero_gradients()
        first, second = self.fa(views[0]), self.fa(views[1])
        loss_privacy = self._privacy_loss(first, second)
        loss_action = self._action_loss(clips, samples)
        (loss_action - self.weight * loss_privacy).backward()
        self.optimizer_a.step()

        self.fa.eval(), self.ft.train(), self.fb.train()
        self._zero_gradients()
        self._action_loss(clips, samples).backward()
        self.optimizer_t.step()
        self._privacy_loss(self.fa(views[0]), self.fa(views[1])).backward()
        self.optimizer_b.step()

    def _zero_gradients(self) -> None:
        for optimizer in (self.optimizer_a, self.optimizer_t, self.optimizer_b):
            optimizer.zero_grad()

    def _action_loss(self, clips: Tensor, samples: list) -> Tensor:
        videos, views, channels, length, height, width = clips.shape
        frames = clips.transpose(2, 3).reshape(-1, channels, height, width)
        frames = self.fa(frames).reshape(videos, views, length, channels, height, width)
        normalize = self.ft.data_preprocessor
        clips = (frames.transpose(2, 3) * 255 - normalize.mean) / normalize.std
        return self.ft(clips, samples, mode='loss')['loss_cls']

    def _privacy_loss(self, first: Tensor, second: Tensor) -> Tensor:
        """Return NT-Xent, written as its formula."""
        first, second = (F.normalize(self.fb.embed(view), dim=1) for view in (first, second))
        both = torch.cat([first, second])
        similarity = torch.exp(both @ both.t() / self.temperature)
        count = len(first)
        others = ~torch.eye(2 * count, dtype=torch.bool, device=both.device)
        denominator = (similarity * others).sum(1)
        positive = torch.exp((first * second).sum(1) / self.temperature).repeat(2)
        return -torch.log(positive / denominator).mean()
