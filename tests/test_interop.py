"""Memory and values shared with NumPy, buffers and DLPack; numbers as elements; subclasses of Tensor."""

import array
import gc

import numpy as np
import pytest

import bolide as torch
from bolide.utils import dlpack


class TestNumpy:
    @pytest.mark.parametrize(
        "name",
        "uint8 int8 int16 int32 int64 uint16 uint32 uint64 float16 float32 float64 complex64 complex128 bool".split(),
    )
    def test_both_ways_share_memory(self, name):
        array_ = np.zeros((2, 3), dtype=name)
        t = torch.from_numpy(array_)
        assert t.dtype is getattr(torch, name) and t.shape == (2, 3)
        array_[1, 2] = 1
        assert t[1, 2].item() == 1
        back = t.T.numpy()
        assert back.dtype == array_.dtype and back.shape == (3, 2) and np.shares_memory(back, array_)

    def test_arrays_that_no_tensor_can_show(self):
        with pytest.raises(ValueError, match="byte order different"):
            torch.from_numpy(np.arange(3, dtype=">i4"))
        with pytest.raises(TypeError, match="can't convert np.ndarray of type numpy.str_"):
            torch.from_numpy(np.array(["a"]))
        with pytest.raises(ValueError, match="stride in the given numpy array is negative"):
            torch.from_numpy(np.arange(3)[::-1])
        for other in (3, np.float32(3), [1]):
            with pytest.raises(TypeError, match="expected np.ndarray"):
                torch.from_numpy(other)

    def test_tensors_that_no_array_can_show(self):
        with pytest.raises(TypeError, match="Got unsupported ScalarType BFloat16"):
            torch.ones(2, dtype=torch.bfloat16).numpy()
        with pytest.raises(RuntimeError, match="requires grad"):
            torch.ones(2, requires_grad=True).numpy()
        assert torch.ones(2, requires_grad=True).numpy(force=True).tolist() == [1, 1]
        with pytest.raises(ValueError, match="Unable to avoid copy"):
            np.array(torch.ones(2), dtype=np.int32, copy=False)

    def test_operators_with_arrays(self):
        t, a = torch.ones(2), np.full(2, 3.0)
        for result in (t + a, t * a + 1, t @ a, np.add(t, a)):
            assert isinstance(result, torch.Tensor) and result.dtype is torch.float64
        assert (t - a).tolist() == [-2, -2] and (t == a).tolist() == [False, False]
        assert isinstance(np.sin(t), torch.Tensor)
        assert isinstance(np.float32(2) * t, torch.Tensor)

    def test_the_array_lives_as_long_as_the_tensor(self):
        t = torch.from_numpy(np.arange(1000.0))
        gc.collect()
        assert t.sum().item() == 499500


class TestNumbers:
    def test_uint64_above_two_to_the_63(self):
        big = 2**64 - 1
        t = torch.tensor([big, 2**63, 3], dtype=torch.uint64)
        assert t.tolist() == [big, 2**63, 3] and t[0].item() == big and int(t[1]) == 2**63
        assert float(t[1]) == 2.0**63 and str(big) in repr(t)
        assert torch.from_numpy(t.numpy()).tolist() == t.tolist()

    @pytest.mark.parametrize(
        ("value", "dtype", "error"),
        [
            (-1, torch.uint64, OverflowError),
            (2**64, torch.uint64, OverflowError),
            (2**63, torch.int64, ValueError),
            (300, torch.uint8, RuntimeError),
            (300.5, torch.uint8, RuntimeError),
            (128, torch.int8, RuntimeError),
            (2**16, torch.uint16, RuntimeError),
            (float("nan"), torch.int32, RuntimeError),
            (1e20, torch.int64, RuntimeError),
            (10**400, torch.float32, OverflowError),
            (1j, torch.float32, TypeError),
        ],
    )
    def test_what_a_dtype_cannot_hold(self, value, dtype, error):
        with pytest.raises(error):
            torch.tensor([value], dtype=dtype)

    def test_what_it_can(self):
        assert torch.tensor([-1], dtype=torch.uint8).item() == 255
        assert torch.tensor(40000, dtype=torch.uint16).item() == 40000
        assert torch.tensor(10**30, dtype=torch.float64).item() == 1e30
        assert torch.tensor([1.7, -1.7], dtype=torch.int32).tolist() == [1, -1]

    def test_data_without_a_dtype(self):
        with pytest.raises(ValueError, match="too many dimensions 'str'"):
            torch.tensor(["a"])
        with pytest.raises(TypeError, match="invalid data type 'bytes'"):
            torch.tensor(b"a")
        with pytest.raises(RuntimeError, match="Could not infer dtype of NoneType"):
            torch.tensor([None])
        with pytest.raises(ValueError, match="expected sequence of length 2 at dim 1"):
            torch.tensor([[1, 2], [3]])
        with pytest.raises(ValueError, match="only one element tensors"):
            torch.tensor([torch.ones(2)])
        assert torch.tensor([torch.tensor([1]), torch.tensor(2.5)]).tolist() == [1, 2.5]
        assert torch.tensor(array.array("i", [1, 2])).dtype is torch.int64

    def test_the_default_device(self):
        with torch.device("meta"):
            for t in (torch.tensor([1]), torch.as_tensor([1]), torch.asarray([1]), torch.tensor(torch.ones(1, device="cpu"))):
                assert t.device.type == "meta"
            assert torch.tensor([1], device="cpu").device.type == "cpu"


