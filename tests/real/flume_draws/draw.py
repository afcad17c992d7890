#!/usr/bin/env python3
"""Draws configurations and inputs of Flume's components from a seed, for FlumeDraws.java and flume_draws.c, which answer them.

    draw.py WHAT SEED COUNT >cases       WHAT: a name of `draws` below

The form, a word a line and its words (texts and bytes in hexadecimal, "-": empty):

    case NUMBER KIND TYPE            KIND: interceptor, selector, serializer, deserializer, hdfs, syslog, json
    key NAME VALUE                   a key of the component, prefix stripped; @ROOT@ is a directory of the answering program
    with NAME VALUE                  charset, policy: what a deserializer gets from its source, charset: of a request; zone, now, keep, size: of a syslog source
    event BODY [NAME VALUE]...       input bytes of a deserializer, of a stream or datagram: input BYTES
    end

The answer: case NUMBER, then lines `refused WHY` (the component does not start), `threw WHY`, `event ...`, `ways ...` (a letter for each of
four channels; json: the status), `out BYTES`, `file NAME CONTENT`, then end. compare.py compares two of them.
"""
import os
import random
import re
import struct
import sys

UNUSUAL = ["", "0", "-1", "+1", "1.5", "abc", "true", "TRUE", "yes", "99999999999", "2147483647", "0x10", "1 2", "é", "10k", "00", "-0"]


