# SPDX-License-Identifier: Apache-2.0
"""Segments that are meant for the inspection only, and where a connection begins. Each function makes the frames of
one trick that hides `word`."""
from connection import WINDOW, Connection, answer, case, get


@case
def beyond_the_window(word):
    """A decoy that runs beyond what the server has room for: it takes none of it in this place."""
    c = Connection()
    c.say(0, b"first")
    c.segment(0, c.sent[0], b"." * (WINDOW + 100), ttl=2)
    c.say(0, word + b"-word")
    return c.close()


@case
def middle_decoy_ahead(word):
    """The connection is met in its middle, and begins with a decoy that dies before the server."""
    c = Connection(handshake=False)
    c.segment(0, 500, b"x", ttl=2)
    c.say(0, get(b"/" + word + b"/path"))
    c.say(1, answer(b"ok"))
    return c.close()


@case
def middle_decoy_before(word):
    """As if bytes were missing behind it; who says where the connection is, is the server."""
    c = Connection(handshake=False)
    c.segment(0, -100, b"x", ttl=2)
    c.segment(0, 0, word + b"-word")
    c.segment(1, 0)
    c.say(0, word + b"-word")
    return c.close()


@case
def middle_backwards(word):
    c = Connection(handshake=False)
    text = b"a " + word + b"-word in pieces"
    for at in (16, 9, 5, 0):
        c.segment(0, at, text[at:c.sent[0] or None])
        c.sent[0] = at
    c.sent[0] = len(text)
    c.segment(1, 0)
    return c.close()


@case
def turned_round(word):
    """The client as a server, by two SYN-ACKs. Only the first arrives; it is answered by a reset."""
    c = Connection(handshake=False)
    c.segment(0, -501, flags="SA", ack=65000)
    c.segment(0, -501, flags="SA", ack=66000, ttl=2)
    c.segment(1, 65000, flags="R", ack=None)
    c.shake_hands()
    c.say(0, get(b"/" + word + b"/path"))
    c.say(1, answer(b"ok"))
    return c.close()
