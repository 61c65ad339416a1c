"""PyTorch as a peer of the bench: ResNet18 in plain torch, one training step or one forward pass per batch.
Speaks the bench's protocol: a line of JSON for the work in argv, then one line out for each line in."""
import json
import resource
import sys
import time
import warnings

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = None
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        shortcut = x if self.shortcut is None else self.shortcut(x)
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)) + shortcut)


def resnet18(stem, classes):
    """torchvision's network: the same layers and the same 11,689,512 parameters at 1000 classes."""
    if stem == "cifar":
        layers = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
    else:
        layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
        layers.append(nn.MaxPool2d(3, 2, 1))
    inputs = 64
    for outputs in (64, 128, 256, 512):
        layers.append(Block(inputs, outputs, 1 if outputs == 64 else 2))
        layers.append(Block(outputs, outputs, 1))
        inputs = outputs
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes)]
    return nn.Sequential(*layers)


def make_step(work):
    model = resnet18(work["stem"], work["classes"])
    x = torch.randn(work["batch"], 3, work["size"], work["size"])
    y = torch.randint(0, work["classes"], (work["batch"],))
    parameters = sum(p.numel() for p in model.parameters())

    if work["mode"] == "train":
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

        def step():
            optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            loss.item()

        return step, parameters

    # Batch norms folded and layouts chosen for oneDNN: a third faster than eager mode.
    model.eval()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torch.jit.optimize_for_inference(torch.jit.trace(model, x))

    def step():
        with torch.inference_mode():
            model(x)

    return step, parameters


def main():
    work = json.loads(sys.argv[1])
    torch.set_num_threads(work["threads"])
    torch.manual_seed(1)
    step, parameters = make_step(work)
    print(json.dumps({"ready": True, "version": torch.__version__, "parameters": parameters}), flush=True)
    for line in sys.stdin:
        turn = json.loads(line)
        start = time.perf_counter()
        images, seconds = 0, 0.0
        while images == 0 or seconds < turn["seconds"]:
            step()
            images += work["batch"]
            seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        print(json.dumps({"images": images, "seconds": seconds, "peakBytes": peak}), flush=True)


main()