class Draw:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.lines = []

    def chance(self, probability):
        return self.random.random() < probability

    def pick(self, *choices):
        return self.random.choice(choices)

    def number(self, low, high):
        return self.random.randint(low, high)

    def begin(self, number, kind, name):
        self.lines.append(f"case {number} {kind} {name}")
        self.keys = {}

    def key(self, name, value):
        """Flume trims values, and does not take empty ones."""
        value = java_trim(str(value))
        if value and name not in self.keys:
            self.keys[name] = value
            self.lines.append(f"key {as_hex(name.encode())} {as_hex(value.encode())}")

    def maybe(self, probability, name, *choices):
        if self.chance(probability):
            self.key(name, self.pick(*choices))

    def event(self, body, headers=()):
        words = "".join(f" {as_hex(name.encode())} {as_hex(value.encode())}" for name, value in dict(headers).items())
        self.lines.append(f"event {as_hex(body)}{words}")

    def end(self):
        self.lines.append("end")

    def boolean(self):
        return self.pick("true", "false", "true", "false", "TRUE", "False", "yes", "1", "t", "no")

    # ---- bodies and texts ----

    def piece(self):
        pick = self.number(0, 21)
        if pick == 0:
            return bytes(self.number(0, 255) for _ in range(self.number(1, 6)))
        if pick == 1:
            return self.pick(b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80")
        if pick == 2:
            return self.pick("é", "ß", "Ω", "日本", "😀", "\u00a0", "\u2028", "\u0085", "İ", "ı", "\ufeff", "\ufffd").encode()
        if pick == 3:
            return self.pick(b"\r\n", b"\n", b"\r", b"\0", b"\t", b"\x0b", b"\x0c", b"\x1f")
        if pick == 4:
            return self.date_text().encode()
        if pick == 5:
            return str(self.number(-1000, 100000)).encode()
        return self.pick(b"a", b"b", b"ab", b" ", b"x=1", b"status=200", b"status=404", b"GET /a?b=c", b"ERROR", b"error", b"foo", b"-", b",",
                         b"$1", b"\\", b"{", b"}", b"%", b"%{h}", b"_")

    def body(self):
        if self.chance(0.06):
            return b""
        return b"".join(self.piece() for _ in range(self.number(1, 12)))

    def text(self):
        """A header's value: any text without NUL."""
        if self.chance(0.08):
            return ""
        return "".join(self.pick("a", "b", "x", "1", " ", "é", "😀", "/", ".", "=", ",", "{", "}", "$", "\\", "%", "\t", "\n", ":", "-", "_", "~", "A", "\"")
                       for _ in range(self.number(1, 8)))

    def name(self):
        return self.pick("h", "k", "host", "timestamp", "id", "key", "a", "b", "A", "a.b", "x y", "é", "h1", "x-1", "x-2", "state", "datacenter")

    def headers(self, most=4):
        return {self.name(): self.text() for _ in range(self.number(0, most))}

    def date_text(self):
        year = self.pick(1969, 1970, 1999, 2000, 2016, 2023, 2024, 2026, 2100, self.number(1, 9999))
        month, day = self.number(1, 12), self.number(1, 31)
        return self.pick(f"{year:04d}-{month:02d}-{day:02d} {self.number(0, 24):02d}:{self.number(0, 60):02d}:{self.number(0, 60):02d}",
                         f"{day:02d}/{self.pick('Jan', 'Feb', 'Mar', 'jul', 'DEC', 'Sept')}/{year:04d}:{self.number(0, 23):02d}:{self.number(0, 59):02d}",
                         f"{year}-{month}-{day}", f"{self.number(0, 23)}:{self.number(0, 59)}", f"{year:04d}{month:02d}{day:02d}")

    # ---- expressions ----

    def atom(self, depth):
        pick = self.number(0, 15)
        if pick < 6:
            return self.pick("a", "b", "x", "ab", "status=", "=", "\\d", "\\w", "\\s", ".", "\\S", "\\D", "é", "1", "ERROR", "-", ",", "\\.")
        if pick < 9:
            return self.pick("[a-c]", "[^ ]", "[\\w-]", "[0-9]", "[^=\\s]", "[a-z&&[^b]]", "\\p{Alpha}", "\\p{Lu}", "\\p{L}", "[é😀]", "\\x41", "[\\d,]", "\\h",
                             "\\R", "\\u0061", "\\Q.\\E")
        if pick < 11 or depth <= 0:
            return self.pick("^", "$", "\\b", "\\B", "\\A", "\\z", "\\Z", "x", "\\G", "(?i)", "(?s)", "(?m)", "(?x)", "(?u)")
        inner = self.expression(depth - 1)
        return self.pick(f"({inner})", f"(?:{inner})", f"(?<n{self.number(1, 3)}>{inner})", f"({inner})", f"(?={inner})", f"(?!{inner})", f"(?>{inner})",
                         f"(?i:{inner})", f"({inner})\\1")

    def expression(self, depth=2):
        parts = []
        for _ in range(self.number(1, 4)):
            part = self.atom(depth)
            if self.chance(0.3):
                part += self.pick("*", "+", "?", "*?", "+?", "{2}", "{1,3}", "{2,}", "??", "++", "{0}")
            parts.append(part)
        result = "".join(parts)
        return result + "|" + self.atom(depth) if self.chance(0.15) else result

    def any_expression(self):
        """At times one that Java does not compile."""
        if self.chance(0.04):
            return self.pick("(", "a)", "[", "*", "a{2", "\\", "(?<1>a)", "a**", "\\k<none>", "(?z)", "[z-a]", "\\p{Nope}", "{", "}", "]")
        return self.expression()


def groups_of(regex):
    """The groups of a Java expression that capture, in order: the name or None, and how each group around it begins."""
    return [(one.name, [around.begins for around in one.around]) for one in all_groups_of(regex) if one.captures]


class Group:
    """A group of a Java expression: how it begins, the groups around it from outside to inside, and the quantifier behind it."""

    def __init__(self, begins, around):
        self.begins, self.around, self.quantifier = begins, around, ""
        name = re.match(r"\?<(\w+)>", begins)
        self.name, self.captures = name and name[1], bool(name) or not begins.startswith("?")
        self.begins = begins[:3]


def all_groups_of(regex):
    found, around, at = [], [], 0
    while at < len(regex):
        if regex.startswith("\\Q", at):
            end = regex.find("\\E", at)
            at = len(regex) if end < 0 else end + 2
            continue
        if regex[at] == "\\":
            at += 2
            continue
        if regex[at] == "[":
            at += 1 + len(re.match(r"(?:\\.|\[(?:\\.|[^\]])*\]|[^\]])*", regex[at + 1:], re.S)[0])
        elif regex[at] == "(":
            found.append(Group(regex[at + 1:], list(around)))
            around.append(found[-1])
        elif regex[at] == ")" and around:
            around.pop().quantifier = re.match(r"(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})?[+?]?", regex[at + 1:])[0]
        at += 1
    return found


def as_hex(data):
    return data.hex() or "-"


def java_trim(text):
    return text.strip("".join(map(chr, range(33))))


# ---- interceptors ----

def timestamp(draw):
    draw.maybe(0.7, "preserveExisting", draw.boolean())
    draw.maybe(0.5, "headerName", draw.name(), "é", "x y")
    draw.maybe(0.1, "header", "other")


def host(draw):
    draw.maybe(0.7, "preserveExisting", draw.boolean())
    draw.maybe(0.6, "useIP", draw.boolean())
    draw.maybe(0.5, "hostHeader", draw.name())


def static(draw):
    draw.maybe(0.6, "preserveExisting", draw.boolean())
    draw.maybe(0.7, "key", draw.name())
    draw.maybe(0.7, "value", draw.text())


def remove_header(draw):
    draw.maybe(0.4, "withName", draw.name())
    draw.maybe(0.5, "fromList", draw.pick(",", ", ", " , ", ";", " ", "|", "").join(draw.name() for _ in range(draw.number(1, 4))), ",h", "h,,k,", ",", "h, ")
    draw.maybe(0.4, "fromListSeparator", ";", "\\s+", "|", "\\|", "[,;]", ",", "", ".", "x*", "(?<=h)", "(", "(?=k)", "\\b")
    draw.maybe(0.4, "matching", "x-.*", "h.?", ".*", "[a-c]", "a|b", "^h$", "(?i)a", draw.any_expression())


def uuid(draw):
    draw.maybe(0.7, "preserveExisting", draw.boolean())
    draw.maybe(0.6, "headerName", draw.name())
    draw.maybe(0.5, "prefix", draw.text())


CHARSETS = ["UTF-8", "utf8", "US-ASCII", "ISO-8859-1", "latin1", "windows-1252", "UTF-16", "UTF-16LE", "UTF-16BE", "ISO-8859-15", "nope", "utf 8", "UTF-32", "cp437",
            "GBK", "Shift_JIS"]


def search_replace(draw):
    draw.maybe(0.96, "searchPattern", draw.any_expression())
    groups = groups_of(draw.keys.get("searchPattern", ""))
    if draw.chance(0.75):  # one that Java takes
        named = ["${" + name + "}" for name, _ in groups if name]
        numbered = [f"${draw.number(1, len(groups))}" for _ in range(4)] if groups else []
        draw.key("replaceString", "".join(draw.pick("x", "$0", "[$0]", "\\$1", "\\\\", "é", "-", "$0a", "{", *named, *numbered, *numbered) for _ in range(draw.number(1, 3))))
    draw.maybe(0.8, "replaceString", "", "x", "$0", "[$0]", "$1", "\\$1", "\\\\", "${n1}", "<$1$2>", "$", "\\", "$11", "${", "${n9}", "é", "$a", "a$1b",
               draw.text())
    draw.maybe(0.35, "charset", *CHARSETS)


def regex_filter(draw):
    draw.maybe(0.95, "regex", draw.any_expression())
    draw.maybe(0.6, "excludeEvents", draw.boolean())


MILLIS = "org.apache.flume.interceptor.RegexExtractorInterceptorMillisSerializer"
PASS = "org.apache.flume.interceptor.RegexExtractorInterceptorPassThroughSerializer"


def regex_extractor(draw):
    dates = draw.chance(0.25)
    if dates:
        draw.key("regex", draw.pick("(\\d+-\\d+-\\d+ \\d+:\\d+:\\d+)", "(\\d+-\\d+-\\d+)", "(\\d+/\\w+/\\d+:\\d+:\\d+)", "(\\d{1,2}:\\d\\d)", "(\\d{8})", "(.+)", "(\\d+)"))
    else:
        draw.maybe(0.97, "regex", draw.any_expression(), "(" + draw.expression() + ")", "(" + draw.expression() + ")", "(a)|(b)", "(\\w+)=(\\w+)")
    names = [draw.pick("s1", "s2", "s3", "a.b", "S1") for _ in range(draw.number(1, 3))]
    draw.maybe(0.96, "serializers", draw.pick(" ", "  ", "\t", ",").join(names) if draw.chance(0.15) else " ".join(names))
    for one in names:
        draw.maybe(0.95, f"serializers.{one}.name", draw.name())
        if dates and draw.chance(0.8):
            draw.key(f"serializers.{one}.type", MILLIS)
            draw.maybe(0.95, f"serializers.{one}.pattern", "yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd HH:mm:ss", "yyyy-M-d", "dd/MMM/yyyy:HH:mm", "H:m", "yyyyMMdd", "yy-MM-dd", "yyyy",
                       "YYYY-'W'ww", "EEE", "hh:mm a", "x", "SSS", "yyyy-MM-dd'T'HH", "D", "yyyy-MM-dd kk:mm:ss", "yyyy-MM-dd KK:mm:ss", "'", "b", "zzz", "G yyyy",
                       "yyyy-MM-dd HH:mm:ssZ")
        else:
            draw.maybe(0.25, f"serializers.{one}.type", "DEFAULT", PASS, MILLIS, "default", "no.such.Class", PASS)
            draw.maybe(0.05, f"serializers.{one}.pattern", "yyyy")


INTERCEPTORS = {"timestamp": timestamp, "host": host, "static": static, "remove_header": remove_header,
                "org.apache.flume.sink.solr.morphline.UUIDInterceptor$Builder": uuid, "search_replace": search_replace, "regex_filter": regex_filter,
                "regex_extractor": regex_extractor}


def interceptor(name):
    def one(draw, number):
        draw.begin(number, "interceptor", name)
        INTERCEPTORS[name](draw)
        for _ in range(draw.number(1, 6)):
            body = draw.body()
            if name == "regex_extractor" and draw.chance(0.4):
                body = draw.date_text().encode() + (draw.body() if draw.chance(0.3) else b"")
            draw.event(body, draw.headers())
        draw.end()
    return one


# ---- selectors ----

def channels(draw):
    return " ".join(f"c{draw.number(1, 4)}" for _ in range(draw.number(1, 3))) if draw.chance(0.93) else \
        draw.pick("c1  c2", "c9", "c1,c2", "C1", "c1\tc2", " c1", "c1 c1", "c1 c9")


VALUES = ["", " ", "US", "CZ", "us", "a.b", "x y", "é", "1", "default", "US ", "\t"]


def selector(draw, number):
    name = draw.pick("replicating", "multiplexing", "multiplexing", "multiplexing", "org.apache.flume.channel.LoadBalancingChannelSelector", "REPLICATING")
    draw.begin(number, "selector", name)
    if name.lower() == "replicating":
        draw.maybe(0.7, "optional", channels(draw))
    elif name == "multiplexing":
        draw.maybe(0.85, "header", "state", "h", "é", "State")
        for _ in range(draw.number(0, 4)):
            draw.key("mapping." + draw.pick(*VALUES[2:-2]), channels(draw))
        draw.maybe(0.6, "default", channels(draw))
        for _ in range(draw.number(0, 2)):
            draw.key("optional." + draw.pick(*VALUES[2:-2]), channels(draw))
        draw.maybe(0.05, "optional.default", channels(draw))
        draw.maybe(0.03, "mapping", "c1")
        draw.maybe(0.05, "optional", channels(draw))
    else:
        draw.maybe(0.5, "policy", "round_robin", "ROUND_ROBIN", "nope", "Round_Robin")
    for _ in range(draw.number(1, 8)):
        draw.event(b"", {draw.pick("state", "h", "é", "State"): draw.pick(*VALUES) for _ in range(draw.number(0, 2))})
    draw.end()


# ---- serializers ----

def serializer(draw, number):
    name = draw.pick("text", "header_and_text", "avro_event", "TEXT")
    draw.begin(number, "serializer", name)
    draw.maybe(0.5, "appendNewline", draw.boolean())
    if name == "avro_event":
        draw.maybe(0.5, "compressionCodec", "null", "deflate", "snappy", "bzip2", "Deflate", "nope", "xz", "zstandard", "none")
        draw.maybe(0.4, "syncIntervalBytes", "32", "100", "2048000", "31", "1073741824", "1073741825", *UNUSUAL[1:])
    for _ in range(draw.number(0, 6)):
        # The order of a HashMap depends on its history: compare.py orders headers, which braces and commas in them would hinder.
        headers = {name: value.translate(str.maketrans("{},", "()-")) for name, value in draw.headers(8).items()}
        draw.event(draw.body() * draw.pick(1, 1, 1, 50), headers)
    draw.end()


# ---- deserializers ----

def line(draw, number):
    draw.begin(number, "deserializer", draw.pick("LINE", "line"))
    draw.maybe(0.6, "maxLineLength", "1", "2", "3", "5", "10", "2048", "4", "8", "4096", "16384", *UNUSUAL[1:])
    draw.maybe(0.3, "outputCharset", *CHARSETS)
    charset = draw.pick("UTF-8", "UTF-8", "UTF-8", "UTF-8", "UTF-8", "ISO-8859-1", "US-ASCII", "UTF-16", "UTF-16LE", "UTF-16BE", "UTF-32", "UTF-32LE", "GBK", "Shift_JIS",
                        "windows-1252", "ISO-2022-JP", "ISO-2022-JP", "EUC-JP", "windows-1258", "windows-1255", "Big5", "KOI8-R")
    draw.lines.append(f"with charset {as_hex(charset.encode())}")
    draw.lines.append(f"with policy {as_hex(draw.pick('FAIL', 'REPLACE', 'IGNORE', 'REPLACE').encode())}")
    text = b"\n".join(draw.body() for _ in range(draw.number(0, 6)))
    if draw.chance(0.1):
        text = draw.pick(b"x", "é".encode(), "😀".encode()) * draw.pick(2047, 2048, 2049, 4096, 5000, 16384, 20000) + b"\n" + text
    if charset.startswith("UTF-16") and draw.chance(0.8):
        text = text.decode("utf-8", "replace")
        if draw.chance(0.2):
            at = draw.number(0, len(text))
            text = text[:at] + draw.pick("\ufffe", "\ufffe\ufffe", "\ufeff", "\uffff") * draw.pick(1, 1, 30) + text[at:]
        text = text.encode(charset)
    elif charset.startswith("UTF-32") and draw.chance(0.8):
        text = text.decode("utf-8", "replace").encode(charset)
    elif charset == "ISO-2022-JP" and draw.chance(0.8):
        lines = text.decode("utf-8", "replace").split("\n")
        lines = ["".join(draw.pick("日", "本", "語", "a", "b c", "かな", "カ") for _ in range(draw.number(1, 60))) if draw.chance(0.6) else line for line in lines]
        text = b"\n".join(line.encode("iso2022_jp", "ignore") for line in lines)
    draw.lines.append(f"input {as_hex(text)}")
    draw.end()


def blob(draw, number):
    draw.begin(number, "deserializer", "org.apache.flume.sink.solr.morphline.BlobDeserializer$Builder")
    draw.maybe(0.7, "maxBlobLength", "1", "2", "5", "10", "100", "8192", "8193", *UNUSUAL[1:])
    draw.maybe(0.2, "maxBlobLengthX", "1")
    draw.lines.append(f"input {as_hex(draw.body() * draw.pick(1, 1, 10, 300))}")
    draw.end()


def zigzag(number):
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + bytes([number]))


