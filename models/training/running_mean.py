"""A running mean of the weights being trained. It is what is reported and saved: it lacks the noise of single steps."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class RunningMean:
    """The mean over about the last `steps` updates; the first `steps` of them count equally."""

    def __init__(self, model: nn.Module, steps: int):
        self.names, self.weights = zip(*model.named_parameters())
        self.steps = steps
        self.begin()

    def begin(self) -> None:
        """Restarts the mean from the model's current weights."""
        self.mean, self.count = self._copies(), 0

    def resume(self, weights: dict[str, torch.Tensor], count: int) -> None:
        """Continues a saved mean of `count` updates, unless it lacks some of the model's weights or their shapes
        differ."""
        if all(name in weights and weights[name].shape == weight.shape for name, weight in zip(self.names, self.weights)):
            self.mean, self.count = [weights[name].to(weight.device, copy=True) for name, weight in zip(self.names, self.weights)], count

    @torch.no_grad()
    def update(self) -> None:
        self.count += 1
        torch._foreach_lerp_(self.mean, self.weights, 1 / min(self.count, self.steps))

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Gives the model the mean for the duration of the context."""
        own = self._copies()
        self._put(self.mean)
        try:
            yield
        finally:
            self._put(own)

    def _copies(self) -> list[torch.Tensor]:
        return [weight.detach().clone() for weight in self.weights]

    @torch.no_grad()
    def _put(self, values: list[torch.Tensor]) -> None:
        for weight, value in zip(self.weights, values):
            weight.copy_(value)