class TestFrombuffer:
    def test_shares_the_buffer(self):
        buffer = bytearray(8)
        t = torch.frombuffer(buffer, dtype=torch.int16, offset=2, count=2)
        t[0] = 258
        assert t.tolist() == [258, 0] and bytes(buffer) == b"\0\0\2\1\0\0\0\0"
        assert torch.frombuffer(buffer, dtype=torch.float32, requires_grad=True).requires_grad

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"count": 0}, r"both buffer length \(8\) and count \(0\) must not be 0"),
            ({"offset": 8}, "must be non-negative and no greater than buffer length"),
            ({"offset": -1}, "must be non-negative"),
            ({"offset": 3}, r"must be a multiple of element size \(2\)"),
            ({"count": 5}, r"requested buffer length \(5 \* 2 bytes\)"),
        ],
    )
    def test_refuses(self, options, message):
        with pytest.raises(ValueError, match=message):
            torch.frombuffer(bytearray(8), dtype=torch.int16, **options)

    def test_refuses_other_objects(self):
        with pytest.raises(ValueError, match="buffer protocol"):
            torch.frombuffer([1], dtype=torch.int16)
        with pytest.raises(RuntimeError, match="could not retrieve buffer"):
            torch.frombuffer(np.ones(8)[::2], dtype=torch.float64)
        with pytest.raises(TypeError, match="dtype"):
            torch.frombuffer(bytearray(4))
        with pytest.raises(RuntimeError, match="can require gradients"):
            torch.frombuffer(bytearray(4), dtype=torch.int32, requires_grad=True)


class TestAsarray:
    def test_shares_where_it_can(self):
        a = np.ones(2)
        t = torch.ones(2)
        assert torch.asarray(t) is t
        for source in (a, dlpack.to_dlpack(torch.from_numpy(a))):
            torch.asarray(source)[0] += 1
        assert a.tolist() == [3, 1]
        assert torch.asarray(memoryview(bytearray(8)), dtype=torch.float32).tolist() == [0, 0]
        assert torch.asarray(t.untyped_storage(), dtype=torch.uint8).shape == (8,)

    def test_copies_when_told(self):
        a = np.ones(2)
        torch.asarray(a, copy=True)[0] = 5
        torch.asarray(a, dtype=torch.float32)[0] = 5
        assert a[0] == 1
        with pytest.raises(ValueError, match="can't alias tensor with dtype 'Double' into dtype 'Float'"):
            torch.asarray(a, dtype=torch.float32, copy=False)
        with pytest.raises(ValueError, match="can't alias tensor from device 'cpu' to 'meta'"):
            torch.asarray(a, device="meta", copy=False)
        with pytest.raises(ValueError, match="can't alias arbitrary sequence"):
            torch.asarray([1], copy=False)

    def test_gradients(self):
        x = torch.ones(2, requires_grad=True)
        assert torch.asarray(x) is x and not torch.asarray(x, requires_grad=False).requires_grad
        assert torch.asarray(x * 2, copy=True).grad_fn.name() == "CloneBackward0"
        assert torch.asarray([1.0], requires_grad=True).requires_grad
        with pytest.raises(RuntimeError, match="can require gradients"):
            torch.asarray([1], requires_grad=True)


