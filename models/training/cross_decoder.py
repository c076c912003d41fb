"""The upper half: reads the one shared K, V, and answers."""

import math
from dataclasses import dataclass

import torch
from torch import nn

from config import Config
from copy_paths import digits_read
from counting import COUNT_TOKEN, MASS_FEATURES, TALLY_TOKENS, Tally, attention_features, tallied
from layers import Norm, SwiGLU, rms
from time_code import CLOCK_DIGITS_SIZE, CODE, lasting, log_seconds, time_code


class CrossAttention(nn.Module):
    """Reads the one shared K, V: the stream's up to the question's moment and the segment's own, in one softmax."""

    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.q = nn.Linear(c.width, c.cross_heads * c.head_dim, bias=False)
        self.o = nn.Linear(c.cross_heads * c.head_dim, c.width, bias=False)
        self.scale = nn.Parameter(torch.full((c.cross_heads,), 1.2 / math.log(200)))
        self.when = nn.Linear(c.width, c.cross_heads * CODE, bias=False)
        self.count = nn.Linear(c.cross_heads * MASS_FEATURES, c.width, bias=False)
        self.tally = Tally(c)

    def times_asked(self, x, log_n):
        """x `[.., W]`, log_n `[..]` -> `[.., H, CODE]`: each head's weight for each feature of a frame's time."""
        return self.when(x).unflatten(-1, (self.c.cross_heads, CODE)) * (log_n / math.log(200))[..., None, None]

    def queries(self, x, log_n):
        """x `[B, n, W]`, log_n `[B, n]` -> `[B, n, H, D]`, scaled."""
        c = self.c
        q = rms(self.q(x).view(*x.shape[:2], c.cross_heads, c.head_dim))
        return q * (self.scale.view(-1, 1) * log_n[..., None, None])


