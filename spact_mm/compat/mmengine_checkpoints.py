"""Gaps of MMEngine through which a checkpoint's contents could run code or remove files."""

import os

from ..safe_checkpoint import load_from_ceph, load_from_local, load_from_pavi, load_from_url


def load_checkpoints_restricted() -> None:
    """Make every checkpoint loader of MMEngine refuse pickles that could run code.

    MMEngine leaves ``weights_only`` to torch's default. With this default torch cannot read
    MMEngine's own checkpoints, because they hold ``HistoryBuffer`` objects, and an environment
    variable turns the default off. Torch also trusts the sizes in a file and ignores its checksums.
    Remove this when MMEngine stores plain types and loads with ``weights_only=True``, and torch
    checks sizes and checksums.
    """
    from mmengine.runner import checkpoint as module

    module.load_url = load_from_url
    register = module.CheckpointLoader.register_scheme
    register(prefixes='', loader=load_from_local, force=True)
    register(prefixes=[r'(\S+\:)?s3://', r'(\S+\:)?petrel://'], loader=load_from_ceph, force=True)
    register(prefixes='pavi://', loader=load_from_pavi, force=True)
    upstream = module.load_from_openmmlab

    def load_from_openmmlab(filename, map_location=None):
        # Names in a user's own open_mmlab.json may stand for local files, which upstream would read
        # without this loader.
        target = module.get_external_models().get(filename.split('://', 1)[1], 'https://')
        if target.startswith(('http://', 'https://')):
            return upstream(filename, map_location)
        return load_from_local(os.path.join(module._get_mmengine_home(), target), map_location)

    register(prefixes=['open-mmlab://', 'openmmlab://'], loader=load_from_openmmlab, force=True)


def never_run_what_a_checkpoint_holds() -> None:
    """Keep MMEngine from running the text of a config that a checkpoint holds.

    ``Runner.resume`` (``tools/train.py --resume``) runs ``meta['config']``, an entry of MMCV 1, to
    compare numbers of GPUs. An inferencer with weights and no model runs ``meta['cfg']`` or the
    config in the message hub. Here ``meta['config']`` is dropped and such an inferencer is refused;
    ``meta['cfg']`` stays as text. Remove this when MMEngine reads these entries as data.
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

    The hook takes the path of the best checkpoint from the message hub of the resumed file. Once
    there is a better checkpoint, it removes the file or the whole folder at that path. With this
    work-around a path elsewhere (in a stranger's file, or after a run was copied) stands for the
    file of that name in the hook's own folder, or for no file. Remove this when MMEngine keeps
    names instead of paths.
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
