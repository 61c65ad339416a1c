"""Writes checkpoints and SavedModel variables with TensorFlow and Keras 2 and 3, and the numbers in them, for the tests
of readTensorflow.

    pip install tensorflow tf_keras cramjam
    python interop/weights/tensorflow_files.py packages/residual/src/weights/tensorflow/fixtures
    npm run format
"""

import base64
import json
import pathlib
import shutil
import struct
import sys
import tempfile

import cramjam
import numpy as np
import tensorflow as tf
import tf_keras


def expected(array, stored=None):
    return {
        "type": stored or str(array.dtype),
        "shape": list(array.shape),
        "float32": base64.b64encode(np.ascontiguousarray(array).astype("<f4").tobytes()).decode(),
    }


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")


def extremes(dtype):
    """Six numbers of a type in the shape [2, 3], the ends of its range among them."""
    if dtype == "bool":
        return np.array([[True, False, True], [False, False, True]])
    if np.dtype(dtype).kind in "iu":
        info = np.iinfo(dtype)
        return np.array([[info.min, 0, 1], [info.max, 100, info.max // 3]], dtype)
    info = np.finfo(dtype)
    return np.array([[-0.0, info.smallest_subnormal, np.pi], [-info.max / 4, np.inf, 1 / 3]], dtype)


def types(folder):
    """Every type, in two data files, as TensorFlow 1 names variables; a variable in slices, texts, complex numbers."""
    names = "float32 float64 float16 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool".split()
    tensors = {f"types/{name}": extremes(name) for name in names}
    with np.errstate(over="ignore"):
        numbers = {name: expected(array) for name, array in tensors.items()}
    bfloat = tf.constant([[-0.0, 1.0, np.pi], [-3e38, np.inf, 1e-40]], tf.bfloat16)
    tensors["types/bfloat16"] = bfloat
    numbers["types/bfloat16"] = expected(tf.cast(bfloat, tf.float32).numpy(), "bfloat16")
    second = {
        "conv1/weights": np.linspace(-1, 1, 54, dtype="float32").reshape(3, 3, 2, 3),
        "scalar": np.array(0.1, "float32"),
        "empty": np.zeros((0, 3), "float32"),
        "größe/biases": np.arange(3, dtype="float32"),
    }
    numbers |= {name: expected(array) for name, array in second.items()}
    second |= {
        "conv1/weights/Momentum": np.zeros((3, 3, 2, 3), "float32"),
        "global_step": np.array(7, "int64"),
        "texts": np.array([b"cat", b"dog"]),
        "complex": np.array([1 + 2j], "complex64"),
    }
    with tempfile.TemporaryDirectory() as temporary:
        parts = [f"{temporary}/a", f"{temporary}/b"]
        tf.raw_ops.SaveV2(
            prefix=parts[0],
            tensor_names=[*tensors, "sliced"],
            shape_and_slices=[""] * len(tensors) + ["4 2 0,2:-"],
            tensors=[tf.constant(value) for value in tensors.values()] + [tf.zeros((2, 2))],
        )
        tf.raw_ops.SaveV2(
            prefix=parts[1],
            tensor_names=[*second],
            shape_and_slices=[""] * len(second),
            tensors=[tf.constant(value) for value in second.values()],
        )
        tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts, destination_prefix=str(folder / "types"))
    write_json(folder / "types.json", numbers)
    compress(folder / "types.index", folder / "snappy.index")
    for i in range(2):
        shutil.copy(folder / f"types.data-0000{i}-of-00002", folder / f"snappy.data-0000{i}-of-00002")
    checkpoint = tf.train.load_checkpoint(str(folder / "snappy"))
    assert np.array_equal(checkpoint.get_tensor("conv1/weights"), second["conv1/weights"])


def compress(source, target):
    """The same table with its blocks in snappy, which TensorFlow reads though it does not write it."""
    table = source.read_bytes()
    assert table[-8:] == struct.pack("<Q", 0xDB4775248B80FB57)
    _, (offset, size) = handles(table[-48:-8], 2)
    out, index = b"", []
    for key, value in entries(table[offset : offset + size]):
        ((begin, length),) = handles(value, 1)
        index.append((key, varint(len(out)) + varint(len(compressed := block(table[begin : begin + length])) - 5)))
        out += compressed
    places = []
    for content in (raw_block([]), raw_block(index)):
        compressed = block(content)
        places.append(varint(len(out)) + varint(len(compressed) - 5))
        out += compressed
    target.write_bytes(out + b"".join(places).ljust(40, b"\0") + table[-8:])


def block(content):
    content = bytes(cramjam.snappy.compress_raw(content)) + b"\1"
    crc = crc32c(content)
    return content + struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def raw_block(pairs):
    """Without shared prefixes; one restart point."""
    content = b"".join(b"\0" + varint(len(key)) + varint(len(value)) + key + value for key, value in pairs)
    return content + struct.pack("<II", 0, 1)


def entries(content):
    (restarts,) = struct.unpack("<I", content[-4:])
    content, key = content[: -4 - 4 * restarts], b""
    while content:
        (shared, rest, length), content = varints(content, 3)
        key = key[:shared] + content[:rest]
        yield key, content[rest : rest + length]
        content = content[rest + length :]


def varints(data, count):
    values = []
    for _ in range(count):
        value, shift = 0, 0
        while True:
            byte, data = data[0], data[1:]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        values.append(value)
    return values, data


def handles(data, count):
    numbers, _ = varints(data, 2 * count)
    return list(zip(numbers[::2], numbers[1::2]))


def varint(value):
    out = b""
    while value >= 128:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def model_of(keras):
    """Residual, with a layer whose weights come after ten others, and state of an optimizer."""
    keras.utils.set_random_seed(4)
    layers = keras.layers
    image = layers.Input((4, 4, 2), name="image")
    x = image
    for block_name in ("block1", "block2", "block3"):
        y = layers.Conv2D(2, 3, padding="same", use_bias=False, name=f"{block_name}_conv1")(x)
        y = layers.BatchNormalization(name=f"{block_name}_bn1")(y)
        y = layers.Conv2D(2, 3, padding="same", use_bias=False, name=f"{block_name}_conv2")(y)
        y = layers.BatchNormalization(name=f"{block_name}_bn2")(y)
        x = layers.Add(name=f"{block_name}_add")([x, y])
    logits = layers.Dense(3, name="fc")(layers.GlobalAveragePooling2D(name="pool")(x))
    model = keras.Model(image, logits, name="tiny")
    model.set_weights([np.random.normal(size=w.shape).astype("float32") ** 2 for w in model.get_weights()])
    return model


def train_once(model, optimizer):
    model.compile(optimizer, "mse")
    model.fit(np.random.normal(size=(2, 4, 4, 2)), np.zeros((2, 3)), verbose=0)


def keras2(folder):
    """`save_weights` with an optimizer of before Keras 2.11, whose slots are beside the variables, and one of after."""
    for name, optimizer in {"keras2-slots": tf_keras.optimizers.legacy.Adam(), "keras2": tf_keras.optimizers.Adam()}.items():
        model = model_of(tf_keras)
        train_once(model, optimizer)
        model.save_weights(folder / name)
        write_json(folder / f"{name}.json", {w.name.split(":")[0]: expected(w.numpy()) for w in model.weights})


def keras3(folder):
    """A Checkpoint of model and optimizer, and an exported SavedModel, of which only the variables are kept."""
    model = model_of(tf.keras)
    train_once(model, tf.keras.optimizers.SGD(momentum=0.9))
    numbers = {w.path: expected(w.numpy()) for w in model.weights}
    tf.train.Checkpoint(model=model, optimizer=model.optimizer).save(folder / "keras3")
    write_json(folder / "keras3.json", numbers)
    with tempfile.TemporaryDirectory() as saved:
        model.export(saved, verbose=False)
        shutil.copytree(pathlib.Path(saved) / "variables", folder / "saved-model" / "variables")


if __name__ == "__main__":
    path = pathlib.Path(sys.argv[1])
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    types(path)
    keras2(path)
    keras3(path)
    (path / "checkpoint").unlink()
    for file in path.rglob("*"):
        if file.is_file():
            file.chmod(0o644)
