"""What the projector's two small networks (occupied.py, marks.py) share: standardised features, and the training
loop."""

from collections.abc import Callable

import torch
from torch import nn

from backbone import FEATURES

RATE, DECAY = 2e-3, 0.05  # of AdamW; the rate falls linearly to zero


class StandardFeatures(nn.Module):
    """A network that reads features `[.., 1280]`, standardised to mean zero and unit spread."""

    def __init__(self):
        super().__init__()
        self.register_buffer("middle", torch.zeros(FEATURES))
        self.register_buffer("sharpness", torch.ones(FEATURES))

    def standard(self, features: torch.Tensor) -> torch.Tensor:
        return (features - self.middle) * self.sharpness

    def standardise(self, some: torch.Tensor) -> None:
        """Takes mean and spread from these pictures `[B, 10, 1280]` from now on."""
        vectors = some.float().flatten(0, 1)
        self.middle.copy_(vectors.mean(0))
        self.sharpness.copy_(1 / (vectors.std(0) + 1e-3))


def train(net: nn.Module, steps: int, loss_of_batch: Callable[[], torch.Tensor]) -> nn.Module:
    """Trains the network; `loss_of_batch` draws its own batch for each step. Returns it in evaluation mode."""
    opt = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    for step in range(steps):
        opt.param_groups[0]["lr"] = RATE * (1 - step / steps)
        loss = loss_of_batch()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return net.eval()
