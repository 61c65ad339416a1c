"""Runs our TFLite files in TensorFlow's own interpreter and checks what they say of the images beside them.

    node interop/export/tflite-make.ts FOLDER
    python interop/export/tflite.py FOLDER

Needs tensorflow and numpy. The metadata is checked by `tflite_metadata.py`.
"""

import json
import pathlib
import sys

import numpy as np
import tensorflow as tf

folder = pathlib.Path(sys.argv[1])
# The largest difference, as a part of the range of what is expected. Rounding errors of 8 bits add up over 18 layers.
LIMITS = {"float32": 1e-5, "dynamicBatch": 1e-5, "float16": 5e-3, "dynamic": 5e-2}


def run(path, images, resize, kernels):
    """As a caller does who knows nothing but the file: types and scales come from its tensors."""
    interpreter = tf.lite.Interpreter(model_path=str(path), experimental_op_resolver_type=kernels)
    batch = images.shape[0] if resize else 1
    if resize:
        interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], images.shape)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    results = []
    for start in range(0, len(images), batch):
        x = images[start : start + batch]
        if source["dtype"] != np.float32:
            scale, zero = source["quantization"]
            limits = np.iinfo(source["dtype"])
            x = np.clip(np.round(x / scale) + zero, limits.min, limits.max)
        interpreter.set_tensor(source["index"], x.astype(source["dtype"]))
        interpreter.invoke()
        y = interpreter.get_tensor(target["index"])
        if target["dtype"] != np.float32:
            scale, zero = target["quantization"]
            y = (y.astype(np.float32) - zero) * scale
        results.append(y)
    return np.concatenate(results), interpreter


resolvers = tf.lite.experimental.OpResolverType
failures = 0
for case in json.loads((folder / "cases.json").read_text()):
    path = folder / case["file"]
    images = np.fromfile(folder / f"{case['data']}.images", np.float32).reshape(-1, *case["preprocessing"]["inputShape"])
    expected = np.fromfile(folder / f"{case['data']}.expected", np.float32).reshape(len(images), -1)
    limit = LIMITS.get(case["kind"], 0.1)
    for label, kernels in [("xnnpack", resolvers.AUTO), ("reference", resolvers.BUILTIN_REF)]:
        for resize in [False, True]:
            received, interpreter = run(path, images, resize, kernels)
            worst = np.abs(received - expected).max() / np.ptp(expected)
            same = (received.argmax(1) == expected.argmax(1)).sum()
            good = worst <= limit and (limit > 0.01 or same == len(images))
            failures += not good
            print(f"{'ok  ' if good else 'FAIL'} {case['file']:44} {label:9} {'resized' if resize else 'single ':7} "
                  f"off by {worst:.2e}, {same}/{len(images)} classes")
    runner = interpreter.get_signature_runner("serving_default")
    assert list(runner.get_input_details()) == ["input"] and list(runner.get_output_details()) == ["output"]
    if case["kind"] == "dynamicBatch":
        assert list(interpreter.get_input_details()[0]["shape_signature"])[0] == -1
sys.exit(failures > 0)
