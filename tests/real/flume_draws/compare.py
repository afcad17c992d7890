#!/usr/bin/env python3
"""Compares the answers of Flume and of penstock to the cases of draw.py.

    compare.py WHAT CASES FLUME PENSTOCK [SHOWN]

Differences that docs/MIGRATING.md or the page of the stage names are counted by their names; any other is printed, and the exit status is 1.
"""
import bz2
import collections
import json
import lzma
import re
import struct
import sys
import zlib

import draw


def from_hex(word):
    return b"" if word == "-" else bytes.fromhex(word)


class Case:
    def __init__(self, words):
        self.kind, self.type = words[2], words[3]
        self.keys, self.events, self.with_ = {}, [], {}
        self.input = b""


def read_cases(path):
    cases = []
    with open(path) as lines:
        for line in lines:
            words = line.split()
            if words[0] == "case":
                cases.append(Case(words))
            elif words[0] == "key":
                cases[-1].keys[from_hex(words[1]).decode()] = from_hex(words[2]).decode()
            elif words[0] == "with":
                cases[-1].with_[words[1]] = from_hex(words[2]).decode()
            elif words[0] == "event":
                cases[-1].events.append(event_of(words))
            elif words[0] == "input":
                cases[-1].input = from_hex(words[1])
    return cases


def event_of(words):
    headers = {from_hex(words[i]): None if words[i + 1] == "null" else from_hex(words[i + 1]) for i in range(2, len(words), 2)}
    return from_hex(words[1]), headers


class Answer:
    """refused, threw: the reason or None; events: (body, headers); others: lines."""

    def __init__(self):
        self.refused = self.threw = self.out = None
        self.events, self.ways, self.files = [], [], []
        self.ended = False

    def __str__(self):
        parts = []
        for name in ("refused", "threw", "out", "events", "ways", "files"):
            value = getattr(self, name)
            if value or value == b"":
                parts.append(f"{name} {value}")
        return "; ".join(parts) + ("" if self.ended else " (did not end)")

    def same_as(self, other):
        if self.refused is not None or other.refused is not None:
            return self.refused is not None and other.refused is not None
        return ((self.threw is None) == (other.threw is None) and self.out == other.out and self.events == other.events and self.ways == other.ways
                and self.files == other.files and self.ended == other.ended)


def read_answers(path):
    answers = []
    with open(path, errors="replace") as lines:
        for line in lines:
            word, _, rest = line.rstrip("\n").partition(" ")
            if word == "case":
                answers.append(Answer())
            elif not answers:
                continue
            elif word in ("refused", "threw"):
                setattr(answers[-1], word, rest)
            elif word == "event":
                answers[-1].events.append(event_of(line.split()))
            elif word == "ways":
                answers[-1].ways.append(rest)
            elif word == "out":
                answers[-1].out = from_hex(rest)
            elif word == "file":
                name, content = rest.split()
                answers[-1].files.append((from_hex(name), from_hex(content)))
            elif word == "end":
                answers[-1].ended = True
    return answers


# ---- what differs from run to run ----

class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if count < 0 or self.at + count > len(self.data):
            raise ValueError("short")
        self.at += count
        return self.data[self.at - count:self.at]

    def long(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return (value >> 1) ^ -(value & 1)

    def bytes(self):
        return self.take(self.long())

    def map(self):
        result = {}
        while count := self.long():
            if count < 0:
                count = -count
                self.long()
            for _ in range(count):
                name = self.bytes()
                result[name] = self.bytes()
        return result


def avro_container(data):
    """The head, and the number of records and the bytes of each block. The marker is random."""
    reader = Reader(data)
    reader.take(4)
    meta = reader.map()
    meta.setdefault(b"avro.codec", b"null")
    marker, blocks = reader.take(16), []
    codec = meta[b"avro.codec"].decode()
    unpack = {"null": lambda x: x, "deflate": lambda x: zlib.decompress(x, -15), "bzip2": bz2.decompress, "xz": lzma.decompress}
    while reader.at < len(data):
        count, packed = reader.long(), reader.bytes()
        if reader.take(16) != marker:
            raise ValueError("marker")
        blocks.append((count, unpack[codec](packed) if codec in unpack else codec))
    return meta, blocks


def avro_file(data):
    """The schema, the codec and the events of each block: a map has no order."""
    if not data.startswith(b"Obj\x01"):
        return data
    meta, blocks = avro_container(data)
    read = []
    for count, plain_bytes in blocks:
        block = Reader(plain_bytes)
        read.append((count, plain_bytes) if isinstance(plain_bytes, str) else [(sorted(block.map().items()), block.bytes()) for _ in range(count)])
    return meta, read


def vint(reader):
    """Hadoop's WritableUtils.readVLong."""
    first = int.from_bytes(reader.take(1), "big", signed=True)
    if first >= -112:
        return first
    count = -112 - first if first >= -120 else -120 - first
    value = int.from_bytes(reader.take(count), "big")
    return value if first >= -120 else ~value


def record_bytes(key, value):
    return struct.pack(">ii", len(key) + len(value), len(key)) + key + value


def blocks_of_records(reader, marker, unpack):
    """The records of a SequenceFile that is compressed in blocks, as they stand in one that is not."""
    out = b""
    while reader.at < len(reader.data):
        if reader.take(20) != b"\xff\xff\xff\xff" + marker:
            raise ValueError("marker")
        count = vint(reader)
        key_lengths, keys, value_lengths, values = (Reader(unpack(reader.take(vint(reader)))) for _ in range(4))
        for _ in range(count):
            out += record_bytes(keys.take(vint(key_lengths)), values.take(vint(value_lengths)))
        if any(part.at < len(part.data) for part in (key_lengths, keys, value_lengths, values)):
            raise ValueError("bytes behind the records")
    return out


def sequence_file(content):
    """The head and the records, unpacked. The sync marker is random, and Flume writes one, and ends a block, at each flush, too (docs/MIGRATING.md)."""
    if not content.startswith(b"SEQ\x06"):
        return content
    reader, codec = Reader(content), b""
    reader.take(4)
    for _ in range(2):
        reader.take(reader.take(1)[0])
    packed = reader.take(2)
    if packed[0]:
        codec = reader.take(reader.take(1)[0])
    if reader.take(4) != bytes(4):
        raise ValueError("metadata")
    head, marker = content[:reader.at], reader.take(16)
    if packed[0]:
        records = blocks_of_records(reader, marker, bz2.decompress if codec.endswith(b".BZip2Codec") else zlib.decompress)
    else:
        records = content[reader.at:].replace(b"\xff\xff\xff\xff" + marker, b"")
    records = re.sub(rb"\0\0\x01[\xa1-\xaf].{4}", b"<<now>>>", records, flags=re.S)  # the key of an event without a time
    return head + b"M" * 16 + records


PRIMITIVE = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}


