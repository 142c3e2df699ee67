"""Recurrent networks as loops over time.

An op takes (input, states, flat weights, biases?, layers, dropout, training, both directions?, batch first?), or with packed
sequences (data, batch sizes, states, flat weights, biases?, layers, dropout, training, both directions?).
"""

from __future__ import annotations

from typing import Any

import bolide

from ._ops import ops


def lstm_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None, w_hr: Any = None) -> tuple:
    return _lstm_step(ops.linear(input, w_ih, b_ih), tuple(hx), w_hh, b_hh, w_hr)


def gru_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    return _gru_step(ops.linear(input, w_ih, b_ih), (hx,), w_hh, b_hh, None)[0]


def rnn_tanh_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    return bolide.tanh(ops.linear(input, w_ih, b_ih) + ops.linear(hx, w_hh, b_hh))


def rnn_relu_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    return ops.relu(ops.linear(input, w_ih, b_ih) + ops.linear(hx, w_hh, b_hh))


def _lstm_step(gates: Any, state: tuple, w_hh: Any, b_hh: Any, w_hr: Any) -> tuple:
    h, c = state
    i, f, g, o = (gates + ops.linear(h, w_hh, b_hh)).chunk(4, -1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    return (h if w_hr is None else ops.linear(h, w_hr), c)


def _gru_step(gates: Any, state: tuple, w_hh: Any, b_hh: Any, w_hr: Any) -> tuple:
    h = state[0]
    r_in, z_in, n_in = gates.chunk(3, -1)
    r_h, z_h, n_h = ops.linear(h, w_hh, b_hh).chunk(3, -1)
    r, z = (r_in + r_h).sigmoid(), (z_in + z_h).sigmoid()
    n = (n_in + r * n_h).tanh()
    return ((h - n) * z + n,)


def _tanh_step(gates: Any, state: tuple, w_hh: Any, b_hh: Any, w_hr: Any) -> tuple:
    return (bolide.tanh(gates + ops.linear(state[0], w_hh, b_hh)),)


def _relu_step(gates: Any, state: tuple, w_hh: Any, b_hh: Any, w_hr: Any) -> tuple:
    return (ops.relu(gates + ops.linear(state[0], w_hh, b_hh)),)


def _run_plain(step: Any, x: Any, state: tuple, weights: tuple, backwards: bool) -> tuple:
    """(outputs (T, N, H), last state) of one layer in one direction over (T, N, F)."""
    w_ih, w_hh, b_ih, b_hh, w_hr = weights
    steps = list(ops.linear(x, w_ih, b_ih).unbind(0))
    outputs = []
    for gates in reversed(steps) if backwards else steps:
        state = step(gates, state, w_hh, b_hh, w_hr)
        outputs.append(state[0])
    return bolide.stack(outputs[::-1] if backwards else outputs), state


def _run_packed(step: Any, data: Any, sizes: list[int], state: tuple, weights: tuple, backwards: bool) -> tuple:
    """The same over packed data: step t has sizes[t] sequences, the longest first."""
    w_ih, w_hh, b_ih, b_hh, w_hr = weights
    parts = list(ops.linear(data, w_ih, b_ih).split(sizes))
    outputs: list = [None] * len(sizes)
    finished: list = []  # forwards: states of sequences that have ended, shortest last
    if backwards:
        first, state = state, tuple(s[:sizes[-1]] for s in state)
        for t in reversed(range(len(sizes))):
            have = state[0].shape[0]
            if sizes[t] > have:
                state = tuple(bolide.cat([s, f[have:sizes[t]]]) for s, f in zip(state, first, strict=True))
            state = step(parts[t], state, w_hh, b_hh, w_hr)
            outputs[t] = state[0]
        return bolide.cat(outputs), state
    for t, size in enumerate(sizes):
        if size < state[0].shape[0]:
            finished.append(tuple(s[size:] for s in state))
            state = tuple(s[:size] for s in state)
        state = step(parts[t], state, w_hh, b_hh, w_hr)
        outputs[t] = state[0]
    pieces = [state, *reversed(finished)]
    return bolide.cat(outputs), tuple(bolide.cat(list(p)) if len(p) > 1 else p[0] for p in zip(*pieces, strict=True))


def _layer_weights(params: list, has_biases: bool, projected: bool) -> list[tuple]:
    """(w_ih, w_hh, b_ih, b_hh, w_hr) for each layer and direction."""
    per = 2 + 2 * has_biases + projected
    rows = []
    for i in range(0, len(params), per):
        w_ih, w_hh, *rest = params[i:i + per]
        biases = tuple(rest[:2]) if has_biases else (None, None)
        rows.append((w_ih, w_hh, *biases, rest[-1] if projected else None))
    return rows


def _stack(step: Any, run: Any, x: Any, states: tuple, rows: list, layers: int, dropout: float, train: bool,
           bidirectional: bool) -> tuple:
    directions = 2 if bidirectional else 1
    last: list = []
    for layer in range(layers):
        outs = []
        for direction in range(directions):
            k = layer * directions + direction
            out, state = run(step, x, tuple(s[k] for s in states), rows[k], direction == 1)
            outs.append(out)
            last.append(state)
        x = outs[0] if directions == 1 else bolide.cat(outs, -1)
        if dropout and train and layer < layers - 1:
            x = ops.dropout(x, dropout, True)
    return (x, *(bolide.stack(list(s)) for s in zip(*last, strict=True)))


def _network(step: Any, n_states: int) -> Any:
    def call(*args: Any) -> tuple:
        packed = isinstance(args[3], (list, tuple)) and isinstance(args[1], bolide.Tensor) and not isinstance(args[2], (list, tuple)) \
            or isinstance(args[2], (list, tuple)) and isinstance(args[3], (list, tuple))
        if packed:
            data, batch_sizes, states, params, has_biases, layers, dropout, train, bidirectional = args
            sizes = batch_sizes.tolist()

            def run(step: Any, x: Any, state: tuple, weights: tuple, backwards: bool) -> tuple:
                return _run_packed(step, x, sizes, state, weights, backwards)
        else:
            data, states, params, has_biases, layers, dropout, train, bidirectional, batch_first = args
            run = _run_plain
        states = tuple(states) if isinstance(states, (list, tuple)) else (states,)
        projected = n_states == 2 and states[0].shape[-1] != states[1].shape[-1]
        rows = _layer_weights(list(params), has_biases, projected)
        if packed:
            return _stack(step, run, data, states, rows, layers, dropout, train, bidirectional)
        x = data.transpose(0, 1) if batch_first else data
        out, *last = _stack(step, run, x, states, rows, layers, dropout, train, bidirectional)
        return (out.transpose(0, 1) if batch_first else out, *last)

    return call


lstm = _network(_lstm_step, 2)
gru = _network(_gru_step, 1)
rnn_tanh = _network(_tanh_step, 1)
rnn_relu = _network(_relu_step, 1)
