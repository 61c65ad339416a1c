"""Gives our TFLite files to the Task Library, as an Android or iOS app does: nothing but the file and a picture.

    node interop/export/tflite-make.ts FOLDER
    python interop/export/tflite_metadata.py FOLDER

Needs tflite-support and numpy, in an environment of their own: tflite-support wants an old protobuf.
"""

import json
import pathlib
import sys

import numpy as np
from tflite_support import metadata
from tflite_support.task import vision

folder = pathlib.Path(sys.argv[1])
checked = 0
for case in json.loads((folder / "cases.json").read_text()):
    path = folder / case["file"]
    displayer = metadata.MetadataDisplayer.with_model_file(str(path))
    assert displayer.get_packed_associated_file_list() == ["labels.txt", "residual.json"]
    labels = displayer.get_associated_file_buffer("labels.txt").decode().splitlines()
    assert labels == case["classes"], labels
    packed = json.loads(displayer.get_associated_file_buffer("residual.json"))
    assert case["preprocessing"].items() <= packed["preprocessing"].items() and packed["gives"] == case["gives"], packed
    checked += 1
    # It takes pictures as bytes, and gives floats and uint8 to the model, never int8.
    if case["kind"] == "int8-int8":
        continue
    images = np.fromfile(folder / f"{case['data']}.images", np.float32)
    expected = np.fromfile(folder / f"{case['data']}.expected", np.float32)
    shape = case["preprocessing"]["inputShape"]
    images = images.reshape(-1, *shape)
    if case["range"] == "normalised":
        images = np.round((images * case["preprocessing"]["std"] + case["preprocessing"]["mean"]) * 255)
    expected = expected.reshape(len(images), -1)
    classifier = vision.ImageClassifier.create_from_file(str(path))
    worst = 0
    for image, answer in zip(images.astype(np.uint8), expected):
        tensor = vision.TensorImage.create_from_array(np.ascontiguousarray(image))
        (result,) = classifier.classify(tensor).classifications
        for category in result.categories:
            assert labels[category.index] == category.category_name, category
            worst = max(worst, abs(category.score - answer[category.index]) / np.ptp(expected))
    limit = {"float32": 1e-5, "dynamicBatch": 1e-5, "float16": 5e-3}.get(case["kind"], 0.1)
    print(f"{'ok  ' if worst <= limit else 'FAIL'} {case['file']:44} in the Task Library off by {worst:.2e}")
    assert worst <= limit
print(f"{checked} files have the metadata that was put into them")
