"""Reads event files with TensorBoard's own reader and checks what they say.

    pip install tensorboard
    python interop/tensorboard/verify.py              # the fixture that the tests compare with
    python interop/tensorboard/verify.py runs/NAME    # a run's event files against its history.jsonl
"""

import json
import math
import pathlib
import struct
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

HERE = pathlib.Path(__file__).resolve().parent
FIXTURES = HERE / "../../packages/residual/src/train/tensorboard/fixtures"


def load(path):
    accumulator = EventAccumulator(str(path), size_guidance={"scalars": 0, "images": 0, "histograms": 0})
    accumulator.Reload()
    return accumulator


def as_float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def check_fixture():
    events = load(FIXTURES / "events.out.tfevents.1700000000.fixture")
    loss = [(e.step, e.wall_time, e.value) for e in events.Scalars("train/loss")]
    # Step 300 was purged by the start event of step 200.
    assert loss == [(1, 1700000001.5, 2.5), (5_000_000_000, 1700000004.0, 0.75)], loss
    assert [e.value for e in events.Scalars("train/accuracy")] == [0.125]
    (image,) = events.Images("image")
    assert (image.step, image.width, image.height) == (7, 2, 1), image
    assert image.encoded_image_string.startswith(b"\x89PNG")
    (histogram,) = events.Histograms("weights/ç")
    values = [as_float32(math.sin(i)) for i in range(1000)]
    proto = histogram.histogram_value
    assert (histogram.step, proto.num, len(proto.bucket)) == (8, 1000, 50), histogram
    assert (proto.min, proto.max) == (min(values), max(values))
    assert math.isclose(proto.sum, sum(values)) and math.isclose(proto.sum_squares, sum(v * v for v in values))
    assert sum(proto.bucket) == 1000 and proto.bucket_limit[-1] == max(values)
    lower = proto.bucket_limit[24]
    assert sum(proto.bucket[:25]) == sum(v < lower for v in values)
    print("fixture: scalars, purge, image and histogram as written")


def check_run(run):
    events = load(run / "tensorboard")
    history = in_effect([json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()])
    fields = {"loss": "loss", "accuracy": "accuracy", "learning_rate": "learningRate", "images_per_second": "imagesPerSecond"}
    for tag, field in fields.items():
        expected = [(r["step"], as_float32(r[field])) for r in history if r["type"] == "step" and (tag != "images_per_second" or r[field] > 0)]
        read = [(e.step, e.value) for e in events.Scalars(f"train/{tag}")]
        assert read == expected, (tag, read[:3], expected[:3])
    for group, tag, field in [
        ("epoch", "loss", "loss"),
        ("epoch", "accuracy", "accuracy"),
        ("validation", "loss", "validationLoss"),
        ("validation", "accuracy", "validationAccuracy"),
    ]:
        expected = [(r["step"], as_float32(r[field])) for r in history if r["type"] == "epoch" and field in r]
        read = [(e.step, e.value) for e in events.Scalars(f"{group}/{tag}")] if expected else []
        assert read == expected, (group, tag, read[:3], expected[:3])
    tags = events.Tags()
    print(f"{run}: {len(tags['scalars'])} scalars, {len(tags['images'])} images, {len(tags['histograms'])} histograms; "
          f"{len(events.Scalars('train/loss'))} steps equal to the history")


def in_effect(records):
    """What a recovery gave up is left out, as readHistory does."""
    kept = []
    for record in records:
        if record["type"] == "trouble":
            kept = [r for r in kept if r["type"] == "trouble" or r["step"] <= record["backTo"]]
        kept.append(record)
    return kept


if __name__ == "__main__":
    if len(sys.argv) == 1:
        check_fixture()
    for argument in sys.argv[1:]:
        check_run(pathlib.Path(argument))
