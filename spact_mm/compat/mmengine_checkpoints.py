"""Gaps of MMEngine that let the contents of a checkpoint do more than be read."""

import os

from ..safe_checkpoint import load_from_ceph, load_from_local, load_from_pavi, load_from_url


def load_checkpoints_restricted() -> None:
    """Make every checkpoint loader of MMEngine refuse pickles that could run code.

    MMEngine leaves ``weights_only`` to torch's default, which cannot read MMEngine's own
    checkpoints, because they hold ``HistoryBuffer`` objects, and which a variable of the
    environment turns off. And torch believes the sizes in a file and does not look at its
    checksums. Can go when MMEngine stores plain types and loads with ``weights_only=True``, and
    torch checks both.
    """
    from mmengine.runner import checkpoint as module

    module.load_url = load_from_url
    register = module.CheckpointLoader.register_scheme
    register(prefixes='', loader=load_from_local, force=True)
    register(prefixes=[r'(\S+\:)?s3://', r'(\S+\:)?petrel://'], loader=load_from_ceph, force=True)
    register(prefixes='pavi://', loader=load_from_pavi, force=True)
    upstream = module.load_from_openmmlab

    def load_from_openmmlab(filename, map_location=None):
        # Names of a user's own open_mmlab.json may stand for local files, which upstream reads by
        # itself.
        target = module.get_external_models().get(filename.split('://', 1)[1], 'https://')
        if target.startswith(('http://', 'https://')):
            return upstream(filename, map_location)
        return load_from_local(os.path.join(module._get_mmengine_home(), target), map_location)

    register(prefixes=['open-mmlab://', 'openmmlab://'], loader=load_from_openmmlab, force=True)


def never_run_what_a_checkpoint_holds() -> None:
    """Keep MMEngine from running the text of a config that a checkpoint holds.

    ``Runner.resume`` (``tools/train.py --resume``) runs ``meta['config']``, which MMCV 1 wrote, to
    compare numbers of GPUs; an inferencer that has weights and no model runs ``meta['cfg']`` or
    that of the message hub. The first is dropped, the second is refused; ``meta['cfg']`` stays
    there as text. Can go when MMEngine reads them as data.
    """
    from mmengine.infer import BaseInferencer
    from mmengine.runner import CheckpointLoader

    load, init_model = CheckpointLoader.load_checkpoint, BaseInferencer._init_model

    def load_checkpoint(cls, *args, **kwargs):
        checkpoint = load(*args, **kwargs)
        meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
        if isinstance(meta, dict):
            meta.pop('config', None)
        return checkpoint

    def _init_model(self, cfg, weights, device='cpu'):
        if not cfg:
            raise ValueError(
                f'The config in {weights} is not run, as it is a program and could do anything: '
                'give model=, the config file that the checkpoint was trained with.'
            )
        return init_model(self, cfg, weights, device)

    CheckpointLoader.load_checkpoint = classmethod(load_checkpoint)
    BaseInferencer._init_model = _init_model


def keep_files_that_a_checkpoint_names() -> None:
    """Keep ``CheckpointHook`` from removing files outside its folder after ``--resume``.

    It takes the path of the best checkpoint from the message hub of the resumed file, and removes
    what is there, a whole folder too, once there is a better one. A path elsewhere (a file of a
    stranger, or a run that was copied) now stands for the file of that name in the hook's own
    folder, or for none. Can go when MMEngine keeps names instead of paths.
    """
    from mmengine.hooks import CheckpointHook

    upstream = CheckpointHook.before_train

    def before_train(self, runner) -> None:
        info = runner.message_hub.runtime_info
        kept = info.get('keep_ckpt_ids', [])
        if not isinstance(kept, list) or not all(type(number) is int for number in kept):
            raise ValueError(
                'The resumed checkpoint is damaged: keep_ckpt_ids in its message hub, by which '
                f'outdated checkpoints are removed, is {str(kept)[:100]} instead of a list of '
                'whole numbers; resume another one.'
            )
        upstream(self, runner)

        def own(path):
            name = os.path.basename(path) if isinstance(path, str) else ''
            path = self.file_backend.join_path(self.out_dir, name)
            return path if name and self.file_backend.isfile(path) else None

        if hasattr(self, 'best_ckpt_path'):
            self.best_ckpt_path = own(self.best_ckpt_path)
        for name, path in getattr(self, 'best_ckpt_path_dict', {}).items():
            self.best_ckpt_path_dict[name] = own(path)

    CheckpointHook.before_train = before_train
