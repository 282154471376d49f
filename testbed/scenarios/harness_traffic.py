# SPDX-License-Identifier: Apache-2.0
"""Clients and applications of the scenarios. A socket, or a Server, that is made inside a namespace stays there."""
import contextlib
import select
import socket
import threading

DATA = bytes(range(256)) * 1024  # much more than a packet


def http(address, port=80, path="/", headers=(), body=b"", timeout=30, local=None):
    """One request; (status, body), or None if the connection fails or no whole answer comes."""
    host = f"[{address}]" if ":" in address else address
    head = [f"{'POST' if body else 'GET'} {path} HTTP/1.1", *headers, "Connection: close"]
    if not any(h.lower().startswith("host:") for h in headers):
        head.append(f"Host: {host}")
    if body:
        head.append(f"Content-Length: {len(body)}")
    try:
        with socket.create_connection((address, port), timeout, local) as s:
            s.sendall("\r\n".join(head + ["", ""]).encode() + body)
            answer = b"".join(iter(lambda: s.recv(65536), b""))
    except OSError:
        return None
    head, _, rest = answer.partition(b"\r\n\r\n")
    return (int(head.split()[1]), rest) if head.startswith(b"HTTP/1.") else None


def connects(address, port, timeout=1):
    try:
        socket.create_connection((address, port), timeout).close()
        return True
    except OSError:
        return False


def udp_socket(address, port=0, timeout=30):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(timeout)
    s.bind((address, port))
    return s


def comes_back(address, port, data=DATA, timeout=60):
    """Whether all that is sent to a Server comes back."""
    with socket.create_connection((address, port), timeout) as s:
        s.settimeout(timeout)
        file = s.makefile("rwb")
        greeting = file.read(4)
        while not greeting.endswith(b" ") or greeting.count(b" ") < 2:
            greeting += file.read(1)
        for at in range(0, len(data), 65536):
            part = data[at:at + 65536]
            file.write(part)
            file.flush()
            if file.read(len(part)) != part:
                return False
    return True


class Server:
    """An application: answers "NAME CLIENT-ADDRESS" to each datagram and at the start of each connection, then
    sends back what comes. Made inside a namespace, it stays there."""

    def __init__(self, name, port):
        self.name = name
        self.seen = []  # (protocol, client address)
        self.listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
        self.datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.datagrams.bind(("::", port))
        self.stop, self.stopped = socket.socketpair()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.stop.close()
        self.thread.join()  # done when it was closed already
        for s in (self.listener, self.datagrams, self.stopped):
            s.close()

    def greeting(self, protocol, peer):
        client = peer[0].removeprefix("::ffff:")
        self.seen.append((protocol, client))
        return f"{self.name} {client} ".encode()

    def _serve(self):
        connections = []
        while True:
            ready, _, _ = select.select([self.stopped, self.listener, self.datagrams, *connections], [], [])
            for s in ready:
                if s is self.stopped:
                    for c in connections:
                        c.close()
                    return
                with contextlib.suppress(OSError):
                    if s is self.listener:
                        connection, peer = s.accept()
                        connection.sendall(self.greeting("tcp", peer))
                        connections.append(connection)
                    elif s is self.datagrams:
                        data, peer = s.recvfrom(65536)
                        s.sendto(self.greeting("udp", peer) + data, peer)
                    else:
                        data = s.recv(65536)
                        s.sendall(data)
                        if data:
                            continue
                        connections.remove(s)
                        s.close()
                    continue
                if s in connections:
                    connections.remove(s)
                    s.close()
