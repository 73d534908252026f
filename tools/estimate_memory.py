"""Print a recipe's parameters and the memory its training needs, without its data or a GPU.

python tools/estimate_memory.py CONFIG [--cfg-options model.anonymizer.with_cp=True ...]

The memory that autograd keeps for the backward pass is measured on two clips and two images, with
each storage counted once, and scaled to the batch sizes of the config. The work space of the
convolutions and the overhead of the allocator are not included.
"""

import argparse
from collections.abc import Iterable

import torch
from mmaction.registry import MODELS
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from torch import Tensor, nn

import spact_mm  # noqa: F401
from spact_mm.config_keys import read_config
from spact_mm.models import takes_clips
from spact_mm.models.frames import as_clips
from spact_mm.models.frozen import frozen

GIB = 2**30


class SavedTensors(torch.autograd.graph.saved_tensors_hooks):
    """Sum the storages that autograd saves, without those of the parameters and ``known``."""

    def __init__(self, module: nn.Module, known: Iterable[Tensor] = ()) -> None:
        left_out = {t.untyped_storage().data_ptr() for t in [*module.parameters(), *known]}
        sizes = self._sizes = {}

        def pack(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in left_out:
                sizes[storage.data_ptr()] = storage.nbytes()
            return tensor

        super().__init__(pack, lambda tensor: tensor)

    @property
    def nbytes(self) -> int:
        """Bytes saved so far."""
        return sum(self._sizes.values())


def measure(module: nn.Module, inputs: Tensor | list[Tensor], **options) -> int:
    """Return the bytes kept for the backward pass after one forward pass, without the inputs."""
    saved = SavedTensors(module, [inputs] if isinstance(inputs, Tensor) else inputs)
    with saved:
        out = module(inputs, **options)
    nbytes = saved.nbytes
    del out
    return nbytes


def find_shapes(config: Config) -> tuple[tuple[int, ...], int]:
    """Return the shape of a clip (M, C, T, H, W) or (M, C, H, W) and the size of an image."""
    steps = {step['type'].split('.')[-1]: step for step in config.train_pipeline}
    if config.model.get('augmentation'):
        height, width = config.model.augmentation['size']
    elif 'RandomCrop' in steps:
        height = width = steps['RandomCrop']['size']
    else:
        width, height = steps['Resize']['scale']
    sampling = next(step for name, step in steps.items() if name.endswith('SampleFrames'))
    clips, length = sampling['num_clips'], sampling['clip_len']
    if steps['FormatShape']['input_format'] == 'NCTHW':
        return (clips, 3, length, height, width), height
    return (clips * length, 3, height, width), height


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    args = parser.parse_args()
    config = read_config(args.config, args.cfg_options)
    init_default_scope('mmaction')
    model = MODELS.build(config.model)

    clip_shape, size = find_shapes(config)
    clips = config.train_dataloader.batch_size
    privacy = config.get('privacy_dataloader')
    images = privacy.batch_size if privacy is not None else clips
    probe = torch.rand(2, *clip_shape)
    shown_clips = as_clips(probe, model.format_shape)
    views = torch.rand(2, 3, size, size)

    print(f'{"":16}{"parameters":>14}')
    for name, child in model.named_children():
        count = sum(p.numel() for p in child.parameters())
        if count:
            print(f'{name:16}{count:>14,}')
    total = sum(p.numel() for p in model.parameters())
    # float32 weights, gradients and Adam's two moments.
    print(f'{"all":16}{total:>14,}   with gradients and Adam {16 * total / GIB:6.2f} GiB\n')

    model.train()
    frames_per_batch = clips * shown_clips.shape[:2].numel() // 2
    shown = shown_clips[:1] if takes_clips(model.anonymizer) else shown_clips.flatten(0, 1)[:4]
    per_frame = measure(model.anonymizer, shown) / shown.shape[:-3].numel()
    normalized, _ = model._normalize(probe.requires_grad_(), [None, None])
    views = views.requires_grad_()

    def measure_adversaries() -> tuple[float, float]:
        """Return the bytes for f_T per clip, and for f_B per pair."""
        branch, per_pair = model.privacy_branch, 0.0
        if branch is not None:
            per_pair = measure(branch, [views, views], mode='tensor') / 2
        return measure(model.recognizer, normalized) / 2, per_pair

    per_clip, per_pair = measure_adversaries()
    opponents = model.opponents()
    for network in opponents:
        network.eval()
    with frozen(*opponents):
        per_clip_frozen, per_pair_frozen = measure_adversaries()
    rows = [
        ('f_A, clip frames', per_frame, frames_per_batch),
        ('f_A, two views', per_frame, 2 * images),
        ('f_T, step 1', per_clip_frozen, clips),
        ('f_B, two views, step 1', per_pair_frozen, images),
        ('f_T, step 2', per_clip, clips),
        ('f_B, two views, step 2', per_pair, images),
    ]
    print(f'{"activations":24}{"each (MiB)":>12}{"count":>8}{"GiB":>9}')
    for name, each, count in rows:
        print(f'{name:24}{each / 2**20:12.1f}{count:8}{each * count / GIB:9.2f}')
    clip_graph, view_graph, frozen_t, frozen_b, only_t, only_b = (
        each * count for _, each, count in rows
    )
    # The two losses of step 1 are backpropagated one after the other.
    step1 = max(clip_graph + frozen_t, view_graph + frozen_b)
    print(f'\nactivations, step 1 (anonymizer):  {step1 / GIB:6.2f} GiB')
    print(f'activations, step 2 (adversaries): {max(only_t, only_b) / GIB:6.2f} GiB')


if __name__ == '__main__':
    main()
