"""The lower half: sliding-window attention, or gated retention (retention.py), and the shared K, V."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from config import Config
from layers import Norm, SwiGLU, rms
from retention import GatedRetention


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """RoPE (arXiv:2104.09864), halves convention. x `[B, n, H, D]`, cos and sin `[n, D/2]`."""
    a, b = x.chunk(2, -1)
    cos, sin = cos.unsqueeze(-2), sin.unsqueeze(-2)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class WindowAttention(nn.Module):
    """Sliding-window attention. Its state is the last `window` keys and values; keys are stored unrotated."""

    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.q = nn.Linear(c.width, c.self_heads * c.head_dim, bias=False)
        self.k = nn.Linear(c.width, c.self_kv_heads * c.head_dim, bias=False)
        self.v = nn.Linear(c.width, c.self_kv_heads * c.head_dim, bias=False)
        self.o = nn.Linear(c.self_heads * c.head_dim, c.width, bias=False)
        self.scale = nn.Parameter(torch.full((c.self_heads,), 1.2))

    def forward(self, x, mask, cos, sin, past=None):
        """x `[B, n, W]`; mask `[B or 1, n, P + n]`, 0 or -inf, P the length of the past; cos, sin `[P + n, D/2]`."""
        c, (b, n, _) = self.c, x.shape
        q = rms(self.q(x).view(b, n, c.self_heads, c.head_dim))
        k = rms(self.k(x).view(b, n, c.self_kv_heads, c.head_dim))
        v = self.v(x).view(b, n, c.self_kv_heads, c.head_dim)
        new = (k, v)
        if past is not None:
            k, v = torch.cat([past[0], k], 1), torch.cat([past[1], v], 1)
        p = k.shape[1] - n
        q = rotate(q, cos[p:], sin[p:]) * self.scale.view(-1, 1)
        k = rotate(k, cos, sin)
        group = c.self_heads // c.self_kv_heads
        q = q.view(b, n, c.self_kv_heads, group, c.head_dim).permute(0, 2, 3, 1, 4).reshape(b, c.self_kv_heads, group * n, c.head_dim)
        scores = q @ k.permute(0, 2, 3, 1) / math.sqrt(c.head_dim)  # [B, G, group * n, P + n]
        scores = scores.float().view(b, c.self_kv_heads, group, n, p + n) + mask[:, None, None]
        a = scores.softmax(-1).to(v.dtype).view(b, c.self_kv_heads, group * n, p + n)
        y = (a @ v.permute(0, 2, 1, 3)).view(b, c.self_kv_heads, group, n, c.head_dim).permute(0, 3, 1, 2, 4)
        return self.o(y.reshape(b, n, -1)), new


class Movement(nn.Module):
    """What a token shows that the same token of the previous frame did not: squared differences of the first layer's
    values.

    Attention alone would have to find the one token that is a frame older and then learn to subtract it before either
    is of any use. The window holds those values anyway, so this adds no state.
    """

    SIZE = 64

    def __init__(self, c: Config):
        super().__init__()
        self.read = nn.Linear(c.self_kv_heads * c.head_dim, self.SIZE)
        self.write = nn.Linear(self.SIZE, c.width, bias=False)

    def forward(self, v, before, known):
        """v and before: values of tokens, and of the same tokens a frame earlier, `[B, n, G, D]`; known `[B, n]`: 1
        where there is an earlier frame, else 0 -> `[B, n, W]`."""
        u = self.read((v - before).flatten(2)).pow(2)
        return self.write(u / (1 + u)) * known.unsqueeze(-1)


class SelfLayer(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.norm = Norm(c.width)
        self.attention = GatedRetention(c.width, c.self_heads, c.head_dim) if c.self_decoder == "retention" else WindowAttention(c)
        self.ffn_norm, self.ffn = Norm(c.width), SwiGLU(c)

    def after(self, x, read):
        """x and what the attention or retention read from it -> the layer's output."""
        x = x + read
        return x + self.ffn(self.ffn_norm(x))


