"""bfloat16 where the processor computes in it: elsewhere it is emulated, and far slower than float32."""

import torch

BFLOAT16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()


def mixed_precision() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16, enabled=BFLOAT16)