def schema_of(text, namespace=""):
    """An Avro schema in one form, however it is written: what Java prints is another text of the same schema."""
    schema = json.loads(text) if isinstance(text, bytes) else text
    if isinstance(schema, list):
        return [schema_of(one, namespace) for one in schema]
    if isinstance(schema, str):
        return schema if schema in PRIMITIVE or "." in schema or not namespace else f"{namespace}.{schema}"
    schema = dict(schema)
    if set(schema) == {"type"} and isinstance(schema["type"], str):
        return schema_of(schema["type"], namespace)
    if "name" in schema:
        space = schema.pop("namespace", namespace)
        if "." not in schema["name"] and space:
            schema["name"] = f"{space}.{schema['name']}"
        namespace = schema["name"].rpartition(".")[0]
    for part in ("items", "values"):
        if part in schema:
            schema[part] = schema_of(schema[part], namespace)
    if "fields" in schema:
        schema["fields"] = [{**field, "type": schema_of(field["type"], namespace)} for field in schema["fields"]]
    return schema


def datum_file(content):
    """Schema, codec, and the number and bytes of each block of an Avro file of bodies."""
    if not content.startswith(b"Obj\x01"):
        return content
    meta, blocks = avro_container(content)
    return schema_of(meta[b"avro.schema"]), meta[b"avro.codec"], blocks


def is_datum(case):
    return "AvroEventSerializer" in case.keys.get("serializer", "")


def headers_in_order(text):
    return re.sub(rb"\{([^{}]*)\}", lambda match: b"{" + b", ".join(sorted(match[1].split(b", "))) + b"}", text)


def plain(case, answer):
    what = case.type.lower()
    if what == "timestamp":
        name = case.keys.get("headerName", "timestamp").encode()
        answer.events = [(body, {n: b"NOW" if n == name and re.fullmatch(rb"1[67]\d{11}", v) and v != was.get(n) else v for n, v in headers.items()})
                         for (body, headers), (_, was) in zip(answer.events, case.events)]
    if "uuid" in what:
        name, prefix = case.keys.get("headerName", "id").encode(), case.keys.get("prefix", "").encode()
        form = re.escape(prefix) + rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
        answer.events = [(body, {n: b"UUID" if n == name and re.fullmatch(form, v, re.S) else v for n, v in headers.items()}) for body, headers in answer.events]
    if what == "header_and_text" and answer.out:
        answer.out = headers_in_order(answer.out)
    if what == "avro" and answer.refused and "Cannot instantiate" in answer.refused:  # Flume reads the file's header then
        answer.refused, answer.threw = None, answer.refused
    if what == "avro_event" and answer.out:
        answer.out = avro_file(answer.out)
    if what == "hdfs":
        answer.files = [(re.sub(rb"\.\d{13,}(?=\D|$)", b".N", name), content) for name, content in answer.files]
        form = datum_file if is_datum(case) else sequence_file
        answer.files = sorted(((name, form(content)) for name, content in answer.files), key=str)


# ---- known differences: a name, and whether this is one ----

