"""A tiny bundle with the same graphs and seeded random weights, for fast tests of the runtime. Needs no data, and no
download but the tokenizer's package.

python tiny_bundle.py --out ../../test/bundles/tiny
python tiny_bundle.py --out ../../test/bundles/tiny-retention --self-decoder retention
"""

import argparse
from pathlib import Path

import torch
from torch import nn

from config import Config
from export import check, export
from model import YocoLive
from text import END, tokenizer_json, word_embeddings

VOCABULARY = 2000


class TinyEyes(nn.Module):
    """Stands in for the backbone: mean colours of the cells, through a random map."""

    def __init__(self):
        super().__init__()
        self.map = nn.Linear(3, 32)
        self.fc = nn.Linear(32, 4)

    def forward(self, rgb):
        x = (rgb.permute(0, 3, 1, 2).float() - 127.0) / 128.0
        cells = nn.functional.avg_pool2d(x, 74, 74)[:, :, :3, :3].flatten(2)
        return self.map(torch.cat([cells, x.mean((2, 3)).unsqueeze(2)], 2).transpose(1, 2))

    def classify(self, features):
        return self.fc(features)


class TinyProjector(nn.Module):
    def __init__(self, labels: int, words: int):
        super().__init__()
        self.label, self.word, self.mark = nn.Linear(32, labels), nn.Linear(32, words), nn.Linear(32, Config.marks)

    def mixtures(self, features, _):
        return self.label(features).softmax(-1), self.word(features).softmax(-1)

    def marks(self, features, _):
        return self.mark(features[:, -1]).softmax(-1)


class TinyDetail(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("basis", torch.randn(32, Config.detail) / 6)
        self.register_buffer("middle", torch.zeros(Config.detail))


class TinyVocabulary:
    def __init__(self, count: int, width: int):
        self.labels = [str(i) for i in range(count)]
        self.table = torch.randn(count, width)

    def tensors(self):
        return self.table, self.table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True)
    parser.add_argument("--self-decoder", choices=("window", "retention"), default="window")
    args = parser.parse_args()
    torch.manual_seed(3)
    answers = [END, *range(17, 300)]
    config = Config(self_decoder=args.self_decoder, width=32, words_width=576, ffn=48, head_dim=16, self_layers=2, self_heads=2, self_kv_heads=1, cross_layers=2, cross_heads=4,
                    kv_heads=2, window=32, labels=12)
    model = YocoLive(config, torch.from_numpy(word_embeddings()[:VOCABULARY]), answers)
    with torch.no_grad():
        for layer in model.cross_decoder.layers:  # most of these are zero at the start of training
            nn.init.normal_(layer.attention.when.weight, std=0.2)
            nn.init.normal_(layer.attention.count.weight, std=0.2)
            nn.init.normal_(layer.attention.tally.into.weight, std=0.2)
            nn.init.normal_(layer.attention.tally.threshold.weight, std=0.2)
            nn.init.zeros_(layer.attention.tally.threshold.bias)
        for gate in (model.counted.gate, model.dated.gate, model.written.gate):
            nn.init.normal_(gate.weight, std=0.1)
        if model.self_decoder.movement:
            nn.init.normal_(model.self_decoder.movement.write.weight, std=0.2)
        nn.init.normal_(model.visual.from_detail.weight, std=0.2)
        nn.init.normal_(model.visual.from_marks.weight, std=0.2)
        export(model, TinyProjector(12, 12), TinyDetail(), TinyVocabulary(12, 576), TinyEyes(), Path(args.out), {"licence": "Apache-2.0", "endsAtRepetition": False},
               tokenizer_json(VOCABULARY), page_frames=8)
    check(Path(args.out), config)


if __name__ == "__main__":
    main()
