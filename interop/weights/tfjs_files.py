"""Writes TF.js models with TensorFlow.js's own converter, and the numbers that went into them, for the tests of readTfjs.

    pip install tensorflow tf_keras
    pip install --no-deps tensorflowjs
    python interop/weights/tfjs_files.py packages/residual/src/weights/tfjs/fixtures
    npm run format
"""

import base64
import json
import os
import pathlib
import shutil
import sys
import tempfile
from unittest import mock

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # The converter knows Keras 2 only.
# Converters of other formats, which are not installed and not called.
for module in "tensorflow_decision_forests tensorflow_hub jax jax.experimental jax.experimental.jax2tf flax".split():
    sys.modules[module] = mock.MagicMock()
sys.modules["tensorflowjs.converters.jax_conversion"] = mock.MagicMock()

import numpy as np
import tensorflow as tf
from tensorflowjs import write_weights
from tensorflowjs.converters import keras_h5_conversion, tf_saved_model_conversion_v2


def describe(array):
    return {
        "shape": list(array.shape),
        "float32": base64.b64encode(np.ascontiguousarray(array).astype("<f4").tobytes()).decode(),
    }


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")


def small_model():
    tf.keras.utils.set_random_seed(3)
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            layers.Input((8, 8, 3)),
            layers.Conv2D(4, 3, use_bias=False, name="conv1"),
            layers.BatchNormalization(name="bn1"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(3, name="fc"),
        ],
        name="tiny",
    )
    model.set_weights([np.random.normal(size=w.shape).astype("float32") ** 2 for w in model.get_weights()])
    return model


def layers_model(folder):
    """Layers format; kernels float16, in shards of 100 bytes."""
    model = small_model()
    keras_h5_conversion.save_keras_model(
        model, str(folder / "layers"), quantization_dtype_map={"float16": "*/kernel"}, weight_shard_size_bytes=100
    )
    # As the converter names them: without `:0`.
    write_json(folder / "layers.json", {w.name.split(":")[0]: describe(w.numpy()) for w in model.weights})


def graph_model(folder):
    """Graph format, from a SavedModel; everything uint8 but for the bias, in shards of 50 bytes."""
    with tempfile.TemporaryDirectory() as saved:
        small_model().save(saved, save_format="tf")
        tf_saved_model_conversion_v2.convert_tf_saved_model(
            saved, str(folder / "graph"), quantization_dtype_map={"uint8": True}, weight_shard_size_bytes=50
        )


def groups(folder):
    """Every type that a manifest may have, in three groups, under a model.json of our own."""
    random = np.random.default_rng(5)
    normal = lambda *shape: random.normal(size=shape).astype("float32")
    weights = [
        [
            ("plain", normal(3, 5)),
            ("uint8", normal(7, 3)),
            ("uint16", normal(7, 3)),
            ("float16", np.concatenate([normal(6), [65504, -0.0, 6e-8, 1e-5]]).astype("float32")),
            ("scalar", np.full((), 2.5, "float32")),
        ],
        [
            ("texts", np.array([b"cat", b"", b"blackbird"], "object")),
            ("after-texts", np.arange(-3, 3, dtype="int32")),
            ("uint8-int32", np.array([-1000, 0, 50, 1000], "int32")),
            ("bool", np.array([True, False, True])),
            ("complex", (normal(2) + 1j * normal(2)).astype("complex64")),
            ("after-complex", normal(2, 2)),
        ],
        [("constant", np.full((4,), 0.25, "float32")), ("empty", np.zeros((0, 4), "float32"))],
    ]
    target = folder / "groups"
    target.mkdir()
    manifest = write_weights.write_weights(
        [[{"name": name, "data": data} for name, data in group] for group in weights],
        str(target),
        shard_size_bytes=60,
        write_manifest=False,
        quantization_dtype_map={"uint8": ["uint8", "uint8-int32", "constant"], "uint16": "uint16", "float16": "float16"},
    )
    model = {"format": "graph-model", "generatedBy": "interop", "convertedBy": None, "modelTopology": {"node": []}}
    write_json(target / "model.json", {**model, "weightsManifest": manifest})
    known = {name: describe(data) for group in weights for name, data in group if name not in ("texts", "complex")}
    write_json(folder / "groups.json", known)


if __name__ == "__main__":
    path = pathlib.Path(sys.argv[1])
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    layers_model(path)
    graph_model(path)
    groups(path)
