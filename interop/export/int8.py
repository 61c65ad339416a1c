"""Holds every integer that our engine computes against TensorFlow Lite's reference kernels: none may differ.

    node interop/export/int8-make.ts FOLDER
    python interop/export/int8.py FOLDER

Needs tensorflow and numpy.
"""

import json
import pathlib
import sys

import numpy as np
import tensorflow as tf

folder = pathlib.Path(sys.argv[1])
failures = 0
for case in json.loads((folder / "cases.json").read_text()):
    images = np.fromfile(folder / f"{case['name']}.images", np.float32).reshape(-1, *case["shape"])
    interpreter = tf.lite.Interpreter(
        model_path=str(folder / f"{case['name']}.tflite"),
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
    interpreter.invoke()
    tensors = {}
    for detail in interpreter.get_tensor_details():
        if detail["dtype"] == np.int8:
            tensors.setdefault(detail["name"].removesuffix("/int8"), detail)
    ours = np.fromfile(folder / f"{case['name']}.values", np.int8)
    start, total, wrong = 0, 0, []
    for value in case["values"]:
        numbers = ours[start : start + value["size"]].astype(int)
        start += value["size"]
        detail = tensors.get(value["name"])
        if detail is None:
            print(f"     {case['name']}: no int8 tensor {value['name']}; tensors: {sorted(tensors)[:5]}")
            failures += 1
            continue
        theirs = interpreter.get_tensor(detail["index"]).reshape(-1).astype(int)
        differ = np.abs(numbers - theirs)
        total += differ.size
        if differ.any():
            wrong.append(f"{value['name']}: {np.count_nonzero(differ)} of {differ.size}, by up to {differ.max()}")
    failures += len(wrong)
    print(f"{'FAIL' if wrong else 'ok  '} {case['name']:32} {total} integers", *wrong, sep="\n     " if wrong else " ")
sys.exit(failures > 0)
