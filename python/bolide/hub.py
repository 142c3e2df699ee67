"""Pretrained parameters from the web, and models from repositories that describe them in a `hubconf.py`.

Files are kept in a folder (`get_dir`), so that each is fetched once. A file whose name ends in
`-<hash>.<ext>` can be checked against that hash.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from pathlib import Path
from typing import Any

__all__ = ["download_url_to_file", "get_dir", "help", "list", "load", "load_state_dict_from_url", "set_dir"]

_dir: str | None = None
_HASH = re.compile(r"-([a-f0-9]*)\.")
_builtin_list = list


def get_dir() -> str:
    """The folder of fetched files: what `set_dir` said, $TORCH_HOME/hub, or ~/.cache/torch/hub."""
    if _dir is not None:
        return _dir
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))
    return os.path.join(os.path.expanduser(home), "hub")


def set_dir(d: str | os.PathLike) -> None:
    """Chooses the folder of fetched files."""
    global _dir
    _dir = os.path.expanduser(d)


def download_url_to_file(url: str, dst: str, hash_prefix: str | None = None, progress: bool = True) -> None:
    """Fetches a file; it appears at `dst` only when it is whole.

    Args:
        url: where from.
        dst: where to.
        hash_prefix: the beginning of its SHA-256 in hexadecimal; RuntimeError where it differs.
        progress: show how far it is.
    """
    import hashlib
    import tempfile
    from urllib.request import Request, urlopen

    dst = os.path.expanduser(dst)
    digest = hashlib.sha256()
    with urlopen(Request(url, headers={"User-Agent": "bolide.hub"})) as source:
        total = int(source.headers.get("Content-Length") or 0)
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(dst) or ".")
        try:
            with os.fdopen(handle, "wb") as out:
                while block := source.read(1 << 17):
                    out.write(block)
                    digest.update(block)
                    if progress and total and sys.stderr.isatty():
                        sys.stderr.write(f"\r{out.tell() * 100 // total}% of {total} bytes")
            if hash_prefix and not digest.hexdigest().startswith(hash_prefix):
                raise RuntimeError(
                    f'invalid hash value (expected "{hash_prefix}", got "{digest.hexdigest()}")'
                )
            os.replace(temporary, dst)
        finally:
            if os.path.exists(temporary):
                os.remove(temporary)


_download_url_to_file = download_url_to_file


def load_state_dict_from_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = True,
) -> dict[str, Any]:
    """Loads a saved object from the web, or from the folder where it was kept before.

    Args:
        url: where from.
        model_dir: the folder, `get_dir()`/checkpoints when left out.
        map_location: see `load`.
        progress: show how far the fetch is.
        check_hash: compare the hash in the file's name.
        file_name: the name to keep it under.
        weights_only: see `load`.
    """
    from urllib.parse import urlparse

    import bolide

    folder = model_dir if model_dir is not None else os.path.join(get_dir(), "checkpoints")
    os.makedirs(folder, exist_ok=True)
    name = file_name if file_name is not None else os.path.basename(urlparse(url).path)
    kept = os.path.join(folder, name)
    if not os.path.exists(kept):
        sys.stderr.write(f'Downloading: "{url}" to {kept}\n')
        found = _HASH.search(name) if check_hash else None
        download_url_to_file(url, kept, found[1] if found else None, progress=progress)
    return bolide.load(kept, map_location=map_location, weights_only=weights_only)


# ---- repositories ------------------------------------------------------------------------------


def _folder(repo_or_dir: str, source: str) -> Path:
    """The local folder of a repository."""
    if source == "local":
        return Path(repo_or_dir).expanduser()
    if source != "github":
        raise ValueError(f'Unknown source: "{source}". Allowed values: "github" | "local".')
    repo, _, branch = repo_or_dir.partition(":")
    found = Path(get_dir()) / f"{repo.replace('/', '_')}_{(branch or 'main').replace('/', '_')}"
    if not found.exists():
        _fetch_repository(repo, branch or "main", found)
    return found


def _fetch_repository(repo: str, branch: str, folder: Path) -> None:
    import shutil
    import tempfile
    import zipfile

    os.makedirs(get_dir(), exist_ok=True)
    with tempfile.TemporaryDirectory(dir=get_dir()) as work:
        archive = os.path.join(work, "repository.zip")
        download_url_to_file(f"https://github.com/{repo}/zipball/{branch}", archive, progress=False)
        with zipfile.ZipFile(archive) as z:
            z.extractall(work)
            top = z.namelist()[0].split("/")[0]
        shutil.move(os.path.join(work, top), folder)


def _hubconf(folder: Path) -> Any:
    """The module hubconf.py of a repository, whose code this runs."""
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location("hubconf", folder / "hubconf.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    missing = [name for name in getattr(module, "dependencies", ()) if importlib.util.find_spec(name) is None]
    if missing:
        raise RuntimeError(f"Missing dependencies: {', '.join(missing)}")
    return module


def _entry(module: Any, name: str) -> Any:
    found = getattr(module, name, None)
    if not callable(found):
        raise RuntimeError(f"Cannot find callable {name} in hubconf")
    return found


def list(
    github: str,
    force_reload: bool = False,
    skip_validation: bool = False,
    trust_repo: Any = "check",
    verbose: bool = True,
    source: str = "github",
) -> _builtin_list:  # noqa: A001
    """The names of a repository's models."""
    module = _hubconf(_folder(github, source))
    return [name for name in dir(module) if callable(getattr(module, name)) and not name.startswith("_")]


def help(
    github: str,
    model: str,
    force_reload: bool = False,
    skip_validation: bool = False,
    trust_repo: Any = "check",
    source: str = "github",
) -> str | None:  # noqa: A001
    """The documentation of a repository's model."""
    return _entry(_hubconf(_folder(github, source)), model).__doc__


def load(
    repo_or_dir: str,
    model: str,
    *args: Any,
    source: str = "github",
    trust_repo: Any = "check",
    force_reload: bool = False,
    verbose: bool = True,
    skip_validation: bool = False,
    **kwargs: Any,
) -> Any:
    """Makes a model of a repository, by the function of that name in its hubconf.py.

    Args:
        repo_or_dir: 'owner/name[:branch]', or a folder with source='local'. Its code is run.
        model: the function's name.
        args, kwargs: its arguments.
        source: 'github' or 'local'.
        trust_repo, force_reload, verbose, skip_validation: accepted for PyTorch's programs.
    """
    return _entry(_hubconf(_folder(repo_or_dir, source)), model)(*args, **kwargs)