def avro_string(data):
    return zigzag(len(data)) + data


SCHEMAS = ['{"type":"record","name":"R","fields":[{"name":"s","type":"string"}]}',
           '{"type": "record", "name": "R", "namespace": "x.y", "doc": "d", "fields": [{"name": "s", "type": "string", "default": "q", "aliases": ["t"]}]}',
           '"string"', '{"type":"string","logicalType":"uuid"}',
           '{"type":"record","name":"x.R","order":"ignore","fields":[{"name":"s","doc":"é","order":"descending","type":{"type":"string"}}]}']


def avro(draw, number):
    import zlib
    draw.begin(number, "deserializer", draw.pick("AVRO", "avro"))
    draw.maybe(0.6, "schemaType", "HASH", "LITERAL", "literal", "hash", "NOPE", "Literal")
    codec = draw.pick("null", "deflate", "null", None)
    sync = bytes(draw.number(0, 255) for _ in range(16))
    meta = {"avro.schema": draw.pick(*SCHEMAS).encode()}
    if codec is not None:
        meta["avro.codec"] = codec.encode()
    if draw.chance(0.2):
        meta["user"] = b"x\xff"
    data = b"Obj\x01" + zigzag(len(meta)) + b"".join(avro_string(k.encode()) + avro_string(v) for k, v in meta.items()) + b"\0" + sync
    for _ in range(draw.number(0, 3)):
        strings = [draw.body() for _ in range(draw.number(0 if draw.chance(0.1) else 1, 4))]
        block = b"".join(avro_string(one.decode("utf-8", "replace").encode()) for one in strings)
        if codec == "deflate":
            packer = zlib.compressobj(6, zlib.DEFLATED, -15)
            block = packer.compress(block) + packer.flush()
        data += zigzag(len(strings)) + zigzag(len(block)) + block + sync
    if draw.chance(0.15):
        data = data[:draw.number(0, len(data))]
    if draw.chance(0.1):
        at = draw.number(0, len(data))
        data = data[:at] + bytes([draw.number(0, 255)]) + data[at + 1:]
    draw.lines.append(f"input {as_hex(data)}")
    draw.end()


