#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from frames import conversation, write

# The same tuple a second time, after the first connection has closed: another flow, another cookie.
write(conversation(b"first", b"one") + conversation(b"second", b"two"))
