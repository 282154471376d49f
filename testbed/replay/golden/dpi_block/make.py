#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from frames import conversation, write


def get(host):
    return b"GET / HTTP/1.1\r\nHost: " + host + b"\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n\r\n"


PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nok"
write(conversation(get(b"www.example.com"), PAGE, client_port=40001)
      + conversation(get(b"www.youtube.com"), PAGE, client_port=40002)
      + conversation(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
                     client_port=40003, server_port=22))
