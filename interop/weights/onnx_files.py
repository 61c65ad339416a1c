"""Writes ONNX models that the tests of readOnnx read, with the numbers that they must find.

    pip install onnx numpy
    python interop/weights/onnx_files.py packages/residual/src/weights/onnx/fixtures

    pip install torch        # its own step, since torch and onnx need not live in one environment
    python interop/weights/onnx_files.py --torch packages/residual/src/weights/onnx/fixtures
"""

import base64
import json
import pathlib
import sys

import numpy as np


def expected(array, stored):
    """What a reader must give: 32-bit floats, bit for bit."""
    return {
        "type": stored,
        "shape": list(array.shape),
        "float32": base64.b64encode(np.ascontiguousarray(array).astype("<f4").tobytes()).decode(),
    }


def extremes(dtype):
    """Six numbers of a type in the shape [2, 3], the ends of its range among them."""
    if dtype == bool:
        return np.array([[True, False, True], [False, False, True]])
    if np.dtype(dtype).kind in "iu":
        info = np.iinfo(dtype)
        return np.array([[info.min, 0, 1], [info.max, 100, info.max // 3]], dtype)
    info = np.finfo(dtype)
    return np.array([[-0.0, info.smallest_subnormal, np.pi], [-info.max / 4, np.inf, 1 / 3]], dtype)


def types(folder):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    numbers, tensors = {}, []
    names = {"float32": "FLOAT", "float64": "DOUBLE", "float16": "FLOAT16"}
    for dtype in "float32 float64 float16 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool".split():
        array = extremes(bool if dtype == "bool" else dtype)
        with np.errstate(over="ignore"):
            known = expected(array, dtype)
        raw = numpy_helper.from_array(array, f"raw.{dtype}")
        typed = helper.make_tensor(f"typed.{dtype}", getattr(TensorProto, names.get(dtype, dtype.upper())), array.shape, array.flatten())
        assert raw.HasField("raw_data") and not typed.HasField("raw_data")
        tensors += [raw, typed]
        numbers[raw.name] = numbers[typed.name] = known
    # bfloat16: the upper half of a float32, exactly.
    bits = np.array([0x8000, 0x3F80, 0x4049, 0xFF7F, 0x7F80, 0x0001], np.uint16)
    known = expected((bits.astype(np.uint32) << 16).view(np.float32).reshape(2, 3), "bfloat16")
    raw = TensorProto(name="raw.bfloat16", data_type=TensorProto.BFLOAT16, dims=[2, 3], raw_data=bits.tobytes())
    typed = TensorProto(name="typed.bfloat16", data_type=TensorProto.BFLOAT16, dims=[2, 3], int32_data=bits.tolist())
    tensors += [raw, typed]
    numbers[raw.name] = numbers[typed.name] = known
    for name, array in {"scalar": np.float32(0.1), "empty": np.zeros((0, 3), np.float32)}.items():
        tensors.append(numpy_helper.from_array(np.asarray(array), name))
        numbers[name] = expected(np.asarray(array), "float32")
    tensors.append(helper.make_tensor("texts", TensorProto.STRING, [1], [b"dog"]))

    constant = np.arange(4, dtype=np.float32).reshape(2, 2) / 7
    nodes = [
        helper.make_node("Constant", [], ["constant"], value=numpy_helper.from_array(constant, "inner")),
        helper.make_node("Identity", ["raw.float32"], ["shared"], name="share"),
        helper.make_node("Conv", ["input", "kernel"], ["output"], name="conv", pads=[1, 1, 1, 1], group=1, auto_pad="NOTSET"),
        helper.make_node("LeakyRelu", ["output"], ["leaky"], alpha=0.25),
    ]
    numbers["constant"] = expected(constant, "float32")
    kernel = np.linspace(-1, 1, 36, dtype=np.float32).reshape(2, 2, 3, 3)
    tensors.append(numpy_helper.from_array(kernel, "kernel"))
    numbers["kernel"] = expected(kernel, "float32")
    image = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 2, 8, 8])
    output = helper.make_tensor_value_info("leaky", TensorProto.FLOAT, ["batch", 2, 8, None])
    graph = helper.make_graph(nodes, "types", [image], [output], tensors)
    model = helper.make_model(graph, producer_name="interop", opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"labels": "cat,dog"})
    onnx.checker.check_model(model)
    onnx.save(model, folder / "types.onnx")
    (folder / "types.json").write_text(json.dumps(numbers, indent=1) + "\n")

    onnx.save(
        model,
        folder / "external.onnx",
        save_as_external_data=True,
        location="external.data",
        size_threshold=0,
        convert_attribute=False,
    )


def torch_export(folder):
    """What PyTorch writes in evaluation mode: batch normalisation folded, weights named `onnx::Conv_N`."""
    import torch

    torch.manual_seed(1)
    layers = torch.nn.Sequential()
    layers.add_module("conv1", torch.nn.Conv2d(3, 4, 3, padding=1, bias=False))
    layers.add_module("bn1", torch.nn.BatchNorm2d(4))
    layers.add_module("relu", torch.nn.ReLU())
    layers.add_module("conv2", torch.nn.Conv2d(4, 4, 3, stride=2, padding=1, bias=False))
    layers.add_module("bn2", torch.nn.BatchNorm2d(4))
    layers.add_module("pool", torch.nn.AdaptiveAvgPool2d(1))
    layers.add_module("flatten", torch.nn.Flatten())
    layers.add_module("fc", torch.nn.Linear(4, 3))
    for module in layers:
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                torch.nn.init.uniform_(tensor, 0.5, 2)
            for tensor in (module.bias, module.running_mean):
                torch.nn.init.uniform_(tensor, -1, 1)
    layers.eval()
    numbers = {}
    for conv, bn in (("conv1", "bn1"), ("conv2", "bn2")):
        fused = torch.nn.utils.fuse_conv_bn_eval(getattr(layers, conv), getattr(layers, bn))
        numbers[f"{conv}.weight"] = expected(fused.weight.detach().numpy(), "float32")
        numbers[f"{conv}.bias"] = expected(fused.bias.detach().numpy(), "float32")
    for name in ("fc.weight", "fc.bias"):
        numbers[name] = expected(layers.state_dict()[name].numpy(), "float32")
    image = torch.zeros(1, 3, 8, 8)
    names = {"input_names": ["input"], "output_names": ["output"]}
    torch.onnx.export(layers, image, folder / "folded.onnx", **names, dynamic_axes={"input": {0: "batch"}}, opset_version=13)
    (folder / "folded.json").write_text(json.dumps(numbers, indent=1) + "\n")


if __name__ == "__main__":
    path = pathlib.Path(sys.argv[-1])
    path.mkdir(parents=True, exist_ok=True)
    torch_export(path) if "--torch" in sys.argv else types(path)
