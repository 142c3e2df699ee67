"""Embedding's gradients that differ from the plain derivative: a padding row, averages by frequency."""

import bolide as torch
import bolide.nn.functional as F


def _gradient(indices, **how):
    weight = torch.ones(4, 2, requires_grad=True)
    F.embedding(torch.tensor(indices), weight, **how).sum().backward()
    return weight.grad[:, 0].tolist()


def test_rows_sum_their_gradients():
    assert _gradient([0, 2, 2, 3]) == [1.0, 0.0, 2.0, 1.0]


def test_the_padding_row_gets_none():
    assert _gradient([0, 2, 2, 3], padding_idx=2) == [1.0, 0.0, 0.0, 1.0]
    assert _gradient([0, 2, 2, 3], padding_idx=-2) == [1.0, 0.0, 0.0, 1.0]


def test_frequent_rows_average():
    assert _gradient([0, 2, 2, 3], scale_grad_by_freq=True) == [1.0, 0.0, 1.0, 1.0]
