"""A frozen anonymizer in front of any model of MMAction2 or MMPretrain.

The anonymizer stays in eval mode and without gradients, also after ``train()``,
``requires_grad_()`` or ``init_weights()`` of the model around it. It computes in the precision of
its weights, float32 unless the model is cast, also under automatic mixed precision, so that all
models see the same anonymized frames.

Its weights are part of the model's ``state_dict()``, as ``data_preprocessor.anonymizer.*``, so the
model's checkpoints hold them. They are loaded by these rules:

1. At construction the weights come from ``checkpoint``, else from the anonymizer's ``init_cfg``,
   else they are random, with a warning. If the file does not exist, a state dict loaded later must
   hold the weights; using the anonymizer earlier (``forward``, ``init_weights``) raises a
   ``FileNotFoundError``.
2. A loaded state dict with anonymizer weights replaces the present ones, with a warning where they
   differ. All weights must be in it, in their shapes; else a ``RuntimeError`` is raised, even with
   ``strict=False``.
3. A loaded state dict without anonymizer weights, for instance of a model trained on raw videos,
   leaves the weights of ``checkpoint``, ``init_cfg`` or an earlier state dict as they are. Without
   such a source a ``RuntimeError`` is raised, even with ``strict=False``.

An anonymizer without weights needs none. It refuses a state dict with anonymizer weights, which is
of a model behind another anonymizer. These rules do not apply to loading a part of the model, such
as its backbone.

With ``cache=dict(folder=..., max_gib=4.0)`` each frame is anonymized once for all epochs, and for
all processes that attack the same anonymizer (:class:`~.anonymized_cache.AnonymizedCache`). The
output is rounded to uint8, as in a video file. The cache pays where frames are repeated: in
pipelines without augmentation. Augmentations then follow the anonymizer. Anonymizers that are
random, need boxes or take clips cannot have a cache, but for a :class:`GaussianChannel` around one
that can have one: what it sends is kept, and noise is drawn anew each time. The identity, which
costs nothing, gets none.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice

import torch
from mmaction.registry import MODELS
from mmengine.logging import print_log
from torch import Tensor, nn

from .anonymized_cache import AnonymizedCache
from .anonymizers import (
    IdentityAnonymizer,
    has_cacheable_signal,
    is_cacheable,
    shares_noise,
    takes_clips,
)
from .anonymizers.checkpoint import describe_mismatch, find_config, load_checkpoint, load_weights
from .frames import map_chunks
from .frozen import freeze
from .memory_format import use_channels_last
from .rewrite import draw_noise


class AnonymizingMixin:
    """Put a frozen anonymizer in front of a data preprocessor (rules: docstring of the module)."""

    def __init__(
        self,
        anonymizer: dict | None = None,
        checkpoint: str | None = None,
        max_frames_per_pass: int | None = 256,
        cache: dict | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if max_frames_per_pass is not None and max_frames_per_pass < 1:
            raise ValueError(
                f'max_frames_per_pass of {type(self).__name__} must be 1 or more, or None, but is '
                f'{max_frames_per_pass}.'
            )
        self.max_frames_per_pass = max_frames_per_pass
        #: Source of the weights; None while they are random.
        self._source = None
        #: Error message while the weights are missing.
        self._absence = None
        self.anonymizer, config = self._build_anonymizer(anonymizer, checkpoint)
        #: Cache of anonymized frames; None without a cache.
        self.cache = None if cache is None else self._build_cache(config, cache)
        freeze(self.anonymizer)
        if shares_noise(self.anonymizer):
            self._noise_salt = int(torch.randint(2**62, ()))
        # Without gradients channels-last is the faster format on every device.
        use_channels_last(self.anonymizer, trained=False)

    def _build_anonymizer(
        self, config: dict | None, filename: str | None
    ) -> tuple[nn.Module, dict]:
        content = None
        if filename is not None:
            try:
                content = load_checkpoint(filename)
            except FileNotFoundError:
                self._absence = (
                    f'The checkpoint {filename} of the anonymizer does not exist: correct '
                    f'checkpoint of {type(self).__name__}, or set it to None where the weights '
                    "come with the model's own checkpoint."
                )
        if config is None:
            if filename is None:
                raise ValueError(
                    f'{type(self).__name__} has neither an anonymizer nor a checkpoint that names '
                    "one: give anonymizer=dict(type=...) or a minimax training's checkpoint."
                )
            if content is None:
                raise FileNotFoundError(
                    f'The checkpoint {filename}, which would name the anonymizer, does not exist: '
                    f'correct checkpoint of {type(self).__name__}, or give anonymizer=dict(...).'
                )
            config = find_config(content, filename)
        # The scope of the minimax training, also in a model of MMPretrain, which has another scope.
        anonymizer = MODELS.build(dict(dict(_scope_='mmaction'), **config))
        if not anonymizer.state_dict():
            self._absence = None
        elif content is not None:
            load_weights(anonymizer, content, filename)
            self._source = filename
        elif filename is None and _has_init_cfg(anonymizer):
            try:
                anonymizer.init_weights()
                self._source = 'its init_cfg'
            except FileNotFoundError as error:
                self._absence = f'The anonymizer lacks the file of its init_cfg. {error}'
        elif filename is None:
            print_log(
                f'The {type(anonymizer).__name__} of {type(self).__name__} has random weights, as '
                'there is neither a checkpoint nor an init_cfg; load a checkpoint that holds them.',
                logger='current',
                level=logging.WARNING,
            )
        return anonymizer, config

    def _build_cache(self, config: dict, settings: dict) -> AnonymizedCache | None:
        if not is_cacheable(self.anonymizer) and not has_cacheable_signal(self.anonymizer):
            raise ValueError(
                f'cache of {type(self).__name__} cannot keep frames of '
                f'{type(self.anonymizer).__name__}, since a frame alone does not decide what '
                'becomes of it (it draws, takes clips or needs boxes): set cache=None.'
            )
        cache = AnonymizedCache(config, self.to_rgb, **settings)
        return None if isinstance(self.anonymizer, IdentityAnonymizer) else cache

    def train(self, mode: bool = True) -> nn.Module:
        """Set the mode of everything except the anonymizer, which stays in eval mode."""
        super().train(mode)
        self.anonymizer.eval()
        return self

    def apply(self, fn: Callable[[nn.Module], None]) -> nn.Module:
        """Apply ``fn``, such as an initialisation, to everything except the anonymizer."""
        for child in self.children():
            if child is not self.anonymizer:
                child.apply(fn)
        fn(self)
        return self

    def init_weights(self) -> None:
        """Leave the weights as they are.

        Raises:
            FileNotFoundError: If the file with the weights does not exist.
        """
        self._require_weights()

    def _require_weights(self) -> None:
        if self._absence is not None:
            raise FileNotFoundError(self._absence)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args) -> None:
        prefix_ = f'{prefix}anonymizer.'
        own = self.anonymizer.state_dict()
        given = {k[len(prefix_) :]: v for k, v in state_dict.items() if k.startswith(prefix_)}
        if given:
            self._check_loaded(own, given, prefix_)
            self._absence = None
        elif own:
            if self._source is None:
                raise RuntimeError(
                    f'The loaded checkpoint has no {prefix_}*, and the anonymizer has no weights '
                    f'from elsewhere: set checkpoint of {type(self).__name__} to an existing '
                    'checkpoint of the minimax training.'
                )
            # Otherwise they would count as missing keys.
            state_dict.update({prefix_ + name: value for name, value in own.items()})
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _check_loaded(self, own: dict, given: dict, prefix: str) -> None:
        mismatch = describe_mismatch(self.anonymizer, given)
        if mismatch:
            raise RuntimeError(
                f'The loaded checkpoint has another anonymizer than '
                f'{type(self.anonymizer).__name__}, under {prefix}* it has {mismatch}: use the '
                'anonymizer config it was trained with.'
            )
        is_same = all(torch.equal(value.to(own[name]), own[name]) for name, value in given.items())
        if self._source is not None and not is_same:
            print_log(
                f'The anonymizer of the loaded checkpoint replaces that of {self._source}, from '
                'which it differs.',
                logger='current',
                level=logging.WARNING,
            )
        if self._source is None or not is_same:
            self._source = 'a checkpoint loaded before'

    @property
    def _needs_boxes(self) -> bool:
        return getattr(self.anonymizer, 'needs_boxes', False)

    @torch.no_grad()
    def _anonymize(
        self,
        clips: Tensor,
        boxes: Sequence[Tensor] | None,
        clips_per_video: int = 1,
        videos: Sequence[str | None] = (),
    ) -> Tensor:
        """Anonymize clips in the colour order and range of the base class.

        Args:
            clips (Tensor): (N, T, 3, H, W) in [0, 255], of any type, or uint8 with a cache; BGR if
                the base class converts them to RGB. An image is a clip of one frame.
            boxes (Sequence[Tensor], optional): Boxes of persons, (K, 4) for each frame.
            clips_per_video (int): Number of successive clips that are of one video and share its
                noise. Defaults to 1.
            videos (Sequence[str | None]): The name of each clip's video, where clips of one video
                come in several batches; None for a video of its own. Defaults to no names.

        Returns:
            Tensor: Float, same shape, order and range.
        """
        self._require_weights()
        if clips.shape[2] != 3:
            raise ValueError(
                f'{type(self).__name__} got inputs of {clips.shape[2]} channels, but anonymizers '
                'take RGB frames: use a pipeline that gives 3 channels.'
            )
        floats = (t.dtype for t in self.anonymizer.parameters() if t.is_floating_point())
        dtype = next(floats, torch.float32)
        remaining = iter(boxes or ())
        frames = clips if takes_clips(self.anonymizer) else clips.flatten(0, 1)

        noise = ()
        if shares_noise(self.anonymizer):
            noise = (self._shared_noise(clips.to(dtype), clips_per_video, videos),)

        def anonymize(part: Tensor, shared: Tensor | None = None) -> Tensor:
            count = part.shape[:-3].numel()
            boxes = (list(islice(remaining, count)),) if self._needs_boxes else ()
            options = {} if shared is None else dict(shared=shared)
            part = part.to(dtype) / 255
            if self.to_rgb:
                part = self.anonymizer(part.flip(-3), *boxes, **options).flip(-3)
            else:
                part = self.anonymizer(part, *boxes, **options)
            # The model behind it chooses its own memory format.
            return part.contiguous() * 255

        with torch.autocast(frames.device.type, enabled=False):
            chunk = self.max_frames_per_pass
            if self.cache is None:
                return map_chunks(anonymize, frames, chunk, *noise).reshape(clips.shape)
            if frames.dtype != torch.uint8:
                raise ValueError(
                    f'{type(self).__name__} has a cache, which is for uint8 frames that come again,'
                    f' but got {frames.dtype}: take what augments out of the pipeline and put it '
                    'behind the anonymizer (augment=dict(...) of the preprocessor), or set '
                    'cache=None.'
                )
            if noise:
                return self._send_cached(clips, dtype, *noise)
            run = partial(map_chunks, anonymize, chunk=chunk)
            return self.cache(self.anonymizer, run, frames).to(dtype).reshape(clips.shape)

    def _send_cached(self, clips: Tensor, dtype: torch.dtype, shared: Tensor) -> Tensor:
        """Add noise to the kept signals of clips, as :meth:`_anonymize` does without a cache."""

        def find_signal(part: Tensor) -> Tensor:
            part = part.to(dtype) / 255
            return self.anonymizer.find_signal(part.flip(-3) if self.to_rgb else part)

        size = clips.shape[-2:]
        run = partial(map_chunks, find_signal, chunk=self.max_frames_per_pass)
        small = self.anonymizer.noise_size(*size)
        signal = self.cache(self.anonymizer, run, clips.flatten(0, 1), small).to(dtype)
        sent = self.anonymizer.send(signal.unflatten(0, clips.shape[:2]), size, shared)
        return (sent.flip(-3) if self.to_rgb else sent).contiguous() * 255

    def _shared_noise(
        self, clips: Tensor, clips_per_video: int, videos: Sequence[str | None]
    ) -> Tensor:
        """Draw noise (N, 3, H, W) for each clip's video; a named video gets the same each time."""
        noise = draw_noise(clips, clips_per_video)
        for index, video in enumerate(videos):
            if video is not None:
                name = f'{self._noise_salt} {video}'.encode()
                seed = int.from_bytes(hashlib.blake2b(name, digest_size=4).digest(), 'big')
                generator = torch.Generator().manual_seed(seed)
                noise[index] = torch.randn(noise[index].shape, generator=generator)
        return noise

    @staticmethod
    def _videos_of(data_samples: Sequence | None, training: bool) -> list[str | None]:
        """Return the names of the videos in a test; training needs none, as its noise is new."""
        if training:
            return []
        return [sample.metainfo.get('video_id') for sample in data_samples or ()]

    def _boxes_of(
        self,
        inputs: Sequence[Tensor],
        data_samples: Sequence | None,
        padded_size: Sequence[int] | None = None,
    ) -> list[Tensor] | None:
        """Return one (K, 4) tensor for each frame of the batch, None where they are not needed.

        Args:
            inputs (Sequence[Tensor]): The frames of each sample, (..., H, W).
            data_samples (Sequence, optional): Data samples with ``person_boxes`` in their metainfo.
            padded_size (Sequence[int], optional): Height and width of the frames after padding at
                the right and at the bottom.
        """
        if not self._needs_boxes:
            return None
        boxes = []
        for index, clip in enumerate(inputs):
            sample = data_samples[index] if data_samples is not None else None
            entry = None if sample is None else sample.metainfo.get('person_boxes')
            if entry is None:
                raise ValueError(
                    f'{type(self.anonymizer).__name__} needs the boxes of persons, but the batch '
                    'has none: give the config a box_file (docs/person_boxes.md), or add '
                    "LoadPersonBoxes after decoding to the pipeline, and 'person_boxes' to "
                    'meta_keys of its packing transform.'
                )
            height, width = clip.shape[-2:]
            num_frames = clip.numel() // (3 * height * width)
            if len(entry) != num_frames:
                raise ValueError(
                    f'A sample has person_boxes of {len(entry)} frames, but {num_frames} frames: '
                    'after LoadPersonBoxes use only transforms that keep the boxes right (see '
                    'docs/person_boxes.md).'
                )
            rows, columns = padded_size or (height, width)
            scale = torch.tensor([width / columns, height / rows] * 2)
            boxes += [torch.as_tensor(x, dtype=torch.float32).reshape(-1, 4) * scale for x in entry]
        return boxes


def _has_init_cfg(network: nn.Module) -> bool:
    """Tell whether the ``init_cfg`` of the network or of its children covers all of its state."""
    if getattr(network, 'init_cfg', None):
        return True
    children = [child for child in network.children() if child.state_dict()]
    own = [*network.parameters(recurse=False), *network.buffers(recurse=False)]
    return bool(children) and not own and all(map(_has_init_cfg, children))
