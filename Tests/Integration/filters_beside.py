"""Filters one at a time on a connection of its own, in a process of its own, for so many seconds.
Prints a JSON line: how many, the median, the 99.9th percentile and the longest in milliseconds, and when
the longest was sent (Unix seconds).

    python filters_beside.py HOST PORT PROVIDER BEGIN SECONDS
"""

import gc
import json
import socket
import struct
import sys
import time

from budget_client import pb


def main(host, port, provider, begin, seconds):
    message = pb.Request(call_id=1, filter_deployments=dict(
        deployments=[dict(id="d", provider=provider)])).SerializeToString()
    frame = struct.pack(">I", len(message)) + message
    gc.disable()
    clock, took = time.perf_counter, []
    with socket.create_connection((host, int(port)), 20) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        time.sleep(max(0, float(begin) - time.time()))
        end = clock() + float(seconds)
        while (sent := clock()) < end:
            peer.sendall(frame)
            # One answer is under way: what arrives first is its length, or all of it.
            received = peer.recv(4096)
            while len(received) < 4 + struct.unpack_from(">I", received)[0]:
                received += peer.recv(4096)
            took.append((clock() - sent, sent))
    assert pb.Response.FromString(received[4:]).filter_deployments.allowed == [0]
    longest, sent = max(took)
    at = time.time() - (clock() - sent)
    took.sort()
    print(json.dumps({
        "count": len(took), "p50": took[len(took) // 2][0] * 1000,
        "p99.9": took[int(len(took) * 0.999)][0] * 1000, "longest": longest * 1000, "at": at}))


if __name__ == "__main__":
    main(*sys.argv[1:])
