#!/usr/bin/env python3
"""Train a small convolutional network on Fashion-MNIST and save it.

    python examples/fashion_mnist.py [--epochs 3] [--device cpu] [--seed 0] [--output demo-output]

Writes into the output folder: model.pth (read by examples/cpp/evaluate.cpp), accuracy.txt, losses.png and
predictions.png. The images come from Debian's package dataset-fashion-mnist, or from any folder (--data)
that holds its four files.
"""

import argparse
import shutil
import sys
import time
from pathlib import Path

import bolide.nn as nn
import bolide.nn.functional as F
from bolide.utils.data import DataLoader, TensorDataset

import bolide as torch
from bolide.utils.idx import read_idx

CLASSES = ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot"]
# Mean and standard deviation of the training pixels, scaled to [0, 1].
MEAN, STD = 0.2860, 0.3530


class SmallCNN(nn.Module):
    """Two convolutions and two linear layers; 28 x 28 grey images in, ten scores out."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc1 = nn.Linear(32 * 7 * 7, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


class Progress:
    """A progress bar on one terminal line; where the output is no terminal, one line per finished bar."""

    def __init__(self, label, steps):
        self.label, self.steps, self.step = label, steps, 0
        self.live = sys.stdout.isatty()
        self.start = self.drawn = time.perf_counter()

    def advance(self, note=""):
        self.step += 1
        now = time.perf_counter()
        if self.live and (now - self.drawn > 0.1 or self.step == self.steps):
            self.drawn = now
            width = max(10, min(40, shutil.get_terminal_size().columns - len(self.label) - 45))
            done = width * self.step // self.steps
            left = (now - self.start) / self.step * (self.steps - self.step)
            bar = "█" * done + "░" * (width - done)
            text = f"{self.label} {bar} {self.step}/{self.steps} {note} {left:4.0f} s left "
            print("\r" + text, end="", flush=True)

    def finish(self, note):
        clear = "\r\x1b[K" if self.live else ""
        print(f"{clear}{self.label}  {note}  ({time.perf_counter() - self.start:.1f} s)", flush=True)


def load(folder, part):
    """The images as normalised floats (N, 1, 28, 28) and their classes (N,)."""
    images = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{part}-labels-idx1-ubyte.gz")
    images = (images.unsqueeze(1).to(torch.float32) / 255 - MEAN) / STD
    return TensorDataset(images, labels.to(torch.int64))


def train_epoch(model, loader, optimizer, device, label):
    """One pass over the training images; returns the loss of every step."""
    model.train()
    progress, losses, right, seen = Progress(label, len(loader)), [], 0, 0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        scores = model(images)
        loss = F.cross_entropy(scores, labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        right += (scores.argmax(1) == labels).sum().item()
        seen += len(labels)
        progress.advance(f"loss {losses[-1]:.3f}")
    progress.finish(f"loss {sum(losses) / len(losses):.4f}, accuracy {100 * right / seen:.2f} %")
    return losses


@torch.no_grad()
def predict(model, loader, device):
    """The predicted class of every image."""
    model.eval()
    return torch.cat([model(images.to(device)).argmax(1).cpu() for images, _ in loader])


def draw(output, losses, images, labels, predicted):
    """losses.png: the loss of every step, with its running mean; predictions.png: the first test images."""
    import matplotlib

    matplotlib.use("Agg")  # no display needed
    import matplotlib.pyplot as plt

    window = max(1, len(losses) // 60)
    smooth = [sum(losses[i : i + window]) / window for i in range(len(losses) - window + 1)]
    figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
    axes.plot(losses, color="#c6d4e8", linewidth=0.8, label="each step")
    steps = range(window // 2, window // 2 + len(smooth))
    axes.plot(steps, smooth, color="#2a5a9c", label=f"mean of {window}")
    axes.set(xlabel="step", ylabel="cross-entropy", ylim=(0, max(smooth) * 1.1), title="Training loss")
    axes.legend()
    figure.savefig(output / "losses.png", dpi=120)

    figure, grid = plt.subplots(3, 8, figsize=(10, 4.6), layout="constrained")
    for axes, image, label, guess in zip(grid.flat, images, labels.tolist(), predicted.tolist()):
        axes.imshow(image[0].numpy(), cmap="gray_r")
        text = CLASSES[guess] if guess == label else f"{CLASSES[guess]}\n(is {CLASSES[label]})"
        axes.set_title(text, fontsize=9, color="#1a7f37" if guess == label else "#cf222e")
        axes.axis("off")
    figure.savefig(output / "predictions.png", dpi=120)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default="/usr/share/datasets/fashion-mnist", help="folder of the IDX files"
    )
    parser.add_argument("--output", type=Path, default="demo-output")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if not args.data.is_dir():
        parser.error(f"no folder {args.data}: install dataset-fashion-mnist or name a folder with --data")

    torch.manual_seed(args.seed)
    args.output.mkdir(parents=True, exist_ok=True)
    train_set, test_set = load(args.data, "train"), load(args.data, "t10k")
    train_loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=500)
    model = SmallCNN().to(args.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    sizes = f"{len(train_set)} training and {len(test_set)} test images"
    print(f"{sizes}, {args.device}, {torch.get_num_threads()} threads", flush=True)

    losses = []
    for epoch in range(1, args.epochs + 1):
        losses += train_epoch(model, train_loader, optimizer, args.device, f"epoch {epoch}/{args.epochs}")
    images, labels = test_set.tensors
    predicted = predict(model, test_loader, args.device)
    right = (predicted == labels).sum().item()
    accuracy = f"test accuracy {100 * right / len(labels):.2f} % ({right} of {len(labels)})"
    print(accuracy)

    (args.output / "accuracy.txt").write_text(accuracy + "\n")
    torch.save(model.state_dict(), args.output / "model.pth")
    if losses:
        draw(args.output, losses, images, labels, predicted)


if __name__ == "__main__":
    main()