class CrossLayer(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.norm, self.attention = Norm(c.width), CrossAttention(c)
        self.ffn_norm, self.ffn = Norm(c.width), SwiGLU(c)


@dataclass(frozen=True)
class View:
    """What all layers of a reading share.

    log_n `[B, Q, A]`; mask `[B, 1, 1, Q, A, N + S]`; codes `[B, CODE - 1, F]`; ages `[B, 1, Q, 1, F]`; lasting
    `[B, Q, 1, F]`: for how many seconds each frame had been shown at the question's moment; copies `[B, Q, 1, N]`: how
    many tokens each one stands for, if not one.
    """

    log_n: torch.Tensor
    mask: torch.Tensor
    codes: torch.Tensor
    ages: torch.Tensor
    lasting: torch.Tensor
    copies: torch.Tensor | None


@dataclass(frozen=True)
class Reading:
    """The result of reading A tokens of each of Q questions.

    hidden `[B, Q, A, W]`; evidence and early `[B, Q, A, N]`: each stream token's share of the attention, mean over
    heads, in the last half of the layers (the evidence) and in the first (where a question of two steps takes its
    first); attended `[B, Q, A, G * D]`: what the last half read; above `[2, B, Q, A, N]`: by how much each stream token
    exceeds the tally's threshold in the two middle layers (from CrossDecoder.forward, only for the first TALLY_TOKENS
    tokens); counted `[B, Q, A, COUNTS]`: what the first layer of the last half counted; digits `[B, Q, A, CLOCK_DIGITS_SIZE]`:
    of the times of the evidence; middle `[B, Q, A, W]`: the hidden state before that layer.
    """

    hidden: torch.Tensor
    evidence: torch.Tensor
    early: torch.Tensor
    attended: torch.Tensor
    above: torch.Tensor
    counted: torch.Tensor
    digits: torch.Tensor
    middle: torch.Tensor


class CrossDecoder(nn.Module):
    """The upper half, which frames never enter. Only the last token of a question and the answer's tokens pass it."""

    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.layers = nn.ModuleList([CrossLayer(c) for _ in range(c.cross_layers)])
        # Added to the K and V of each stream when one question reads several: nothing else tells the streams apart.
        self.tag_k = nn.Parameter(torch.zeros(c.tags, c.kv_heads, c.head_dim))
        self.tag_v = nn.Parameter(torch.zeros(c.tags, c.kv_heads, c.head_dim))
        self.register_buffer("each_token", torch.ones(1, c.tokens_per_frame), persistent=False)

    def tagged(self, k, v):
        """k, v of S streams, `[B, S, N, G, D]` -> the streams one after the other, each with its tag added,
        `[B, S * N, G, D]`."""
        s = k.shape[1]
        return (k + self.tag_k[:s, None]).flatten(1, 2), (v + self.tag_v[:s, None]).flatten(1, 2)

    def forward(self, x, k, v, times, since, stood, moments, mask, own_k, own_v, own_mask, of: float = 1, copies=None) -> Reading:
        """x `[B, Q, A, W]`: Q questions of A tokens on each of B streams.

        Stream: k, v `[B, N, G, D]`; times and since `[B, F]` of its frames as in `time_code`; stood `[B, F]`: for how
        many ms each was shown; mask `[B, Q, N]` (0 or -inf); moments `[B, Q]` of the questions in ms. Own: own_k, own_v
        `[B, Q, S, G, D]`, own_mask `[B, Q, A, S]`.
        of: factor by which the tokens that the stream's were chosen from outnumber them, when they are read through an
        index.
        copies `[B, Q, N]`: how many identical tokens each one stands for and is read as; default: one.
        """
        half = self.c.cross_layers // 2
        view = self.view(times, since, stood, moments, mask, own_mask, of, copies)
        evidence, early, attended, above = [], [], [], []
        for i, layer in enumerate(self.layers):
            if i == half:
                middle = x
            x, shares, read, over, count = self.layer(layer, x, k, v, own_k, own_v, view, carried=i == half)
            (evidence if i >= half else early).append(shares)
            if i >= half:
                attended.append(read)
            if i in (half - 1, half):
                above.append(over[:, :, :TALLY_TOKENS])
            if i == half:
                counted = count
        mean = lambda parts: torch.stack(parts).mean(0)
        evidence = mean(evidence)
        return Reading(x, evidence, mean(early), mean(attended), torch.stack(above), counted, self.digits(evidence, view), middle)

    def digits(self, evidence, view: "View"):
        """Evidence `[B, Q, A, N]` -> the digits of its times, `[B, Q, A, CLOCK_DIGITS_SIZE]`."""
        of_frames = evidence.unflatten(-1, (-1, self.c.tokens_per_frame)).sum(-1)
        if view.copies is not None:  # the sum of squares is then that over the single copies
            of_frames = of_frames / view.copies[..., :: self.c.tokens_per_frame].sqrt()
        return digits_read(of_frames, view.codes[:, :CLOCK_DIGITS_SIZE].transpose(1, 2).unsqueeze(1))

    def view(self, times, since, stood, moments, mask, own_mask, of: float = 1, copies=None) -> "View":
        """What is the same in all layers: which tokens each question sees, and when they were shown."""
        b, q_count, a_count = own_mask.shape[:3]
        read = (mask > -1) * (1 if copies is None else copies)
        context = read.sum(-1).unsqueeze(-1) * of + (own_mask > -1).sum(-1)  # [B, Q, A]
        full_mask = torch.cat([mask.unsqueeze(2).expand(b, q_count, a_count, mask.shape[-1]), own_mask], -1)[:, None, None]
        codes = time_code(times, since).transpose(1, 2)  # [B, CODE - 1, F]
        age = moments.unsqueeze(-1) - times.unsqueeze(1)  # [B, Q, F]
        return View(context.float().log(), full_mask, codes, log_seconds(age)[:, None, :, None], lasting(stood.unsqueeze(1), age).unsqueeze(2),
                    None if copies is None else copies.unsqueeze(2))

    def layer(self, layer: CrossLayer, x, k, v, own_k, own_v, view: "View", carried: bool = False):
        """One layer; shapes as in `forward`. Returns hidden, the shares of the stream's tokens, what was read from the
        stream, by how much each of its tokens exceeds the tally's threshold, `[B, Q, A, N]`, and what the tally
        counted, `[B, Q, A, COUNTS]`. carried: answer positions after COUNT_TOKEN take over its count."""
        c, (b, q_count, a_count, w) = self.c, x.shape
        n, s = k.shape[1], own_k.shape[2]
        group = c.cross_heads // c.kv_heads
        keys, values = k.permute(0, 2, 3, 1), v.permute(0, 2, 1, 3)  # [B, G, D, N], [B, G, N, D]
        own_keys, own_values = own_k.permute(0, 1, 3, 4, 2), own_v.permute(0, 1, 3, 2, 4)
        normed = layer.norm(x)
        asked = layer.attention.times_asked(normed, view.log_n).permute(0, 3, 1, 2, 4)  # [B, H, Q, A, CODE]
        when = (asked[..., :-1].flatten(1, 3) @ view.codes).view(b, c.cross_heads, q_count, a_count, -1)
        when = when + asked[..., -1:] * view.ages
        when = when.view(b, c.kv_heads, group, q_count, a_count, -1).repeat_interleave(c.tokens_per_frame, -1)
        q = layer.attention.queries(normed.reshape(b, q_count * a_count, w), view.log_n.view(b, -1))
        q = q.view(b, q_count, a_count, c.kv_heads, group, c.head_dim).permute(0, 3, 4, 1, 2, 5)  # [B, G, g, Q, A, D]
        on_stream = (q.reshape(b, c.kv_heads, group * q_count * a_count, c.head_dim) @ keys).view(b, c.kv_heads, group, q_count, a_count, n)
        own_q = q.permute(0, 3, 1, 2, 4, 5).reshape(b, q_count, c.kv_heads, group * a_count, c.head_dim)
        on_own = (own_q @ own_keys).view(b, q_count, c.kv_heads, group, a_count, s).permute(0, 2, 3, 1, 4, 5)
        scores = torch.cat([on_stream.float() / math.sqrt(c.head_dim) + when, on_own.float() / math.sqrt(c.head_dim)], -1) + view.mask
        above = scores[:, 0, 0, ..., :n] - layer.attention.tally.above(normed, view.log_n).float()
        # In a softmax, so many equal scores are one score raised by the logarithm of their number.
        if view.copies is not None:
            scores = torch.cat([scores[..., :n] + view.copies.log()[:, None, None], scores[..., n:]], -1)
        p = scores.softmax(-1)
        shares = p[..., :n].mean((1, 2))
        each = p[..., :n] if view.copies is None else p[..., :n] / view.copies[:, None, None]
        counts = attention_features(p[..., :n].sum(-1), each.amax(-1), p[..., n:].sum(-1)).permute(0, 3, 4, 1, 2, 5).flatten(3)  # [B, Q, A, H * MASS_FEATURES]
        p = p.to(values.dtype)
        y = (p[..., :n].reshape(b, c.kv_heads, -1, n) @ values).view(b, c.kv_heads, group, q_count, a_count, c.head_dim)
        own_p = p[..., n:].permute(0, 3, 1, 2, 4, 5).reshape(b, q_count, c.kv_heads, group * a_count, s)
        own_y = (own_p @ own_values).view(b, q_count, c.kv_heads, group, a_count, c.head_dim).permute(0, 2, 3, 1, 4, 5)
        read = y.mean(2).permute(0, 2, 3, 1, 4).reshape(b, q_count, a_count, -1)
        y = (y + own_y).permute(0, 3, 4, 1, 2, 5).reshape(b, q_count, a_count, -1)
        counted = tallied(above, view.lasting, c.tokens_per_frame, 1 if view.copies is None else view.copies)
        if carried:
            counted = counted[:, :, torch.arange(a_count).clamp(max=COUNT_TOKEN)]
        x = x + layer.attention.o(y) + layer.attention.count(counts) + layer.attention.tally.said(counted[..., :1])
        return x + layer.ffn(layer.ffn_norm(x)), shares, read, above, counted

    def read(self, x, keys, values, times, since, stood, ahead, moment, visible, context, own_k, own_v, own_length, counted):
        """One token for each of Q questions on one stream (the exported graph).

        - x `[Q, W]`;
        - keys, values: for each of the G heads `[N, D]`, as the cache holds them;
        - times, since `[F]`: when each of the N / tokens_per_frame frames was shown, on its stream's clock and since
          that stream's first frame, in ms;
        - stood `[F]`: for how long each was shown, in ms;
        - ahead `[F]`: how far the question's clock is ahead of the frame's, in ms;
        - moment `[Q]`: the question's time, in ms;
        - visible `[Q]`: how many of the N tokens a question may see;
        - context `[Q]`: how many tokens they were chosen from (the same number if all are read);
        - own_k, own_v `[Q, S, G, D]`, of which own_length `[Q]` are real;
        - counted `[Q, COUNTS]`: the count of an earlier token of the answer, which this one takes over; if negative, it
          counts anew.

        Returns hidden `[Q, W]`, the evidence of each frame `[Q, F]`, what the last half of the layers read
        `[Q, G * D]`, what the first of them counted `[Q, COUNTS]`, the digits of the times that the last half read
        `[Q, CLOCK_DIGITS_SIZE]`, and the scaled queries of all layers, each with its weights for the time features,
        `[Q, layers, H, D + CODE]`, with which an index of the cache is queried.
        """
        c, q_count, n, f = self.c, x.shape[0], keys[0].shape[0], times.shape[0]
        group = c.cross_heads // c.kv_heads
        log_n = (context + own_length).float().log().unsqueeze(0)
        # With one score per stream token, every elementwise pass over the scores costs as much as a matrix product. So
        # terms that depend on the frame alone are computed per frame, and the softmax over the stream is joined with
        # that over the segment's own tokens through their sums.
        frame_hidden = torch.arange(f).unsqueeze(0) * c.tokens_per_frame >= visible.unsqueeze(1)  # [Q, F]
        frame_mask = (frame_hidden.float() * -1e30).unsqueeze(1)
        own_mask = (torch.arange(own_k.shape[1]).unsqueeze(0) >= own_length.unsqueeze(1)).float().unsqueeze(1) * -1e30
        codes = time_code(times, since)
        age = moment.unsqueeze(1) - times - ahead  # [Q, F]
        ages, lasts = log_seconds(age), lasting(stood, age)
        evidence = attended = 0
        asked = []
        for i, layer in enumerate(self.layers):
            normed, attention = layer.norm(x), layer.attention
            q = attention.queries(normed.unsqueeze(0), log_n)[0] / math.sqrt(c.head_dim)  # [Q, H, D]
            wanted = attention.times_asked(normed, log_n[0])  # [Q, H, CODE]
            when = wanted[..., :-1] @ codes.T + wanted[..., -1:] * ages.unsqueeze(1) + frame_mask  # [Q, H, F]
            asked.append(torch.cat([q, wanted], -1))
            heads, read, counts = [], [], []
            for g in range(c.kv_heads):
                mine, mine_when = (z[:, g * group : (g + 1) * group] for z in (q, when))  # [Q, g, D], [Q, g, F]
                on_stream = (mine.reshape(-1, c.head_dim) @ keys[g].T).view(-1, c.tokens_per_frame)
                # Broadcasting a sum over groups of ten numbers takes four times as long as this product with ones.
                on_stream = torch.addmm(on_stream, mine_when.reshape(-1, 1), self.each_token).view(q_count, group, -1)  # [Q, g, N]
                on_own = mine @ own_k[:, :, g].transpose(1, 2) + own_mask
                if g == 0:
                    number = tallied(on_stream[:, 0] - attention.tally.above(normed, log_n[0]), lasts, c.tokens_per_frame)
                    if i == c.cross_layers // 2:
                        number = torch.where(counted < 0, number, counted)
                        said = number
                p = on_stream.softmax(-1)
                # top: 1 / sum of exp(score - best).
                best, top = on_stream.amax(-1, keepdim=True), p.amax(-1, keepdim=True)
                most = torch.maximum(best, on_own.amax(-1, keepdim=True))
                on_own = (on_own - most).exp()
                of_stream, of_own = (best - most).exp() / top, on_own.sum(-1, keepdim=True)
                share = of_stream / (of_stream + of_own)  # [Q, g, 1]
                on_own = on_own / (of_stream + of_own)
                counts.append(attention_features(share[..., 0], (top * share)[..., 0], on_own.sum(-1)))
                if i >= c.cross_layers // 2:
                    evidence = evidence + (share.transpose(1, 2) @ p)[:, 0]
                y = (p.reshape(-1, n) @ values[g]).view(q_count, group, c.head_dim) * share
                read.append(y.mean(1))
                heads.append(y + on_own @ own_v[:, :, g])
            if i >= c.cross_layers // 2:
                attended = attended + torch.cat(read, 1)
            x = x + attention.o(torch.cat(heads, 1).flatten(1)) + attention.count(torch.cat(counts, 1).flatten(1)) + attention.tally.said(number[:, :1])
            x = x + layer.ffn(layer.ffn_norm(x))
        late = c.cross_layers - c.cross_layers // 2
        evidence = evidence.view(q_count, -1, c.tokens_per_frame).sum(-1) / (c.cross_heads * late)
        dated = digits_read(evidence, codes[:, :CLOCK_DIGITS_SIZE])
        return x, evidence, attended / late, said, dated, torch.stack(asked, 1)