def null_headers(case, flume, penstock):
    """docs/stages/interceptor_regex_extractor.md: a group that took no part sets no header."""
    if case.type == "regex_extractor" and "NullPointerException" in (flume.threw or "") and "<parameter2>" in flume.threw:
        return penstock.threw is None and penstock.refused is None  # Flume's serializer of such a group fails
    if not any(value is None for _, headers in flume.events for value in headers.values()):
        return False
    flume.events = [(body, {n: v for n, v in headers.items() if v is not None}) for body, headers in flume.events]
    return flume.same_as(penstock)


def refused_date(case, flume, penstock):
    """docs/stages/interceptor_regex_extractor.md: an exception in Flume; penstock leaves the header out."""
    return case.type == "regex_extractor" and flume.threw is not None and penstock.threw is None and penstock.refused is None and \
        bool(re.search("NumberFormatException|Invalid format|Cannot parse|Text .* could not|Illegal instant|Value .* for .* must be|parse", flume.threw)) and len(penstock.events) == len(case.events)


def is_replacement(text, regex):
    """Whether Java's Matcher.appendReplacement takes the text."""
    groups = draw.groups_of(regex)
    names, at = [name for name, _ in groups], 0
    while at < len(text):
        if text[at] == "\\":
            at += 2
            if at > len(text):
                return False
            continue
        found = re.match(r"\$(?:\{([a-zA-Z][a-zA-Z0-9]*)\}|([0-9]))", text[at:])
        if text[at] == "$" and (not found or (found[1] and found[1] not in names) or (found[2] and int(found[2]) > len(groups))):
            return False
        at += len(found[0]) if found else 1
    return True


def refused_replacement(case, flume, penstock):
    """docs/stages/interceptor_search_replace.md: penstock refuses a wrong replaceString at the start; Flume fails at the first match."""
    if case.type != "search_replace" or "replaceString" not in (penstock.refused or "") or flume.refused is not None or \
            is_replacement(case.keys.get("replaceString", ""), case.keys.get("searchPattern", "")):
        return False

    def text(body):
        return body.decode(errors="replace").replace("\ufffd", "")
    unchanged = case.keys.get("charset", "UTF-8").lower() not in ("utf-8", "utf8") or [text(body) for body, _ in flume.events] == [text(body) for body, _ in case.events]
    return flume.threw is not None or unchanged  # nothing matched


def failed_file(case, flume, penstock):
    """docs/stages/source_spooldir.md: what comes before the bytes that cannot be read is delivered; Flume gives the events of a batch or none."""
    return case.kind == "deserializer" and flume.threw is not None and penstock.threw is not None and flume.events == penstock.events[:len(flume.events)]


def datum_of_no_record(case, flume, penstock):
    """docs/stages/deserializer_avro.md: Flume's deserializer takes records only."""
    return case.type.lower() == "avro" and "GenericRecord" in (flume.threw or "") and penstock.threw is None


def default_in_any_case(case, flume, penstock):
    """docs/stages/interceptor_regex_extractor.md"""
    return case.type == "regex_extractor" and "ClassNotFoundException: default" in (flume.refused or "") and penstock.refused is None


def reprinted_schema(case, flume, penstock):
    """docs/stages/deserializer_avro.md: the header has the schema as it stands in the file."""
    if case.type.lower() != "avro" or case.keys.get("schemaType", "").upper() != "LITERAL":
        return False
    for answer in (flume, penstock):
        answer.events = [(body, None) for body, _ in answer.events]
    return flume.same_as(penstock) or failed_file(case, flume, penstock) or damaged_avro_file(case, flume, penstock)


def avro_blocks(data):
    """The numbers of records and the packed bytes of an Avro file's blocks, up to where it is damaged."""
    reader, blocks = Reader(data), []
    try:
        reader.take(4)
        reader.map()
        marker = reader.take(16)
        while True:
            blocks.append((reader.long(), reader.bytes()))
            if reader.take(16) != marker:
                raise ValueError("marker")
    except ValueError:
        return blocks


def does_not_end(packed):
    unpacker = zlib.decompressobj(-15)
    try:
        unpacker.decompress(packed)
    except zlib.error:
        return False
    return not unpacker.eof


def damaged_avro_file(case, flume, penstock):
    """docs/stages/deserializer_avro.md: Flume reads a file that ends inside a block, or whose deflate bytes have no end, without an error, and stops at a block without records."""
    if case.type.lower() != "avro" or flume.refused is not None:
        return False
    common = min(len(flume.events), len(penstock.events))
    if flume.events[:common] != penstock.events[:common]:
        return False
    if penstock.threw is None:
        return len(penstock.events) > common
    if len(flume.events) == common and ("has more bytes than its records" in penstock.threw  # a block without records, but with bytes: Java's reader refuses any other
                                        or any(count == 0 for count, _ in avro_blocks(case.input))):  # it does not come to the damage behind it
        return True
    return "ends in" in penstock.threw or flume.threw is not None or "JSON" in penstock.threw or \
        "cannot be decompressed" in penstock.threw and any(does_not_end(packed) for _, packed in avro_blocks(case.input))


