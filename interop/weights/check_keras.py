"""Loads the .h5 files that check-keras.ts wrote, in Keras 3 and Keras 2, in every way, and compares the outputs.

    python check_keras.py FOLDER

Needs: tensorflow, tf_keras, h5py.
"""

import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras as keras3
import numpy as np
import tf_keras as keras2
from save_keras import build_resnet18, picture

folder = sys.argv[1]
path = lambda name: os.path.join(folder, name)
with open(path("expected.json")) as file:
    expected = json.load(file)
shape, classes = tuple(expected["inputShape"]), expected["classes"]
x = picture(shape, 2)


def logits(keras, model):
    kernel, bias = model.layers[-1].get_weights()
    return keras.Model(model.input, model.layers[-2].output).predict(x, verbose=0) @ kernel + bias


def guide(keras, names=None):
    """The guide's network; `names` gives its layers those of the file, for loading by name."""
    model = build_resnet18(keras, shape, classes, expected["filters"])
    for layer, name in zip([layer for layer in model.layers if layer.weights], names or []):
        # Keras 2 has no setter.
        setattr(layer, "name" if keras is keras3 else "_name", name)
    return model


def by_name(keras, file):
    import h5py

    with h5py.File(path(file)) as opened:
        names = [name.decode() for name in opened.attrs["layer_names"]]
    model = guide(keras, names)
    model.load_weights(path(file), by_name=True)
    return model


def in_order(keras, file):
    model = guide(keras)
    model.load_weights(path(file))
    return model


ways = [("load_model", c, lambda k, f: k.models.load_model(path(f), compile=False), "") for c in ("keras", "torchvision")]
ways += [("load_weights in order", "keras", in_order, end) for end in ("", ".weights-only")]
ways += [("load_weights by name", "keras", by_name, ".weights-only")]
worst = 0
for way, convention, load, end in ways:
    with open(path(f"ours-{convention}.json")) as file:
        wanted = np.array(json.load(file)).reshape(2, classes)
    for keras in (keras3, keras2):
        file = f"ours-{convention}{end}.h5"
        off = np.abs(logits(keras, load(keras, file)) - wanted).max() / np.ptp(wanted)
        worst = max(worst, off)
        print(f"{file}, {way}, Keras {keras.__version__}: off by {off:.1e} of the range of the logits", flush=True)
sys.exit(0 if worst < 1e-4 else 1)
