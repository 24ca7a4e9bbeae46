"""JupyterLab as this project opens it: local, private and without a word to the outside.

    jupyter lab --config=tools/jupyter_lab_config.py

`make lab` and the browser tests start the server with this file, so what is tested is what opens.
"""

import os
import secrets
import sys
from pathlib import Path

from jupyter_server.auth.identity import PasswordIdentityProvider
from traitlets import validate

c = get_config()  # type: ignore[name-defined] # noqa: F821 (Jupyter runs this file with it)

# Only this machine can connect, and only with the token that the server prints.
c.ServerApp.ip = "127.0.0.1"


class AlwaysAToken(PasswordIdentityProvider):
    """Jupyter's own; an empty token, which lets anybody in, in a reader's own configuration is replaced."""

    @validate("token")
    def _never_empty(self, proposal):  # type: ignore[no-untyped-def]
        if proposal["value"]:
            return proposal["value"]
        self.token_generated = True  # so that the server prints it
        return secrets.token_hex(24)


c.ServerApp.identity_provider_class = AlwaysAToken

# JupyterLab would ask the internet for news, for a newer version of itself and for a list of extensions.
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.handlers.announcements.NeverCheckForUpdate"
c.LabApp.extension_manager = "readonly"
# It would also ask the reader, on the first start, whether it may: lab_settings/page_config.json turns that off.
c.LabApp.app_settings_dir = str(Path(__file__).parent / "lab_settings")

# jupytext, where it is installed, can open and save a notebook together with a text file. Here a notebook is one file:
# what is typed into it is stored in it and nowhere else (notebooks/source belongs to tools/notebooks.py).
c.ServerApp.jpserver_extensions = {"jupytext": False, "jupyterlab_jupytext": False}

# Without a screen, print the URL and wait instead of looking for a text browser.
has_screen = sys.platform in ("darwin", "win32") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
c.ServerApp.open_browser = has_screen

# In a container the only user is root; the server is bound to localhost and needs its token all the same.
c.ServerApp.allow_root = True
