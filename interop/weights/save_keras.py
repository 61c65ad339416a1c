"""Writes the guide's own network (build_resnet18) as Keras 2 and Keras 3 save it, with the outputs that Keras computes.

Makes the committed fixtures of packages/residual/src/weights/keras/ (narrow, weights in 1/64 so that they compress), or
with --full the network at 224x224 and 1000 classes, for interop/weights/check-keras.ts.

    python save_keras.py FOLDER [--full]

Needs: tensorflow, tf_keras, h5py (tried: TensorFlow 2.21, Keras 3.15, tf_keras 2.21).
"""

import argparse
import gzip
import json
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import h5py
import keras as keras3
import numpy as np
import tf_keras as keras2


def build_resnet18(keras, input_shape, num_classes, filters):
    """The code of the guide, with the number of filters as an argument."""
    layers = keras.layers

    def residual_block(x, filters, stride=1):
        shortcut = x
        x = layers.Conv2D(filters, kernel_size=3, strides=stride, padding="same")(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        x = layers.Conv2D(filters, kernel_size=3, strides=1, padding="same")(x)
        x = layers.BatchNormalization()(x)
        if stride != 1 or shortcut.shape[-1] != filters:
            shortcut = layers.Conv2D(filters, kernel_size=1, strides=stride)(shortcut)
            shortcut = layers.BatchNormalization()(shortcut)
        x = layers.Add()([x, shortcut])
        return layers.ReLU()(x)

    inputs = layers.Input(shape=input_shape)
    x = layers.Conv2D(filters[0], kernel_size=7, strides=2, padding="same")(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.MaxPool2D(pool_size=3, strides=2, padding="same")(x)
    for i, count in enumerate(filters):
        x = residual_block(x, count, stride=1 if i == 0 else 2)
        x = residual_block(x, count)
    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(num_classes, activation="softmax")(x)
    return keras.Model(inputs, outputs)


def random_weights(model, grid):
    """Values of a trained network's size, moving averages included; on a grid of 1/grid where it is not 0."""
    random = np.random.default_rng(18)
    values = []
    for weight in model.weights:
        shape, kind = tuple(weight.shape), getattr(weight, "path", weight.name).split("/")[-1].split(":")[0]
        if kind == "kernel":
            value = random.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape)
        elif kind in ("gamma", "moving_variance"):
            value = random.uniform(0.5, 1.5, shape)
        else:
            value = random.normal(0, 0.2, shape)
        values.append((np.round(value * grid) / grid if grid else value).astype("float32"))
    return values


def picture(shape, count):
    """The same numbers as `picture` in the tests: ((i * 2654435761) mod 2^32) / 2^32 in row-major order."""
    i = np.arange(count * int(np.prod(shape)), dtype=np.uint64)
    return (((i * np.uint64(2654435761)) % np.uint64(2**32)) / 2**32).astype("float32").reshape(count, *shape)


def outputs(keras, model, x):
    """Logits and probabilities."""
    dense = model.layers[-1]
    logits = keras.Model(model.input, model.layers[-2].output).predict(x, verbose=0) @ dense.get_weights()[0]
    return logits + dense.get_weights()[1], model.predict(x, verbose=0)


def tiny(keras):
    """Few layers, for files that are damaged by the thousand."""
    layers = keras.layers
    inputs = layers.Input(shape=(4, 4, 3))
    x = layers.Conv2D(2, 3, padding="same", use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    return keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))


def nested(keras):
    """A model within a model, called with options that TF.js names otherwise."""
    layers = keras.layers
    inner = keras.Sequential(
        [
            layers.Input(shape=(8, 8, 3)),
            layers.Conv2D(3, 3, strides=2, padding="same", activation="relu", kernel_regularizer=keras.regularizers.L2(1e-4)),
            layers.BatchNormalization(scale=False),
            layers.LeakyReLU(0.2),
        ],
        name="stem",
    )
    inputs = layers.Input(shape=(8, 8, 3))
    x = inner(inputs)
    y = layers.SeparableConv2D(3, 3, padding="same")(x)
    x = layers.Concatenate()([x, layers.Activation("tanh")(y)])
    x = layers.Dropout(0.5)(layers.Flatten()(layers.ZeroPadding2D(1)(x)))
    return keras.Model(inputs, layers.Dense(4, activation="sigmoid")(x))


def old_layout(source, target):
    """What TensorFlow 2.12 called the groups of a .weights.h5."""
    with h5py.File(source) as old, h5py.File(target, "w") as new:
        old.copy("layers", new, name="_layer_checkpoint_dependencies")


