"""Checks that the safetensors library reads what write-safetensors.ts wrote, bit for bit.

Needs safetensors and numpy, and torch if its own loader is to be checked too.
Usage: node interop/weights/write-safetensors.ts FOLDER && python check-safetensors.py FOLDER
"""
import json
import sys
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

folder = Path(sys.argv[1])
expected = {name: np.array(item["bits"], np.uint32).view(np.float32).reshape(item["shape"])
            for name, item in json.loads((folder / "bits.json").read_text()).items()}
loaders = {"numpy": load_file}
try:
    from safetensors.torch import load_file as load_torch
    loaders["torch"] = lambda path: {name: tensor.numpy() for name, tensor in load_torch(path).items()}
except ImportError:
    print("torch is not installed: checked with numpy only")

for loader, load in loaders.items():
    for kind in ("float32", "float16"):
        tensors = load(folder / f"{kind}.safetensors")
        assert tensors.keys() == expected.keys(), tensors.keys()
        for name, tensor in tensors.items():
            wanted = expected[name].astype(kind)
            assert tensor.dtype == wanted.dtype and tensor.shape == wanted.shape, name
            assert tensor.tobytes() == wanted.tobytes(), f"{kind} {name} differs"
        print(f"{loader}: {len(tensors)} tensors of {kind} are the same, bit for bit")
with safe_open(folder / "float32.safetensors", "np") as file:
    assert file.metadata() == {"format": "pt", "licence": "CC0-1.0"}, file.metadata()
