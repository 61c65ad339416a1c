"""Compares our description of TFLite's file format, number by number, with TensorFlow's generated code.

    node interop/export/tflite-schema.ts | python interop/export/tflite_schema.py

Needs tensorflow; with tflite-support (another environment, as it wants an old protobuf) the metadata's too.
"""

import json
import sys

# Our field that leads to a table -> what the table is called there.
TABLES = {
    "operatorCodes": "OperatorCode",
    "subgraphs": "SubGraph",
    "tensors": "Tensor",
    "quantization": "QuantizationParameters",
    "operators": "Operator",
    "buffers": "Buffer",
    "metadata": "Metadata",
    "signatureDefs": "SignatureDef",
    "inputs": "TensorMap",
    "outputs": "TensorMap",
    "subgraphMetadata": "SubGraphMetadata",
    "inputTensorMetadata": "TensorMetadata",
    "outputTensorMetadata": "TensorMetadata",
    "content": "Content",
    "processUnits": "ProcessUnit",
    "stats": "Stats",
    "associatedFiles": "AssociatedFile",
    "defaultSize": "ImageSize",
}
METHODS = {
    "int8": "PrependInt8Slot",
    "uint8": "PrependUint8Slot",
    "int32": "PrependInt32Slot",
    "uint32": "PrependUint32Slot",
    "float32": "PrependFloat32Slot",
    "bool": "PrependBoolSlot",
    "offset": "PrependUOffsetTRelativeSlot",
}


class Recorder:
    """A builder that notes what generated code asks of it."""

    def __getattr__(self, method):
        return lambda slot, _value, default: self.calls.append((method, slot, default))

    def __init__(self):
        self.__dict__["calls"] = []


def compare(tables, generated):
    checked = 0
    for ours, fields in tables.items():
        theirs = TABLES.get(ours, ours)
        for field in fields:
            name = field["field"][0].upper() + field["field"][1:]
            recorder = Recorder()
            getattr(generated, f"{theirs}Add{name}")(recorder, 0)
            expected = (METHODS[field["type"]], field["slot"], field["default"])
            assert recorder.calls == [expected], f"{theirs}.{name}: {recorder.calls} there, {expected} here"
            checked += 1
    return checked


def tags(ours, *unions):
    for member, tag in ours.items():
        theirs = next(getattr(union, member) for union in unions if hasattr(union, member))
        assert theirs == tag, f"{member}: {theirs} there, {tag} here"
    return len(ours)


schema = json.load(sys.stdin)
checked = 0
try:
    from tensorflow.lite.python import schema_py_generated as tflite
except ImportError:
    print("tensorflow is not here: the model's tables are left out")
else:
    checked += compare(schema["model"], tflite)
    checked += tags(schema["tags"]["model"], tflite.BuiltinOptions)
    for enum, members in schema["enums"].items():
        for name, value in members.items():
            theirs = getattr(getattr(tflite, enum), name.upper())
            assert theirs == value, f"{enum}.{name}: {theirs} there, {value} here"
            checked += 1
try:
    from tflite_support import metadata_schema_py_generated as meta
except ImportError:
    print("tflite-support is not here: the metadata's tables are left out")
else:
    checked += compare(schema["metadata"], meta)
    checked += tags(schema["tags"]["metadata"], meta.ContentProperties, meta.ProcessUnitOptions)
assert checked > 0
print(f"{checked} numbers agree")
