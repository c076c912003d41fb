"""The baseline without "once": each upper layer writes its own K and V, as in a decoder-only Transformer.

`train.py --config '{"cache": "layers"}'` trains it on the same data with the same losses. The lower layers, the heads,
their queries for times and their counts are those of YOCO. The difference is what YOCO leaves out: frames, and every
token of a question, pass through the upper layers too, each of which keeps K and V for them. It is trained and
reported, not exported.

Shapes as in cross_decoder.py: B streams of F frames, N their tokens; g groups of streams read together, Q questions of L
tokens.
"""

import torch
from torch import nn

from config import Config
from cross_decoder import CrossDecoder, Reading
from layers import rms


class LayerCaches(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        size = c.kv_heads * c.head_dim
        self.k = nn.ModuleList([nn.Linear(c.width, size, bias=False) for _ in range(c.cross_layers)])
        self.v = nn.ModuleList([nn.Linear(c.width, size, bias=False) for _ in range(c.cross_layers)])
        for linear in [*self.k, *self.v]:  # as YocoLive starts
            nn.init.normal_(linear.weight, std=0.7 * c.width**-0.5)

    def written(self, i: int, normed):
        """Normed hidden states of layer i, `[.., W]` -> its K and V `[.., G, D]`."""
        split = lambda z: z.unflatten(-1, (self.c.kv_heads, self.c.head_dim))
        return rms(split(self.k[i](normed))), split(self.v[i](normed))

    def forward(self, decoder: CrossDecoder, frames, questions, times, since, stood, asked, together: int):
        """frames `[B, N, W]` and questions `[g, Q, L, W]`: outputs of the lower layers; times, since, stood `[B, F]`;
        asked: moments `[g, Q]` and the mask `[g, Q, together * N]` of `CrossDecoder.forward`. Returns the questions'
        Reading, for all L tokens, and the mean K, V of the streams over the last half of the layers, for the probes.
        """
        c, (b, n, w) = self.c, frames.shape
        half, count = c.cross_layers // 2, times.shape[1]
        moments, mask = asked
        g, q_count, length = questions.shape[:3]
        x = frames.view(b, count, c.tokens_per_frame, w)
        frame = torch.arange(count)
        # Each frame's tokens are read like a question: they see all earlier frames, and the earlier tokens of their
        # own.
        before = hidden(frame.repeat_interleave(c.tokens_per_frame) >= frame.unsqueeze(1)).expand(b, count, n)
        of_frames = decoder.view(times, since, stood, times, before, causal(c.tokens_per_frame).expand(b, count, -1, -1))
        joined = lambda z: z.reshape(g, together * count)
        of_questions = decoder.view(joined(times), joined(since), joined(stood), moments, mask, causal(length).expand(g, q_count, -1, -1))
        evidence, early, attended, keys, values, above = [], [], [], [], [], []
        for i, layer in enumerate(decoder.layers):
            before_layer = questions
            k, v = self.written(i, layer.norm(x))
            own_k, own_v = self.written(i, layer.norm(questions))
            stream = tuple(z.flatten(1, 2) for z in (k, v))
            read = decoder.tagged(*(z.view(g, together, *z.shape[1:]) for z in stream)) if together > 1 else stream
            questions, shares, found, over, counted = decoder.layer(layer, questions, *read, own_k, own_v, of_questions)
            if i in (half - 1, half):
                above.append(over)  # all tokens: the caller knows which belong to an answer
            if i == half:
                middle, said = before_layer, counted
            if i < half:
                early.append(shares)
            else:
                evidence.append(shares)
                attended.append(found)
                keys.append(stream[0])
                values.append(stream[1])
            if i < c.cross_layers - 1:
                x, *_ = decoder.layer(layer, x, *stream, k, v, of_frames)
        mean = lambda parts: torch.stack(parts).mean(0)
        evidence = mean(evidence)
        digits = decoder.digits(evidence, of_questions)
        return Reading(questions, evidence, mean(early), mean(attended), torch.stack(above), said, digits, middle), mean(keys), mean(values)


def hidden(which: torch.Tensor) -> torch.Tensor:
    return torch.zeros(which.shape).masked_fill(which, float("-inf"))


def causal(n: int) -> torch.Tensor:
    place = torch.arange(n)
    return hidden(place > place.unsqueeze(1))
