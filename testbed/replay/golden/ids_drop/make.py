#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from frames import conversation, write

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
write(conversation(b"GET /index.html HTTP/1.1\r\nHost: example.test\r\n\r\n", OK, client_port=40001)
      + conversation(b"GET / HTTP/1.1\r\nUser-Agent: curl/7.88.1\r\n\r\n", OK, client_port=40002)
      + conversation(b"GET /cgi-bin/x?y=/bin/sh HTTP/1.1\r\n\r\n", OK, client_port=40003)
      + conversation(b"GET /a/../../etc/passwd HTTP/1.1\r\n\r\n", OK, client_port=40004))
