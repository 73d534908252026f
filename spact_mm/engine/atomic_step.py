"""Training iterations that are done completely or not at all."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn

#: Names of running statistics in PyTorch's layers.
STATISTICS = ('running_mean', 'running_var')


class _NonFiniteStep(ArithmeticError):
    """Raised to leave ``train_step`` before anything is updated."""


class AtomicStep:
    """A model's ``train_step`` that changes nothing if a loss or gradient is not finite.

    Before the first optimizer steps, three things are checked: the losses passed to
    ``OptimWrapper.backward``, the gradients of their optimizers, and the running statistics of
    BatchNorm. The check costs one synchronisation with the device in an iteration. If a number is
    not finite, no optimizer steps, all buffers of the model (running statistics, counters, running
    means) are restored, and the gradients are dropped. If one of several processes has to skip, all
    of them skip.

    Gradients under a dynamic loss scale (``AmpOptimWrapper`` with float16) may overflow: the scaler
    skips those steps and lowers the scale by itself. Such gradients count as an error only if the
    scale is 1 or less, or constant. With gradient accumulation a bad batch also discards the
    gradients accumulated before it.

    Args:
        model (nn.Module): The model as the runner holds it, wrapped or not.
        optim_wrapper (OptimWrapper | OptimWrapperDict): Its optimizers.
    """

    def __init__(self, model: nn.Module, optim_wrapper: OptimWrapper | OptimWrapperDict) -> None:
        self.train_step = model.train_step
        #: Reason why the last step was skipped; None if it was not.
        self.problem: str | None = None
        named = isinstance(optim_wrapper, OptimWrapperDict)
        self._wrappers = dict(optim_wrapper.items() if named else [('model', optim_wrapper)])
        self._buffers = [
            (module, name)
            for module in model.modules()
            for name, buffer in module._buffers.items()
            if buffer is not None
        ]
        self._before: list[tuple[nn.Module, str, Tensor]] = []
        self._copies: dict[tuple[torch.dtype, torch.device], Tensor] = {}
        self._losses: dict[str, list[Tensor]] = {}
        self._is_checked = True

    def __call__(self, data, optim_wrapper: OptimWrapper | OptimWrapperDict) -> dict[str, Tensor]:
        """Do one iteration.

        Args:
            data: As the model's ``train_step``.
            optim_wrapper (OptimWrapper | OptimWrapperDict): As the model's ``train_step``.

        Returns:
            dict[str, Tensor]: The values to log, none if the iteration was skipped.
        """
        self.problem = None
        self._losses = defaultdict(list)
        self._is_checked = True
        self._save()
        try:
            with self._watched():
                values = self.train_step(data, optim_wrapper)
                self._check()
        except _NonFiniteStep as error:
            self.problem = str(error)
            self._undo()
            return {}
        return values

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Intercept ``backward`` and ``step`` of the optimizer wrappers within the context."""
        # Schedulers have replaced methods of the wrappers by their own, which count the steps.
        before = [
            {name: vars(wrapper)[name] for name in ('backward', 'step') if name in vars(wrapper)}
            for wrapper in self._wrappers.values()
        ]
        for name, wrapper in self._wrappers.items():
            wrapper.backward = partial(self._backward, name, wrapper.backward)
            wrapper.step = partial(self._step, wrapper.step)
        try:
            yield
        finally:
            for wrapper, methods in zip(self._wrappers.values(), before, strict=True):
                del wrapper.backward, wrapper.step
                vars(wrapper).update(methods)

    def _save(self) -> None:
        """Copy the buffers, which the forward passes will change."""
        self._before = [(module, name, module._buffers[name]) for module, name in self._buffers]
        alike = defaultdict(list)
        for _, _, buffer in self._before:
            alike[buffer.dtype, buffer.device].append(buffer)
        # All buffers of one type and device are copied together: there are hundreds of small ones.
        self._copies = {
            key: torch.cat([buffer.detach().reshape(-1) for buffer in buffers])
            for key, buffers in alike.items()
        }

    @torch.no_grad()
    def _undo(self) -> None:
        offsets = defaultdict(int)
        for module, name, buffer in self._before:
            key = buffer.dtype, buffer.device
            copy = self._copies[key][offsets[key] : offsets[key] + buffer.numel()]
            offsets[key] += buffer.numel()
            buffer.copy_(copy.view(buffer.shape))
            # A layer may have replaced the buffer by another tensor.
            module._buffers[name] = buffer
        for name in self._losses:
            self._wrappers[name].zero_grad()

    @torch.compiler.disable
    def _backward(self, name: str, backward, loss: Tensor, **kwargs) -> None:
        self._losses[name].append(loss.detach().sum())
        self._is_checked = False
        backward(loss, **kwargs)

    @torch.compiler.disable
    def _step(self, step, **kwargs) -> None:
        self._check()
        step(**kwargs)

    @torch.no_grad()
    def _check(self) -> None:
        """Check that all numbers since the last check are finite.

        Raises:
            _NonFiniteStep: If a number is not finite; :meth:`__call__` catches it.
        """
        if self._is_checked:
            return
        self._is_checked = True
        losses = [loss for losses in self._losses.values() for loss in losses]
        gradients = defaultdict(list)
        for name in self._losses:
            gradients[_is_scaled(self._wrappers[name])] += _gradients(self._wrappers[name])
        statistics = self._statistics()
        device = losses[0].device
        verdicts = torch.stack(
            [
                _are_finite([*losses, *_norms(gradients[False]), *_norms(statistics, 1)], device),
                _are_finite(_norms(gradients[True]), device),
            ]
        )
        if get_world_size() > 1:
            all_reduce(verdicts, 'min')
        is_finite, is_scaled_finite = verdicts.tolist()
        if not is_finite or (not is_scaled_finite and not self._scaler_helps()):
            raise _NonFiniteStep(self._describe())

    def _statistics(self) -> list[Tensor]:
        """Return the current running statistics."""
        return [module._buffers[name] for module, name in self._buffers if name in STATISTICS]

    def _scaler_helps(self) -> bool:
        """Tell whether scalers will lower the loss scales of all gradients that are not finite."""
        wrappers = [self._wrappers[name] for name in self._losses]
        bad = [w for w in wrappers if _is_scaled(w) and not _all_finite(_gradients(w))]
        return all(w._scale_update_param is None and w.loss_scaler.get_scale() > 1 for w in bad)

    def _describe(self) -> str:
        """Return a description of the numbers that are not finite."""
        found = []
        for name, losses in self._losses.items():
            if not _all_finite(losses):
                found.append(f'the loss of {name}')
            elif not _all_finite(_gradients(self._wrappers[name])):
                found.append(f'gradients of {name}')
        if not _all_finite(self._statistics()):
            found.append('running statistics of BatchNorm')
        return f'not finite: {", ".join(found) or "what another process computed"}'


