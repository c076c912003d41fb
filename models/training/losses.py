"""What training minimises beside the cross-entropy of answers: where tallies, probes and shares of attention fall short."""

import torch
import torch.nn.functional as F
from torch import nn

from backbone import VECTORS
from batch import Batch
from model import DAY, SAID, Written, rms
from spans import WHOLE

# Of its equal part, how much attention each right frame has at least: all of the moment is evidence, not its best frame.
EVEN = 0.3
# What is counted is read evenly, token by token: heads say how many tokens they found.
EVEN_COUNTED = 0.85


def miscount(above: torch.Tensor, batch: Batch, told: torch.Tensor, presence: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of what the tallies of the two middle layers count, for each thing to be counted: the right tokens and no others.

    Its logarithm, since at first there are thousands of others. Where presence is asked, the last token of each frame that shows the
    thing is right, and its other tokens, of which some show it too, are neither right nor wrong.

    above `[2, B, Q, A, N]` as CrossDecoder.forward gives it, told `[B, Q, A]`: the tokens of answers that count, presence `[B, Q]`.
    """
    if not told.any():
        return above.new_zeros(())
    presence = presence[..., None]
    cells = torch.where(presence, torch.arange(VECTORS) == WHOLE, batch.cells)
    shown = batch.named.unsqueeze(-1) > 0
    tokens = lambda of: (shown & of.unsqueeze(2)).flatten(2).unsqueeze(2).expand(*told.shape, -1)[told]  # [n, N]
    right, either = tokens(cells), tokens((presence & ~cells).expand_as(cells))
    above = above[:, told]
    missed = F.softplus(-above.masked_fill(~right, 0)) * right  # unseen tokens are at -inf, and never right
    wrong = F.softplus(above) * ~(right | either)
    if batch.copies is not None:
        wrong = wrong * batch.copies.unsqueeze(2).expand(*told.shape, -1)[told]
    number = right.sum(-1).clamp(min=1)
    return ((missed + wrong).sum(-1) / number).log1p().mean()


def misread(asked: nn.Module, middle: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Cross-entropy of the digits of the time that a question names, which `asked` reads from what its last token is before evidence is looked for `[B, Q, W]`.

    A near miss mostly answers right, since things are shown for seconds: the answer alone does not teach to the second.
    """
    rows = torch.tensor([[task == "at" for task in tasks] for tasks in batch.tasks]) & batch.evidence.any(-1)  # of a time that is not there nothing tells
    if not rows.any():
        return middle.new_zeros(())
    times = batch.times.view(len(batch.tasks), -1)
    ms = times.gather(1, batch.evidence.argmax(-1))[rows]
    reading, at, loss = asked(rms(middle[rows])).float(), 0, middle.new_zeros(())
    for unit, base in SAID:
        loss = loss + F.cross_entropy(reading[:, at : at + base], ms % DAY // unit % base) / len(SAID)
        at += base
    return loss


def misread_number(written: Written, values: torch.Tensor, marks: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the digits that frames' values `[n, G * D]` hold, against their marks `[n, marks]`."""
    if len(values) == 0:
        return values.new_zeros(())
    loss = values.new_zeros(())
    for place, logits in enumerate(written.places(values)):
        p = marks[:, place * logits.shape[-1] : (place + 1) * logits.shape[-1]].clone()
        p[:, -1] += 1 - p.sum(-1)  # marks say nothing of a place that holds no digit
        loss = loss - (p * logits.float().log_softmax(-1)).sum(-1).mean() / 2
    return loss


def unevenness(shares: torch.Tensor, frames: torch.Tensor, tokens: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """By how many nats the right frames (tokens, where they are counted) fall short of their part, in the mean.

    Shares of an answer's first token and the right tokens `[B, Q, N]`, the right frames `[B, Q, F]`, counted `[B, Q]`.
    """
    by_frame = shares.unflatten(-1, (frames.shape[-1], -1)).sum(-1)
    short, told = shares.new_zeros(()), 0
    for part, right, rows, least in ((shares, tokens, counted, EVEN_COUNTED), (by_frame, frames, ~counted, EVEN)):
        rows = rows & (right.sum(-1) > 0)
        right, part = right[rows], part[rows]
        number = right.sum(-1, keepdim=True)
        short = short + (((least / number).log() - part.clamp(min=1e-6).log()).clamp(min=0) * right / number).sum()
        told += len(right)
    return short / max(told, 1)
