"""Streams from and to real servers on loopback, which are killed and started again."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest
from e2e import ROOT, environment
from media import draw_frames, read_video, write_video

SYSTEM_PYTHON = '/usr/bin/python3'
#: As .ci/run installs them.
PACKAGES = 'python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-rtsp gstreamer1.0-plugins-good'
NEEDED = "import gi; gi.require_version('GstRtspServer', '1.0')"
TAKE_RTMP = """
import sys, av
with av.open(sys.argv[1], options={'listen': '1'}, timeout=60) as container:
    for frame in container.decode(video=0):
        print(round(1000 * frame.time), flush=True)
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def wait_for(condition, seconds=60):
    """Wait until something is so; return it."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, 'it did not come to pass'
        time.sleep(0.1)
    return found


class Process:
    """A process whose output goes to files, ended with the test."""

    def __init__(self, folder, *command):
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / 'stdout'
        self.errors = folder / 'stderr'
        with open(self.log, 'w') as log, open(self.errors, 'w') as errors:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdout=log,
                stderr=errors,
                stdin=subprocess.DEVNULL,
                env=environment(),
                cwd=folder,
            )

    def lines(self):
        return self.log.read_text().splitlines()

    def counts(self):
        """Return what the last line of statistics says: frames in, out, dropped, black."""
        return (self.all_counts() or [(0, 0, 0, 0)])[-1]

    def all_counts(self):
        lines = re.findall(r'(\d+) frames in, (\d+) out, (\d+) dr\w+, (\d+) b', self.said())
        return [tuple(map(int, line)) for line in lines]

    def is_stuck(self):
        """Return whether frames went out and none did in the last two seconds."""
        written = [counts[1] for counts in self.all_counts()[-5:]]
        return len(written) == 5 and min(written) == max(written) > 0

    def said(self):
        return self.errors.read_text()

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def start(tmp_path):
    running = []

    def run(*command):
        running.append(Process(tmp_path / f'process{len(running)}', *command))
        return running[-1]

    yield run
    for process in running:
        if process.process.poll() is None:
            process.end(signal.SIGKILL)


@pytest.fixture
def live(start):
    def run(source, sink, *options):
        tool = ROOT / 'tools' / 'anonymize.py'
        arguments = ('--method', 'pixelate', '--stats', '0.5', '--give-up', '60', *options)
        return start(sys.executable, tool, '--live', source, sink, *arguments)

    return run


@pytest.fixture
def rtsp(start):
    """Start the server of ``rtsp_server.py`` at a port."""
    found = subprocess.run([SYSTEM_PYTHON, '-c', NEEDED], capture_output=True, check=False)
    if found.returncode:
        pytest.skip(f"there is no RTSP server of GStreamer's: apt-get install {PACKAGES}")

    def run(port):
        server = start(SYSTEM_PYTHON, Path(__file__).with_name('rtsp_server.py'), port)
        wait_for(server.lines)
        return server

    return run


@pytest.mark.slow
def test_camera_that_is_killed_and_comes_back_leaves_a_pause(rtsp, live, tmp_path):
    port, out = free_port(), tmp_path / 'camera.mp4'
    # The camera is not there yet.
    session = live(f'rtsp://me:secret@127.0.0.1:{port}/camera', out)
    wait_for(lambda: 'Connection refused' in session.said())
    camera = rtsp(port)
    wait_for(lambda: session.counts()[1] > 30)
    limits = Path(f'/proc/{session.process.pid}/limits').read_text()
    assert re.search(r'Max core file size +0 +0 ', limits)
    camera.end(signal.SIGKILL)
    before = time.monotonic()
    wait_for(lambda: 'has ended or does not answer' in session.said())
    rtsp(port)
    reached = session.counts()[1]
    wait_for(lambda: session.counts()[1] > reached + 30)
    pause = time.monotonic() - before
    assert session.end() == 143
    assert 'Ended by SIGTERM.' in session.said() and 'secret' not in session.said()
    assert 'Traceback' not in session.said()
    read, written, dropped, black = session.counts()
    assert black == 0 and written + dropped == read and written > 60
    frames, times = read_video(out)
    assert frames.shape == (written, 120, 160, 3)
    assert np.ptp(frames[0]) > 50  # the white ball
    gaps = np.diff([float(t) for t in times])
    # The first call of the anonymizer takes longer, and the frames of that time are dropped.
    gaps = gaps[10:]
    # One pause, within what was waited here; else the times of the camera's 25 frames a second, of
    # which a busy machine drops some.
    assert 0.4 < gaps.max() < pause
    steps = np.sort(gaps)[:-1] / 0.04
    assert steps.min() > 0.75 and np.abs(steps - np.rint(steps)).max() < 0.25


@pytest.mark.slow
def test_server_that_is_killed_gets_the_stream_again(rtsp, live, tmp_path):
    port = free_port()
    source = write_video(tmp_path / 'long.mp4', draw_frames(1500, 48, 64))
    session = live(source, f'rtsp://127.0.0.1:{port}/in')
    wait_for(lambda: 'Connection refused' in session.said())
    server = rtsp(port)
    wait_for(lambda: len(server.lines()) > 30)
    server.end(signal.SIGKILL)
    wait_for(lambda: session.said().count('cannot be written') > 1)
    again = rtsp(port)
    wait_for(lambda: len(again.lines()) > 30)
    assert session.end(signal.SIGINT) == 130
    read, written, dropped, _ = session.counts()
    # A file is sent in its own time; what came while the server was away is lost, and counted.
    assert 0 < dropped and written + dropped == read < 1500
    assert 'Traceback' not in session.said()


@pytest.mark.slow
def test_rtmp_server_gets_all_frames_in_time(start, live, tmp_path):
    address = f'rtmp://127.0.0.1:{free_port()}/live/key'
    server = start(sys.executable, '-c', TAKE_RTMP, address)
    source = write_video(tmp_path / 'in.mp4', draw_frames(50))
    session = live(source, address)
    assert session.process.wait(90) == 0, session.said()
    wait_for(lambda: server.process.poll() is not None)
    times = [int(line) for line in server.lines()]
    read, written, dropped, _ = session.counts()
    # Frames for which a busy machine has no time are dropped; the others keep their times.
    assert len(times) == written > 0 and written + dropped == read == 50
    assert min(np.diff(times)) > 0 and not any((t - times[0]) % 40 for t in times)
    assert 'key' not in session.said()


@pytest.mark.slow
def test_stream_that_stays_away_ends_with_what_came(live, tmp_path):
    # So few that there is room for all, however late the first is taken.
    data = write_video(tmp_path / 'in.ts', draw_frames(4)).read_bytes()
    with socket.create_server(('127.0.0.1', 0)) as server:
        address = f'tcp://127.0.0.1:{server.getsockname()[1]}'
        session = live(address, tmp_path / 'out.mkv', '--give-up', '3')
        for _ in range(2):
            connection = server.accept()[0]
            connection.sendall(data)
            connection.close()
    assert session.process.wait(90) == 1
    assert 'and no attempt of 3 seconds helped.' in session.said()
    assert 'Traceback' not in session.said()
    frames, times = read_video(tmp_path / 'out.mkv')
    read, written, dropped, _ = session.counts()
    assert (read, written, dropped) == (8, 8, 0) and len(frames) == 8
    gaps = np.diff([float(t) for t in times])
    assert gaps.min() > 0 and gaps.max() > 0.3


@pytest.mark.slow
def test_playlist_is_read_to_its_end(live, tmp_path):
    folder = tmp_path / 'hls'
    folder.mkdir()
    write_video(folder / 'in.m3u8', draw_frames(50))
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f'http://127.0.0.1:{server.server_address[1]}/in.m3u8?key=secret'
        session = live(address, tmp_path / 'out.ts')
        assert session.process.wait(90) == 0, session.said()
        server.shutdown()
    read, written, dropped, _ = session.counts()
    assert read == 50 and written + dropped == 50
    assert len(read_video(tmp_path / 'out.ts')[0]) == written


@pytest.mark.slow
def test_server_that_takes_nothing_does_not_keep_the_session(live, tmp_path):
    # Noise, which x264 cannot make small, until the connection is full.
    noise = np.random.default_rng(0).integers(0, 255, (10, 240, 320, 3), np.uint8)
    source = write_video(tmp_path / 'in.mkv', np.tile(noise, (20, 1, 1, 1)), rate=20)
    with socket.create_server(('127.0.0.1', 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        address = f'tcp://127.0.0.1:{server.getsockname()[1]}'
        # A busy machine sends few frames; they must be more than the kernel has room for.
        full = f'{address}?send_buffer_size=200000'
        session = live(source, full, '--quality', '0', '--keep', '0,0 1,0 1,1 0,1')
        with server.accept()[0]:
            wait_for(session.is_stuck)
            assert session.end() == 1
    assert f'{address} does not take the last frames.' in session.said()
    assert '1 zones are RAW: whoever is in them is seen.' in session.said()


@pytest.mark.slow
def test_file_plays_after_a_kill(live, start, tmp_path):
    fifo = tmp_path / 'fifo'
    os.mkfifo(fifo)
    source = write_video(tmp_path / 'in.ts', draw_frames(200, 48, 64))
    session = live(fifo, tmp_path / 'out.mp4')
    with open(fifo, 'wb') as pipe:
        pipe.write(source.read_bytes())
        pipe.flush()
        wait_for(lambda: session.counts()[1] > 110)
        session.end(signal.SIGKILL)
    with av.open(str(tmp_path / 'out.mp4')) as container:
        assert sum(1 for _ in container.decode(video=0)) >= 50