class SelfDecoder(nn.Module):
    """The lower half, which every token passes once. Ends in the shared K, V: `K = rms(norm(x) W_K)`,
    `V = norm(x) W_V`, NoPE."""

    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.layers = nn.ModuleList([SelfLayer(c) for _ in range(c.self_layers)])
        self.movement = Movement(c) if c.self_decoder == "window" else None  # retention keeps no values
        self.norm = Norm(c.width)
        self.k = nn.Linear(c.width, c.kv_heads * c.head_dim, bias=False)
        self.v = nn.Linear(c.width, c.kv_heads * c.head_dim, bias=False)
        frequencies = 10_000.0 ** (-torch.arange(0, c.head_dim, 2).float() / c.head_dim)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def turns(self, n: int) -> tuple[torch.Tensor, torch.Tensor]:
        angles = torch.arange(n).float().unsqueeze(1) * self.frequencies
        return angles.cos(), angles.sin()

    def shared(self, x):
        b, n, _ = x.shape
        y = self.norm(x)
        shape = (b, n, self.c.kv_heads, self.c.head_dim)
        return rms(self.k(y).view(shape)), self.v(y).view(shape)

    def forward(self, x, shown):
        """A whole segment at once (training). x `[B, n, W]`; shown `[B, n]`: which tokens have a time, as those of
        frames do. Returns hidden, K, V."""
        n = x.shape[1]
        if self.c.self_decoder == "retention":
            for layer in self.layers:
                x = layer.after(x, layer.attention(layer.norm(x), self.frequencies))
            return (x, *self.shared(x))
        back = torch.arange(n).unsqueeze(1) - torch.arange(n)
        mask = torch.zeros(1, n, n).masked_fill((back < 0) | (back >= self.c.window), float("-inf"))
        cos, sin = self.turns(n)
        for i, layer in enumerate(self.layers):
            read, (_, v) = layer.attention(layer.norm(x), mask, cos, sin)
            if i == 0:
                t = self.c.tokens_per_frame
                before = F.pad(v, (0, 0, 0, 0, t, 0))[:, :n]
                read = read + self.movement(v, before, shown * (torch.arange(n) >= t))
            x = layer.after(x, read)
        return (x, *self.shared(x))

    def step(self, x, shown, past_k, past_v, past_length):
        """n new tokens of segments in progress (the exported graph).

        shown as in `forward`; past_k, past_v `[B, layers, P, G, D]`, the newest last, of which `past_length [B]` are
        real. Returns hidden, K, V of the new tokens, and their window keys and values `[B, layers, n, G, D]`.
        """
        n, p = x.shape[1], past_k.shape[2]
        key = torch.arange(p + n)
        back = (torch.arange(n).unsqueeze(1) + p) - key
        outside = (back < 0) | (back >= self.c.window)
        empty = key.unsqueeze(0) < (p - past_length).unsqueeze(1)  # [B, P + n]
        mask = torch.zeros(1, 1, 1).masked_fill(outside.unsqueeze(0) | empty.unsqueeze(1), -1e30)
        cos, sin = self.turns(p + n)
        new_k, new_v = [], []
        for i, layer in enumerate(self.layers):
            read, (k, v) = layer.attention(layer.norm(x), mask, cos, sin, (past_k[:, i], past_v[:, i]))
            if i == 0:
                t = self.c.tokens_per_frame
                before = torch.cat([torch.zeros_like(v[:, :1]).expand(-1, t, -1, -1), past_v[:, 0], v], 1)[:, p : p + n]
                known = (torch.arange(n) + past_length.unsqueeze(1) >= t) & shown
                read = read + self.movement(v, before, known.to(v.dtype))
            x = layer.after(x, read)
            new_k.append(k)
            new_v.append(v)
        return (x, *self.shared(x), torch.stack(new_k, 1), torch.stack(new_v, 1))

    def retain(self, x, _shown, past_k, past_v, new_length):
        """`step` for retention: inputs and outputs have the same names and order, but the whole state goes in and comes
        out.

        past_k, past_v `[B, layers, D / 2, H, D]`: the two halves of each state along its key axis, H the heads; of the
        n tokens the first new_length `[B]` are real.
        """
        new = []
        for i, layer in enumerate(self.layers):
            state = torch.cat([past_k[:, i], past_v[:, i]], 1).transpose(1, 2)  # [B, H, D, D]
            read, state = layer.attention.step(layer.norm(x), state, new_length, self.frequencies)
            x = layer.after(x, read)
            new.append(state.transpose(1, 2))
        return (x, *self.shared(x), *torch.stack(new, 1).chunk(2, 2))
