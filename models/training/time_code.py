"""Times as features: of the clock that a text carries, and of the frames that a query may ask for."""

import math

import torch
from torch import nn

from config import Config

DAY = 86_400_000
# The clock: days (tens, ones), hours, minutes, seconds (tens, ones each), tenths of a second.
DIGITS = [(10 * DAY, 10), (DAY, 10), (36_000_000, 3), (3_600_000, 10), (600_000, 6), (60_000, 10), (10_000, 6), (1_000, 10), (100, 10)]
# Periods of the Fourier features in ms: powers of two of a second, up to about three days.
PERIODS = [1000 * 2**i for i in range(1, 19)]
# The digits from hours to seconds, which a query may ask for and an answer may say.
CLOCK_DIGITS = DIGITS[2:8]
CLOCK_DIGITS_SIZE = sum(base for _, base in CLOCK_DIGITS)
# The last feature is the logarithm of the seconds between a frame and the moment of the question.
CODE = CLOCK_DIGITS_SIZE + 2 * len(PERIODS) + 2
# A frame counts as shown until the next one, but for at most this many ms: a camera that was away showed nothing.
LONGEST = 10_000


def time_code(ms: torch.Tensor, since: torch.Tensor) -> torch.Tensor:
    """Features of frames' times. ms: their times, int64 `[.., F]`; since: ms since their stream's first frame ->
    `[.., F, CODE - 1]`.

    One-hot digits of the clock, Fourier features, and the logarithm of the seconds since the stream began.
    """
    digits = [(ms % DAY // unit % base).unsqueeze(-1) == torch.arange(base) for unit, base in CLOCK_DIGITS]
    return torch.cat([*(d.float() for d in digits), waves(ms), log_seconds(since).unsqueeze(-1)], -1)


def waves(ms: torch.Tensor) -> torch.Tensor:
    """Times in ms, int64 `[..]` -> their Fourier features `[.., 2 * PERIODS]`."""
    periods = torch.tensor(PERIODS)
    # The phase is taken in integers: a float32 number of seconds loses its fraction after weeks.
    phase = (ms.unsqueeze(-1) % periods).float() / periods.float() * (2 * math.pi)
    return torch.cat([phase.sin(), phase.cos()], -1)


def log_seconds(ms: torch.Tensor) -> torch.Tensor:
    return (ms.clamp(min=0).float() / 1000 + 1).log()


def lasting(stood: torch.Tensor, age: torch.Tensor) -> torch.Tensor:
    """stood: how long each frame is shown; age: how long before the question it appeared; int64 ms -> for how many
    seconds it had been shown by then."""
    return torch.minimum(stood, age.clamp(min=0)).float() / 1000


class Clock(nn.Module):
    """Time in ms, int64 `[B, n]` (negative: no time) -> `[B, n, W]`: digits of the clock and Fourier features."""

    def __init__(self, c: Config):
        super().__init__()
        self.digits = nn.ModuleList([nn.Embedding(base, c.width) for _, base in DIGITS])
        for table in self.digits:
            nn.init.normal_(table.weight, std=0.3)
        self.waves = nn.Linear(2 * len(PERIODS), c.width, bias=False)

    def forward(self, ms: torch.Tensor) -> torch.Tensor:
        t = ms.clamp(min=0)
        x = self.waves(waves(t))
        for table, (unit, base) in zip(self.digits, DIGITS):
            x = x + table(torch.div(t if unit >= DAY else t % DAY, unit, rounding_mode="floor") % base)
        return x * (ms >= 0).unsqueeze(-1)