# ---- paths of the sink hdfs ----

ZONES = ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "GMT+3", "GMT-03:30", "EST", "PST", "IST", "MST", "CST", "JST", "pst", "GMT", "Zulu", "nope", "Europe/london", "Asia/Kathmandu",
         "America/St_Johns", "Africa/Casablanca", "GMT+25", "Etc/GMT+5", "CET", "Pacific/Apia"]


def stamp(draw):
    if draw.chance(0.03):
        return draw.pick("", "abc", " 5", "5 ", "1.5", "+5", "9223372036854775808", "-1", "0", "99999999999999", "0x5", "1e3", "١٢٣")
    base = draw.pick(0, 951782400000, 1709164800000, 1711846800000, 1729987200000, 1741503600000, 1762063200000, 1704067199999, 1735689600000, 1456704000000, 253402300799999,
                     draw.number(-10**12, 4 * 10**12), draw.number(0, 2 * 10**12))
    return str(base + draw.number(-7200000, 7200000) * draw.pick(0, 1, 1))


def escaped(draw, depth=True):
    out = []
    for _ in range(draw.number(1, 4)):
        pick = draw.number(0, 9)
        if pick < 4:
            out.append("%" + draw.pick(*"aAbBcdeDHIjklmMnpsStyYz"))
        elif pick < 6:
            out.append(draw.pick("%{h}", "%{host}", "%{timestamp}", "%{none}", "%{a.b}", "%{x-1}", "%{h1}", "%{k}", "%{id}"))
        elif pick == 6:
            out.append(draw.pick("%", "%%", "%q", "%{", "%{h", "%{}", "%{x y}", "%[localhost]", "%[IP]", "%[FQDN]", "%[nope]", "%[", "%{%Y}", "%{h}%", "%1", "% ", "%{é}", "%{h:x}",
                                 "%{h/k}", "%{%{h}}", "%}", "$", "\\", "%{h}}"))
        else:
            out.append(draw.pick("x", "logs", "year=", "-", "_", ".", "é", "a b", "1", "dt=", "~"))
        if depth and draw.chance(0.3):
            out.append(draw.pick("/", "/", "/", "//", "/./"))
    return "".join(out)


