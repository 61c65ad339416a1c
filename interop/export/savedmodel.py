"""Checks SavedModels that savedmodel-make.ts wrote, in TensorFlow itself.

    pip install tensorflow-cpu
    python interop/export/savedmodel.py FOLDER

Each is loaded in four ways: tf.saved_model.load, TensorFlow 1's loader, the C++ loader that TF Serving has (by
TensorFlow's C interface), and, the first of them, saved_model_cli.
"""

import ctypes
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

FOLDER = pathlib.Path(sys.argv[1])


def images_for(case):
    if case["type"] == "uint8":
        images = np.fromfile(FOLDER / f"{case['network']}.bytes.u8", np.uint8)
    else:
        images = np.fromfile(FOLDER / f"{case['network']}.normalised.f32", "<f4")
    return images.reshape(3, *case["shape"])


def with_load(folder, images):
    """As TensorFlow 2 does it."""
    loaded = tf.saved_model.load(str(folder))
    (labels,) = loaded.asset_paths
    names = pathlib.Path(labels.asset_path.numpy().decode()).read_text().splitlines()
    assert all(variable.trainable for variable in loaded.variables) and loaded.variables
    predict = loaded.signatures["serving_default"]
    return predict(input=tf.constant(images))["output"].numpy(), names


def with_v1(folder, images):
    """As TensorFlow 1 does it; and once more after its variables were saved elsewhere and restored."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(folder))
        signature = meta.signature_def["serving_default"]
        names = signature.outputs["output"].name, signature.inputs["input"].name
        first = session.run(names[0], {names[1]: images})
        saver = tf.compat.v1.train.Saver(saver_def=meta.saver_def)
        with tempfile.TemporaryDirectory() as elsewhere:
            path = saver.save(session, f"{elsewhere}/again")
            for variable in tf.compat.v1.global_variables():
                session.run(variable.assign(tf.zeros_like(variable)))
            assert not np.allclose(session.run(names[0], {names[1]: images}), first)
            saver.restore(session, path)
        return session.run(names[0], {names[1]: images})


def with_cpp(folder):
    """Whether the loader of C++ takes it: it restores the variables and fails where it cannot."""
    library = ctypes.CDLL(str(next(pathlib.Path(tf.__file__).parent.glob("libtensorflow_cc.so*"))))
    for name in ("TF_NewStatus", "TF_NewSessionOptions", "TF_NewGraph", "TF_LoadSessionFromSavedModel"):
        getattr(library, name).restype = ctypes.c_void_p
    library.TF_Message.restype = ctypes.c_char_p
    status, options, graph = (
        ctypes.c_void_p(call()) for call in (library.TF_NewStatus, library.TF_NewSessionOptions, library.TF_NewGraph)
    )
    tags = (ctypes.c_char_p * 1)(b"serve")
    library.TF_LoadSessionFromSavedModel(options, None, str(folder).encode(), tags, 1, graph, None, status)
    assert library.TF_GetCode(status) == 0, library.TF_Message(status)


def with_cli(folder, images, signature):
    """The command that comes with TensorFlow."""
    cli = pathlib.Path(sys.executable).parent / "saved_model_cli"
    shown = subprocess.run([cli, "show", "--dir", folder, "--all"], check=True, capture_output=True, text=True).stdout
    assert "signature_def['serving_default']" in shown and signature in shown, shown
    with tempfile.TemporaryDirectory() as out:
        np.save(f"{out}/images.npy", images)
        which = ["--dir", folder, "--tag_set", "serve", "--signature_def", "serving_default"]
        subprocess.run(
            [cli, "run", *which, "--inputs", f"input={out}/images.npy", "--outdir", out], check=True, capture_output=True
        )
        return np.load(f"{out}/output.npy")


def check(case, first):
    folder = FOLDER / case["path"] / "1"
    images = images_for(case)
    expected = np.fromfile(FOLDER / f"{case['network']}.expected.f32", "<f4").reshape(3, -1)
    three, names = with_load(folder, images)
    assert names == case["classes"], names
    one, _ = with_load(folder, images[:1])
    results = [three, with_v1(folder, images)]
    with_cpp(folder)
    if first:
        results.append(with_cli(folder, images, "shape: (-1, " + ", ".join(map(str, case["shape"])) + ")"))
    span = expected.max() - expected.min()
    worst = max([np.abs(one - expected[:1]).max(), *(np.abs(result - expected).max() for result in results)]) / span
    assert worst < case["limit"], f"{case['path']}: differs by {worst:.2e} of the range, the limit is {case['limit']}"
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{case['path']:28} {size / 1e6:7.2f} MB  differs by {worst:.1e} of the range")


for place, case in enumerate(json.loads((FOLDER / "cases.json").read_text())):
    check(case, place == 0)
print(f"all well with TensorFlow {tf.__version__}")
