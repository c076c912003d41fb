"""What the projector's two small networks (occupied.py, marks.py) have in common: features of one size, and how they are trained."""

from collections.abc import Callable

import torch
from torch import nn

from backbone import FEATURES

RATE, DECAY = 2e-3, 0.05  # of AdamW; the rate falls to zero, linearly


class StandardFeatures(nn.Module):
    """A network that reads features `[.., 1280]`, each about its mean and of size one."""

    def __init__(self):
        super().__init__()
        self.register_buffer("middle", torch.zeros(FEATURES))
        self.register_buffer("sharpness", torch.ones(FEATURES))

    def standard(self, features: torch.Tensor) -> torch.Tensor:
        return (features - self.middle) * self.sharpness

    def standardise(self, some: torch.Tensor) -> None:
        """Mean and size are those of these pictures `[B, 10, 1280]` from now on."""
        vectors = some.float().flatten(0, 1)
        self.middle.copy_(vectors.mean(0))
        self.sharpness.copy_(1 / (vectors.std(0) + 1e-3))


def train(net: nn.Module, steps: int, loss_of_batch: Callable[[], torch.Tensor]) -> nn.Module:
    """`loss_of_batch` draws a batch of its own for each step. Returns the network, ready for use."""
    opt = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    for step in range(steps):
        opt.param_groups[0]["lr"] = RATE * (1 - step / steps)
        loss = loss_of_batch()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return net.eval()
