"""A test of all steps of a training by a small batch, before the training."""

import copy
import time

import torch
from mmaction.evaluation import AccMetric
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner, autocast
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

from ..datasets.label_range import check_labels
from ..models.minimax import MinimaxAnonymization
from ..models.unwrapped import unwrapped
from ..registration import register
from .explain import describe, explain
from .phase_hook import MinimaxPhaseHook
from .unchanged import exchanges_gradients, resting, unchanged

#: Number of samples in the batch: BatchNorm needs two.
_SAMPLES = 2


@register(HOOKS)
class EarlyCheckHook(Hook):
    """Find errors within seconds that would end a training or a test after hours.

    Before a training the hook compares the labels with the classes of the heads, and runs a forward
    and backward pass of two samples and one prediction with its evaluation. The check changes
    nothing, so the training is the same, bit for bit. Before a test the hook compares the labels.
    It does not check whether a whole batch fits into the memory. ``MinimaxTrainLoop`` checks all
    coming phases itself, without this hook.

    Raises:
        ValueError: If labels are out of range.
        RuntimeError: If a phase or the prediction fails: one sentence, from the original error.
    """

    # Runs after the hooks that change the model.
    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        """Check a training, unless its loop does so itself."""
        if not isinstance(unwrapped(runner.model), MinimaxAnonymization):
            check_early(runner)

    def before_test(self, runner: Runner) -> None:
        """Compare the labels of the test with the model's classes."""
        _check_labels(runner, dict(action=runner.test_loop.dataloader))


def check_early(runner: Runner) -> None:
    """Run a small batch through each coming phase and one prediction, without changing anything.

    Samples are made in this process, so that the state of the workers does not change.

    Args:
        runner (Runner): The runner of a training, with model, optimizers and loops built and
            weights loaded.

    Raises:
        ValueError: If labels are out of range.
        RuntimeError: If a phase or the prediction fails: one sentence, from the original error.
    """
    start = time.time()
    model = unwrapped(runner.model)
    loaders = getattr(runner.train_dataloader, 'loaders', dict(action=runner.train_dataloader))
    _check_labels(runner, loaders)
    if runner.val_loop is not None:
        _check_labels(runner, dict(action=runner.val_loop.dataloader))
    is_minimax = isinstance(model, MinimaxAnonymization)
    phases = _phases_to_come(runner) if is_minimax else [None]
    if not phases or runner.epoch >= (runner.max_epochs or runner.epoch + 1):
        return
    with unchanged(runner.model, runner.message_hub):
        least = getattr(getattr(model, 'privacy_branch', None), 'min_batch_size', 1)
        batches = {name: _small_batch(name, loader, least) for name, loader in loaders.items()}
        if None in batches.values():
            runner.logger.warning('Early check: data sets without an order are not checked.')
            return
        for phase in phases:
            # Blending of samples changes their labels in place.
            batch = copy.deepcopy(batches)
            if is_minimax:
                model.set_phase(phase)
            else:
                batch = batch['action']
            runner.model.train()
            what = f'the phase {phase!r}' if phase else 'a training step'
            with explain(what, 'model', model, describe(batches)):
                runner.model.train_step(batch, optim_wrapper=resting(runner.optim_wrapper))
            _check_gradients(runner.model)
            for parameter in model.parameters():
                parameter.grad = None
        _check_prediction(runner, model, batches['action'])
    done = ', '.join(phases) if is_minimax else 'a training step'
    runner.logger.info(
        f'Early check: {done} and a prediction of a small batch work '
        f'({time.time() - start:.1f} s; whether a whole one fits into the memory is not checked).'
    )


def _phases_to_come(runner: Runner) -> list[str]:
    stages = [s for hook in runner.hooks if isinstance(hook, MinimaxPhaseHook) for s in hook.stages]
    coming = {
        phase
        for stage in stages
        if stage.end > runner.epoch and stage.begin < runner.max_epochs
        for phase in stage.phases
    }
    return [phase for phase in unwrapped(runner.model).phases if phase in coming]


def _small_batch(name: str, loader: DataLoader, least: int = 1) -> dict | None:
    """Return a batch of a few samples, at most as many as in the loader's smallest batch.

    None for a data set without indices, as its samples would be lost for the training.
    """
    dataset = loader.dataset
    if isinstance(dataset, IterableDataset):
        return None
    sizes = [max(_SAMPLES, least), len(dataset), loader.batch_size or _SAMPLES]
    last = len(loader.sampler) % (loader.batch_size or 1)
    if last and not loader.drop_last:
        sizes.append(last)
    with explain(f'the {name} samples', f'the {name} data set', dataset, 'its files'):
        return loader.collate_fn([dataset[index] for index in range(min(sizes))])


def _check_prediction(runner: Runner, model: nn.Module, batch: dict) -> None:
    """Predict as in the validation; without a validation, predict training samples."""
    loop = runner.val_loop
    if loop is not None:
        batch = _small_batch('validation', loop.dataloader)
    if batch is None:
        return
    runner.model.eval()
    inputs = describe(dict(validation=batch))
    with explain('a prediction', 'model', model, inputs):
        with torch.no_grad(), autocast(enabled=getattr(loop, 'fp16', False)):
            predictions = runner.model.val_step(copy.deepcopy(batch))
    # Copied, as metrics keep the predictions.
    evaluator = copy.deepcopy(getattr(loop, 'evaluator', None))
    if evaluator is not None:
        with explain('a prediction', 'val_evaluator', evaluator, 'what the model predicts'):
            evaluator.process(data_samples=predictions, data_batch=batch)
            for metric in evaluator.metrics:
                # This metric accepts labels of any kind and fails only when it is computed.
                if isinstance(metric, AccMetric):
                    metric.compute_metrics(metric.results)


def _check_gradients(wrapped: nn.Module) -> None:
    """Refuse parameters without a gradient, with which distributed training fails."""
    for name, child in wrapped.named_modules():
        if not exchanges_gradients(child) or child.find_unused_parameters or child.static_graph:
            continue
        trained = [(n, p) for n, p in child.module.named_parameters() if p.requires_grad]
        idle = [n for n, p in trained if p.grad is None]
        if 0 < len(idle) < len(trained):
            raise ValueError(
                f'{len(idle)} parameters of {name.replace("module", "model", 1) or "model"} get no '
                f'gradient, the first being {idle[0]}, which distributed training does not '
                'survive; set model_wrapper_cfg.find_unused_parameters=True.'
            )


def _check_labels(runner: Runner, loaders: dict) -> None:
    """Compare the labels of each loader with the head that learns them."""
    model = unwrapped(runner.model)
    if isinstance(model, MinimaxAnonymization):
        heads = dict(
            action=('model.recognizer.cls_head', getattr(model.recognizer, 'cls_head', None)),
            privacy=('model.privacy_branch.head', getattr(model.privacy_branch, 'head', None)),
        )
    else:
        names = ('cls_head', 'head')
        heads = {f'model.{n}': getattr(model, n) for n in names if hasattr(model, n)}
        heads = dict(action=next(iter(heads.items()), (None, None)))
    for name, loader in loaders.items():
        key, head = heads.get(name, (None, None))
        classes = getattr(head, 'num_classes', None)
        if isinstance(classes, int):
            check_labels(loader.dataset, classes, f'{key}.num_classes')