def tables_of_the_system(case, flume, penstock):
    """docs/MIGRATING.md: charsets beyond those of Unicode, ISO-8859-1 and US-ASCII are the C library's."""
    used = {case.with_.get("charset", "").lower(), case.keys.get("charset", "").lower(), case.keys.get("outputCharset", "").lower()}
    odd = re.compile(rb"[\x80-\xff\\~]")  # the bytes and characters that the tables have in different places
    if "iso-2022-jp" in used and case.kind == "deserializer" and flume.refused is None and penstock.refused is None:
        return bool(re.search(rb"[\x0e\x0f]|\x1b(?!\$[@B]|\([BJ])", case.input))
    if not used & {"gbk", "shift_jis", "cp437", "euc-jp", "big5", "windows-1255", "windows-1258"} or flume.refused is not None or penstock.refused is not None:
        return False
    if case.kind != "interceptor":
        return bool(odd.search(case.input))
    replaced = bool(odd.search(case.keys.get("replaceString", "").encode()))
    return len(flume.events) == len(penstock.events) == len(case.events) and all(
        theirs == ours or theirs[1] == ours[1] and (replaced or odd.search(given[0])) for theirs, ours, given in zip(flume.events, penstock.events, case.events))


def channel_named_twice(case, flume, penstock):
    """docs/MIGRATING.md: the event comes once."""
    return case.kind == "selector" and len(flume.ways) == len(penstock.ways) and any("m" in way for way in flume.ways) and all(
        a == b or a == "m" and b in "ro" for ours, theirs in zip(penstock.ways, flume.ways) for a, b in zip(theirs, ours))


def rolled_back(case, flume, penstock):
    """Both try the batch for ever; what Flume has written of it stands in files, and comes again."""
    return case.kind == "hdfs" and flume.threw is not None and penstock.threw is not None


def refused_file_type(case, flume, penstock):
    """docs/MIGRATING.md: with an unknown hdfs.fileType Flume starts, and fails at each file."""
    return case.kind == "hdfs" and penstock.refused is not None and not any(content for _, content in flume.files) and flume.refused is None and \
        (case.keys.get("hdfs.fileType", "").lower() not in ("", "datastream", "sequencefile", "compressedstream") or flume.threw is not None)


def pool_without_threads(case, flume, penstock):
    """docs/MIGRATING.md: keys of Flume's thread pools have no effect."""
    return case.kind == "hdfs" and flume.refused is not None and any("PoolSize" in key for key in case.keys) and "IllegalArgument" in flume.refused


def path_upwards(case, flume, penstock):
    """docs/stages/sink_hdfs.md: `..` that comes from a header, or appears where an escape is empty, does not leave the directory; behind an escape it is refused."""
    parts = case.keys.get("hdfs.path", "").split("/")
    if case.kind == "hdfs" and "follows an escape" in (penstock.refused or ""):
        return ".." in parts and any("%" in part for part in parts[:len(parts) - 1 - parts[::-1].index("..")])

    def place(headers):
        """The path without its times."""
        def value(match):
            return (headers.get((match[2] or "").encode()) or b"").decode(errors="replace")
        return re.sub(r"%(\{([^}]*)\}|.)", value, case.keys.get("hdfs.path", ""))
    return case.kind == "hdfs" and penstock.threw is not None and (
        any(value == b".." for _, headers in case.events for value in headers.values()) or
        any(".." in place(headers).split("/") for _, headers in case.events) or
        any("%" in part and re.sub(r"%(\{[^}]*\}|.)", "", part) == ".." for part in parts))


def inside_of_a_pair(case, flume, penstock):
    """docs/stages/interceptor_regex_filter.md: Java finds \\B and empty matches between the halves of a surrogate pair."""
    if case.kind != "interceptor" or flume.refused is not None or penstock.refused is not None or flume.threw is not None:
        return False
    pairs = any(re.search(rb"[\xf0-\xf4][\x80-\xbf]{3}", body) for body, _ in case.events)
    halves = len(flume.events) == len(penstock.events) and any(
        theirs[0].count(b"?") > ours[0].count(b"?") for theirs, ours in zip(flume.events, penstock.events))
    return pairs and ("\\B" in case.keys.get("regex", "") + case.keys.get("searchPattern", "") or halves)


def text_without_pairs(text):
    """A text without its characters of two chars, without what stands for the half of one, and without marks of the byte order."""
    return re.sub("[?\ufffd\ufeff]|[^\0-\uffff]", "", text)


def text_of_events(events, charset):
    """The text of all events, by text_without_pairs: the same, wherever a character of two chars is cut."""
    return text_without_pairs("".join(body.decode(charset, errors="replace") for body, _ in events))


def pair_in_one_event(case, flume, penstock):
    """docs/stages/deserializer_line.md: a character of two chars is not cut in two at maxLineLength."""
    if case.type.lower() != "line" or (flume.threw is None) != (penstock.threw is None) or flume.refused is not None or penstock.refused is not None:
        return False
    charset, most = case.keys.get("outputCharset", "UTF-8"), max(1, int(case.keys.get("maxLineLength", "2048")))
    theirs, ours = (text_of_events(answer.events, charset) for answer in (flume, penstock))
    twice = twice_three_bytes(case)
    if twice and ours.startswith(theirs):  # both differences in one case: see line_ended_early
        before = re.sub("[\r\n]", "", case.input[:twice.start()].decode(errors="replace"))
        if re.sub("[\r\n]", "", theirs) == text_without_pairs(before.encode(charset, errors="replace").decode(charset)):
            ours = theirs
    if flume.threw is not None and ours.startswith(theirs) and len(ours) - len(theirs) <= most:
        ours = theirs  # Flume's decoder looks at the malformed bytes before it gives the piece before them
    return theirs == ours and any(re.search("[?\ufffd]", body.decode(charset, errors="replace")) for body, _ in flume.events)


