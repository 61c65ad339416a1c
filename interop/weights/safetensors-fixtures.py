"""Makes the safetensors files that safetensors.test.ts reads, with the numbers that they must give.

Needs safetensors, numpy and ml_dtypes. Usage: python safetensors-fixtures.py FOLDER
"""
import json
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
random = np.random.default_rng(1)

tensors = {
    "layer.weight": random.normal(size=(3, 4)).astype(np.float32),
    "float64": random.normal(size=(2, 3)),
    "float16": random.normal(size=(5,)).astype(np.float16),
    "bfloat16": random.normal(size=(2, 2)).astype(ml_dtypes.bfloat16),
    "int64": np.array([-(2**40), 7], np.int64),
    "int32": np.array([-70000, 7], np.int32),
    "int16": np.array([-300, 7], np.int16),
    "int8": np.array([-3, 7], np.int8),
    "uint64": np.array([2**63, 7], np.uint64),
    "uint32": np.array([2**32 - 2**20, 7], np.uint32),
    "uint16": np.array([65000, 7], np.uint16),
    "uint8": np.array([200, 7], np.uint8),
    "bool": np.array([True, False, True]),
    "scalar": np.array(2.5, np.float32),
    "empty": np.zeros((0, 3), np.float32),
    "7": np.ones(1, np.float32),
}
save_file(tensors, folder / "types.safetensors", metadata={"format": "np", "accuracy": "0.9"})

names = list(tensors)
shards = {"model-00001-of-00002.safetensors": names[:5], "model-00002-of-00002.safetensors": names[5:]}
for shard, members in shards.items():
    save_file({name: tensors[name] for name in members}, folder / shard, metadata={"format": "np"})
index = {"metadata": {"total_size": sum(tensor.nbytes for tensor in tensors.values())},
         "weight_map": {name: shard for shard, members in shards.items() for name in members}}
(folder / "model.safetensors.index.json").write_text(json.dumps(index))

expected = {name: {"type": tensor.dtype.name, "shape": tensor.shape, "values": tensor.astype(np.float32).ravel().tolist()}
            for name, tensor in tensors.items()}
(folder / "expected.json").write_text(json.dumps(expected))
