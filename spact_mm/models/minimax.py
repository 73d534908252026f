"""The model that owns f_A, f_T and f_B and their three updates."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import ClassVar

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.dist import all_reduce
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn

from ..registration import register
from .anonymized_recognition import AnonymizedRecognition
from .anonymizers.traits import takes_clips
from .frames import as_clips, unfold_frames
from .frozen import frozen
from .memory_format import use_channels_last
from .minimax_inputs import Views, choose_plain_clips, choose_views
from .privacy.branch import PrivacyBranch
from .readiness import measure_readiness
from .unwrapped import unwrapped
from .updates import backward, log_values, partial_backward, update

#: Decay of the running mean of L_T, which covers some ten iterations.
_MEAN_DECAY = 0.9


@register(MODELS)
class MinimaxAnonymization(AnonymizedRecognition):
    """Train an anonymizer against a privacy branch, and with a recognizer (SPAct Section 3).

    :attr:`phase` decides what one call of :meth:`train_step` does:

    ================  ==============  ==============  ==============  ==================
    phase             anonymizer      recognizer      privacy branch  minimised
    ================  ==============  ==============  ==============  ==================
    reconstruction    train           --              --              L1(f_A(x), x)
    adversaries       eval, no grad   train           train           L_T; L_B
    anonymizer        train           eval            eval            L_T - omega * L_B
    ================  ==============  ==============  ==============  ==================

    Train and eval are BatchNorm modes. In ``anonymizer`` the views and the clips pass f_A as
    separate BatchNorm batches (view 1, view 2, clip frames, in this order). -L_B stands for the
    loss of the privacy branch in its mode ``'confuse'``.

    A subclass may change the utility (:meth:`_utility_loss`), give f_A further losses
    (:meth:`_anonymizer_losses`) and add phases: an entry of :attr:`phases` and a method
    ``_step_<phase>`` each.

    Args:
        anonymizer (dict): f_A, frames (N, 3, H, W) in [0, 1] to the same.
        recognizer (dict): f_T, an MMAction2 recognizer with its own ``data_preprocessor``, whose
            mean and std (of [0, 255] frames) are applied after the anonymizer.
        privacy_branch (dict, optional): f_B, a :class:`PrivacyBranch`. None leaves it out: then f_A
            has only L_T and the losses that a subclass adds.
        privacy_weight (float): omega >= 0. Defaults to 1.0, as in the official code.
        max_action_loss (float, optional): Spare the recognizer: while the running mean of L_T in
            ``adversaries`` is above this value, omega is reduced in proportion. The reduction keeps
            short trainings with a large omega from destroying the action; it is not in the paper.
            None, the default, keeps omega constant.
        view_distance (tuple[int, int]): Without privacy data the two views are frames of a clip, at
            least and at most this many of *its* frames apart. The default (3, 7) at a frame
            interval of 2 is the paper's 5 to 15 video frames.
        reconstruction_frames (int, optional): Frames of each clip, evenly spaced, that
            ``reconstruction`` uses beside the views. None means all. Defaults to None.
        max_frames_per_pass (int, optional): Bound on the frames that pass f_A at a time where no
            gradient is kept, so that memory does not grow with the test clips. Defaults to 256.
        augmentation (dict, optional): Arguments of a :class:`DeviceAugmentation` of training clips
            and views. None, the default, is for pipelines that augment.
        channels_last (bool): Store the weights channels-last: the same mathematics, faster or
            slower depending on the device and the networks' width. Defaults to False.
        init_cfg (dict, optional): Initialization config of the whole model.

    Raises:
        ValueError: If an argument is out of range, the recognizer does not classify RGB frames, or
            the privacy branch is none.
    """

    #: The phases of training, and the children that each of them updates.
    phases: ClassVar[dict[str, tuple[str, ...]]] = dict(
        reconstruction=('anonymizer',),
        adversaries=('recognizer', 'privacy_branch'),
        anonymizer=('anonymizer',),
    )

    def __init__(
        self,
        anonymizer: dict,
        recognizer: dict,
        privacy_branch: dict | None,
        privacy_weight: float = 1.0,
        max_action_loss: float | None = None,
        view_distance: tuple[int, int] = (3, 7),
        reconstruction_frames: int | None = None,
        max_frames_per_pass: int | None = 256,
        augmentation: dict | None = None,
        channels_last: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(anonymizer, recognizer, max_frames_per_pass, augmentation, init_cfg)
        if not 0 <= privacy_weight < float('inf'):
            raise ValueError(f'privacy_weight must be 0 or more, but is {privacy_weight}.')
        if max_action_loss is not None and not max_action_loss > 0:
            raise ValueError(f'max_action_loss must be positive, but is {max_action_loss}.')
        if not 1 <= view_distance[0] <= view_distance[1]:
            raise ValueError(
                f'view_distance must be (low, high) with 1 <= low <= high, but is {view_distance}.'
            )
        if reconstruction_frames is not None and reconstruction_frames < 1:
            raise ValueError(
                'reconstruction_frames must be 1 or more, or None for all, but is '
                f'{reconstruction_frames}.'
            )
        self.privacy_branch = None if privacy_branch is None else MODELS.build(privacy_branch)
        if privacy_branch is None:
            self.phases = dict(self.phases, adversaries=('recognizer',))
        elif not isinstance(self.privacy_branch, PrivacyBranch):
            raise ValueError(
                f'model.privacy_branch is a {type(self.privacy_branch).__name__}, which cannot say '
                'what the anonymizer minimises against it; derive it from '
                'spact_mm.models.PrivacyBranch (docs/extending.md).'
            )
        self.privacy_weight = privacy_weight
        self.max_action_loss = max_action_loss
        self.register_buffer('mean_action_loss', None)
        if max_action_loss is not None:
            self.keep_mean_action_loss()
        self.view_distance = tuple(view_distance)
        self.reconstruction_frames = reconstruction_frames
        self.phase = 'reconstruction'
        if channels_last:
            use_channels_last(self)

    def keep_mean_action_loss(self) -> None:
        """Keep a running mean of the L_T by which f_T learns, in a buffer that checkpoints save."""
        self.register_buffer('mean_action_loss', torch.zeros(()))

    # -- training ----------------------------------------------------------------------------

    def set_phase(self, phase: str) -> None:
        """Choose the phase of the next :meth:`train_step`.

        Raises:
            ValueError: If the phase is none of :attr:`phases`.
        """
        if phase not in self.phases:
            raise ValueError(f'There is no phase {phase!r}; choose from {list(self.phases)}.')
        self.phase = phase

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """Do one iteration of the current phase.

        Args:
            data (dict): ``dict(action=batch)`` or ``dict(action=batch, privacy=batch)``.
            optim_wrapper (OptimWrapperDict): One optimizer for each child that has parameters.

        Returns:
            dict[str, Tensor]: Values to log; keys start with the phase, so that each phase keeps
            running means of its own.
        """
        batch = self.data_preprocessor(data, True)
        values = getattr(self, f'_step_{self.phase}')(batch, optim_wrapper)
        return {f'{self.phase}/{name}': value for name, value in values.items()}

    def _step_reconstruction(self, batch: dict, optim_wrapper: OptimWrapperDict) -> dict:
        """Pull f_A towards the identity, on frames of both loaders."""
        self.anonymizer.train()
        wrapper = optim_wrapper['anonymizer']
        with wrapper.optim_context(self.anonymizer):
            losses = [F.l1_loss(self._reproduce(x), x) for x in self._plain_clips(batch)]
            l1 = torch.stack(losses).mean()
        wrapper.update_params(l1)
        return dict(loss_l1=l1.detach())

    def _step_anonymizer(self, batch: dict, optim_wrapper: OptimWrapperDict) -> dict:
        """Step 1 of the paper: update f_A by L_T - omega * L_B, with f_T and f_B frozen.

        Networks that a subclass adds to :attr:`phases` learn, too, from the same backward pass.
        """
        players = self.phases['anonymizer']
        wrapper, *others = (optim_wrapper[name] for name in players)
        self.anonymizer.train()
        for name in self.phases['adversaries']:
            getattr(self, name).train(name in players)
        views, clips = self._views(batch), as_clips(batch['action']['inputs'], self.format_shape)
        weight = self._current_privacy_weight()
        loss, privacy_values = 0.0, []
        with frozen(*self.opponents()):
            # The two losses share no activations; with two backward passes only one graph is in
            # memory at a time.
            if views.clips:
                with self._optim_contexts(optim_wrapper):
                    rewritten = self._rewrite(*views.clips)
                    losses = self._privacy_loss(views.show(rewritten), mode='confuse')
                    loss_confusion, values = self.parse_losses(losses)
                    losses = self._anonymizer_losses('privacy', views.clips, rewritten)
                    further, further_values = self.parse_losses(losses)
                loss = weight * loss_confusion + further
                partial_backward(wrapper, loss)
                privacy_values = [values, further_values]
            with self._optim_contexts(optim_wrapper):
                rewritten = self._rewrite(clips)
                losses = self._utility_loss(self._with_clips(batch['action'], *rewritten))
                loss_action, action_values = self.parse_losses(losses)
                losses = self._anonymizer_losses('action', [clips], rewritten)
                further, further_values = self.parse_losses(losses)
            backward(wrapper, loss_action + further, *others)
            update(wrapper, *others)
        if 'recognizer' in players:
            self._follow_action_loss(loss_action)
        logged = log_values(action_values, *privacy_values, further_values)
        logged['loss'] = (loss_action + further + loss).detach()
        return logged if self.max_action_loss is None else dict(logged, privacy_weight=weight)

    def _step_adversaries(self, batch: dict, optim_wrapper: OptimWrapperDict) -> dict:
        """Step 2 of the paper: update f_T by L_T and f_B by L_B, with f_A frozen."""
        self.anonymizer.eval()
        for adversary in self._adversaries():
            adversary.train()
        views, clips = self._views(batch), as_clips(batch['action']['inputs'], self.format_shape)
        wrappers = [optim_wrapper[name] for name in self.phases['adversaries']]
        with wrappers[0].optim_context(self.recognizer):
            with torch.no_grad():
                # Without a privacy branch the views need not be anonymized.
                seen = views.clips if self.privacy_branch is not None else []
                rewritten, *shown = self._rewrite(clips, *seen)
            losses = self._utility_loss(self._with_clips(batch['action'], rewritten))
            loss_action, action_values = self.parse_losses(losses)
        backward(wrappers[0], loss_action)
        values: dict = {}
        if self.privacy_branch is not None:
            with wrappers[1].optim_context(self.privacy_branch):
                losses = self._privacy_loss(views.show(shown))
                loss_privacy, values = self.parse_losses(losses)
            backward(wrappers[1], loss_privacy)
        # Both update at the end, so that a check of the gradients can still skip both updates.
        update(*wrappers)
        self._follow_action_loss(loss_action)
        return log_values(action_values, values)

    @contextmanager
    def _optim_contexts(self, optim_wrapper: OptimWrapperDict) -> Iterator[None]:
        """Enter the contexts of all networks that learn in the phase ``anonymizer``."""
        with ExitStack() as contexts:
            for name in self.phases['anonymizer']:
                contexts.enter_context(optim_wrapper[name].optim_context(getattr(self, name)))
            yield

    def _follow_action_loss(self, loss: Tensor) -> None:
        """Take an L_T by which f_T learns into the running mean, if there is one."""
        if self.mean_action_loss is not None:
            mean = loss.detach().to(self.mean_action_loss)
            all_reduce(mean, 'mean')  # omega is the same in all processes
            self.mean_action_loss.lerp_(mean, 1 - _MEAN_DECAY)

    def _reproduce(self, clips: Tensor) -> Tensor:
        """Run f_A on clips that it should reproduce."""
        return self._rewrite(clips)[0]

    measure_readiness = measure_readiness

    # -- the losses, for subclasses to change ------------------------------------------------

    def _utility_loss(self, batch: dict) -> dict[str, Tensor]:
        """Return the losses of f_T, which f_T and f_A minimise; their sum is L_T.

        Args:
            batch (dict): ``inputs``, anonymized clips in the recognizer's layout and in [0, 1], and
                ``data_samples``.
        """
        inputs, samples = self._normalize(batch['inputs'], batch['data_samples'])
        return _callable(self.recognizer)(inputs, samples, mode='loss')

    def _privacy_loss(self, batch: dict, mode: str = 'loss') -> dict[str, Tensor]:
        """Return the losses of f_B, or those of f_A against it (``mode='confuse'``).

        Args:
            batch (dict): ``inputs``, anonymized views, (N, 3, H, W) each and in [0, 1], and
                ``data_samples`` or None.
            mode (str): ``'loss'`` or ``'confuse'``. Defaults to ``'loss'``.
        """
        if self.privacy_branch is None:
            return {}
        return _callable(self.privacy_branch)(batch['inputs'], batch['data_samples'], mode=mode)

    def _anonymizer_losses(
        self, source: str, raw: Sequence[Tensor], rewritten: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """Return further losses of f_A in the phase ``anonymizer``; by default none.

        Args:
            source (str): ``'privacy'`` for the views, then ``'action'`` for the clips: f_A passes
                them one after the other, and the losses of each are backpropagated apart.
            raw (Sequence[Tensor]): Clips (N, T, 3, H, W) in [0, 1]; a view is a clip of one frame.
            rewritten (Sequence[Tensor]): The output of f_A for each, with gradients.

        Returns:
            dict[str, Tensor]: Values to log; those with ``loss`` in their names are minimised.
        """
        return {}

    def _with_clips(self, batch: dict, clips: Tensor) -> dict:
        """Return an action batch with other clips, (N, T, 3, H, W)."""
        inputs = unfold_frames(clips.flatten(0, 1), batch['inputs'], self.format_shape)
        return dict(batch, inputs=inputs)

    def _current_privacy_weight(self) -> float | Tensor:
        """Return omega, lowered where the recognizer is to be spared."""
        if self.max_action_loss is None:
            return self.privacy_weight
        spared = self.max_action_loss / self.mean_action_loss.clamp(min=self.max_action_loss)
        return self.privacy_weight * spared

    def opponents(self) -> list[nn.Module]:
        """Return f_T and f_B, as far as they are frozen while f_A learns."""
        names = [n for n in self.phases['adversaries'] if n not in self.phases['anonymizer']]
        return [getattr(self, name) for name in names]

    def _adversaries(self) -> list[nn.Module]:
        return [getattr(self, name) for name in self.phases['adversaries']]

    def _views(self, batch: dict) -> Views:
        if self.privacy_branch is None and 'privacy' not in batch:
            return Views([], None)
        keeps_clips = takes_clips(unwrapped(self.anonymizer))
        return choose_views(batch, self.format_shape, self.view_distance, keeps_clips)

    def _plain_clips(self, batch: dict) -> list[Tensor]:
        keeps_clips = takes_clips(unwrapped(self.anonymizer))
        return choose_plain_clips(batch, self.format_shape, self.reconstruction_frames, keeps_clips)


def _callable(module: nn.Module) -> nn.Module:
    """Return the network to call: its distributed wrapper in training, else the network itself.

    The wrapper expects a backward pass.
    """
    return module if module.training else unwrapped(module)