PATH_TEXT = ["a", "b", "x y", "é", "1", "A.b", "", "$1", "a/b", "%Y", "\\d", "~", "..", ".", "/", "a//b", "a/", "/a", "_x", ".x", "{h}", "a\tb", "+", "#", "?", "*", "[", "&"]


def hdfs(draw, number):
    draw.begin(number, "hdfs", "hdfs")
    draw.maybe(0.99, "hdfs.path", *["file://@ROOT@/" + escaped(draw)] * 9, "file://@ROOT@", "file:@ROOT@/" + escaped(draw), "@ROOT@/" + escaped(draw))
    if draw.keys.get("hdfs.path", "").startswith("@"):
        draw.lines.pop()
        draw.keys.clear()
        draw.key("hdfs.path", "file://@ROOT@/z")
    draw.maybe(0.4, "hdfs.filePrefix", escaped(draw, False), "x", "a/b", "%{h}", "FlumeData")
    draw.maybe(0.3, "hdfs.fileSuffix", ".log", "-%Y", ".avro", "", "%{h}")
    if not any(one in draw.keys.get("hdfs.filePrefix", "") for one in ("/", "%")):  # HDFS does not rename into a directory that is not there; Java does on the local disk
        draw.maybe(0.2, "hdfs.inUsePrefix", "_", ".", "%{h}")
    draw.maybe(0.2, "hdfs.inUseSuffix", ".tmp", ".x", "", "~")
    draw.maybe(0.2, "hdfs.emptyInUseSuffix", draw.boolean())
    draw.maybe(0.95, "hdfs.fileType", *["DataStream"] * 30, "datastream", "DATASTREAM", "CompressedStream", "nope")
    draw.maybe(0.5, "hdfs.timeZone", *ZONES)
    if draw.chance(0.6):
        draw.key("hdfs.round", draw.pick("true", "true", "true", "true", "false", "yes", "TRUE"))
        draw.maybe(0.8, "hdfs.roundUnit", "second", "minute", "hour", "hour", "minute", "HOUR", "day", "Minute", "seconds")
        known = draw.keys.get("hdfs.roundUnit", "second").lower() in ("second", "minute", "hour")
        draw.maybe(0.8 if known else 0, "hdfs.roundValue", "1", "2", "5", "7", "10", "12", "24", "20", "3", "6", "15", "9", "13", "30", "17", draw.pick("60", "25", "61", "0", "-1", "abc"))
    if not any("%" + one in draw.keys.get("hdfs.path", "") + draw.keys.get("hdfs.filePrefix", "") for one in "MSstcIklHj"):
        draw.maybe(0.1, "hdfs.useLocalTimeStamp", draw.boolean())
    draw.maybe(0.2, "hdfs.rollCount", "1", "2", "0")
    draw.maybe(0.2, "hdfs.rollSize", "0", "1", "10")
    draw.maybe(0.1, "hdfs.batchSize", "1", "2", "100")
    draw.maybe(0.05, "hdfs.maxOpenFiles", "1", "2", "5000")
    if draw.chance(0.12):
        draw.key("hdfs." + draw.pick("rollCount", "rollSize", "rollInterval", "batchSize", "idleTimeout", "closeTries", "retryInterval",
                                     "threadsPoolSize", "rollTimerPoolSize", "codeC", "writeFormat", "kerberosPrincipal"), draw.pick(*UNUSUAL))
    draw.maybe(0.25, "serializer", *["text", "TEXT", "header_and_text"] * 5, "nope.Class")
    draw.maybe(0.15, "serializer.appendNewline", draw.boolean())
    for _ in range(draw.number(1, 4)):
        headers = {draw.pick("h", "host", "a.b", "x-1", "h1", "k", "id", "é"): draw.pick(*PATH_TEXT) for _ in range(draw.number(0, 5))}
        if draw.chance(0.98):
            headers["timestamp"] = stamp(draw)
        draw.event(b"x%d" % draw.number(0, 9), headers)
    draw.end()