def lost_character(case, flume, penstock):
    """docs/stages/deserializer_line.md: Flume loses the last character of a file behind the first three bytes of a character of four."""
    if case.type.lower() != "line" or case.with_.get("policy") != "IGNORE" or case.with_.get("charset") != "UTF-8" or \
            not re.search(rb"[\xf0-\xf4][\x80-\xbf]{2}[^\x80-\xbf][\x80-\xbf]*\Z", case.input, re.S) or not penstock.events:
        return False
    body, headers = penstock.events[-1]
    left = body.decode(errors="replace")[:-1].encode(errors="replace")
    return flume.events == penstock.events[:-1] + ([(left, headers)] if left else [])


def twice_three_bytes(case):
    """Where the text of a reader that replaces has the first three bytes of two characters of four, one behind the other."""
    replaces = case.with_.get("policy") == "REPLACE" and case.with_.get("charset") == "UTF-8"
    return re.search(rb"(?:[\xf0-\xf4][\x80-\xbf]{2}){2}(?![\x80-\xbf])", case.input) if replaces else None


def line_ended_early(case, flume, penstock):
    """docs/stages/deserializer_line.md: Flume ends a line behind the first three bytes of two characters of four, one behind the other."""
    twice = twice_three_bytes(case)
    if case.type.lower() != "line" or not twice or flume.threw or penstock.threw:
        return False
    same = 0
    while same < min(len(flume.events), len(penstock.events)) and flume.events[same] == penstock.events[same]:
        same += 1
    return same < min(len(flume.events), len(penstock.events)) and penstock.events[same][0].startswith(flume.events[same][0]) and \
        case.input[:twice.start()].endswith(flume.events[same][0])


def three_bytes_before_a_pair(case, flume, penstock):
    """docs/stages/deserializer_line.md: Flume repeats or leaves out what follows the first three bytes of a character of four and a whole one."""
    if case.type.lower() != "line" or case.with_.get("policy") != "REPLACE" or case.with_.get("charset") != "UTF-8" or flume.threw or penstock.threw or \
            flume.refused is not None or penstock.refused is not None:
        return False
    place = re.search(rb"[\xf0-\xf4][\x80-\xbf]{2}(?=[\xf0-\xf4][\x80-\xbf]{3})", case.input)
    charset, most = case.keys.get("outputCharset", "UTF-8"), max(1, int(case.keys.get("maxLineLength", "2048")))
    if not place or charset != "UTF-8":
        return False
    same = 0
    while same < min(len(flume.events), len(penstock.events)) and flume.events[same] == penstock.events[same]:
        same += 1

    def length(text):
        return len(re.sub("[\r\n?\ufffd\ufeff]|[^\0-\uffff]", "", text.decode(errors="replace")))
    lines = [len(line) for line in re.split(rb"\r?\n", case.input[:place.start()])]
    return length(b"".join(body for body, _ in penstock.events[:same])) >= length(case.input[:place.start()]) - min(most, lines[-1])


def ignored_buffer(case, flume, penstock):
    """docs/stages/deserializer_line.md: a buffer of nothing but malformed bytes ends the file for Flume."""
    return case.type.lower() == "line" and case.with_.get("policy") == "IGNORE" and len(case.input) > 8192 and penstock.threw is None and \
        len(flume.events) < len(penstock.events) and flume.events == penstock.events[:len(flume.events)]


def codec_that_fails(case, flume, penstock):
    """docs/stages/deserializer_avro.md: Flume 1.11 has no zstandard that works; a syncIntervalBytes of a gigabyte is a buffer of its heap."""
    return case.type.lower() == "avro_event" and bool(re.search("zstd|OutOfMemory", flume.threw or "")) and penstock.out is not None


def stale_headers(case, flume, penstock):
    """docs/stages/source_syslogtcp.md: Flume's parser does not forget priority and version of the message before."""
    if case.kind != "syslog" or flume.out is None or penstock.out is None:
        return False
    theirs, ours = flume.out.split(b"\n"), penstock.out.split(b"\n")
    return len(theirs) == len(ours) and all(
        a == b or b" priority=" not in b and re.sub(rb" priority=.*?(?= timestamp=| version=| host=| \|)| version=.*?(?= \|)", b"", a) == b for a, b in zip(theirs, ours))


def format_that_fails(case, flume, penstock):
    """check refuses format.* keys with which Flume drops each message that they match."""
    return case.kind == "syslog" and penstock.refused is not None and bool(case.keys)


