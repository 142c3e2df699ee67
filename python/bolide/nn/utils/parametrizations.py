"""Ready parametrisations: orthogonal matrices, weight and spectral normalisation."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

import bolide
from bolide import Tensor

from ..functional import normalize
from ..modules.module import Module
from . import _norms, parametrize

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


def _is_orthogonal(Q: Tensor, eps: float | None = None) -> bool:
    n, k = Q.size(-2), Q.size(-1)
    identity = bolide.eye(k, dtype=Q.dtype, device=Q.device)
    eps = 10.0 * n * bolide.finfo(Q.dtype).eps if eps is None else eps
    return bool(bolide.allclose(Q.mH @ Q, identity, atol=eps))


def _make_orthogonal(A: Tensor) -> Tensor:
    """The orthogonal factor of A, unique since the other one has a positive diagonal."""
    Q, R = bolide.linalg.qr(A)
    return Q * R.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


class _OrthMaps(Enum):
    matrix_exp = auto()
    cayley = auto()
    householder = auto()


class _Orthogonal(Module):
    """An orthogonal (n, k) matrix from an unconstrained one.

    With a base, the map's result is multiplied to it: then every orthogonal matrix can be assigned, and
    training starts from the map's middle, where it is best behaved.
    """

    base: Tensor

    def __init__(self, weight: Tensor, orthogonal_map: _OrthMaps, *, use_trivialization: bool = True) -> None:
        super().__init__()
        if weight.is_complex() and orthogonal_map == _OrthMaps.householder:
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        wide = X.size(-2) < X.size(-1)
        X = X.mT if wide else X
        Q = self._reflect(X) if self.orthogonal_map == _OrthMaps.householder else self._rotate(X)
        if hasattr(self, "base"):
            Q = self.base @ Q
        return Q.mT if wide else Q

    def _rotate(self, X: Tensor) -> Tensor:
        """The first columns of the rotation that a skew-symmetric matrix generates."""
        n, k = X.size(-2), X.size(-1)
        X = X.tril()
        if n != k:
            X = bolide.cat([X, X.new_zeros(n, n - k).expand(*X.shape[:-2], -1, -1)], dim=-1)
        A = X - X.mH
        if self.orthogonal_map == _OrthMaps.matrix_exp:
            Q = bolide.linalg.matrix_exp(A)
        else:
            identity = bolide.eye(n, dtype=A.dtype, device=A.device)
            Q = bolide.linalg.solve(identity - 0.5 * A, identity + 0.5 * A)
        return Q[..., :k] if n != k else Q

    def _reflect(self, X: Tensor) -> Tensor:
        """The product of the reflections that stand below the diagonal;
        the diagonal holds signs, which are not trained.
        """
        A = X.tril(diagonal=-1)
        tau = 2.0 / (1.0 + (A * A).sum(dim=-2))
        Q = bolide.linalg.householder_product(A, tau)
        signs = X.diagonal(dim1=-2, dim2=-1).detach().trunc()
        return Q * signs.unsqueeze(-2)

    def right_inverse(self, Q: Tensor) -> Tensor:
        if Q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape "
                f"{Q.shape}."
            )
        given = Q
        wide = Q.size(-2) < Q.size(-1)
        Q = Q.mT if wide else Q
        if not hasattr(self, "base"):
            A = self._reflections(Q)
            return A.mT if wide else A
        n, k = Q.size(-2), Q.size(-1)
        if n == k:
            Q = Q.clone() if _is_orthogonal(Q) else _make_orthogonal(Q)
        else:
            more = bolide.randn(*Q.size()[:-2], n, n - k, dtype=Q.dtype, device=Q.device)
            Q = _make_orthogonal(bolide.cat([Q, more], dim=-1))
        self.base = Q
        # minus the identity, whose diagonal reflections read as signs, and from which rotations see only the
        # rest: zero
        start = bolide.zeros_like(given)
        start.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
        return start

    def _reflections(self, Q: Tensor) -> Tensor:
        if self.orthogonal_map != _OrthMaps.householder:
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley parametrizations when "
                "use_trivialization=False."
            )
        A, tau = bolide.geqrf(Q)
        diagonal = A.diagonal(dim1=-2, dim2=-1)
        diagonal.sign_()
        # a reflection that was left out (tau is zero) turns its sign
        diagonal.mul_(bolide.where(tau == 0.0, -1.0, 1.0).to(A.dtype))
        return A


def orthogonal(
    module: Module,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> Module:
    """Keeps a matrix (or a batch of them) orthogonal while it is trained; returns the module.

    Args:
        module: the module.
        name: the parameter's name.
        orthogonal_map: 'matrix_exp', 'cayley' or 'householder'; when left out, the first for square and
            complex matrices and the last for others.
        use_trivialization: multiply the map to a fixed base, so that orthogonal matrices can be assigned.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if weight.ndim < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    if orthogonal_map is None:
        square = weight.size(-2) == weight.size(-1)
        orthogonal_map = "matrix_exp" if square or weight.is_complex() else "householder"
    chosen = getattr(_OrthMaps, orthogonal_map, None)
    if chosen is None:
        raise ValueError(
            f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}'
        )
    orth = _Orthogonal(weight, chosen, use_trivialization=use_trivialization)
    parametrize.register_parametrization(module, name, orth, unsafe=True)
    return module


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return _norms.weight_norm(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return _norms.norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Splits a parameter into length (`original0`) and direction (`original1`); returns the module.

    Args:
        module: the module.
        name: the parameter's name.
        dim: the dimension along which each slice has a length; one length for all of it when None.
    """
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def take_old_names(state_dict: dict, prefix: str, *others: Any) -> None:
        """Entries of `nn.utils.weight_norm`, the older form."""
        g, v = f"{prefix}{name}_g", f"{prefix}{name}_v"
        if g in state_dict and v in state_dict:
            state_dict[f"{prefix}parametrizations.{name}.original0"] = state_dict.pop(g)
            state_dict[f"{prefix}parametrizations.{name}.original1"] = state_dict.pop(v)

    module._register_load_state_dict_pre_hook(take_old_names)
    return module


class _SpectralNorm(Module):
    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        ndim = weight.ndim
        if dim >= ndim or dim < -ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but got {dim})"
            )
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.dim = dim if dim >= 0 else dim + ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = self._reshape_weight_to_matrix(weight)
            u = matrix.new_empty(matrix.size(0)).normal_(0, 1)
            v = matrix.new_empty(matrix.size(1)).normal_(0, 1)
            self.register_buffer("_u", normalize(u, dim=0, eps=eps))
            self.register_buffer("_v", normalize(v, dim=0, eps=eps))
            self._power_method(matrix, 15)  # far enough for the first forward

    def _reshape_weight_to_matrix(self, weight: Tensor) -> Tensor:
        if self.dim != 0:
            weight = weight.permute(self.dim, *(d for d in range(weight.dim()) if d != self.dim))
        return weight.flatten(1)

    def _power_method(self, weight_mat: Tensor, n_power_iterations: int) -> None:
        """Moves the vectors, in place, towards the singular vectors of the largest singular value."""
        with bolide.no_grad():
            for _ in range(n_power_iterations):
                self._u.copy_(normalize(bolide.mv(weight_mat, self._v), dim=0, eps=self.eps))
                self._v.copy_(normalize(bolide.mv(weight_mat.mH, self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = self._reshape_weight_to_matrix(weight)
        if self.training:
            self._power_method(matrix, self.n_power_iterations)
        # backward needs these values, which the next forward overwrites
        u, v = self._u.clone(), self._v.clone()
        return weight / bolide.vdot(u, bolide.mv(matrix, v))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value  # it may be any matrix: forward divides


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divides a parameter by an estimate of its largest singular value; returns the module.

    Args:
        module: the module.
        name: the parameter's name.
        n_power_iterations: iterations of the estimate in each forward in training.
        eps: keeps norms away from zero.
        dim: the dimension of the outputs: 1 for transposed convolutions, else 0, when left out.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if dim is None:
        from ..modules.conv import _ConvTransposeNd

        dim = 1 if isinstance(module, _ConvTransposeNd) else 0
    parametrize.register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))
    return module
