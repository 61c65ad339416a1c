"""Cuts pictures as torchvision and timm do before they evaluate a network, with Pillow as they do.

Needs: pillow. Usage: python pillow.py FOLDER
Writes the fixtures of packages/residual/src/data/node/decode.test.ts:
picture.png (a scene of its own making) and cut-INTERPOLATION-CROP-SIZE.png for each case.

torchvision.transforms: Resize(size) scales the shorter side to `size` and the longer to int(size * long / short), with
antialiasing; CenterCrop begins at int(round((length - size) / 2)). timm.data: size = floor(input / crop_pct).
"""

import math
import sys
from pathlib import Path

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 150, 100
CASES = [("bilinear", 0.875, 28), ("bicubic", 0.95, 40), ("bilinear", 224 / 232, 56)]
FILTERS = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC}


def scene() -> Image.Image:
    picture = Image.new("RGB", (WIDTH, HEIGHT))
    for y in range(HEIGHT):
        for x in range(WIDTH):
            picture.putpixel((x, y), (255 * x // WIDTH, 255 * y // HEIGHT, 128 + int(100 * math.sin(x / 5) * math.cos(y / 7))))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((20, 15, 80, 75), fill=(230, 60, 40))
    draw.rectangle((85, 30, 130, 90), fill=(30, 90, 200))
    draw.line((0, 99, 149, 0), fill=(255, 255, 255), width=3)
    return picture


def cut(picture: Image.Image, interpolation: str, crop: float, size: int) -> Image.Image:
    scaled = math.floor(size / crop + 1e-6)
    width, height = picture.size
    short, long = min(width, height), max(width, height)
    other = int(scaled * long / short)
    picture = picture.resize((scaled, other) if width < height else (other, scaled), FILTERS[interpolation])
    left, top = (int(round((length - size) / 2)) for length in picture.size)
    return picture.crop((left, top, left + size, top + size))


folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
picture = scene()
picture.save(folder / "picture.png", optimize=True)
for interpolation, crop, size in CASES:
    cut(picture, interpolation, crop, size).save(folder / f"cut-{interpolation}-{crop:.4f}-{size}.png", optimize=True)
