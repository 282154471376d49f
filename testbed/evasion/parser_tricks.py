# SPDX-License-Identifier: Apache-2.0
"""What the parsers of applications could take for something else. Each function makes the frames of one trick that
hides `word`."""
import struct
import zlib

from connection import Connection, answer, case, get, told
from frames import to_client, to_server
from scapy.all import UDP

GZIPPED = b"Content-Encoding: gzip"
EMPTY_BLOCK = b"\0\0\0\xff\xff"


def talk(*said, client=2):
    c = Connection(source=f"10.1.0.{client}", destination="10.1.0.11")
    for side, text in said:
        c.say(side, text)
    return c.close()


# --- HTTP ---


def raw_deflate(text):
    coder = zlib.compressobj(wbits=-15)
    return coder.compress(text) + coder.flush()


def gzip_with(flags, fields, text):
    return b"\x1f\x8b\x08" + bytes([flags]) + bytes(6) + fields + raw_deflate(text) + struct.pack("<II", zlib.crc32(text), len(text))


@case
def gzip_headers(word):
    """An extra field and a file name, 2 KB each."""
    body = word + b"-body"
    return told(
        answer(gzip_with(4, struct.pack("<H", 2000) + b"x" * 2000, body), GZIPPED),
        answer(gzip_with(8, b"n" * 2000 + b"\0", body), GZIPPED))


@case
def empty_blocks(word):
    """300 stored blocks without a byte, before the data."""
    body = word + b"-body"
    return told(
        answer(gzip_with(0, EMPTY_BLOCK * 300, body), GZIPPED),
        answer(EMPTY_BLOCK * 300 + raw_deflate(body), b"Content-Encoding: deflate"))


@case
def odd_method(word):
    """A server refuses the method and goes on."""
    refused = answer(b"no", status=b"501 Not Implemented")
    frames = []
    for client, method in enumerate((b"A.B", b"1GET", b"M" * 40), 20):
        first = method + b" /x HTTP/1.1\r\nHost: h\r\n\r\n"
        frames += talk((0, first), (1, refused), (0, get(b"/" + word + b"/path")), (1, answer(b"ok")), client=client)
    return frames


@case
def junk_before_http(word):
    return talk((0, b"\0\1junk\r\n\r\n"), (1, answer(b"no", status=b"400 Bad Request")), (0, get(b"/" + word + b"/path")), (1, answer(b"ok")))


@case
def empty_lines_before_http(word):
    return talk((0, b"\r\n" * 3000 + get(b"/" + word + b"/path")), (1, answer(b"ok")))


@case
def greetings_before_http(word):
    """A server greets in another protocol, and then takes requests of HTTP."""
    frames = []
    for client, greeting in enumerate((b"SSH-2.0-x\r\n", b"220 mail.example ESMTP\r\n", b"* OK IMAP4rev1\r\n", b"\0\0\0\x44\xfeSMB\x40\0\0\0"), 40):
        frames += talk((1, greeting), (0, get(b"/" + word + b"/path")), (1, answer(b"ok")), client=client)
    return frames


@case
def header_of_a_proxy(word):
    """Both versions of the PROXY protocol."""
    addresses = b"\xc0\0\2\1\xc0\0\2\2\x9c\x40\0\x50"
    frames = []
    for client, header in enumerate((b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 80\r\n", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + addresses), 50):
        frames += talk((0, header), (0, get(b"/" + word + b"/path")), (1, answer(b"ok")), client=client)
    return frames


# --- DNS, FTP, SSH ---


def question(word):
    name = b"".join(bytes([len(label)]) + label for label in (word + b"-name", b"test")) + b"\0"
    return struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + name + struct.pack(">2H", 1, 1)


@case
def junk_before_dns(word):
    up, down = {"sport": 3000, "dport": 53}, {"sport": 53, "dport": 3000}
    return [
        to_server(UDP(**up), b"junk"),
        to_server(UDP(**up), bytes(12)),
        to_client(UDP(**down), bytes(2) + b"\x80\x81" + bytes(8)),
        to_server(UDP(**up), question(word))]


@case
def ftp_without_a_name(word):
    """At no port of its own; the welcome does not say what it is, and the client begins with another word."""
    return talk((1, b"220 hello\r\n"), (0, b"XYZ\r\n"), (1, b"500 what\r\n"), (0, b"USER a\r\n"), (1, b"331 and\r\n"),
                (0, b"PASS b\r\n"), (1, b"230 in\r\n"), (0, b"STOR " + word + b"-file\r\n"), (1, b"150 go\r\n"))


@case
def lines_before_ssh(word):
    return talk((1, b"hello\r\nthere\r\nSSH-2.0-" + word + b"-ssh\r\n"), (0, b"SSH-2.0-x\r\n"))


# --- TLS ---


def records(message, version=b"\x03\x01"):
    parts = [message[at:at + 16384] for at in range(0, len(message), 16384)]
    return b"".join(b"\x16" + version + struct.pack(">H", len(part)) + part for part in parts)


def hello(word, *extensions):
    name = word + b"-name.test"
    block = b"".join(extensions) + struct.pack(">HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name
    body = b"\3\3" + b"r" * 32 + b"\0" + struct.pack(">HH", 2, 0xc02f) + b"\1\0" + struct.pack(">H", len(block)) + block
    return struct.pack(">I", 1 << 24 | len(body)) + body


@case
def odd_hellos(word):
    """Each in a connection: 500 extensions before the name, 60 KB before it, an empty record, a version of no record."""
    frames = []
    texts = (records(hello(word, *(struct.pack(">HH", 20000 + n, 0) for n in range(500)))),
             records(hello(word, struct.pack(">HH", 21, 60000) + bytes(60000))),
             b"\x16\x03\x01\0\0" + records(hello(word)),
             records(hello(word), b"\x03\xff"))
    for client, text in enumerate(texts, 20):
        frames += talk((0, text), client=client)
    return frames
