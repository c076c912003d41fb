"""How much was found: a softmax divides counts away. By each head (`attention_features`), and token by token (`Tally`)."""

import math

import torch
from torch import nn

from config import Config

# Numbers by which each head says how much it found, beside what it read.
MASS_FEATURES = 4


def attention_features(share: torch.Tensor, most: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """share and most: the sum and the largest of the attention shares on the stream's tokens; own: the sum on the
    segment's own tokens; each `[..]` -> `[.., MASS_FEATURES]`.

    The sum over the largest share is the number of tokens read as much as the most read one; two features grow with it,
    one for small numbers and one for large. The third is the stream's share of the attention. The fourth is its
    log-odds against the segment's own tokens: each doubling of what is found adds log 2 and, unlike the first two, it
    does not depend on the single largest share.
    """
    count = share / (most + 1e-9)
    odds = ((share + 1e-6) / (own + 1e-6)).log()
    return torch.stack([count.clamp(max=32) / 8, (count + 1).log() / 2, share, odds / 8], -1)


# A tally is encoded by its closeness to each of these whole numbers, and its base-2 logarithm by that to each of these.
NUMBERS = range(13)
LOGARITHMS = [2 + i / 4 for i in range(25)]
TALLY = len(NUMBERS) + len(LOGARITHMS)
# The first positions of an answer, those next to a possible digit: only their tallies are supervised.
TALLY_TOKENS = 3
# The position of an answer whose count all later positions reuse, so that the last digit of a number comes from the
# same count as its first. The position before it predicts the space before a number.
COUNT_TOKEN = 1
# Outputs of a tally: how many tokens it found, and for how many seconds their frames were shown.
COUNTS = 2


class Tally(nn.Module):
    """Counts the stream's tokens that score above a threshold: each adds sigmoid(score - threshold), independently of
    the others.

    Unlike the shares of a softmax, these need not be even for their sum to be a count. Threshold and scores both grow
    with log n, so that tokens one unit below the threshold add up to no more in a long stream than in a short one.
    """

    def __init__(self, c: Config):
        super().__init__()
        self.threshold = nn.Linear(c.width, 1)
        self.into = nn.Linear(TALLY, c.width, bias=False)
        self.register_buffer("numbers", torch.tensor([float(n) for n in NUMBERS]), persistent=False)
        self.register_buffer("logarithms", torch.tensor(LOGARITHMS), persistent=False)

    def above(self, normed, log_n):
        """normed `[.., W]`, log_n `[..]` -> the threshold `[.., 1]`."""
        return self.threshold(normed) * (log_n / math.log(200)).unsqueeze(-1)

    def said(self, number):
        """number `[.., 1]` -> what is added to the residual stream, `[.., W]`."""
        near = (-2 * (number - self.numbers).pow(2)).exp()
        logarithm = (number + 1).log() / math.log(2)
        return self.into(torch.cat([near, (-16 * (logarithm - self.logarithms).pow(2)).exp()], -1))


def tallied(above, lasting, tokens_per_frame: int, copies=1):
    """What a tally counted, `[.., COUNTS]`. above `[.., N]`: each token's score minus the threshold; lasting `[.., F]`:
    seconds for which each frame was shown.

    copies `[.., N]`: how many tokens each one stands for.
    """
    of_frames = (above.sigmoid() * copies).unflatten(-1, (-1, tokens_per_frame)).sum(-1)
    return torch.stack([of_frames.sum(-1), (of_frames * lasting).sum(-1)], -1)
