"""Pretrained parameters from the web: the old place of `hub.load_state_dict_from_url`."""

from bolide.hub import _download_url_to_file, load_state_dict_from_url  # noqa: F401

load_url = load_state_dict_from_url
__all__ = ["load_url"]
