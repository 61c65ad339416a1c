"""Writes torchvision's ResNets as PyTorch, safetensors and torch.onnx save them, with the logits that PyTorch computes.

Makes the committed fixtures of packages/residual/src/weights/fixtures/torch/ (narrow, weights in 1/64 so that they
compress), or with --full the network at 224x224 and 1000 classes, for interop/weights/check-load.ts. torchvision itself
is not needed: the network is written out below with its names.

    python torch_resnet.py FOLDER [--full]

Needs: torch, numpy, safetensors (tried: torch 1.13, numpy 1.24, safetensors 0.8).
"""

import argparse
import gzip
import json
import os

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn


class Block(nn.Module):
    """torchvision's BasicBlock (two 3x3) and Bottleneck (1x1, 3x3 with the stride, 1x1)."""

    def __init__(self, channels, filters, stride, bottleneck):
        super().__init__()
        out = filters * 4 if bottleneck else filters
        plan = [(1, 1, filters), (3, stride, filters), (1, 1, out)] if bottleneck else [(3, stride, out), (3, 1, out)]
        self.count, inputs = len(plan), channels
        for i, (kernel, step, width) in enumerate(plan, 1):
            setattr(self, f"conv{i}", nn.Conv2d(inputs, width, kernel, step, kernel // 2, bias=False))
            setattr(self, f"bn{i}", nn.BatchNorm2d(width))
            inputs = width
        if stride != 1 or channels != out:
            shortcut = nn.Conv2d(channels, out, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(out))
        else:
            self.downsample = None

    def forward(self, x):
        y = x
        for i in range(1, self.count + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = torch.relu(y) if i < self.count else y
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, layers, width, classes, bottleneck=False, cifar=False):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False) if cifar else nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.pool = nn.Identity() if cifar else nn.MaxPool2d(3, 2, 1)
        channels = width
        for stage, count in enumerate(layers):
            blocks = []
            for i in range(count):
                stride = 2 if stage > 0 and i == 0 else 1
                blocks.append(Block(channels, width * 2**stage, stride, bottleneck))
                channels = width * 2**stage * (4 if bottleneck else 1)
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, classes)

    def forward(self, x):
        x = self.pool(torch.relu(self.bn1(self.conv1(x))))
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
        return self.fc(x.mean((2, 3)))


def randomize(model, grid):
    """Values of a trained network's size, moving averages included; on a grid of 1/grid where it is not 0."""
    random = np.random.default_rng(18)
    for name, tensor in model.state_dict().items():
        shape = tuple(tensor.shape)
        if name.endswith("num_batches_tracked"):
            tensor.fill_(1000)
            continue
        if len(shape) > 1:
            value = random.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
        elif name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
            value = random.uniform(0.5, 1.5, shape)
        else:
            value = random.normal(0, 0.2, shape)
        tensor.copy_(torch.from_numpy((np.round(value * grid) / grid if grid else value).astype("float32")))
    # A channel that is dead for all pictures, as trained networks have some: there the epsilon matters.
    model.state_dict()["layer1.0.bn1.running_var"][0] = 1 / 4096
    return model.eval()


def picture(count, size):
    """The same numbers as `picture` in the tests: ((i * 2654435761) mod 2^32) / 2^32, NHWC in row-major order."""
    i = np.arange(count * size * size * 3, dtype=np.uint64)
    values = (((i * np.uint64(2654435761)) % np.uint64(2**32)) / 2**32).astype("float32")
    return torch.from_numpy(values.reshape(count, size, size, 3)).permute(0, 3, 1, 2).contiguous()


def export(model, path, size, folded):
    """In evaluation mode the exporter folds batch normalisation; told to preserve the mode it does not."""
    mode = torch.onnx.TrainingMode.EVAL if folded else torch.onnx.TrainingMode.PRESERVE
    names = dict(input_names=["input"], output_names=["output"], dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}})
    torch.onnx.export(model, picture(1, size), path, opset_version=13, training=mode, do_constant_folding=folded, **names)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--full", action="store_true")
    full, folder = (lambda a: (a.full, a.folder))(parser.parse_args())
    os.makedirs(folder, exist_ok=True)
    path = lambda name: os.path.join(folder, name)

    width, classes, sizes, grid = (64, 1000, [224], 0) if full else (4, 5, [32, 64], 64)
    models = {"resnet18": randomize(ResNet([2, 2, 2, 2], width, classes), grid)}
    if not full:
        models["narrow"] = randomize(ResNet([2, 2, 2, 2], 2, classes), grid)
        models["cifar50"] = randomize(ResNet([3, 4, 6, 3], 2, classes, bottleneck=True, cifar=True), grid)
    state = lambda name: models[name].state_dict()

    torch.save(state("resnet18"), path("resnet18.pth"))
    save_file({name: tensor.numpy() for name, tensor in state("resnet18").items()}, path("resnet18.safetensors"))
    onnx = "resnet18" if full else "narrow"
    export(models[onnx], path(f"{onnx}-folded.onnx"), sizes[-1], True)
    export(models[onnx], path(f"{onnx}-plain.onnx"), sizes[-1], False)
    if not full:
        # As a training script leaves it: the network within a checkpoint, behind DataParallel's prefix.
        wrapped = {f"module.{name}": tensor for name, tensor in state("cifar50").items()}
        torch.save({"epoch": 90, "state_dict": wrapped}, path("cifar50.pth"))

    expected = dict(torch=torch.__version__, classes=classes, networks={})
    with torch.no_grad():
        for name, model in models.items():
            logits = {size: model(picture(2, size)).numpy().tolist() for size in sizes}
            expected["networks"][name] = dict(width=model.conv1.out_channels, logits=logits)
    with open(path("expected.json"), "w") as file:
        json.dump(expected, file)
    if not full:
        for name in sorted(os.listdir(folder)):
            if name.endswith((".pth", ".safetensors", ".onnx")):
                with open(path(name), "rb") as file, open(path(f"{name}.gz"), "wb") as packed:
                    packed.write(gzip.compress(file.read(), 9, mtime=0))
                os.remove(path(name))


if __name__ == "__main__":
    main()
