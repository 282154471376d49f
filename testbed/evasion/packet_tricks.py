# SPDX-License-Identifier: Apache-2.0
"""Segments and fragments. Each function makes the frames of one trick that hides `word`."""
from connection import Connection, answer, asked, case, get
from frames import CLIENT6, SERVER6, to_server
from scapy.all import IP, UDP, IPv6ExtHdrFragment, fragment, fragment6


@case
def tiny_segments(word):
    return asked(get(b"/" + word + b"/path"), size=1)


@case
def segments_backwards(word):
    c = Connection()
    text = b"a " + word + b"-word in pieces"
    for at in reversed(range(len(text))):
        c.segment(0, at, text[at:at + 1])
    c.sent[0] = len(text)
    c.segment(1, 0)
    return c.close()


@case
def overlap_same_bytes(word):
    c = Connection()
    text = b"a " + word + b"-word twice"
    for at in range(0, len(text), 3):
        c.segment(0, at, text[at:at + 6])
    c.sent[0] = len(text)
    c.segment(1, 0)
    return c.close()


@case
def overlap_decoy_last(word):
    """The bytes first, then others for the same place: the second copy is kept back."""
    c = Connection()
    c.segment(0, 0, word + b"-")
    c.segment(0, 0, b"decoy--")
    c.segment(0, 7, b"word")
    c.sent[0] = 11
    c.segment(1, 0)
    return c.close()


@case
def overlap_decoy_first(word):
    """A decoy first: the server has that, and what comes for its place never arrives."""
    c = Connection()
    c.segment(0, 0, b"decoy--")
    c.segment(0, 0, word + b"-word")
    c.segment(0, 7, b"word")
    c.sent[0] = 11
    c.segment(1, 0)
    return c.close()


@case
def overlap_early(word):
    """Segments that arrive early, the later ones with other bytes at their ends."""
    c = Connection()
    c.segment(0, 6, b"-word")
    c.segment(0, 2, b"tackXX")
    c.segment(0, 2, word[2:] + b"-w")
    c.segment(0, 0, word[:2])
    c.sent[0] = 11
    c.segment(1, 0)
    return c.close()


@case
def out_of_window(word):
    """Bytes that no receiver takes, far before and far behind the stream."""
    c = Connection()
    c.say(0, word[:3])
    c.segment(0, 2**30, b"decoy-word")
    c.segment(0, -2**30, b"decoy-word")
    c.say(0, word[3:] + b"-word")
    return c.close()


@case
def short_ttl(word):
    """A decoy that dies before the server; the engine cannot know, so the stream goes no further."""
    c = Connection()
    c.segment(0, 0, b"decoy-words", ttl=2)
    c.segment(0, 0, word + b"-word")
    c.segment(0, 0, word + b"-word")
    return c.frames


@case
def bad_checksum(word):
    """A decoy that the server throws away: so does the engine, and what comes in its place is looked at."""
    c = Connection()
    c.segment(0, 0, b"decoy-words", chksum=0x1234)
    c.segment(0, 0, word + b"-word")
    return c.frames


@case
def urgent_byte(word):
    """To some receivers the urgent byte is not part of the stream: here it is, for everybody."""
    c = Connection()
    c.segment(0, 0, word + b"-", flags="AU", urgptr=3)
    c.segment(0, 7, b"word")
    c.sent[0] = 11
    c.segment(1, 0)
    return c.close()


@case
def urgent_in_fragments(word):
    c = Connection()
    c.segment(0, 0, word + b"-word", flags="AU", urgptr=3)
    return [*c.frames[:-1], *fragment(c.frames[-1], fragsize=16)]


@case
def reset_outside(word):
    """A reset that the server does not believe: the connection goes on, and so does the search."""
    c = Connection()
    c.say(0, word[:3])
    c.segment(0, 2**29, flags="R")
    c.say(0, word[3:] + b"-word")
    return c.frames


@case
def reset_outside_http(word):
    c = Connection()
    c.say(0, get(b"/first"))
    c.say(1, answer(b"ok"))
    c.segment(0, 2**29, flags="R", ack=None)
    c.segment(0, c.sent[0] + 5, flags="RA")
    c.say(0, get(b"/" + word + b"/path"))
    c.say(1, answer(b"ok"))
    return c.close()


@case
def reset_then_syn(word):
    """As before, and a SYN that looks as if it began another connection in the middle of a line."""
    c = Connection()
    text = get(b"/" + word + b"/path")
    c.say(0, text[:8])
    c.segment(0, 2**29, flags="R", ack=None)
    c.segment(0, c.sent[0] - 1, flags="S", ack=None)
    c.say(0, text[8:])
    c.say(1, answer(b"ok"))
    return c.close()


@case
def second_syn(word):
    c = Connection()
    c.say(0, word[:3])
    c.segment(0, 70000, flags="S", ack=None)
    c.say(0, word[3:] + b"-word")
    return c.close()


def ended(word, **fields):
    """A request, an end that never arrives or that nobody believes, and another request."""
    c = Connection()
    c.say(0, get(b"/first"))
    c.say(1, answer(b"ok"))
    c.segment(0, c.sent[0], **fields)
    c.say(0, get(b"/" + word + b"/path"))
    c.say(1, answer(b"ok"))
    return c.close()


def ended_in_a_line(word, position=8, **fields):
    c = Connection()
    text = get(b"/" + word + b"/path")
    c.say(0, text[:8])
    c.segment(0, position, **fields)
    c.say(0, text[8:])
    return c.frames


@case
def rst_ttl(word):
    """A reset that dies before the server: what follows it is looked at."""
    return ended(word, flags="R", ack=None, ttl=2)


