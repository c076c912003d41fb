"""Gated retention: YOCO's other self-decoder (arXiv:2405.05254, section 3.2), in three forms that must agree.

    Q = rotate(X W_Q), K = rotate(X W_K) / sqrt(D), V = X W_V, gamma = sigmoid(X W_gamma)^(1/16), one for each head and token
    parallel:   O = (Q K^T * decay) V, decay_nm = gamma_(m+1) ... gamma_n for n >= m, else 0
    recurrent:  S_n = gamma_n S_(n-1) + K_n^T V_n, O_n = Q_n S_n
    chunkwise:  the parallel form inside a chunk, the recurrent one from chunk to chunk
    Y = (swish(X W_G) * GroupNorm(O)) W_O, the norm head by head and without weights

A departure: keys in a state are rotated relative to its last token, not to the stream's first. Only differences of
positions enter the products, so the result is the same, and no float32 has to hold a position that grows for days.

Shapes: x `[B, n, W]`, H heads of size D. q, k, v `[B, H, n, D]`; log_gamma `[B, H, n]`; a state `[B, H, D, D]`, with
the halves of its key axis (RoPE's pairs) one after the other.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

TAU = 16


def turn(x: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    """RoPE, halves convention, along the last axis; angles broadcast to `[.., D/2]`."""
    a, b = x.chunk(2, -1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


def decay(log_gamma: torch.Tensor) -> torch.Tensor:
    """`[B, H, n]` -> `[B, H, n, n]`: how much of token m is left at token n."""
    g, place = log_gamma.cumsum(-1), torch.arange(log_gamma.shape[-1])
    later = (place.unsqueeze(1) < place).float() * -1e30
    return (g.unsqueeze(-1) - g.unsqueeze(-2) + later).clamp(max=0).exp()


def parallel(q, k, v, log_gamma, frequencies):
    """All tokens at once, as in training -> O `[B, H, n, D]`."""
    angles = torch.arange(q.shape[2]).float().unsqueeze(1) * frequencies
    return ((turn(q, angles) @ turn(k, angles).transpose(-1, -2)).float() * decay(log_gamma.float())).to(v.dtype) @ v


def chunk(q, k, v, log_gamma, frequencies, state, length):
    """The next tokens, of which the first length `[B]` are real (padding after them changes nothing) -> O, and the
    state after them."""
    place = torch.arange(q.shape[2]) + 1
    real = (place <= length.unsqueeze(1)).float().unsqueeze(1)  # [B, 1, n]
    angles = place.float().unsqueeze(1) * frequencies
    log_gamma, k = log_gamma * real, turn(k, angles) * real.unsqueeze(-1)
    q, g = turn(q, angles), log_gamma.cumsum(-1)
    o = (q @ k.transpose(-1, -2) * decay(log_gamma)) @ v + (q * g.exp().unsqueeze(-1)) @ state
    end = g[:, :, -1:]
    state = end.exp().unsqueeze(-1) * state + (k * (end - g).exp().unsqueeze(-1)).transpose(-1, -2) @ v
    back = -(length.float().unsqueeze(1) * frequencies)[:, None, None]  # [B, 1, 1, D/2]
    return o, turn(state.transpose(-1, -2), back).transpose(-1, -2)


def chunkwise(q, k, v, log_gamma, frequencies, size):
    """Chunks of `size` tokens in sequence -> O, and the state after them."""
    state, out = torch.zeros(*q.shape[:2], q.shape[-1], v.shape[-1]), []
    for begin in range(0, q.shape[2], size):
        part = slice(begin, begin + size)
        length = torch.full(q.shape[:1], q[:, :, part].shape[2])
        o, state = chunk(q[:, :, part], k[:, :, part], v[:, :, part], log_gamma[:, :, part], frequencies, state, length)
        out.append(o)
    return torch.cat(out, 2), state


def recurrent(q, k, v, log_gamma, frequencies):
    """Token by token, as in the formula -> O, and the state after them."""
    state, out = torch.zeros(*q.shape[:2], q.shape[-1], v.shape[-1]), []
    for i in range(q.shape[2]):
        aged = turn(state.transpose(-1, -2), -frequencies).transpose(-1, -2) * log_gamma[:, :, i].exp()[..., None, None]
        state = aged + k[:, :, i].unsqueeze(-1) * v[:, :, i].unsqueeze(-2)
        out.append((q[:, :, i].unsqueeze(-2) @ state).squeeze(-2))
    return torch.stack(out, 2), state


class GatedRetention(nn.Module):
    def __init__(self, width: int, heads: int, head_dim: int):
        super().__init__()
        self.heads, self.head_dim = heads, head_dim
        inner = heads * head_dim
        self.q, self.k, self.v, self.g = (nn.Linear(width, inner, bias=False) for _ in range(4))
        self.o = nn.Linear(inner, width, bias=False)
        self.gamma = nn.Linear(width, heads)

    def parts(self, x):
        split = lambda z: z.view(*x.shape[:2], self.heads, self.head_dim).transpose(1, 2)
        # log(sigmoid), written so that it stays finite in a graph: the exporter turns `logsigmoid` into
        # log(sigmoid(x)), and the sigmoid of a token that forgets everything is 0.
        log_gamma = -F.softplus(-self.gamma(x)).transpose(1, 2) / TAU
        return split(self.q(x)), split(self.k(x)) / math.sqrt(self.head_dim), split(self.v(x)), log_gamma

    def gated(self, x, o):
        o = o * torch.rsqrt(o.pow(2).mean(-1, keepdim=True) + 1e-6)
        return self.o(F.silu(self.g(x)) * o.transpose(1, 2).flatten(2))

    def forward(self, x, frequencies):
        return self.gated(x, parallel(*self.parts(x), frequencies))

    def step(self, x, state, length, frequencies):
        o, state = chunk(*self.parts(x), frequencies, state, length)
        return self.gated(x, o), state


def check(seed: int = 0) -> float:
    """The largest absolute difference between the three forms, over outputs and states."""
    torch.manual_seed(seed)
    b, h, n, d = 2, 3, 57, 16
    q, v = torch.randn(b, h, n, d), torch.randn(b, h, n, d)
    k, log_gamma = torch.randn(b, h, n, d) / math.sqrt(d), F.logsigmoid(torch.randn(b, h, n)) / TAU
    frequencies = 10_000.0 ** (-torch.arange(0, d, 2).float() / d)
    whole = parallel(q, k, v, log_gamma, frequencies)
    stepped, state = recurrent(q, k, v, log_gamma, frequencies)
    differences = [whole - stepped]
    for size in (1, 10, 16, n):
        o, after = chunkwise(q, k, v, log_gamma, frequencies, size)
        differences += [o - whole, after - state]
    return max(float(x.abs().max()) for x in differences)


if __name__ == "__main__":
    largest = check()
    print(f"parallel, recurrent and chunkwise differ by {largest:.1e} at most")
    if largest > 1e-5:
        raise SystemExit("they must agree to 1e-5")