def sequence(draw, number):
    """Sequence files of the sink hdfs."""
    draw.begin(number, "hdfs", "hdfs")
    draw.key("hdfs.path", "file://@ROOT@/" + draw.pick("x", "%{h}", "x/%Y"))
    draw.maybe(0.6, "hdfs.fileType", *["SequenceFile"] * 4, "sequencefile", "SEQUENCEFILE")
    draw.maybe(0.8, "hdfs.writeFormat", *["Text", "Writable"] * 12, "text", "WRITABLE")
    draw.maybe(0.5, "hdfs.codeC", *["deflate", "bzip2", "default", "DefaultCodec", "BZip2Codec", "Deflate", "org.apache.hadoop.io.compress.DefaultCodec",
                                    "org.apache.hadoop.io.compress.BZip2Codec"] * 3, "nope")
    draw.maybe(0.3, "hdfs.fileSuffix", ".seq", "")
    draw.maybe(0.4, "hdfs.rollCount", "0", "1", "2", "3")
    draw.maybe(0.4, "hdfs.batchSize", "1", "2", "3")
    draw.maybe(0.1, "serializer", "text", "header_and_text")  # has no effect
    for _ in range(draw.number(1, 8)):
        headers = draw.headers()
        headers["h"] = draw.pick("a", "b")
        headers.pop("timestamp", None)
        if draw.chance(0.9) or "%Y" in draw.keys["hdfs.path"]:  # each text that is no time holds up both for seconds; `hdfs` draws more of them
            headers["timestamp"] = stamp(draw) if draw.chance(0.01) else str(draw.number(-10**12, 4 * 10**12))
        draw.event(draw.body() * draw.pick(1, 1, 1, 50), headers)
    draw.end()


SCHEMA_FILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "schemas")
LITERALS = ['"string"', '"bytes"', '{"type":"fixed","name":"Nine","size":9}', '{"type": "record", "name": "x.R", "fields": [ {"name": "s", "type": "string", "doc": "\u00e9"} ]}',
            '{"type":"array","items":{"type":"long"}}', '["null","string"]']
BAD_LITERALS = ["", "nope", "{}", '{"type":"fixed","name":"N"}', '"none"']


def schema_url(draw):
    return "file://" + os.path.join(SCHEMA_FILES, draw.pick("string.avsc", "record.avsc"))


def schema_headers(draw):
    headers = draw.headers(2)
    if draw.chance(0.5):
        headers["flume.avro.schema.literal"] = draw.pick(*LITERALS)
    if draw.chance(0.3):
        headers["flume.avro.schema.url"] = schema_url(draw)
    return headers


