"""Make an IPython kernel look like Google Colab's to the book and to anywidget; `colab.py` runs this at kernel start.

Two things a chapter may rely on in Colab are here, and one that it may not: `google.colab.output` with the two names that
anywidget asks for, and no network beyond this machine.
"""
import socket
import sys
import types


def google_colab():
    """Stand-ins for google, google.colab and google.colab.output."""
    google, colab, output = (types.ModuleType(name) for name in ("google", "google.colab", "google.colab.output"))
    output._widgets = types.SimpleNamespace(_installed_url=None)

    def enable_custom_widget_manager(version="simulated"):
        output._widgets._installed_url = f"https://colab.invalid/widget-manager/{version}"

    output.enable_custom_widget_manager = enable_custom_widget_manager
    google.colab, colab.output = colab, output
    return {module.__name__: module for module in (google, colab, output)}


def refuse_network():
    """Let a socket reach this machine only: the kernel's own messages, and nothing a chapter should need."""
    connect = socket.socket.connect

    def local_only(self, address):
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"a chapter tried to reach {address[0]}")
        return connect(self, address)

    socket.socket.connect = local_only


sys.modules.update(google_colab())
refuse_network()
