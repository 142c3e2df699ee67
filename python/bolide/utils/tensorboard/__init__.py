"""Event files for TensorBoard, written without TensorBoard:
scalars, histograms, images, text, hyperparameters.
"""

from .writer import FileWriter, SummaryWriter

__all__ = ["FileWriter", "SummaryWriter"]