def datum(draw, number):
    """Avro files of bodies that are Avro data: the sink hdfs with Flume's AvroEventSerializer."""
    draw.begin(number, "hdfs", "hdfs")
    draw.key("hdfs.path", "file://@ROOT@/" + draw.pick("x", "%{dir}"))
    draw.key("hdfs.fileType", "DataStream")
    draw.key("serializer", "org.apache.flume.sink.hdfs.AvroEventSerializer$Builder")
    draw.maybe(0.5, "serializer.compressionCodec", "null", "deflate", "snappy", "bzip2", "Deflate", "xz")
    draw.maybe(0.5, "serializer.syncIntervalBytes", "32", "33", "64", "100", "2048000", *["31", "-1", "abc"] * draw.chance(0.02))
    static, one = draw.chance(0.6), draw.chance(0.8)
    if static:
        draw.key("serializer.schemaURL", schema_url(draw) + draw.pick(*[""] * 300, ".none"))
    named = schema_headers(draw)
    if not static and not named.keys() & {"flume.avro.schema.literal", "flume.avro.schema.url"} and draw.chance(0.98):
        named["flume.avro.schema.literal"] = draw.pick(*LITERALS)
    if draw.chance(0.01):  # holds up Flume for seconds
        named["flume.avro.schema.literal"] = draw.pick(*BAD_LITERALS)
    if one:
        draw.maybe(0.3, "hdfs.rollCount", "1", "2", "3")
    else:
        draw.key("hdfs.rollSize", "0")
    for _ in range(draw.number(1, 8)):
        headers = dict(named) if one else schema_headers(draw)
        if not one and not static:
            headers.setdefault("flume.avro.schema.literal", LITERALS[0])
        headers["dir"] = draw.pick("a", "b")
        draw.event(draw.body() * draw.pick(1, 1, 1, 50), headers)
    draw.end()


# ---- syslog ----

def syslog_stamp(draw):
    month = draw.pick("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Sept", "oct", "Xxx", "Mai")
    day, hour, minute, second = draw.number(0, 32) if draw.chance(0.1) else draw.number(1, 31), draw.number(0, 24), draw.number(0, 60), draw.number(0, 60)
    if draw.chance(0.5):
        return draw.pick(f"{month} {day:2d}", f"{month} {day:02d}", f"{month} {day}", f"{month}  {day}") + f" {hour:02d}:{minute:02d}:{second:02d}"
    date = f"{draw.pick(1969, 1970, 2000, 2003, 2024, 2026, 9999):04d}-{draw.number(1, 13):02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}"
    return date + draw.pick("", "", ".1", ".003", ".123456", ".1234567", ".", ".12") + draw.pick("Z", "Z", "", "+01:00", "-05:30", "+0100", "-00:00", "z", "+25:00")


def syslog_message(draw):
    if draw.chance(0.08):
        return draw.body().replace(b"\n", b"")
    out = draw.pick("<34>", "<13>", "<0>", "<191>", "<165>", "<34>", "<13>", "<999>", "<1000>", "<>", "<1a>", "34>", "<-1>", "<007>", "<34", "", "<<34>", "< 34>")
    out += draw.pick("", "", "", "1 ", "1 ", "1", "2 ", "11 ", " ", "0 ")
    out += syslog_stamp(draw) if draw.chance(0.85) else draw.pick("-", "", "now", "Oct")
    out += draw.pick(" ", " ", " ", " ", "  ", "", "\t")
    out += draw.pick("host", "host.example.com", "10.0.0.1", "-", "::1", "fe80::1", "h_1", "a@b", "höst", "_x", "-x", "") + draw.pick(" ", " ", " ", "  ", "")
    return out.encode() + draw.pick(b"su: it's me", b"su - ID47 - \xc3\xa9", b"", b"x", b"- - [a@1 b=\"c\"] text", draw.body().replace(b"\n", b" "), b"tab\there", b"cr\r", b"\xef\xbb\xbfbom",
                                     b"y" * 40)


def syslog(draw, number):
    draw.begin(number, "syslog", draw.pick("single", "single", "udp"))
    if draw.chance(0.15):
        draw.key("regex", draw.pick("<(\\d+)>(\\d?) ?(\\S+ +\\d+ \\S+) (\\S+) (.*)", "(.*)", "<(\\d+)>(.*)", "<(\\d{1,3})>(\\d)? ?(\\d{4}-\\d\\d-\\d\\d)T(\\S+) (.*)"))
        draw.maybe(0.5, "search", "T", "Oct", "(\\d)", " ")
        draw.maybe(0.5, "replace", " ", "Nov", "$1", "-")
        draw.maybe(0.5, "dateFormat", "yyyy-MM-dd", "MMM dd HH:mm:ss", "MMM d HH:mm:ss", "yyyy")
    now = draw.pick(1700000000000, 1704067200000, 1709164800000, 1735689599000, 1719792000000, draw.number(10**12, 2 * 10**12))
    for name, value in {"zone": draw.pick("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"), "now": str(now),
                        "keep": draw.pick("none", "none", "all", "true", "false", "priority", "timestamp hostname", "priority version timestamp hostname", "version", "ALL", "hostname,priority",
                                          "xx", "Timestamp"),
                        "size": draw.pick("2500", "2500", "2500", "2500", "10", "20", "50", "64", "100")}.items():
        draw.lines.append(f"with {name} {as_hex(value.encode())}")
    if draw.lines[-1] and " udp" in next(line for line in reversed(draw.lines) if line.startswith("case")):
        text = syslog_message(draw) + draw.pick(b"", b"", b"\n", b"\nmore")
    else:
        text = b"".join(syslog_message(draw) + draw.pick(b"\n", b"\n", b"\n", b"\n\n", b"\r\n") for _ in range(draw.number(1, 6)))
    draw.lines.append(f"input {as_hex(text)}")
    draw.end()


# ---- requests for the JSON handler of the source http ----

