"""Kernels that are kept for a length of speech are bounded: memory does not grow with the lengths that were spoken."""

import subprocess
import sys

import pytest
import torch

GROWTH = """
import ctypes, torch
from tts_fm import loading

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks used free keep".split()]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Info
loading.bound_kernel_caches()
weight, bias = torch.randn(960, 320, dtype=torch.bfloat16), torch.randn(960, dtype=torch.bfloat16)
used = []
with torch.inference_mode():
    for n in range(50, 850):
        torch.nn.functional.linear(torch.zeros(1, n, 320, dtype=torch.bfloat16), weight, bias)
        if n in (449, 849):
            used.append(libc.mallinfo2().used)
print(used[1] - used[0])
"""


@pytest.mark.skipif(
    not (sys.platform == "linux" and torch.cpu._is_avx512_bf16_supported()),
    reason="the kernels are of processors with bfloat16, the measure is of glibc",
)
def test_memory_does_not_grow_with_lengths() -> None:
    """400 more lengths of a product, after the first 400, keep less than 5 MB; 112 MB where PyTorch keeps its 1024."""
    run = subprocess.run([sys.executable, "-c", GROWTH], capture_output=True, text=True, check=True, timeout=200)
    assert int(run.stdout) < 5_000_000
