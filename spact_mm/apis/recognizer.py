"""A trained recognizer from its config and its checkpoint."""

import torch
from mmaction.apis import init_recognizer
from torch import nn

from ..models.anonymizers.checkpoint import describe_mismatch, load_checkpoint


def load_recognizer(config: str, checkpoint: str, device: str | torch.device = 'cpu') -> nn.Module:
    """Build a recognizer and fill it, strictly: MMAction2's ``init_recognizer`` only warns.

    Missing weights could be the anonymizer's; the recognizer would then see raw people.

    Args:
        config (str): Config file with a ``test_pipeline``, which ``inference_recognizer`` needs.
        checkpoint (str): A path or address that MMEngine knows.
        device (str | torch.device): Where to compute. Defaults to ``'cpu'``.

    Returns:
        nn.Module: The recognizer in eval mode.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If the config has no ``test_pipeline``, or the weights do not fit its model,
            including the anonymizer.
        RuntimeError: If neither the checkpoint nor the config gives weights for the anonymizer.
    """
    recognizer = init_recognizer(config, device=device)
    if 'test_pipeline' not in recognizer.cfg:
        raise ValueError(
            f'{config} has no test_pipeline, by which videos are read: add it at the top level.'
        )
    content = load_checkpoint(checkpoint)
    state = content.get('state_dict', content)
    state = {name.removeprefix('module.'): value for name, value in state.items()}
    # An anonymizer's weights may come from another file: the preprocessor has its own rules.
    own = {k: v for k, v in recognizer.state_dict().items() if k.startswith('data_preprocessor.')}
    mismatch = describe_mismatch(recognizer, own | state)
    if mismatch:
        raise ValueError(
            f'{checkpoint} is a checkpoint of another model than {config}, it has {mismatch}: '
            'use the config that its training left in its work dir.'
        )
    recognizer.load_state_dict(state, strict=False)
    return recognizer