def json_text(draw):
    if draw.chance(0.2):
        return draw.pick("abc", "a_b", "null", "true", "1.50", "1e3", "-0", "NaN", "Infinity", "0x10", "01", "1.", "1234567890123456789012", "tru", "TRUE", "a-b", "\u00e9x", "1E+2", ".5", "-")
    quote = draw.pick('"', '"', '"', '"', "'")
    pieces = [draw.pick("a", "b c", "é", "😀", "\\n", "\\t", "\\\\", "\\/", '\\"', "\\'", "\\u00e9", "\\ud83d\\ude00", "\\ud83d", "\\ude00", "\\b", "\\f", "\\r", "\n", "\t", "{", "]",
                        ":", "/*", "//", "#", "\\u12", "\\x", "\\U0041", "\\u004G", "\\0", "\\\n") if draw.chance(0.5) else "x" for _ in range(draw.number(0, 5))]
    return quote + "".join(pieces) + quote


def json_space(draw):
    return draw.pick("", "", "", "", " ", "\n", "\t", "/*c*/", "//c\n", "#c\n", "\r\n", "\u00a0", "\f") if draw.chance(0.3) else ""


def json_value(draw, depth=2):
    pick = draw.number(0, 9)
    if pick < 7 or depth == 0:
        return json_text(draw)
    if pick == 7:
        return draw.pick("null", "true", "false", "[]", "{}", "")
    if pick == 8:
        return "[" + draw.pick(",", ";").join(json_value(draw, depth - 1) for _ in range(draw.number(0, 3))) + "]"
    return "{" + ",".join(json_text(draw) + ":" + json_value(draw, depth - 1) for _ in range(draw.number(0, 2))) + "}"


def json_headers(draw):
    colon = lambda: draw.pick(":", ":", ":", ":", "=", "=>", " : ")
    pairs = [json_text(draw) + colon() + (json_text(draw) if draw.chance(0.93) else json_value(draw)) for _ in range(draw.number(0, 3))]
    if draw.chance(0.06):
        return draw.pick("null", "[]", "\"x\"", "[[\"a\",\"b\"]]", "[[a,b],[c,d]]", "[[a]]", "5", "[[a,b,c]]", "[null]")
    return "{" + draw.pick(",", ",", ",", ";").join(pairs) + draw.pick("", "", "", "", "", ",") + "}"


def json(draw, number):
    draw.begin(number, "json", "http")
    charset = draw.pick(None, None, None, "UTF-8", "utf-8", "UTF-16", "UTF-32", "utf-16", "ISO-8859-1", "US-ASCII")
    if charset is not None:
        draw.lines.append(f"with charset {as_hex(charset.encode())}")
    events = []
    for _ in range(draw.number(0, 3)):
        members = []
        if draw.chance(0.8):
            members.append(draw.pick('"headers"', '"headers"', "headers", "'headers'", '"Headers"') + json_space(draw) + ":" + json_headers(draw))
        if draw.chance(0.85):
            members.append(draw.pick('"body"', '"body"', "body", "'body'") + ":" + json_space(draw) + (json_text(draw) if draw.chance(0.9) else json_value(draw)))
        if draw.chance(0.2):
            members.append(json_text(draw) + ":" + json_value(draw))
        draw.random.shuffle(members)
        events.append("{" + json_space(draw) + draw.pick(",", ",", ",", ",", ";").join(members) + json_space(draw) + "}" if draw.chance(0.96) else draw.pick("null", "5", "", "[]", '"x"'))
    text = "[" + draw.pick(",", ",", ",", ";", ", ").join(events) + draw.pick("", "", "", "", "", ",", " ") + "]" + draw.pick("", "", "", "\n", " x", "]", "[]", "//end")
    if draw.chance(0.05):
        text = draw.pick("", " ", "null", "{}", "[", "]", "[]", ")]}'\n" + text, "\ufeff" + text, events[0] if events else "x", "[,]", "[{}", "[{},]", "[{};{}]")
    if draw.chance(0.12) and text:
        at = draw.number(0, len(text) - 1)
        text = text[:at] + draw.pick("", "", "x", ",", '"', "{", "}", "]", ":", "\\", "\0", "/") + text[at + draw.number(0, 1):]
    data = text.encode()
    if charset is not None and charset.lower() in ("utf-16", "utf-32") and draw.chance(0.9):
        data = text.encode(charset.lower() + "-be") if draw.chance(0.5) else text.encode(charset.lower())
    if draw.chance(0.04) and data:
        at = draw.number(0, len(data) - 1)
        data = data[:at] + draw.pick(b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xe2\x82") + data[at:]
    draw.lines.append(f"input {as_hex(data)}")
    draw.end()


draws = {"timestamp": interceptor("timestamp"), "host": interceptor("host"), "static": interceptor("static"), "remove_header": interceptor("remove_header"),
         "uuid": interceptor("org.apache.flume.sink.solr.morphline.UUIDInterceptor$Builder"), "search_replace": interceptor("search_replace"),
         "regex_filter": interceptor("regex_filter"), "regex_extractor": interceptor("regex_extractor"), "selector": selector, "serializer": serializer, "line": line,
         "blob": blob, "avro": avro, "hdfs": hdfs, "sequence": sequence, "datum": datum, "syslog": syslog, "json": json}

if __name__ == "__main__":
    what, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    drawn = Draw(f"{seed} {what}")
    for i in range(count):
        draws[what](drawn, i)
    print("\n".join(drawn.lines))
