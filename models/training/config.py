"""The shape of a model."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Config:
    self_decoder: str = "window"  # or "retention", see retention.py
    cache: str = "shared"  # or "layers": the baseline of layer_caches.py
    width: int = 256
    words_width: int = 576
    ffn: int = 768
    head_dim: int = 64
    self_layers: int = 4
    self_heads: int = 4
    self_kv_heads: int = 2
    cross_layers: int = 4
    cross_heads: int = 6
    kv_heads: int = 3
    window: int = 256  # tokens that a self-decoder layer sees, the current one included
    tokens_per_frame: int = 10
    labels: int = 0  # size of the table of names
    top_labels: int = 8
    tags: int = 8  # streams that one question may read
    detail: int = 24  # size of a vector's detail (projector.py)
    marks: int = 59  # size of a picture's marks: what it says, and in which colour (marks.py)

    def json(self) -> dict:
        return asdict(self)