class TestDlpack:
    @pytest.mark.parametrize(
        "name", "uint8 int64 uint16 float16 float32 bfloat16 complex64 bool float8_e5m2 float8_e4m3fn".split()
    )
    def test_round_trip(self, name):
        t = torch.arange(6).reshape(2, 3).to(getattr(torch, name)).T
        r = torch.from_dlpack(t)
        assert r.data_ptr() == t.data_ptr() and r.dtype is t.dtype and r.shape == t.shape and r.stride() == t.stride()

    def test_with_numpy(self):
        t = torch.arange(6).reshape(2, 3)
        a = np.from_dlpack(t.T)
        a[0, 1] = 9
        assert t[1, 0].item() == 9
        assert torch.from_dlpack(np.arange(3.0)).tolist() == [0, 1, 2]
        assert torch.from_dlpack(torch.tensor(5)).item() == 5 and torch.from_dlpack(torch.ones(0, 3)).shape == (0, 3)

    def test_a_capsule_serves_once(self):
        capsule = torch.to_dlpack(torch.ones(2))
        dlpack.from_dlpack(capsule)
        for used in (capsule, 5):
            with pytest.raises(RuntimeError, match="can be consumed only once"):
                dlpack.from_dlpack(used)

    def test_the_memory_lives_on_both_sides(self):
        capsule = torch.ones(1000).__dlpack__(max_version=(1, 0))
        gc.collect()
        t = torch.from_dlpack(capsule)
        del capsule
        assert t.sum().item() == 1000
        torch.ones(3).__dlpack__()  # nobody takes it

    def test_copies_and_devices(self):
        t = torch.ones(2)
        assert torch.from_dlpack(t, copy=True).data_ptr() != t.data_ptr()
        assert torch.from_dlpack(t, device="cpu").data_ptr() == t.data_ptr()
        assert t.__dlpack_device__() == (dlpack.DLDeviceType.kDLCPU, 0)

    def test_what_cannot_leave(self):
        with pytest.raises(BufferError, match="require gradient"):
            torch.ones(2, requires_grad=True).__dlpack__()
        with pytest.raises(BufferError, match="meta"):
            torch.ones(2, device="meta").__dlpack__()
        with pytest.raises(ValueError, match="Unknown device type meta"):
            torch.ones(2, device="meta").__dlpack_device__()


class TestSubclasses:
    def test_as_subclass_is_a_view_with_a_history(self):
        class Tagged(torch.Tensor):
            pass

        w = torch.ones(2, requires_grad=True)
        t = w.as_subclass(Tagged)
        assert type(t) is Tagged and t.grad_fn.name() == "AliasBackward0" and t._base is w
        (t * 3).sum().backward()
        assert w.grad.tolist() == [3, 3]
        plain = torch.ones(2)
        alias = plain.as_subclass(Tagged)
        alias[0] = 5
        assert alias._is_view() and plain._version == 1 and plain[0].item() == 5


class TestViewOfAnotherType:
    def test_shapes(self):
        x = torch.arange(6.0).reshape(2, 3)
        assert x.view(torch.int32).shape == (2, 3) and x.view(torch.int16).shape == (2, 6)
        assert x.reshape(3, 2).view(dtype=torch.float64).shape == (3, 1)
        assert x.view(torch.int32)[0].tolist() == [0, 0x3F800000, 0x40000000]
        assert x.T.view(torch.int32).stride() == (1, 3) and torch.tensor(1.0).view(torch.int32).item() == 0x3F800000
        assert torch.ones(2, dtype=torch.complex64).view(torch.float32).tolist() == [1, 0, 1, 0]

    def test_shares_memory_but_no_history(self):
        x = torch.ones(2, requires_grad=True)
        y = x.view(torch.int32)
        assert not y.requires_grad and y.data_ptr() == x.data_ptr()
        y.zero_()
        assert x.tolist() == [0, 0] and x._version == y._version == 1