def _is_scaled(wrapper: OptimWrapper) -> bool:
    scaler = getattr(wrapper, 'loss_scaler', None)
    return scaler is not None and scaler.is_enabled()


def _gradients(wrapper: OptimWrapper) -> list[Tensor]:
    parameters = (p for group in wrapper.optimizer.param_groups for p in group['params'])
    gradients = [p.grad for p in parameters if p.grad is not None]
    return [g.coalesce().values() if g.is_sparse else g for g in gradients]


def _norms(tensors: Iterable[Tensor], order: int = 2) -> list[Tensor]:
    """Return norms, which are finite if the tensors are.

    Norms of order 2 are infinite if squares are: Adam's second moments would be infinite, too.
    """
    alike = defaultdict(list)
    for tensor in tensors:
        alike[tensor.dtype, tensor.device].append(tensor.float() if tensor.itemsize < 4 else tensor)
    return [norm for group in alike.values() for norm in torch._foreach_norm(group, order)]


def _are_finite(scalars: list[Tensor], device: torch.device) -> Tensor:
    """Return 1 if all are finite, else 0, int32, without synchronising with the device."""
    alike = defaultdict(list)
    for scalar in scalars:
        alike[scalar.dtype, scalar.device].append(scalar)
    verdicts = [torch.stack(group).isfinite().all().to(device) for group in alike.values()]
    if not verdicts:
        return torch.ones((), dtype=torch.int32, device=device)
    return torch.stack(verdicts).all().to(torch.int32)


def _all_finite(tensors: Iterable[Tensor]) -> bool:
    return all(bool(tensor.isfinite().all()) for tensor in tensors)