@case
def rst_bad_checksum(word):
    return ended(word, flags="R", ack=None, chksum=0x1234)


@case
def fin_ttl(word):
    """An end that dies before the server, in a line: nothing is let through behind it."""
    return ended_in_a_line(word, flags="FA", ttl=2)


@case
def fin_bad_checksum(word):
    return ended_in_a_line(word, flags="FA", chksum=0x1234)


@case
def fin_with_other_bytes(word):
    """An end together with bytes for which others came before: it goes no further, and ends nothing."""
    c = Connection()
    text = get(b"/" + word + b"/path")
    c.segment(0, 0, text[:8])
    c.sent[0] = 8
    c.segment(0, 4, b"XXXX", flags="FA")
    c.say(0, text[8:])
    return c.frames


@case
def fin_out_of_window(word):
    return ended_in_a_line(word, flags="FA", position=2**29)


@case
def rst_syn_ttl(word):
    """A reset and a SYN that die before the server: the second half of a line is no new connection."""
    c = Connection()
    text = get(b"/" + word + b"/path")
    c.say(0, text[:8])
    c.segment(0, c.sent[0], flags="R", ack=None, ttl=2)
    c.segment(0, c.sent[0] - 1, flags="S", ack=None, ttl=2)
    c.say(0, text[8:])
    return c.frames


@case
def port_again(word):
    """No trick: after a reset, the same port connects again."""
    c = Connection()
    c.say(0, get(b"/first"))
    c.segment(0, c.sent[0], flags="R", ack=None)
    again = 100000
    c.segment(0, again - 1, flags="S", ack=None)
    c.segment(1, again - 1, flags="SA", ack=again)
    c.sent = [again, again]
    c.segment(0, again)
    c.say(0, get(b"/" + word + b"/path"))
    c.say(1, answer(b"ok"))
    return c.close()


@case
def data_with_the_syn(word):
    c = Connection()
    c.frames.clear()
    c.segment(0, -1, word[:3], flags="S", ack=None)
    c.sent[0] = 3
    c.segment(1, -1, flags="SA")
    c.say(0, word[3:] + b"-word")
    return c.close()


@case
def gap(word):
    """Bytes that went another way, in a body; what follows is another request."""
    c = Connection()
    c.say(0, get(b"/first"))
    c.say(1, answer(b"x" * 3000)[:1000])
    c.skip(1, 1000)
    c.say(1, answer(b"x" * 3000)[2000:])
    c.say(0, get(b"/" + word + b"/path"))
    c.say(1, answer(word + b"-body"))
    return c.close()


# --- fragments ---


@case
def tiny_fragments(word):
    return fragment(to_server(UDP(sport=4000, dport=4000), b"an " + word + b"-datagram", id=1), fragsize=8)


@case
def fragments_backwards(word):
    return tiny_fragments(word)[::-1]


@case
def fragments_of_a_tcp_header(word):
    c = Connection()
    c.say(0, b"an " + word + b"-word")
    frames = c.close()
    for number, whole in enumerate(frames):
        whole[IP].id = 100 + number
    return [piece for whole in frames for piece in fragment(whole, fragsize=8)]


@case
def fragments_overlap(word):
    """Two copies of one place: the whole datagram is refused."""
    whole = to_server(UDP(sport=4000, dport=4000), b"an " + word + b"-datagram", id=2)
    pieces = fragment(whole, fragsize=8)
    decoy = pieces[1].copy()
    decoy.load = b"-decoy-!"
    return [pieces[0], decoy, *pieces[1:]]


@case
def fragments_overlap_same(word):
    pieces = fragment(to_server(UDP(sport=4000, dport=4000), b"an " + word + b"-datagram", id=3), fragsize=8)
    return [pieces[0], pieces[1], pieces[1], *pieces[2:]]


@case
def fragments_behind_a_datagram(word):
    """A decoy dies on its way, and makes the datagram whole here: the server waits for another in its place."""
    pieces = fragment(to_server(UDP(sport=4000, dport=4000), b"an " + word + b"-datagram", id=6), fragsize=8)
    decoy = pieces[1].copy()
    decoy.load, decoy.ttl = b"-decoy-!", 2
    return [pieces[0], decoy, *pieces[2:], pieces[1]]


@case
def fragments_with_two_ends(word):
    """A fragment that more follow, and again as the last one: there a server ends the datagram."""
    pieces = fragment(to_server(UDP(sport=4000, dport=4000), b"an " + word + b"-datagram", id=7), fragsize=8)
    end = pieces[2].copy()
    end.flags = 0
    return [*pieces[:3], end]


@case
def fragments_of_two_protocols(word):
    """IPv6: the first fragment twice, of nothing and of UDP. A server has either."""
    ends = dict(source=CLIENT6, destination=SERVER6)
    text = b"x" * 2000 + word + b"-datagram"
    pieces = fragment6(to_server(IPv6ExtHdrFragment(id=8), UDP(sport=4000, dport=4000), text, **ends), 1280)
    nothing = pieces[0].copy()
    nothing[IPv6ExtHdrFragment].nh = 59
    return [pieces[0], nothing, *pieces[1:]]


@case
def fragments_ipv6(word):
    ends = dict(source=CLIENT6, destination=SERVER6)
    text = b"x" * 2000 + word + b"-datagram"
    pieces = fragment6(to_server(IPv6ExtHdrFragment(id=4), UDP(sport=4000, dport=4000), text, **ends), 1280)
    alone = to_server(IPv6ExtHdrFragment(id=5), UDP(sport=4001, dport=4000), word + b"-datagram", **ends)
    return [*pieces[::-1], alone]
