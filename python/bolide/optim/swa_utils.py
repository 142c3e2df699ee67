"""Averages of weights over training: AveragedModel (SWA and EMA), SWALR, update_bn."""

from __future__ import annotations

import itertools
import math
from copy import deepcopy

import bolide

from .. import nn
from .lr_scheduler import LRScheduler, _copy, _format_param, _update_param_group_val, _warn_get_lr_called_within_step

__all__ = ["AveragedModel", "update_bn", "SWALR", "get_ema_multi_avg_fn", "get_swa_multi_avg_fn", "get_ema_avg_fn", "get_swa_avg_fn"]


def _check_decay(decay):
    if decay < 0.0 or decay > 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def _averageable(x):
    return x.is_floating_point() or x.is_complex()


def get_ema_multi_avg_fn(decay=0.999):
    """f(averages, values, count): moves each average towards its value by ``1 - decay``, in place."""
    _check_decay(decay)

    @bolide.no_grad()
    def ema_update(ema_param_list, current_param_list, _):
        for ema, now in zip(ema_param_list, current_param_list):
            if _averageable(ema):
                ema.lerp_(now, 1 - decay)
            else:
                ema.copy_(ema * decay + now * (1 - decay))

    return ema_update


def get_swa_multi_avg_fn():
    """f(averages, values, count): takes the values into running means, in place."""

    @bolide.no_grad()
    def swa_update(averaged_param_list, current_param_list, num_averaged):
        count = int(num_averaged)
        for mean, now in zip(averaged_param_list, current_param_list):
            if _averageable(mean):
                mean.lerp_(now.to(mean.dtype), 1 / (count + 1))
            else:
                mean.copy_(mean + (now - mean) / (count + 1))

    return swa_update


def get_ema_avg_fn(decay=0.999):
    """f(average, value, count): the average moved towards the value by ``1 - decay``."""
    _check_decay(decay)

    @bolide.no_grad()
    def ema_update(ema_param, current_param, num_averaged):
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn():
    """f(average, value, count): the mean that takes the value in."""

    @bolide.no_grad()
    def swa_update(averaged_param, current_param, num_averaged):
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


class AveragedModel(nn.Module):
    """A copy of ``model`` whose parameters are averages of those it was updated with; call it as the model.

    avg_fn: new average of one tensor; multi_avg_fn: updates all in place; plain means when neither is given.
    use_buffers: averages buffers too, else they are copied at each update. ``n_averaged`` counts updates.
    """

    def __init__(self, model, device=None, avg_fn=None, multi_avg_fn=None, use_buffers=False):
        super().__init__()
        assert avg_fn is None or multi_avg_fn is None, "Only one of avg_fn and multi_avg_fn should be provided"
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", bolide.tensor(0, dtype=bolide.long, device=device))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args, **kwargs):
        """The averaged model's result."""
        return self.module(*args, **kwargs)

    def _tensors(self, model):
        return list(itertools.chain(model.parameters(), model.buffers()) if self.use_buffers else model.parameters())

    def update_parameters(self, model):
        """Takes the parameters of ``model`` into the averages; the first time copies them."""
        means = [m.detach() for m in self._tensors(self.module)]
        values = [v.detach().to(m.device) for m, v in zip(means, self._tensors(model))]
        count = int(self.n_averaged)
        with bolide.no_grad():
            if count == 0:
                for m, v in zip(means, values):
                    m.copy_(v)
            elif self.avg_fn is not None:
                for m, v in zip(means, values):
                    m.copy_(self.avg_fn(m, v, self.n_averaged.to(m.device)))
            else:
                update = self.multi_avg_fn or get_swa_multi_avg_fn()
                update(means, values, self.n_averaged)
            if not self.use_buffers:
                for mine, theirs in zip(self.module.buffers(), model.buffers()):
                    mine.detach().copy_(theirs.detach().to(mine.device))
            self.n_averaged += 1


def update_bn(loader, model, device=None):
    """Computes the running statistics of all batch norms in ``model`` anew, from one pass over ``loader``.

    Batches that are tuples or lists give their first element to the model.
    """
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    momenta, was_training = {}, model.training
    for m in norms:
        m.reset_running_stats()
        momenta[m], m.momentum = m.momentum, None
    model.train()
    with bolide.no_grad():
        for batch in loader:
            if isinstance(batch, (list, tuple)):
                batch = batch[0]
            if device is not None:
                batch = batch.to(device)
            model(batch)
    for m, momentum in momenta.items():
        m.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """Moves each group's rate to ``swa_lr`` over ``anneal_epochs`` (by a cosine, or a straight line), and stays there."""

    def __init__(self, optimizer, swa_lr, anneal_epochs=10, anneal_strategy="cos", last_epoch=-1):
        for lr, group in zip(_format_param("swa_lr", optimizer, swa_lr), optimizer.param_groups):
            group["swa_lr"] = _copy(lr)
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._anneal_strategy = anneal_strategy
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def anneal_func(self, t):
        """The part of the way that is done at the part ``t`` of the time."""
        return t if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def _part(self, epoch):
        return self.anneal_func(max(0, min(1, epoch / max(1, self.anneal_epochs))))

    def get_lr(self):
        _warn_get_lr_called_within_step(self)
        epoch = self._step_count - 1
        if self.anneal_epochs == 0:
            epoch = max(1, epoch)
        before, now = self._part(epoch - 1), self._part(epoch)
        rates = []
        for group in self.optimizer.param_groups:
            target = group["swa_lr"]
            start = target if before == 1 else (group["lr"] - before * target) / (1 - before)  # where the way began
            rates.append(target * now + start * (1 - now))
        return rates

    def _set_swa_lr(self, optimizer, swa_lrs):
        """Changes the target rates, one or one a group."""
        for lr, group in zip(_format_param("swa_lr", optimizer, swa_lrs), optimizer.param_groups):
            if isinstance(group.get("swa_lr"), bolide.Tensor):
                _update_param_group_val(group, "swa_lr", lr)
            else:
                group["swa_lr"] = lr
