"""Writes a pre-activation ResNet18 as Keras saves it, under the layer names of qubvel's classification_models, with the
outputs that Keras computes.

Makes the committed fixture of packages/residual/src/weights/fixtures/preactivation/ (narrow, weights in 1/64 so that they
compress). classification_models itself is not needed: the network is written out below after its description.

    python save_preactivation.py FOLDER

Needs: tensorflow, keras, h5py (tried: TensorFlow 2.21, Keras 3.15).
"""

import gzip
import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
from keras import layers
from save_keras import picture, random_weights


def build(shape, classes, width):
    def norm(name, x, scale=True):
        return layers.BatchNormalization(name=name, epsilon=2e-5, momentum=0.99, scale=scale)(x)

    def conv(name, x, filters, kernel, stride):
        x = layers.ZeroPadding2D(kernel // 2)(x) if kernel > 1 else x
        return layers.Conv2D(filters, kernel, strides=stride, use_bias=False, name=name)(x)

    inputs = layers.Input(shape=shape, name="data")
    x = conv("conv0", norm("bn_data", inputs, scale=False), width, 7, 2)
    x = layers.ReLU()(norm("bn0", x))
    x = layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(x))
    for stage in range(1, 5):
        for unit in (1, 2):
            name, filters = f"stage{stage}_unit{unit}_", width * 2 ** (stage - 1)
            stride = 2 if stage > 1 and unit == 1 else 1
            active = layers.ReLU()(norm(f"{name}bn1", x))
            shortcut = conv(f"{name}sc", active, filters, 1, stride) if unit == 1 else x
            y = conv(f"{name}conv1", active, filters, 3, stride)
            y = conv(f"{name}conv2", layers.ReLU()(norm(f"{name}bn2", y)), filters, 3, 1)
            x = layers.Add()([y, shortcut])
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(norm("bn1", x)))
    logits = layers.Dense(classes, name="fc1")(x)
    return keras.Model(inputs, layers.Activation("softmax", name="softmax")(logits)), keras.Model(inputs, logits)


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    path = lambda name: os.path.join(folder, name)
    shape, classes, width = (64, 64, 3), 5, 2
    model, trunk = build(shape, classes, width)
    model.set_weights(random_weights(model, 64))
    logits = trunk.predict(picture(shape, 2) * 255, verbose=0)
    model.save(path("model.h5"))
    with open(path("expected.json"), "w") as file:
        expected = dict(inputShape=shape, classes=classes, width=width, keras=keras.__version__)
        json.dump(dict(**expected, scale=255, logits=logits.tolist()), file)
    with open(path("model.h5"), "rb") as file, open(path("model.h5.gz"), "wb") as packed:
        packed.write(gzip.compress(file.read(), 9, mtime=0))
    os.remove(path("model.h5"))


if __name__ == "__main__":
    main()
