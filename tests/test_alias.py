"""`python -m bolide`: programs that say `import torch` run on Bolide, unchanged."""

import subprocess
import sys
from textwrap import dedent

import pytest

from bolide._alias import FOLLOWS, TorchVersion


def run(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "bolide", *arguments], capture_output=True, text=True, cwd=cwd
    )


def run_script(folder, source, *arguments):
    script = folder / "script.py"
    script.write_text(dedent(source))
    return run(str(script), *arguments)


def test_every_way_to_import_gives_the_same_modules(tmp_path):
    done = run_script(
        tmp_path,
        """
        import torch
        import torch.nn as nn
        import torch.nn.functional as F
        from torch.nn import Linear
        from torch.utils.data import DataLoader
        import bolide
        import bolide.nn.functional

        assert torch is bolide and nn is bolide.nn and F is bolide.nn.functional
        assert Linear is bolide.nn.Linear and DataLoader is bolide.utils.data.DataLoader
        assert bolide.__spec__.name == "bolide" and F.__spec__.name == "bolide.nn.functional"
        print(torch.tensor([1, 2]) + 1)
        """,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "tensor([2, 3])\n", "")


def test_the_script_is_main(tmp_path):
    (tmp_path / "beside.py").write_text("import torch\nNAME = torch.__name__\n")
    done = run_script(
        tmp_path,
        """
        import pickle, sys
        import beside  # found beside the script

        class Here:
            pass

        assert type(pickle.loads(pickle.dumps(Here()))) is Here
        assert __name__ == "__main__" and __file__ == sys.argv[0]
        print(beside.NAME, sys.argv[1:])
        sys.exit(3)
        """,
        "--flag",
        "x",
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "bolide ['--flag', 'x']\n", "")


def test_packages_that_ask_for_the_version(tmp_path):
    done = run_script(
        tmp_path,
        f"""
        import importlib.metadata, importlib.util
        import torch
        assert importlib.util.find_spec("torch") is not None
        assert importlib.util.find_spec("torch.no_such_module") is None
        assert importlib.metadata.version("torch") == "{FOLLOWS}"
        assert set(importlib.metadata.packages_distributions()["torch"]) == {{"torch"}}
        assert torch.__version__ >= (2, 4) and torch.__version__ > "2.9"
        assert torch.__version__.split("+")[0] == "{FOLLOWS}"
        """,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_missing_modules_are_named_as_the_program_named_them(tmp_path):
    done = run_script(tmp_path, "import torch.no_such_module\n")
    assert done.returncode == 1
    assert "ModuleNotFoundError: No module named 'torch.no_such_module'" in done.stderr


def test_errors_show_the_script_and_its_line(tmp_path):
    done = run_script(tmp_path, "import torch\n\nraise ValueError('here')\n")
    assert done.returncode == 1
    assert 'script.py", line 3' in done.stderr and "ValueError: here" in done.stderr


def test_modules(tmp_path):
    (tmp_path / "program.py").write_text("import sys, torch\nprint(torch.__name__, __name__, sys.argv[1:])\n")
    done = run("-m", "program", "a", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "bolide __main__ ['a']\n", "")


def test_command_line():
    assert run().returncode == 2
    assert run("--help").returncode == 0
    assert run("no_such_file.py").stderr == "bolide: no such file: no_such_file.py\n"
    assert FOLLOWS in run("--version").stdout


def run_code(code, **options):
    return subprocess.run([sys.executable, "-c", dedent(code)], capture_output=True, text=True, **options)


def test_without_install_torch_is_not_taken():
    code = "import bolide, sys; assert not any(name.split('.')[0] == 'torch' for name in sys.modules)"
    assert run_code(code).returncode == 0


def test_import_bolide_alone_lets_torch_be_found():
    done = run_code(
        """
        import sys
        import bolide
        import importlib.metadata, importlib.util

        assert importlib.util.find_spec("torch") is not None and "torch" not in sys.modules
        assert importlib.metadata.version("torch") == "2.13.0"
        from torch.nn import functional as F
        from torch.autograd.functional import jacobian
        import torch

        assert torch is bolide and F is bolide.nn.functional and torch.__version__ >= (2, 13)
        try:
            import torch.no_such_module
        except ModuleNotFoundError as error:
            print(error)
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "No module named 'torch.no_such_module'\n", "")


def test_an_installed_torch_comes_first(tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("mine = True\n")
    code = """
    import sys
    import bolide
    sys.path.append(sys.argv[1])
    import torch
    assert torch.mine
    try:
        import torch.nn
    except ModuleNotFoundError as error:
        print(error)
    """
    done = subprocess.run([sys.executable, "-c", dedent(code), str(tmp_path)], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "No module named 'torch.nn'\n", "")


def test_another_torch_is_an_error():
    code = """
import sys, types
other = types.ModuleType("torch"); other.__file__ = "/elsewhere/torch.py"; sys.modules["torch"] = other
import bolide._alias
bolide._alias.install()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "RuntimeError: bolide cannot stand in for torch: another torch is imported already" in done.stderr


@pytest.mark.parametrize(
    ("left", "right"), [("2.13.0", "2.4"), ("2.13.0", (2, 4)), ("2.13.0+bolide", "2.9.1"), ("2.13.1", "2.13")]
)
def test_versions_order_by_number(left, right):
    version = TorchVersion(left)
    assert version > right and version >= right and version != right
    assert not version < right and not version <= right


def test_versions_that_are_equal():
    version = TorchVersion("2.13.0+bolide")
    assert version == "2.13.0+bolide" and version == "2.13" and version == (2, 13, 0) and version >= "2.13.0"
    assert version != "2.13.0+cpu" and version != 2
    with pytest.raises(ValueError, match="is no version"):
        assert version > "new"
