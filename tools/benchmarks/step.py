"""``step``: a minimax round, compared with a plain loop of the same weights and data."""

from itertools import pairwise
from pathlib import Path

import torch
from estimate_memory import find_shapes
from mmaction.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.compare import Variant
from benchmarks.plain_minimax import PlainRound

#: Largest difference of a parameter, relative to the largest value of its tensor, after a round
#: in float64.
TOLERANCE = 1e-8
CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'spact_r3d_ucf101.py'


class Round:
    """Networks, optimizers and one batch; :meth:`run` does ``anonymizer`` then ``adversaries``.

    Args:
        loop (str): ``'spact_mm'`` or ``'plain'``.
        config (str): A minimax config with a contrastive privacy branch.
        clips (int): Clips in the batch.
        pairs (int): Images in the batch, two views each.
        device (str): ``'cpu'`` or ``'cuda'``.
        double (bool): Compute in float64.
        amp (str, optional): Mixed precision in ``'bfloat16'`` or ``'float16'``.
        channels_last (bool): Keep the networks' weights channels-last.
        compiled (bool): Compile the networks.
        cfg_options (dict, optional): Changes of the config.
    """

    def __init__(
        self,
        loop: str,
        config: str,
        clips: int,
        pairs: int,
        device: str = 'cpu',
        double: bool = False,
        amp: str | None = None,
        channels_last: bool = False,
        compiled: bool = False,
        cfg_options: dict | None = None,
    ) -> None:
        cfg = Config.fromfile(config)
        cfg.merge_from_dict(cfg_options or {})
        cfg.model.channels_last = channels_last
        cfg.model.max_action_loss = None  # as in the paper
        init_default_scope('mmaction')
        set_random_seed(0)
        self.model = MODELS.build(cfg.model)
        self.model.init_weights()
        self.model.to(device)
        if double:
            self.model.double()
        self.data = _draw_batch(cfg, self.model, clips, pairs)
        children = ('anonymizer', 'recognizer', 'privacy_branch')
        if double:
            _freeze_unused_biases(self.model)
        self._round = self._ours
        if loop == 'plain':
            self._round = self._plain
            self._plain_round = PlainRound(
                *(getattr(self.model, name) for name in children),
                {name: cfg.optim_wrapper[name].optimizer.lr for name in children},
                self.model.privacy_weight,
                self.model.privacy_branch.loss_module.temperature,
            )
        else:
            wrappers = dict(cfg.optim_wrapper)
            constructor = OPTIM_WRAPPER_CONSTRUCTORS.get(wrappers.pop('constructor'))
            if amp is not None:
                scale = 'dynamic' if amp == 'float16' else 1.0
                wrappers.update(type='AmpOptimWrapper', dtype=amp, loss_scale=scale)
            self.optim_wrapper = constructor(wrappers)(self.model)
            if compiled:
                # The same as MMEngine's runner does for compile=True in a config.
                self.model.train_step = torch.compile(self.model.train_step)

    def run(self) -> None:
        """Do a round."""
        # Dropout draws the same numbers in each variant.
        torch.manual_seed(0)
        self._round()

    def _ours(self) -> None:
        for phase in ('anonymizer', 'adversaries'):
            self.model.set_phase(phase)
            self.model.train_step(self.data, self.optim_wrapper)

    def _plain(self) -> None:
        # Collating and scaling the batch is the same for all variants.
        batch = self.model.data_preprocessor(self.data, True)
        action, views = batch['action'], batch['privacy']['inputs']
        self._plain_round(action['inputs'], action['data_samples'], views)

    def flops(self) -> dict:
        """Return the floating-point operations of a round (convolutions and matrix products)."""
        with FlopCounterMode(display=False) as counter:
            self.run()
        return dict(flops=counter.get_total_flops())

    def save(self, file: str) -> dict:
        """Write all parameters and running statistics to a file."""
        torch.save(self.model.state_dict(), file)
        return {}


def _draw_batch(cfg: Config, model: nn.Module, clips: int, pairs: int) -> dict:
    shape, size = find_shapes(cfg)
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)

    classes = model.recognizer.cls_head.num_classes
    samples = [ActionDataSample().set_gt_label(index % classes) for index in range(clips)]
    action = dict(inputs=[draw(*shape) for _ in range(clips)], data_samples=samples)
    views = [[draw(3, size, size) for _ in range(pairs)] for _ in range(2)]
    return dict(action=action, privacy=dict(inputs=views))


def _freeze_unused_biases(model: nn.Module) -> None:
    """Freeze biases before a BatchNorm, for the comparison of parameters only.

    Their true gradient is zero, and Adam makes steps of full length from rounding errors.
    """
    for block in model.modules():
        if isinstance(block, nn.Sequential):
            for layer, following in pairwise(block):
                if isinstance(following, nn.BatchNorm2d) and layer.bias is not None:
                    layer.bias.requires_grad_(False)


def largest_difference(first: str, second: str) -> tuple[float, str]:
    """Return the largest relative difference of two files of :meth:`Round.save`, and its place."""
    a, b = (torch.load(file, weights_only=True) for file in (first, second))
    differences = {}
    for name, value in a.items():
        scale = value.abs().max().clamp(min=1e-12) if value.is_floating_point() else 1
        differences[name] = float((value - b[name]).abs().max() / scale)
    worst = max(differences, key=differences.get)
    return differences[worst], worst


#: Baseline of a variant by its handling of pages: the plain loop with glibc's default, or with
#: returned pages.
BASELINES = dict(default='plain', kept='plain', returned='plain, returned pages')


def variants(options: dict) -> dict[str, Variant]:
    """Return the variants by name.

    Args:
        options (dict): Common options: ``config``, ``clips``, ``pairs``, ``device``.
    """
    plain, ours = dict(options, loop='plain'), dict(options, loop='spact_mm')
    # Passes without gradients are in parts, too.
    saving = {'model.anonymizer.with_cp': True, 'model.max_frames_per_pass': 16}
    saving = dict(ours, cfg_options=saving)
    children = ('anonymizer', 'recognizer', 'privacy_branch')
    fused = {f'optim_wrapper.{name}.optimizer.fused': True for name in children}
    found = [
        Variant('plain', 'step', plain),
        Variant('plain, kept pages', 'step', plain, pages='kept'),
        Variant('plain, returned pages', 'step', plain, pages='returned'),
        Variant('spact_mm', 'step', ours, pages='kept'),
        Variant('spact_mm, default pages', 'step', ours),
        Variant('checkpointing', 'step', saving, pages='kept'),
        Variant('checkpointing, default pages', 'step', saving),
        Variant('checkpointing, returned pages', 'step', saving, pages='returned'),
        Variant('fused Adam', 'step', dict(ours, cfg_options=fused), pages='kept'),
        Variant('channels-last', 'step', dict(ours, channels_last=True), pages='kept'),
        Variant('bfloat16', 'step', dict(ours, amp='bfloat16'), pages='kept'),
        Variant('float16', 'step', dict(ours, amp='float16'), pages='kept'),
        Variant('compiled', 'step', dict(ours, compiled=True), pages='kept'),
        Variant(
            'bfloat16, channels-last, compiled',
            'step',
            dict(ours, amp='bfloat16', channels_last=True, compiled=True),
            pages='kept',
        ),
    ]
    return {variant.name: variant for variant in found}
