"""Where training computes, and in bfloat16 where that is computed in: elsewhere it is emulated, and far slower than float32."""

import argparse

import torch


def add_device(parser: argparse.ArgumentParser) -> None:
    """`--device`: what names no device of its own is made there from then on (`torch.set_default_device`)."""
    parser.add_argument("--device", type=_use, default="cpu", help="of PyTorch, such as cuda or cuda:1; default: cpu")


def _use(name: str) -> str:
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:  # an AssertionError: PyTorch was built without it
        raise argparse.ArgumentTypeError(f"{name!r} cannot be used: {str(error).splitlines()[0]}") from None
    if name != "cpu":
        torch.set_default_device(name)
    return name


def bfloat16() -> bool:
    """Whether the device that tensors are made on computes in it."""
    kind = torch.get_default_device().type
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Builds without oneDNN, as those for Macs, lack the question too.
    return kind == "cpu" and torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def mixed_precision() -> torch.autocast:
    return torch.autocast(torch.get_default_device().type, torch.bfloat16, enabled=bfloat16())
