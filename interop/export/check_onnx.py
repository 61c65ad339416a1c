"""Checks ONNX files that make.ts wrote: with onnx's own checker and shape inference, and in ONNX Runtime.

    pip install onnx onnxruntime numpy
    python interop/export/check_onnx.py FOLDER
"""

import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime

FOLDER = pathlib.Path(sys.argv[1])


def images_for(case, network_input):
    """The pictures in the type and the layout that the file's input has."""
    height, width, channels = case["shape"]
    if network_input.type == "tensor(uint8)":
        images = np.fromfile(FOLDER / f"{case['network']}.bytes.u8", np.uint8)
    else:
        images = np.fromfile(FOLDER / f"{case['network']}.normalised.f32", "<f4")
    images = images.reshape(3, height, width, channels)
    if network_input.shape[1:] == [channels, height, width]:
        images = images.transpose(0, 3, 1, 2)
    return images.astype(np.float16) if network_input.type == "tensor(float16)" else images


def check(case):
    path = FOLDER / case["file"]
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    properties = {one.key: one.value for one in model.metadata_props}
    assert json.loads(properties["labels"]) == case["classes"], properties["labels"]
    assert json.loads(properties["preprocessing"])["inputShape"] == case["shape"]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (network_input,) = session.get_inputs()
    assert network_input.name == "input" and session.get_outputs()[0].name == "output"
    images = images_for(case, network_input)
    expected = np.fromfile(FOLDER / f"{case['network']}.expected.f32", "<f4").reshape(3, -1)
    (three,) = session.run(None, {"input": images})
    (one,) = session.run(None, {"input": images[:1]})
    scale = expected.max() - expected.min()
    worst = max(np.abs(three - expected).max(), np.abs(one - expected[:1]).max()) / scale
    limit = 2e-2 if case["half"] else 1e-4
    assert worst < limit, f"{case['file']}: differs by {worst:.2e} of the range, the limit is {limit}"
    opset = model.opset_import[0].version
    print(f"{case['file']:34} opset {opset}  {path.stat().st_size / 1e6:7.2f} MB  differs by {worst:.1e} of the range")


for case in json.loads((FOLDER / "cases.json").read_text()):
    check(case)
print(f"all well with onnx {onnx.__version__} and ONNX Runtime {onnxruntime.__version__}")