def sequence_records(content):
    """The records of what sequence_file() gives, without the head; or all bytes behind the head, if they are no records."""
    rest, records, at = content.partition(b"M" * 16)[2], [], 0
    while at < len(rest):
        length = int.from_bytes(rest[at:at + 4], "big", signed=True)
        if length < 0 or at + 8 + length > len(rest):
            return [rest]
        records.append(rest[at:at + 8 + length])
        at += 8 + length
    return records


def one_bucket_for_spellings(case, flume, penstock):
    """docs/MIGRATING.md: a//b and a/b are one file; to Flume they are two."""
    def merged(answer):
        texts = collections.defaultdict(list)
        for name, content in answer.files:
            records = sequence_records(content) if content.startswith(b"SEQ") else re.split(rb"(?<=x\d)(?=[x{])|(?<=\n)", content)
            texts[name] += filter(None, records)
        return {name: sorted(lines) for name, lines in texts.items()}
    return case.kind == "hdfs" and not is_datum(case) and flume.files != penstock.files and merged(flume) == merged(penstock) and (flume.threw is None) == (penstock.threw is None)


def fewer_files(case, flume, penstock):
    """docs/stages/sink_hdfs.md: events of a batch are written directory by directory, which makes fewer files if hdfs.maxOpenFiles is below the number of directories."""
    def joined(answer):
        texts = collections.defaultdict(bytes)
        for name, content in answer.files:
            texts[name] += content
        return {name: sorted(text) for name, text in texts.items()}
    return case.kind == "hdfs" and "hdfs.maxOpenFiles" in case.keys and len(penstock.files) < len(flume.files) and joined(flume) == joined(penstock) and \
        flume.threw is None and penstock.threw is None and flume.ended == penstock.ended


def digits_of_other_scripts(case, flume, penstock):
    """docs/MIGRATING.md: Java reads a number in digits of any script."""
    def is_one(value):
        text = value.decode(errors="replace")
        return not text.isascii() and text.lstrip("+-").isdecimal()
    return case.kind == "hdfs" and penstock.threw is not None and flume.threw is None and any(
        value is not None and is_one(value) for _, headers in case.events for value in headers.values())


def group_in_look(case, flume, penstock):
    """docs/stages/interceptor_regex_extractor.md: Java keeps what a group matched within a look-around, an atomic group or a possessive repetition."""
    if case.type != "regex_extractor" or len(flume.events) != len(penstock.events) or flume.refused is not None:
        return False
    serializers = case.keys.get("serializers", "").split()
    kept = kept_groups(case.keys.get("regex", ""))
    named = [case.keys.get(f"serializers.{one}.name", "").encode() for one in serializers]
    names = {name for i, name in enumerate(named) if i + 1 in kept}

    def is_kept(theirs, ours):
        differing = {name for name in {*theirs, *ours} if theirs.get(name) != ours.get(name)}
        return differing <= names and all(ours.get(name) is None or named.count(name) > 1 for name in differing)
    return bool(names) and all(theirs[0] == ours[0] and is_kept(theirs[1], ours[1]) for theirs, ours in zip(flume.events, penstock.events))


KEEPING = ("?=", "?!", "?<=", "?<!", "?>")  # Java keeps what a group within one of these matched


def kept_groups(regex):
    """The numbers of the groups whose match Java keeps when it goes back: within a look-around or an atomic group, and in a possessive repetition."""
    groups = [one for one in draw.all_groups_of(regex) if one.captures]
    return groups_within(regex, *KEEPING) | {
        number for number, one in enumerate(groups, 1) if any(len(part.quantifier) > 1 and part.quantifier.endswith("+") for part in [one, *one.around])}


def is_part(part, whole):
    """Whether the items of `part` are among those of `whole`, in this order."""
    rest = iter(whole)
    return all(item in rest for item in part)


def group_that_was_left(case, flume, penstock):
    """docs/stages/interceptor_regex_filter.md: Java keeps what such a group matched, and `\\1` of another alternative or at another place finds it."""
    regex = case.keys.get("regex", "")
    asked = {int(number) for number in re.findall(r"\\([1-9])", regex)}
    return case.type == "regex_filter" and bool(asked & kept_groups(regex)) and \
        flume.refused is None and penstock.refused is None and abs(len(flume.events) - len(penstock.events)) == 1 and not (flume.events and penstock.events)


def costly_expression(case, flume, penstock):
    """docs/stages/interceptor_regex_filter.md#costly-expressions: penstock gives such a match up; Java had not ended when FlumeDraws stopped it."""
    return case.type in ("regex_filter", "regex_extractor", "search_replace") and flume.threw == "java.lang.ThreadDeath" and penstock.refused is None


def match_given_up(case, flume, penstock):
    """docs/stages/interceptor_search_replace.md: a match that takes too long is given up, and the rest of the body stays; Java ends some of them."""
    if case.type != "search_replace" or not re.search(r"[+*}]\)[+*{]|[+*}][^()]*\)[+*{]", case.keys.get("searchPattern", "")) or \
            flume.refused is not None or penstock.refused is not None or not len(flume.events) == len(penstock.events) == len(case.events):
        return False

    def tail(body, length):
        return body[len(body) - length:] if length else b""
    for theirs, ours, given in zip(flume.events, penstock.events, case.events):
        same = 0
        while same < min(len(theirs[0]), len(ours[0])) and theirs[0][same] == ours[0][same]:
            same += 1
        if theirs[1] != ours[1] or not given[0].endswith(tail(ours[0], len(ours[0]) - same)):
            return False
    return True


