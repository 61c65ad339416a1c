"""Makes the PyTorch files that pytorch.test.ts reads, with the numbers that they must give.

Needs torch and numpy. Usage: python pytorch-fixtures.py FOLDER
"""
import io
import json
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
torch.manual_seed(1)
expected = {}


def note(file, state):
    """What `file` must give."""
    expected[file] = {name: {"type": str(tensor.dtype)[len("torch."):], "shape": list(tensor.shape),
                             "values": tensor.detach().to(torch.float32).reshape(-1).tolist()}
                      for name, tensor in state.items()}


# Every type, and every way in which a tensor can be a view.
base = torch.randn(4, 6)
state = OrderedDict(
    float64=torch.randn(2, 3, dtype=torch.float64),
    float32=torch.randn(5),
    float16=torch.randn(5).half(),
    bfloat16=torch.randn(2, 2).bfloat16(),
    int64=torch.tensor([-(2**40), 7]),
    int32=torch.tensor([-70000, 7], dtype=torch.int32),
    int16=torch.tensor([-300, 7], dtype=torch.int16),
    int8=torch.tensor([-3, 7], dtype=torch.int8),
    uint8=torch.tensor([200, 7], dtype=torch.uint8),
    bool=torch.tensor([True, False, True]),
    scalar=torch.tensor(2.5),
    empty=torch.zeros(0, 3),
    whole=base,
    transposed=base.t(),
    columns=base[1:, 1::2],
    row=base[2],
    repeated=base[:, 3:4].expand(4, 3),
    channels_last=torch.randn(2, 3, 2, 2).to(memory_format=torch.channels_last),
    half_transposed=torch.randn(3, 2).half().t(),
    parameter=torch.nn.Parameter(torch.randn(3)),
    frozen=torch.nn.Parameter(torch.randn(2), requires_grad=False),
)
for file, zipped in [("types.pt", True), ("types-legacy.pt", False)]:
    torch.save(state, folder / file, _use_new_zipfile_serialization=zipped)
    note(file, state)

# As a big-endian machine writes it.
with zipfile.ZipFile(folder / "types.pt") as old, zipfile.ZipFile(folder / "big-endian.pt", "w") as new:
    storages = {}
    for tensor in state.values():
        storages.setdefault(tensor.storage().data_ptr() or id(tensor), tensor.element_size())
    for item in old.infolist():
        data = old.read(item)
        if "/data/" in item.filename:
            width = list(storages.values())[int(item.filename.split("/")[-1])]
            data = b"".join(data[i:i + width][::-1] for i in range(0, len(data), width))
        new.writestr(item.filename, data)
    new.writestr("types/byteorder", "big")
note("big-endian.pt", state)

# A checkpoint of a training script: the weights of a wrapped model beside an optimizer's state.
model = torch.nn.Sequential(OrderedDict(conv1=torch.nn.Conv2d(3, 4, 3, bias=False), bn1=torch.nn.BatchNorm2d(4)))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
model(torch.randn(2, 3, 8, 8)).sum().backward()
optimizer.step()
wrapped = torch.nn.DataParallel(model)
checkpoint = {"epoch": 3, "arch": "resnet18", "best_acc1": 69.75, "state_dict": wrapped.state_dict(),
              "optimizer": optimizer.state_dict()}
for file, zipped in [("checkpoint.pt", True), ("checkpoint-legacy.pt", False)]:
    torch.save(checkpoint, folder / file, _use_new_zipfile_serialization=zipped)
    note(file, model.state_dict())
torch.save({"ema": {"decay": 0.9}, "weights": model.state_dict()}, folder / "nested.pt", pickle_protocol=4)
note("nested.pt", {f"weights.{name}": tensor for name, tensor in model.state_dict().items()})

# What must be refused.
for file, zipped in [("whole-model.pt", True), ("whole-model-legacy.pt", False)]:
    torch.save(torch.nn.Linear(2, 2), folder / file, _use_new_zipfile_serialization=zipped)


# Views of storages, as PyTorch 0.4 wrote them.
class Legacy(pickle.Pickler):
    def persistent_id(self, item):
        if isinstance(item, torch.storage.TypedStorage):
            return ("storage", torch.FloatStorage, "7", "cpu", 24, ("8", 6, 12))


stream = io.BytesIO()
for value in [0x1950a86a20f9469cfc6c, 1001, dict(protocol_version=1001, little_endian=True, type_sizes={})]:
    pickle.dump(value, stream, protocol=2)
part = base.reshape(-1)[6:18].clone().reshape(2, 6)
Legacy(stream, protocol=2).dump({"view": part})
pickle.dump(["7"], stream, protocol=2)
stream.write(struct.pack("<q", 24) + base.numpy().tobytes())
(folder / "views-legacy.pt").write_bytes(stream.getvalue())
loaded = torch.load(folder / "views-legacy.pt")
assert torch.equal(loaded["view"], part)
note("views-legacy.pt", loaded)

(folder / "expected.json").write_text(json.dumps(expected))
