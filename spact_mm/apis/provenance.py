"""Statements of a checkpoint about its anonymizer: whether it was trained to hide anything."""

from collections.abc import Mapping, Sequence

from ..models.anonymizers.checkpoint import find_raw_config, read_config_entry

#: Keys of a config that hold hooks.
_HOOKS = ('custom_hooks', 'default_hooks')
#: Anonymizers that hide nothing, alone or in a row with one another.
_CONTROLS = {
    'IdentityAnonymizer': 'leaves raw video as it is',
    'NoiseAnonymizer': 'adds fresh noise and leaves the mean over frames',
    'RecolorAnonymizer': 'only recolours and can be undone',
}
#: The entry of a published checkpoint's meta data.
PUBLISHED_KEY = 'spact'


def describe_training(checkpoint: Mapping) -> dict:
    """Return a checkpoint's statements on the training of its anonymizer.

    They are read as data and are no proof: the author of a file can write anything.

    Args:
        checkpoint (Mapping): Checkpoint of a minimax training, of a model behind its anonymizer, or
            a published one.

    Returns:
        dict: ``phase``, the last one of the training (str), and ``minimax_epochs``, the number of
        finished epochs of the minimax (int); each None if the checkpoint does not say.
    """
    meta = _mapping(checkpoint.get('meta'))
    published = meta.get(PUBLISHED_KEY)
    if isinstance(published, Mapping):
        return dict(
            phase=_of_type(published.get('phase'), str),
            minimax_epochs=_of_type(published.get('minimax_epochs'), int),
        )
    hub = _mapping(_mapping(checkpoint.get('message_hub')).get('runtime_info'))
    phase = _of_type(hub.get('phase'), str)
    epochs = _count_minimax_epochs(checkpoint, _of_type(meta.get('epoch'), int))
    if epochs is None and phase == 'reconstruction':
        epochs = 0
    return dict(phase=phase, minimax_epochs=epochs)


def find_flaw(checkpoint: Mapping, config: Mapping | None = None) -> str:
    """Return the reason why a checkpoint's anonymizer hides nothing.

    Args:
        checkpoint (Mapping): As for :func:`describe_training`.
        config (Mapping, optional): The anonymizer's config if it is known from elsewhere. Defaults
            to None: the config in the checkpoint.

    Returns:
        str: A sentence's end, such as ``'its anonymizer is IdentityAnonymizer, ...'``; empty if the
        checkpoint gives no such reason.
    """
    config = config if config is not None else find_raw_config(checkpoint)
    last = _last_stage(config)
    if last.get('type') == 'IdentityAnonymizer' or _stage_types(config) <= _CONTROLS.keys():
        return f'its anonymizer ends in {last["type"]}, which {_CONTROLS[last["type"]]}'
    if str(_mapping(last.get('init_cfg')).get('prefix', '')).startswith('inverter'):
        return (
            'its anonymizer ends in the inverter of a reconstruction attack, which makes raw video '
            'of anonymized video'
        )
    if read_config_entry(checkpoint, 'model', 'type') == 'ReconstructionAttack':
        return 'it is of a reconstruction attack, which makes raw video of anonymized video'
    training = describe_training(checkpoint)
    if training['minimax_epochs'] == 0:
        phase = f' (in the phase {training["phase"]})' if training['phase'] else ''
        return (
            f'it was saved before an epoch of the minimax was over{phase}: until then f_A learns '
            'to give frames back as they are'
        )
    return ''


def _last_stage(config) -> Mapping:
    """Return the config of the stage that makes the output frames."""
    config = _mapping(config)
    stages = config.get('stages')
    while config.get('type') == 'SequentialAnonymizer' and _is_list(stages) and stages:
        config = _mapping(stages[-1])
        stages = config.get('stages')
    return config


def _stage_types(config) -> set:
    """Return the types of all stages of an anonymizer; None for a stage without a name."""
    types, waiting = set(), [_mapping(config)]
    while waiting:
        stage = waiting.pop()
        kind, stages = stage.get('type'), stage.get('stages')
        if kind == 'SequentialAnonymizer' and _is_list(stages) and stages:
            waiting += map(_mapping, stages)
        else:
            types.add(kind if isinstance(kind, str) else None)
    return types


def _count_minimax_epochs(checkpoint: Mapping, done: int | None) -> int | None:
    """Count the finished epochs with a phase ``anonymizer``; None if they are unknown."""
    schedule = _find_schedule(checkpoint)
    if schedule is None or done is None:
        return None
    count, begin = 0, 0
    for entry in schedule:
        phases, epochs = _mapping(entry).get('phase'), _mapping(entry).get('epochs')
        if type(epochs) is not int or not isinstance(phases, (str, list, tuple)):
            return None
        if 'anonymizer' in ([phases] if isinstance(phases, str) else phases):
            count += min(max(done - begin, 0), epochs)
        begin += epochs
    return count


def _find_schedule(checkpoint: Mapping) -> Sequence | None:
    for name in _HOOKS:
        hooks = read_config_entry(checkpoint, name)
        hooks = list(hooks.values()) if isinstance(hooks, Mapping) else hooks
        for hook in hooks if _is_list(hooks) else ():
            if _mapping(hook).get('type') == 'MinimaxPhaseHook' and _is_list(hook.get('schedule')):
                return hook['schedule']
    return None


def _mapping(value) -> Mapping:
    return value if isinstance(value, Mapping) else {}


def _is_list(value) -> bool:
    return isinstance(value, (list, tuple))


def _of_type(value, kind: type):
    return value if type(value) is kind else None
