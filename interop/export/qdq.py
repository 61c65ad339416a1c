"""Checks ONNX files of integers that qdq-make.ts wrote: onnx's own checker, what ONNX Runtime makes of them, accuracy.

    pip install onnx onnxruntime numpy
    node interop/export/qdq-make.ts FOLDER
    python interop/export/qdq.py FOLDER [--latency]
"""

import collections
import json
import pathlib
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime

FOLDER = pathlib.Path(sys.argv[1])
LATENCY = "--latency" in sys.argv
MOST_POINTS = 0.3


def open_session(path):
    """The session, and the operators that are left after ONNX Runtime fused them."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = f"{folder}/optimised.onnx"
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        nodes = onnx.load(options.optimized_model_filepath).graph.node
    return session, collections.Counter(node.op_type for node in nodes)


def check_rules(model, profile):
    """TensorRT: zero points of 0, int8 alone, biases in floats. Both: weights stored as int8, a scale for each channel."""
    tensors = {one.name: one for one in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            if node.input[0] in tensors and tensors[node.input[0]].data_type == onnx.TensorProto.INT8:
                assert tensors[node.input[1]].dims == tensors[node.input[0]].dims[:1], node.name
            if profile == "tensorrt":
                zero = tensors[node.input[2]]
                assert zero.data_type == onnx.TensorProto.INT8 and not onnx.numpy_helper.to_array(zero).any(), node.name


def check(case, floats):
    path = FOLDER / case["file"]
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version == case["opset"]
    check_rules(model, case["profile"])
    session, operators = open_session(path)
    (source,) = session.get_inputs()
    assert source.shape[0] == "batch", source.shape
    kind = np.uint8 if source.type == "tensor(uint8)" else np.dtype("<f4")
    images = np.fromfile(FOLDER / f"{case['data']}.images", kind).reshape(-1, *source.shape[1:])
    outputs = np.concatenate([session.run(None, {"input": images[i : i + 50]})[0] for i in range(0, len(images), 50)])
    said = []
    expected = floats.setdefault(case["data"], outputs)
    said.append(f"differs by {np.abs(outputs - expected).max() / np.ptp(expected):.1e} of the range")
    said.append(f"same class {100 * (outputs.argmax(1) == expected.argmax(1)).mean():.2f} %")
    labels = FOLDER / f"{case['data']}.labels"
    if labels.exists():
        right = np.fromfile(labels, np.uint8)
        accuracy, original = (100 * (one.argmax(1) == right).mean() for one in (outputs, expected))
        said.append(f"accuracy {accuracy:.2f} %")
        assert original - accuracy <= MOST_POINTS, f"{case['file']}: {original - accuracy:.2f} points lost"
    if case["profile"] == "cpu":
        convolutions = sum(node.op_type == "Conv" for node in model.graph.node)
        assert operators["QLinearConv"] == convolutions and operators["Conv"] == 0, operators
    if LATENCY:
        times = []
        for _ in range(40):
            start = time.perf_counter()
            session.run(None, {"input": images[:1]})
            times.append(time.perf_counter() - start)
        said.append(f"one image {1000 * np.median(times):.2f} ms (best {1000 * min(times):.2f})")
    print(f"{case['file']:34} opset {case['opset']}  {path.stat().st_size / 1e6:6.2f} MB  {', '.join(said)}", flush=True)


answers = {}
for one in json.loads((FOLDER / "qdq.json").read_text()):
    check(one, answers)
print(f"all well with onnx {onnx.__version__} and ONNX Runtime {onnxruntime.__version__}")