def groups_asked(groups, replacement):
    """The numbers of the groups that a replacement names, by `$1` or by `${name}`."""
    return {int(number) for number in re.findall(r"\$([1-9])", replacement)} | {
        number for number, one in enumerate(groups, 1) if one.name and f"${{{one.name}}}" in replacement}


def group_that_replaces(case, flume, penstock):
    """docs/stages/interceptor_search_replace.md: the same; `$1` of another alternative has what the group matched."""
    regex = case.keys.get("searchPattern", "")
    replacement = case.keys.get("replaceString", "")
    groups = [one for one in draw.all_groups_of(regex) if one.captures]
    if case.type != "search_replace" or not groups_asked(groups, replacement) & kept_groups(regex) or len(flume.events) != len(penstock.events):
        return False
    return flume.refused is None and penstock.refused is None and all(
        theirs[1] == ours[1] and is_part(ours[0], theirs[0]) for theirs, ours in zip(flume.events, penstock.events))


def group_in_repetition(case, flume, penstock):
    """docs/stages/interceptor_regex_extractor.md: of a group within a repeated group Java may give the match of another round."""
    regex = case.keys.get("regex" if case.type == "regex_extractor" else "searchPattern", "")
    groups = [one for one in draw.all_groups_of(regex) if one.captures]
    doubtful = {number for number, one in enumerate(groups, 1) if any(
        gives_back(around.quantifier) or gives_back(one.quantifier) and is_repeated(around.quantifier) for around in one.around)}
    if case.type not in ("regex_extractor", "search_replace") or not doubtful or flume.refused is not None or penstock.refused is not None or \
            len(flume.events) != len(penstock.events):
        return False
    serializers = case.keys.get("serializers", "").split()
    names = {case.keys.get(f"serializers.{one}.name", "").encode() for number, one in enumerate(serializers, 1) if number in doubtful}
    replacement = case.keys.get("replaceString", "")
    asked = groups_asked(groups, replacement) & doubtful

    def others(headers):
        return {name: value for name, value in headers.items() if name not in names and value is not None}
    return all((theirs[0] == ours[0] or asked) and others(theirs[1]) == others(ours[1]) for theirs, ours in zip(flume.events, penstock.events))


def empty_group_repeated(case, flume, penstock):
    """docs/stages/interceptor_regex_extractor.md: a repeated group without any characters sets no header in Flume, and an empty one in penstock."""
    groups = [one for one in draw.all_groups_of(case.keys.get("regex", "")) if one.captures]
    serializers = case.keys.get("serializers", "").split()
    names = {case.keys.get(f"serializers.{serializer}.name", "").encode() for serializer, group in zip(serializers, groups)
             if re.fullmatch(r"(?:\*|\{0,[0-9]*\})[?+]?", group.quantifier)}
    if case.type != "regex_extractor" or not names or flume.refused is not None or penstock.refused is not None or len(flume.events) != len(penstock.events):
        return False

    def others(headers, empty):
        return {name: value for name, value in headers.items() if value is not None and not (name in names and name in empty)}
    for theirs, ours in zip(flume.events, penstock.events):
        empty = {name for name, value in ours[1].items() if value == b"" and theirs[1].get(name) is None}
        if theirs[0] != ours[0] or others(theirs[1], empty) != others(ours[1], empty):
            return False
    return True


def gives_back(quantifier):
    """Whether the quantifier allows different numbers of repetitions and tries the largest first."""
    return bool(re.fullmatch(r"[*+]|\{[0-9]+,[0-9]*\}", quantifier))


def is_repeated(quantifier):
    return bool(re.match(r"[*+{]", quantifier))


def groups_within(regex, *kinds):
    """The numbers of the groups within groups that begin so."""
    return {number for number, (_, around) in enumerate(draw.groups_of(regex), 1) if any(one.startswith(kinds) for one in around)}


def round_value_without_rounding(case, flume, penstock):
    """docs/MIGRATING.md: Flume reads hdfs.roundValue only with hdfs.round = true."""
    return case.kind == "hdfs" and case.keys.get("hdfs.round", "false").lower() != "true" and flume.refused is None and penstock.refused is not None and \
        ("hdfs.roundValue" in penstock.refused or not re.fullmatch("[+-]?[0-9]+", case.keys.get("hdfs.roundValue", "0")))


def write_format_in_any_case(case, flume, penstock):
    """docs/stages/sink_hdfs.md: Flume knows Writable and Text in this spelling only, and fails at each file."""
    return case.kind == "hdfs" and case.keys.get("hdfs.writeFormat", "Text") not in ("Text", "Writable") and "SequenceFileSerializer" in (flume.threw or "") and penstock.threw is None


