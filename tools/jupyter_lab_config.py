"""JupyterLab as this project opens it: local, private and without a word to the outside.

    jupyter lab --config=tools/jupyter_lab_config.py

`make lab` and the browser tests start the server with this file, so what is tested is what opens.
"""

import os
import sys
from pathlib import Path

c = get_config()  # type: ignore[name-defined]

# Only this machine can connect, and only with the token that the server prints.
c.ServerApp.ip = "127.0.0.1"

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