def hostile_files(path):
    """Files that claim, point or contain what no Keras file does."""

    def legacy(name, fill):
        with h5py.File(path(name), "w") as file:
            file.attrs["layer_names"], group = [b"dense"], file.create_group("dense")
            group.attrs["weight_names"] = [b"dense/kernel:0"]
            fill(group.create_group("dense"))

    name, big = "kernel:0", (1 << 15, 1 << 14)
    legacy("hostile-lzf.h5", lambda g: g.create_dataset(name, data=np.zeros((8, 8), "float32"), compression="lzf"))
    legacy("hostile-huge.h5", lambda g: g.create_dataset(name, big, "float32", chunks=(64, 64)))
    legacy("hostile-chunk.h5", lambda g: g.create_dataset(name, (4, 4), "float32", chunks=big, maxshape=(None, None)))
    legacy("hostile-outside.h5", lambda g: g.create_dataset(name, (8,), "uint8", external=[("/etc/passwd", 0, 8)]))
    legacy("hostile-link.h5", lambda g: g.__setitem__(name, h5py.ExternalLink("/etc/passwd", "/x")))
    legacy("hostile-loop.h5", lambda g: g.__setitem__(name, h5py.SoftLink(f"/dense/dense/{name}")))
    legacy("hostile-text.h5", lambda g: g.create_dataset(name, data="no numbers"))
    layout = h5py.VirtualLayout((4,), "float32")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4,))
    legacy("hostile-virtual.h5", lambda g: g.create_virtual_dataset(name, layout))
    with h5py.File(path("hostile-cycle.weights.h5"), "w") as file:
        for group in ("layers/a", "layers/b"):
            file.create_group(group)["layers"] = file["/"]


def odd_file(path, model):
    """One file with everything that Keras itself seldom writes: number formats, filters, name lists in pieces."""
    layers = [layer for layer in model.layers if layer.weights]
    stored = [
        dict(dtype=">f4"),
        dict(dtype="<f2"),
        dict(dtype=">f2"),
        dict(dtype="<f8"),
        dict(dtype=">f8"),
        dict(dtype="<f4", compression="gzip"),
        dict(dtype="<f4", compression="gzip", shuffle=True, fletcher32=True),
        dict(dtype="<f4", chunks=True),
    ]
    with h5py.File(path, "w") as file:
        half = len(layers) // 2
        names = np.array([layer.name.encode() for layer in layers])
        file.attrs["layer_names0"], file.attrs["layer_names1"] = names[:half], names[half:]
        file.attrs["keras_version"], file.attrs["backend"] = "2.1.6", b"tensorflow"
        for i, layer in enumerate(layers):
            group = file.create_group(layer.name)
            group.attrs["weight_names"] = [f"{layer.name}/{w.name}:0" for w in layer.weights]
            for weight, value in zip(layer.weights, layer.get_weights()):
                name = f"{layer.name}/{weight.name}:0"
                group.create_dataset(name, data=value, **stored[i % len(stored)])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--full", action="store_true")
    full, folder = (lambda a: (a.full, a.folder))(parser.parse_args())
    os.makedirs(folder, exist_ok=True)
    shape, classes, filters = ((224, 224, 3), 1000, (64, 128, 256, 512)) if full else ((32, 32, 3), 5, (2, 4, 8, 16))

    models = {}
    for name, keras in (("keras3", keras3), ("keras2", keras2)):
        model = build_resnet18(keras, shape, classes, filters)
        model.set_weights(random_weights(model, 0 if full else 64))
        models[name] = model
    path = lambda name: os.path.join(folder, name)
    models["keras3"].save(path("keras3.h5"))
    models["keras3"].save(path("keras3.keras"))
    models["keras3"].save_weights(path("keras3.weights.h5"))
    models["keras2"].save(path("keras2.h5"))
    models["keras2"].save(path("keras2.keras"))
    models["keras2"].save_weights(path("keras2.weights-only.h5"))
    if not full:
        odd_file(path("odd.h5"), models["keras3"])
        for name, build in (("tiny", tiny), ("nested", nested)):
            for version, keras in ((3, keras3), (2, keras2)):
                model = models[f"{name}{version}"] = build(keras)
                model.set_weights(random_weights(model, 64))
                model.save(path(f"{name}{version}.h5"))
                model.save(path(f"{name}{version}.keras"))
        models["tiny3"].save_weights(path("tiny.weights.h5"))
        old_layout(path("tiny.weights.h5"), path("tiny-old.weights.h5"))
        hostile_files(path)

    x = picture(shape, 2)
    logits, probabilities = outputs(keras3, models["keras3"], x)
    other = outputs(keras2, models["keras2"], x)[0]
    print("Keras 2 from Keras 3, relative to the range:", np.abs(other - logits).max() / np.ptp(logits))
    with open(path("expected.json"), "w") as file:
        expected = dict(inputShape=shape, classes=classes, filters=filters, keras=keras3.__version__)
        expected |= dict(logits=logits.tolist(), probabilities=probabilities.tolist())
        if not full:
            expected["nested"] = models["nested3"].predict(picture((8, 8, 3), 2), verbose=0).tolist()
            expected["tiny"] = models["tiny3"].predict(picture((4, 4, 3), 2), verbose=0).tolist()
        json.dump(expected, file)
    if not full:
        for name in sorted(os.listdir(folder)):
            if name.endswith((".h5", ".keras")):
                with open(path(name), "rb") as file, open(path(f"{name}.gz"), "wb") as packed:
                    packed.write(gzip.compress(file.read(), 9, mtime=0))
                os.remove(path(name))


if __name__ == "__main__":
    main()
