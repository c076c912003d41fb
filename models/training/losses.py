"""Auxiliary losses of training, beside the cross-entropy of answers: for tallies, probes and shares of attention."""

import torch
import torch.nn.functional as F
from torch import nn

from backbone import VECTORS
from batch import Batch
from copy_paths import WritingCopy
from layers import rms
from spans import WHOLE
from time_code import DAY, CLOCK_DIGITS

# Least attention on each right frame, as a fraction of an equal share: the whole moment is evidence, not only its best
# frame.
EVEN = 0.3
# The same for each token of what is counted, which must be read evenly: heads report how many tokens they found.
EVEN_COUNTED = 0.85


def tally_loss(above: torch.Tensor, batch: Batch, told: torch.Tensor, presence: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the tallies of the two middle layers, for each thing to be counted: the right tokens against all
    others.

    The loss is log(1 + cross-entropy), since at first thousands of other tokens are counted. Where presence is asked,
    the last token of each frame that shows the thing is right; the frame's other tokens, some of which show it too, are
    ignored.

    above `[2, B, Q, A, N]` as CrossDecoder.forward gives it; told `[B, Q, A]`: the answer tokens whose tally is
    supervised; presence `[B, Q]`.
    """
    if not told.any():
        return above.new_zeros(())
    presence = presence[..., None]
    cells = torch.where(presence, torch.arange(VECTORS) == WHOLE, batch.cells)
    shown = batch.named.unsqueeze(-1) > 0
    tokens = lambda of: (shown & of.unsqueeze(2)).flatten(2).unsqueeze(2).expand(*told.shape, -1)[told]  # [n, N]
    right, either = tokens(cells), tokens((presence & ~cells).expand_as(cells))
    above = above[:, told]
    missed = F.softplus(-above.masked_fill(~right, 0)) * right  # tokens out of sight are at -inf, and never right
    wrong = F.softplus(above) * ~(right | either)
    if batch.copies is not None:
        wrong = wrong * batch.copies.unsqueeze(2).expand(*told.shape, -1)[told]
    number = right.sum(-1).clamp(min=1)
    return ((missed + wrong).sum(-1) / number).log1p().mean()


def asked_time_loss(asked: nn.Module, middle: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Cross-entropy of the digits of the time that a question names. The probe `asked` reads them from the question's
    last token before evidence is looked for, middle `[B, Q, W]`.

    Since things are shown for seconds, a near miss mostly answers right: the answer alone does not teach times to the
    second.
    """
    # A time outside the stream has no evidence to tell it by.
    rows = torch.tensor([[task == "at" for task in tasks] for tasks in batch.tasks]) & batch.evidence.any(-1)
    if not rows.any():
        return middle.new_zeros(())
    times = batch.times.view(len(batch.tasks), -1)
    ms = times.gather(1, batch.evidence.argmax(-1))[rows]
    reading, at, loss = asked(rms(middle[rows])).float(), 0, middle.new_zeros(())
    for unit, base in CLOCK_DIGITS:
        loss = loss + F.cross_entropy(reading[:, at : at + base], ms % DAY // unit % base) / len(CLOCK_DIGITS)
        at += base
    return loss


def digit_loss(written: WritingCopy, values: torch.Tensor, marks: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the digits read from frames' values `[n, G * D]`, against their marks `[n, marks]`."""
    if len(values) == 0:
        return values.new_zeros(())
    loss = values.new_zeros(())
    for place, logits in enumerate(written.places(values)):
        p = marks[:, place * logits.shape[-1] : (place + 1) * logits.shape[-1]].clone()
        p[:, -1] += 1 - p.sum(-1)  # the marks of a place without a digit are all zero
        loss = loss - (p * logits.float().log_softmax(-1)).sum(-1).mean() / 2
    return loss


def evenness_loss(shares: torch.Tensor, frames: torch.Tensor, tokens: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """By how many nats the right frames (for counting questions, the right tokens) fall short of their share, on
    average.

    shares `[B, Q, N]`: of an answer's first token; tokens `[B, Q, N]` and frames `[B, Q, F]`: which are right; counted
    `[B, Q]`: which questions count.
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
