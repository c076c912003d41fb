"""The device of training, and bfloat16 where that device supports it: elsewhere it is emulated, far slower than
float32."""

import argparse

import torch


def add_device(parser: argparse.ArgumentParser) -> None:
    """Adds `--device`, which becomes PyTorch's default device when it is parsed (`torch.set_default_device`)."""
    parser.add_argument("--device", type=_use, default="cpu", help="PyTorch device, such as cuda or cuda:1; default: cpu")


def _use(name: str) -> str:
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:  # AssertionError: PyTorch was built without this device
        raise argparse.ArgumentTypeError(f"{name!r} cannot be used: {str(error).splitlines()[0]}") from None
    if name != "cpu":
        torch.set_default_device(name)
    return name


def bfloat16() -> bool:
    """Whether the default device computes in bfloat16 natively."""
    kind = torch.get_default_device().type
    if kind == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Builds without oneDNN, such as those for Macs, lack this operator too.
    return kind == "cpu" and torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def mixed_precision() -> torch.autocast:
    return torch.autocast(torch.get_default_device().type, torch.bfloat16, enabled=bfloat16())
