"""A running mean of weights beside those that are trained: what is reported and kept is without the noise of each step."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class RunningMean:
    """Over about the last `steps` updates; the first ones count alike."""

    def __init__(self, model: nn.Module, steps: int):
        self.names, self.weights = zip(*model.named_parameters())
        self.steps = steps
        self.begin()

    def begin(self) -> None:
        """Anew, from the model as it is."""
        self.mean, self.count = self._copies(), 0

    def go_on(self, weights: dict[str, torch.Tensor], count: int) -> None:
        """From a mean that was kept, of the last `count` updates, if it is one of these weights."""
        if all(name in weights and weights[name].shape == weight.shape for name, weight in zip(self.names, self.weights)):
            self.mean, self.count = [weights[name].to(weight.device, copy=True) for name, weight in zip(self.names, self.weights)], count

    @torch.no_grad()
    def update(self) -> None:
        self.count += 1
        torch._foreach_lerp_(self.mean, self.weights, 1 / min(self.count, self.steps))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model has the mean meanwhile."""
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
