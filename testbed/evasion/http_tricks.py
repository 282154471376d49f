# SPDX-License-Identifier: Apache-2.0
"""HTTP. Each function makes the frames of one trick that hides `word`."""
import gzip
import zlib

from connection import Connection, answer, asked, case, chunked, get, told


# --- HTTP: where the message ends ---


@case
def chunks(word):
    body = word + b"-body"
    return told(answer(chunked(*(body[at:at + 1] for at in range(len(body)))), b"Transfer-Encoding: chunked", length=False))


@case
def chunks_odd(word):
    """Extensions, zeros, capitals, a trailer; and a length that does not count."""
    body = b"6;a=\"b\"\r\n" + word + b"\r\n000005 \r\n-body\r\n0A\r\n0123456789\r\n0\r\nT: t\r\n\r\n"
    lines = b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\tChunked\r\nContent-Length: 5\r\n\r\n"
    return told(lines + body)


@case
def codings_of_a_request(word):
    """A request behind a body in codings that a server may refuse, or not."""
    c = Connection()
    for coding, body in ((b"identity, chunked", chunked(b"abc")), (b"chunked, identity", chunked(b"abc")), (b"xchunked\r\nContent-Length: 3", b"abc")):
        c.say(0, b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: " + coding + b"\r\n\r\n" + body + get(b"/" + word + b"/path"))
        c.say(1, answer(b"ok") * 2)
    return c.close()


@case
def until_the_end(word):
    return told(b"HTTP/1.0 200 OK\r\n\r\n" + word + b"-body")


@case
def pipelined(word):
    c = Connection()
    c.say(0, get(b"/1") + get(b"/2") + get(b"/" + word + b"/path") + get(b"/4"))
    c.say(1, answer(b"one") + answer(b"two") + answer(word + b"-body") + answer(b"four"))
    return c.close()


@case
def pipelined_by_hundreds(word):
    """More than are kept until their answers come."""
    c = Connection()
    c.say(0, get(b"/") * 300 + get(b"/" + word + b"/path"))
    c.say(1, answer(b"ok") * 300 + answer(word + b"-body"))
    return c.close()


@case
def behind_connect(word):
    """An origin answers CONNECT as any other request."""
    c = Connection()
    for body in (b"ok", b"", b"ok", b"ok", b"ok", b"ok"):
        c.say(0, b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n")
        c.say(1, answer(body))
    c.say(0, get(b"/" + word + b"/path"))
    c.say(1, answer(word + b"-body"))
    return c.close()


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def headers(stream, *fields, flags=5):
    text = b"".join(bytes((0, len(name))) + name + bytes((len(value),)) + value for name, value in fields)
    return frame(1, flags, stream, text)


def request(stream, path, flags=5):
    return headers(stream, (b":method", b"GET"), (b":scheme", b"http"), (b":path", path), flags=flags)


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0)


@case
def http2_before_it_may(word):
    """The client does not wait for the server's word that it may."""
    c = Connection()
    upgrade = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk")
    c.say(0, get(b"/", *upgrade) + PREFACE + request(3, b"/" + word + b"/path"))
    switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    c.say(1, switch + frame(4, 0, 0) + headers(1, (b":status", b"200")))
    c.say(1, headers(3, (b":status", b"200"), flags=4) + frame(0, 1, 3, word + b"-body"))
    return c.close()


@case
def http2_streams_by_hundreds(word):
    """More than are kept until they end."""
    c = Connection()
    c.say(0, PREFACE)
    c.say(1, frame(4, 0, 0))
    c.say(0, b"".join(request(2 * i + 1, b"/", flags=4) for i in range(300)) + request(601, b"/" + word + b"/path"))
    c.say(1, headers(601, (b":status", b"200"), flags=4) + frame(0, 1, 601, word + b"-body"))
    return c.close()


@case
def interim_answers(word):
    c = Connection()
    c.say(0, b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n")
    c.say(1, b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
    c.say(0, word + b"-body")
    c.say(1, answer(word + b"-body"))
    return c.close()


@case
def ranges(word):
    text = b"0123456789" + word + b"-body"
    part = b"Content-Range: bytes %d-%d/" + b"%d" % len(text)
    return told(
        answer(text[:8], part % (0, 7), status=b"206 Partial Content"),
        answer(text[8:], part % (8, len(text) - 1), status=b"206 Partial Content"))


@case
def two_lengths(word):
    """A request inside the body of another, for whoever believes the second length."""
    inner = get(b"/decoy")
    text = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\nContent-Length: 0\r\n\r\n" % len(inner)
    return asked(text + inner + get(b"/" + word + b"/path"))


# --- HTTP: coded bodies ---


@case
def gzipped(word):
    return told(answer(gzip.compress(word + b"-body", mtime=0), b"Content-Encoding: gzip"))


@case
def gzipped_in_chunks(word):
    text = gzip.compress(b"x" * 500 + word + b"-body", mtime=0)
    parts = [text[at:at + 3] for at in range(0, len(text), 3)]
    return told(answer(chunked(*parts), b"Content-Encoding: gzip", b"Transfer-Encoding: chunked", length=False))


@case
def gzipped_twice(word):
    text = gzip.compress(gzip.compress(word + b"-body", mtime=0), mtime=0)
    return told(answer(text, b"Content-Encoding: gzip, gzip"))


@case
def deflated(word):
    """With zlib's header and without, as browsers take both."""
    raw = zlib.compressobj(wbits=-15)
    return told(
        answer(zlib.compress(word + b"-body"), b"Content-Encoding: deflate"),
        answer(raw.compress(word + b"-body") + raw.flush(), b"Content-Encoding: deflate"))


@case
def not_gzipped(word):
    """The header lies."""
    return told(answer(word + b"-body", b"Content-Encoding: gzip"))


@case
def wide_characters(word):
    """Charset tricks: UTF-16 of both orders; a rule looks for those bytes."""
    return told(*(answer((word + b"-body").decode().encode(code), b"Content-Type: text/html; charset=" + code.encode())
                  for code in ("utf-16-le", "utf-16-be")))


@case
def zero_bytes(word):
    """In the path, in a header, in a body."""
    c = Connection()
    c.say(0, get(b"/a%00b/../" + word + b"/path", b"X-Zero: a\0b", b"X-" + word.capitalize() + b": yes"))
    c.say(1, answer(b"\0\0\0" + word + b"-body\0\0"))
    return c.close()


# --- HTTP: spellings ---


@case
def escaped_paths(word):
    c = Connection()
    for path in (b"/%61" + word[1:] + b"/path", b"/x/.././" + word + b"//path", b"/" + word + b"%2fpath",
                 b"http://h/" + word + b"/path", b"/" + word + b"\\path", b"/" + word[:3] + b"%%%02x" % word[3] + word[4:] + b"/path"):
        c.say(0, get(path))
        c.say(1, answer(b"ok"))
    return c.close()


@case
def folded_header(word):
    return asked(get(b"/", b"X-" + word.capitalize() + b":\r\n \tyes"))


@case
def odd_lines(word):
    """Line ends of one byte, blanks before the colon, an empty line before the request."""
    name = b"X-" + word.capitalize()
    c = Connection()
    c.say(0, b"\r\nGET /" + word + b"/path HTTP/1.1\nHost: h\n" + name + b" : yes\n\n")
    c.say(1, answer(b"ok"))
    return c.close()
