"""Jupyter's configuration for every notebook server of the workspace."""

from pathlib import Path

c = get_config()  # noqa: F821

c.KernelManager.transport = "ipc"  # sockets with the user's permissions; TCP ports are open to every local account
c.ServerApp.tornado_settings = {
    "websocket_max_message_size": 512 * 1024**2,  # an image in an upload widget
    # After signing out, Back must not show a page of before. Static files say themselves how long they keep.
    "headers": {"Cache-Control": "no-store"},
}
c.HubOAuth.cache_max_age = 30  # seconds for which a copied cookie opens this server after its owner has signed out
c.ContentsManager.allow_hidden = False
c.FileContentsManager.delete_to_trash = False
c.ServerApp.terminado_settings = {"shell_command": ["/bin/bash", "--rcfile", str(Path(__file__).parent / "bashrc")]}
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.extension_manager = "readonly"
