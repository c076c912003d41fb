"""GStreamer's RTSP server with a test picture, for tests on machines that have it. Prints its port, serves /live.

With --check it serves nothing; its exit status says whether it could.
"""
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

Gst.init(None)
encoder = next((name for name in ("x264enc", "openh264enc", "avenc_h264_omx") if Gst.ElementFactory.find(name)), None)
if encoder is None:
    sys.exit("no H.264 encoder")
if "--check" in sys.argv:
    sys.exit(0)
options = " tune=zerolatency key-int-max=10 speed-preset=ultrafast" if encoder == "x264enc" else " gop-size=10"
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service("0")
factory = GstRtspServer.RTSPMediaFactory()
factory.set_shared(True)
factory.set_launch(
    "( videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=25/1 ! "
    f"videoconvert ! {encoder}{options} ! rtph264pay name=pay0 pt=96 )"
)
server.get_mount_points().add_factory("/live", factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