def schema_in_force(case, headers):
    """What the event's headers or the sink's key name: the kind and the name, or None."""
    for name in ("flume.avro.schema.url", "flume.avro.schema.literal"):
        if name.encode() in headers:
            return name.endswith("url"), headers[name.encode()]
    return None


def a_file_for_each_schema(case, flume, penstock):
    """docs/stages/serializer_avro_datum.md: an event with another schema than its file's begins the next file; Flume writes it into the same one."""
    if not is_datum(case) or flume.threw is not None or penstock.threw is not None or penstock.refused is not None:
        return False
    default = case.keys.get("serializer.schemaURL")
    runs, open_files = [], {}
    for body, headers in case.events:
        place = headers[b"dir"] if "%{dir}" in case.keys["hdfs.path"] else b"x"
        named = schema_in_force(case, headers) or (default and (True, default.encode()))
        last = open_files.get(place)
        if last is None or named is not None and named != last[1]:
            last = open_files[place] = [place, named, b"", 0]
            runs.append(last)
        last[2] += body
        last[3] += 1

    def text(schema):
        url, name = schema
        return schema_of(open(name.decode().removeprefix("file://"), "rb").read() if url else name)

    def joined(content):
        return b"".join(part for _, part in content[2]) if all(isinstance(part, bytes) for _, part in content[2]) else None, sum(count for count, _ in content[2])
    expected = sorted(((place, text(schema), None if is_opaque(case) else data, count) for place, schema, data, count in runs), key=str)
    ours = sorted(((name.split(b"/")[2], content[0], *joined(content)) for name, content in penstock.files), key=str)
    theirs = collections.Counter()
    for name, content in flume.files:
        theirs[name.split(b"/")[2]] += joined(content)[1]
    return len(runs) > len(open_files) and ours == expected and theirs == collections.Counter(headers[b"dir"] if "%{dir}" in case.keys["hdfs.path"] else b"x" for _, headers in case.events)


def is_opaque(case):
    return case.keys.get("serializer.compressionCodec") in ("snappy", "zstandard")


def schema_that_flume_does_not_read(case, flume, penstock):
    """docs/stages/serializer_avro_datum.md: Flume does not look at the schema of an event behind the first one of its file."""
    return is_datum(case) and flume.threw is None and penstock.threw is not None and any(
        headers.get(b"flume.avro.schema.literal") in BAD_LITERALS for _, headers in case.events)


def refused_block_size(case, flume, penstock):
    """docs/stages/serializer_avro_datum.md: a wrong syncIntervalBytes is refused by `check`; Flume starts, and fails at each file."""
    size = case.keys.get("serializer.syncIntervalBytes", "32")
    return is_datum(case) and "syncIntervalBytes" in (penstock.refused or "") and flume.threw is not None and (not size.isdecimal() or int(size) < 32)


BAD_LITERALS = {text.encode() for text in draw.BAD_LITERALS}
KNOWN = [write_format_in_any_case, a_file_for_each_schema, schema_that_flume_does_not_read, refused_block_size, costly_expression, match_given_up, round_value_without_rounding, group_in_look, group_that_was_left, group_that_replaces, group_in_repetition, empty_group_repeated, digits_of_other_scripts, fewer_files, reprinted_schema, damaged_avro_file, tables_of_the_system, channel_named_twice, rolled_back, refused_file_type, pool_without_threads, path_upwards, failed_file, pair_in_one_event, lost_character, line_ended_early, three_bytes_before_a_pair, ignored_buffer, codec_that_fails, stale_headers, format_that_fails, inside_of_a_pair, one_bucket_for_spellings, null_headers, datum_of_no_record, default_in_any_case, refused_date, refused_replacement]


def main():
    what, shown = sys.argv[1], int(sys.argv[5]) if len(sys.argv) > 5 else 12
    cases, flume, penstock = read_cases(sys.argv[2]), read_answers(sys.argv[3]), read_answers(sys.argv[4])
    if len(flume) < len(cases):
        sys.exit(f"Flume answered {len(flume)} of {len(cases)} cases")
    counts, differences = collections.Counter(), 0
    for number, case in enumerate(cases):
        if number >= len(penstock):
            print(f"{what}: penstock answered {len(penstock)} of {len(cases)} cases: it ends in case {number - 1}")
            sys.exit(1)
        for answer in (flume[number], penstock[number]):
            plain(case, answer)
        if flume[number].same_as(penstock[number]):
            counts["refused by both" if flume[number].refused is not None else "thrown in both" if flume[number].threw is not None else "same"] += 1
            continue
        known = next((one.__name__ for one in KNOWN if one(case, flume[number], penstock[number])), None)
        if known:
            counts[known.replace("_", " ")] += 1
            continue
        differences += 1
        if differences <= shown:
            print(f"-- {what}, case {number}: {case.kind} {case.type} {case.keys} {case.with_ or ''}\n   events   {case.events or case.input}\n"
                  f"   Flume    {flume[number]}\n   penstock {penstock[number]}")
    print(f"{what}: {len(cases)} draws: " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) + f", {differences} other differences")
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
