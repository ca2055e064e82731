"""The networks of `npm run bench -- training-step` in PyTorch, for comparison only.

    python3 -m venv torch && torch/bin/pip install torch==2.13.0
    TORCH_PYTHON=torch/bin/python npm run bench -- training-step

Does what each line on stdin asks for (`forward`, `step`) and answers with a JSON line: seconds of the clock and of the processor.
"""

import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional

name, threads, batch, size, classes = sys.argv[1], *map(int, sys.argv[2:6])
torch.set_num_threads(threads)
torch.manual_seed(1)


def layer(inputs, outputs, kernel, stride=1, groups=1):
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.inner = nn.Sequential(layer(inputs, outputs, 3, stride), nn.ReLU(True), layer(outputs, outputs, 3))
        same = stride == 1 and inputs == outputs
        self.short = nn.Identity() if same else layer(inputs, outputs, 1, stride)

    def forward(self, x):
        return functional.relu(self.inner(x) + self.short(x))


class Inverted(nn.Module):
    def __init__(self, inputs, outputs, factor, stride):
        super().__init__()
        wide = inputs * factor
        expand = [] if factor == 1 else [layer(inputs, wide, 1), nn.ReLU6(True)]
        depthwise = [layer(wide, wide, 3, stride, wide), nn.ReLU6(True)]
        self.inner = nn.Sequential(*expand, *depthwise, layer(wide, outputs, 1))
        self.same = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.inner(x) if self.same else self.inner(x)


def resnet18():
    parts = [layer(3, 64, 7, 2), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for outputs, first in [(64, 1), (128, 2), (256, 2), (512, 2)]:
        for stride in [first, 1]:
            parts.append(Residual(inputs, outputs, stride))
            inputs = outputs
    return parts, inputs


def mobilenet_v2():
    parts = [layer(3, 32, 3, 2), nn.ReLU6(True)]
    inputs = 32
    rows = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for factor, outputs, repeats, first in rows:
        for i in range(repeats):
            parts.append(Inverted(inputs, outputs, factor, first if i == 0 else 1))
            inputs = outputs
    return [*parts, layer(inputs, 1280, 1), nn.ReLU6(True)], 1280


parts, channels = {"ResNet-18": resnet18, "MobileNetV2": mobilenet_v2}[name]()
network = nn.Sequential(*parts, nn.Conv2d(channels, classes, 1, bias=False)).train()
optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
images = torch.randn(batch, 3, size, size)
targets = torch.randint(classes, (batch, 56, 56))


def loss():
    logits = functional.interpolate(network(images), size=(56, 56), mode="bilinear", align_corners=False)
    return functional.cross_entropy(logits, targets)


def forward():
    with torch.no_grad():
        loss()


def step():
    optimizer.zero_grad()
    loss().backward()
    optimizer.step()


print(json.dumps({"version": torch.__version__}), flush=True)
for line in sys.stdin:
    wall, processor = time.perf_counter(), time.process_time()
    {"forward": forward, "step": step}[line.strip()]()
    print(json.dumps({"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}), flush=True)
