"""A camera and a server that takes streams, on loopback, by GStreamer; run by the system's Python.

``rtsp://127.0.0.1:PORT/camera`` shows a test picture of 160 x 120, 25 frames a second;
what is sent to ``rtsp://127.0.0.1:PORT/in`` is counted: a line of its times, in milliseconds, every
frame. Needs python3-gi, gir1.2-gst-rtsp-server-1.0, gstreamer1.0-rtsp, gstreamer1.0-plugins-good.
"""

import sys

import gi

gi.require_version('Gst', '1.0')
gi.require_version('GstRtspServer', '1.0')
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402


def main(port):
    Gst.init(None)
    server = GstRtspServer.RTSPServer(service=port)
    camera = GstRtspServer.RTSPMediaFactory(shared=True)
    camera.set_launch(
        '( videotestsrc is-live=true pattern=ball'
        ' ! video/x-raw,format=I420,width=160,height=120,framerate=25/1'
        ' ! jpegenc ! rtpjpegpay name=pay0 )'
    )
    taker = GstRtspServer.RTSPMediaFactory()
    taker.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
    taker.set_launch('( rtph264depay name=depay0 ! fakesink name=sink signal-handoffs=true )')
    taker.connect('media-configure', watch)
    for path, factory in (('/camera', camera), ('/in', taker)):
        server.get_mount_points().add_factory(path, factory)
    server.attach(None)
    print('ready', flush=True)
    GLib.MainLoop().run()


def watch(factory, media):
    sink = media.get_element().get_by_name('sink')
    sink.connect('handoff', lambda _, buffer, pad: print(buffer.pts // 1_000_000, flush=True))


if __name__ == '__main__':
    main(sys.argv[1])
