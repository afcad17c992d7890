"""Draws flows: a source, memory channels and sinks of files, and what is done to the source. agents.py runs them in real agents.

`KINDS` has a function for each kind, which draws one Flow. Values of keys may have @DIR@, a directory of the flow and the agent, @PORT@ and
@PORT2@, ports of them.
"""
import gzip

import draw as components


class Flow:
    def __init__(self, kind, number):
        self.kind, self.number = kind, number
        self.source, self.selector, self.sinks, self.interceptors = {}, {}, [{}], []
        self.channels = {}
        self.files = []  # (path below @DIR@, bytes, seconds of its time): before the start
        self.actions = []  # ("connect", port, [chunks]), ("datagram", bytes), ("request", head, body), ("append", path, bytes), ("rest", s)
        self.tcp = self.udp = False

    def channel(self, number):
        return f"c{self.number}" if number == 0 else f"c{self.number}x{number}"

    def properties(self, agent):
        """The lines of the agent's file; the agent gives the values of @DIR@ and the ports."""
        lines = []

        def add(prefix, keys):
            for name, value in keys.items():
                value = agent.placed(self, value)
                lines.append(f"{prefix}.{escaped(name, True)} = {escaped(value, False)}")
        names = [self.channel(i) for i in range(len(self.sinks))]
        source = f"a1.sources.r{self.number}"
        add(source, {**self.source, "channels": " ".join(names)})
        add(source + ".selector", self.selector)
        if self.interceptors:
            lines.append(f"{source}.interceptors = " + " ".join(f"i{i}" for i in range(len(self.interceptors))))
        for i, keys in enumerate(self.interceptors):
            add(f"{source}.interceptors.i{i}", keys)
        for i, name in enumerate(names):
            add(f"a1.channels.{name}", {"type": "memory", "capacity": "20000", "transactionCapacity": "2000", **self.channels})
            sink = {"type": "file_roll", "channel": name, "sink.directory": f"@DIR@/out{i}", "sink.rollInterval": "0", "sink.serializer": "avro_event", "sink.serializer.syncIntervalBytes": "16384"}
            add(f"a1.sinks.k{name[1:]}", {**sink, **self.sinks[i]})
        return lines


def escaped(text, is_key):
    out = []
    for i, one in enumerate(text):
        if one in "\\" or (is_key and one in " :=#!") or (i == 0 and one in " \t\f"):
            out.append("\\" + one)
        elif one in "\n\r\t\f":
            out.append({"\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"}[one])
        elif not " " <= one <= "~":
            out.extend(f"\\u{unit:04x}" for unit in units(one))
        else:
            out.append(one)
    return "".join(out)


def units(one):
    data = one.encode("utf-16-be")
    return [data[i] << 8 | data[i + 1] for i in range(0, len(data), 2)]


class Keys(components.Draw):
    """Draws keys into a map of its own: what Flume's configuration takes of them."""

    def __init__(self, draw):
        self.random, self.lines, self.keys = draw.random, [], {}

    def key(self, name, value):
        if "${" not in str(value):  # both replace variables
            super().key(name, value)


# ---- sources of bytes ----

def line(draw):
    return draw.body().replace(b"\n", b"")


def netcat(draw, flow):
    keys = Keys(draw)
    keys.maybe(0.5, "max-line-length", "1", "2", "5", "10", "16", "64", "512", "2000", draw.pick("0", "-1", "abc", "+5", "5 "))
    keys.maybe(0.5, "ack-every-event", draw.boolean())
    keys.maybe(0.4, "encoding", "utf-8", "UTF-8", "ISO-8859-1", "US-ASCII", "utf8", "UTF-16", "UTF-16LE", "UTF-16BE", "latin1", "nope")
    flow.source = {"type": "netcat", "bind": "127.0.0.1", "port": "@PORT@", **keys.keys}
    flow.tcp = True
    charset = {"utf-16": "utf-16-be", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be"}.get(keys.keys.get("encoding", "").lower())
    for _ in range(draw.number(1, 3)):
        text = b"".join(line(draw) + draw.pick(b"\n", b"\n", b"\n", b"\r\n", b"\n\n") for _ in range(draw.number(0, 6))) + draw.pick(b"", b"", line(draw))
        if charset is not None:
            text = text.decode("utf-8", "ignore").encode(charset)
        elif draw.chance(0.7):  # most of it is not malformed
            text = text.decode("utf-8", "ignore").encode()
        flow.actions.append(("connect", 0, [text] if draw.chance(0.8) else [text[:len(text) // 2], text[len(text) // 2:]]))


def netcatudp(draw, flow):
    keys = Keys(draw)
    keys.maybe(0.8, "remoteAddress", "h", "é", "x y", draw.name())
    if not keys.keys:  # Flume gives a header without a name, which only the serializer TEXT writes
        flow.sinks = [{"sink.serializer": "text"}]
    flow.source = {"type": "netcatudp", "bind": "127.0.0.1", "port": "@PORT@", **keys.keys}
    flow.udp = True
    for _ in range(draw.number(1, 6)):
        flow.actions.append(("datagram", draw.pick(line(draw), line(draw) + b"\n", draw.body(), line(draw) + b"\n" + line(draw), b"y" * draw.pick(2047, 2048, 100), b"\n", b"\0")))


def multiport(draw, flow):
    keys = Keys(draw)
    keys.maybe(0.4, "charset.default", "UTF-8", "ISO-8859-1", "US-ASCII", "UTF-16", "nope")
    keys.maybe(0.3, "charset.port.@PORT2@", "UTF-8", "ISO-8859-1", "US-ASCII", "utf8")
    keys.maybe(0.5, "portHeader", "port", draw.name())
    keys.maybe(0.5, "keepFields", "none", "all", "true", "false", "priority", "timestamp hostname", "priority version timestamp hostname", "version", "ALL", "hostname,priority", "xx")
    keys.maybe(0.3, "eventSize", "10", "30", "64", "100", "2500")
    keys.maybe(0.2, "batchSize", "1", "2", "100")
    keys.maybe(0.2, "readBufferSize", "16", "100", "1024")
    keys.maybe(0.2, "numProcessors", "1", "2")
    keys.maybe(0.3, "clientIPHeader", "ip", draw.name())
    flow.source = {"type": "multiport_syslogtcp", "host": "127.0.0.1", "ports": draw.pick("@PORT@ @PORT2@", "@PORT@  @PORT2@", "@PORT2@ @PORT@"), **keys.keys}
    flow.tcp = True
    for _ in range(draw.number(1, 3)):
        lines = [components.syslog_message(draw).replace(b"\n", b" ") for _ in range(draw.number(1, 5))]
        flow.actions.append(("connect", draw.number(0, 1), [b"".join(one + draw.pick(b"\n", b"\n", b"\n", b"\r\n") for one in lines) + draw.pick(b"", b"", b"<34>rest")]))


def blob(draw, flow):
    keys = Keys(draw)
    morphline = draw.chance(0.5)
    if morphline:
        keys.key("handler", "org.apache.flume.sink.solr.morphline.BlobHandler")
        keys.maybe(0.6, "handler.maxBlobLength", "1", "5", "100", "100000000", draw.pick("0", "-1", "abc", "8192", "8193"))
    else:
        keys.key("handler", "org.apache.flume.source.http.BLOBHandler")
        keys.key("handler.mandatoryParameters", draw.pick("a", "a,b", "a, b", " a ,b", "a,,b", ",", "A", "é", "a;b"))  # without it Flume refuses every request
    flow.source = {"type": "http", "bind": "127.0.0.1", "port": "@PORT@", **keys.keys}
    flow.tcp = True
    for _ in range(draw.number(1, 4)):
        query = "&".join(draw.pick("a", "b", "A", "a.b", "%61", "x+y", "%C3%A9", "", "a b".replace(" ", "%20")) + draw.pick("=", "=", "=", "")
                         + draw.pick("1", "", "x+y", "%26", "%C3%A9", "a=b", "%0A", "é".encode("utf-8").decode("latin1") if draw.chance(0.1) else "2", "%20 ".strip()) for _ in range(draw.number(0, 4)))
        head = draw.pick("POST", "POST", "POST", "GET", "HEAD", "PUT") + " /" + draw.pick("", "p/q") + ("?" if query or draw.chance(0.1) else "") + query + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        body = draw.body() * draw.pick(1, 1, 10, 300)
        if draw.chance(0.6):
            head += "Content-Type: " + draw.pick("text/plain", "application/octet-stream", "application/json; charset=UTF-8", "x", "image/png;q=1", "text/plain ") + "\r\n"
        if draw.chance(0.1):
            head, body = head + "Content-Encoding: gzip\r\n", gzip.compress(body, mtime=0)
        if draw.chance(0.15):
            pieces = [body[:len(body) // 2], body[len(body) // 2:]]
            body = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in pieces if one) + b"0\r\n\r\n"
            head += "Transfer-Encoding: chunked\r\n"
        else:
            head += f"Content-Length: {len(body)}\r\n"
        flow.actions.append(("request", head.encode("latin1") + b"\r\n", body))


# ---- sources of files ----

NAMES = ["a.log", "b.log", "c.txt", "a", "x y", "é.log", ".hidden", "d.COMPLETED", "log.1", "log.2", "Z.log", "e.tmp", "f.log.tmp", "[a].log", "a.LOG", "b.done"]
FOLDERS = ["", "", "", "", "", "", "sub/", "sub/deep/", ".dot/", "tmp/"]


def spooldir(draw, flow):
    keys = Keys(draw)
    keys.maybe(0.4, "includePattern", ".*", ".*\\.log", "[a-z].*", "a.*|b.*", "", "^.*log$", "(?i).*\\.LOG", "(", "\\w+", ".")
    keys.maybe(0.4, "ignorePattern", "^$", ".*\\.tmp", "a.*", "sub", ".*", "[", "b\\.log", "(?!a).*")
    keys.maybe(0.3, "fileSuffix", ".done", ".COMPLETED", ".x", "", "log")
    keys.maybe(0.3, "deletePolicy", "never", "immediate", "IMMEDIATE", "Never", "delayed", "nope")
    keys.maybe(0.25, "trackingPolicy", "rename", "tracker_dir", "RENAME", "TRACKER_DIR", "nope")
    keys.maybe(0.2, "trackerDir", ".flumespool", "@DIR@/tracker", "t")
    keys.maybe(0.5, "fileHeader", draw.boolean())
    keys.maybe(0.2, "fileHeaderKey", draw.name())
    keys.maybe(0.5, "basenameHeader", draw.boolean())
    keys.maybe(0.2, "basenameHeaderKey", draw.name())
    keys.maybe(0.5, "consumeOrder", "oldest", "youngest", "OLDEST", "Youngest", "oldest", "nope")
    keys.maybe(0.3, "recursiveDirectorySearch", draw.boolean())
    keys.maybe(0.3, "decodeErrorPolicy", "FAIL", "REPLACE", "IGNORE", "replace", "nope")
    keys.maybe(0.3, "inputCharset", "UTF-8", "utf8", "ISO-8859-1", "US-ASCII", "UTF-16", "nope")
    keys.maybe(0.2, "batchSize", "1", "2", "100")
    if draw.chance(0.5):
        keys.maybe(0.9, "deserializer", "LINE", "line", "LINE", "org.apache.flume.sink.solr.morphline.BlobDeserializer$Builder")
        keys.maybe(0.5, "deserializer.maxLineLength", "1", "5", "10", "2048", "0")
        keys.maybe(0.3, "deserializer.outputCharset", "UTF-8", "ISO-8859-1", "UTF-16LE", "US-ASCII")
        keys.maybe(0.3, "deserializer.maxBlobLength", "1", "10", "100", "8192")
    flow.source = {"type": "spooldir", "spoolDir": "@DIR@/spool", "penstock.decompress": "never", "pollDelay": "500", **keys.keys}
    latin = keys.keys.get("inputCharset") == "ISO-8859-1"
    for i, name in enumerate(draw.random.sample(NAMES, draw.number(0, 5))):
        text = b"".join(line(draw) + b"\n" for _ in range(draw.number(0, 5))) + draw.pick(b"", line(draw))
        if not latin and draw.chance(0.85):
            text = text.decode("utf-8", "ignore").encode()
        flow.files.append(("spool/" + draw.pick(*FOLDERS) + name, text, 1600000000 + draw.pick(0, 1, 2, 3, i)))
    flow.files.append(("spool/.keep", b"", 1600000000))


def taildir(draw, flow):
    keys = Keys(draw)
    groups = draw.random.sample(["g1", "g2", "g3"], draw.number(1, 3))
    keys.key("filegroups", " ".join(groups))
    for i, group in enumerate(groups):
        keys.key(f"filegroups.{group}", f"@DIR@/tail{i}/" + draw.pick(".*", "[a-z].*", ".*\\.log", "a\\.log", "(a|b).*", "\\w+", "x y", ".*(?<!tmp)", "^.*$", "a.log", ".*\\.txt$"))
        for name in draw.random.sample(["h", "k", "a.b", "é", "group"], draw.number(0, 2)):
            keys.key(f"headers.{group}.{name}", draw.text())
    keys.maybe(0.4, "byteOffsetHeader", draw.boolean())
    keys.maybe(0.4, "skipToEnd", draw.boolean())
    keys.maybe(0.3, "fileHeaderKey", draw.name())
    keys.maybe(0.3, "batchSize", "1", "2", "100")
    keys.maybe(0.2, "maxBatchCount", "1", "2", "100")
    keys.maybe(0.2, "idleTimeout", "100", "300", "120000")
    keys.maybe(0.2, "cachePatternMatching", draw.boolean())
    flow.source = {"type": "TAILDIR", "positionFile": "@DIR@/positions.json", "fileHeader": "true", "backoffSleepIncrement": "50", "maxBackoffSleep": "100", "writePosInterval": "500", **keys.keys}
    names = ["a.log", "b.log", "c.txt", "a", "x y", "é.log", "d.tmp", "Z.log"]
    for i in range(len(groups)):
        flow.files.append((f"tail{i}/.keep", b"", 1600000000))
        for name in draw.random.sample(names, draw.number(0, 3)):
            flow.files.append((f"tail{i}/{name}", tail_text(draw, len(flow.files)), 1600000000 + draw.number(0, 3)))
    for _ in range(draw.number(0, 3)):
        for _ in range(draw.number(1, 3)):
            flow.actions.append(("append", f"tail{draw.number(0, len(groups) - 1)}/{draw.pick(*names)}", tail_text(draw, 100 + len(flow.actions))))
        flow.actions.append(("rest", draw.pick(0, 0.3, 0.6)))
    for path in {one[0] for one in flow.files if not one[0].endswith(".keep")} | {one[1] for one in flow.actions if one[0] == "append"}:
        flow.actions.append(("append", path, b"\n"))  # no file ends within a line
    if keys.keys.get("idleTimeout") in ("100", "300"):  # whether the rest of a line is an event depends on the time between two appends
        flow.files = [(path, whole_lines(text), seconds) for path, text, seconds in flow.files]
        flow.actions = [(*one[:2], whole_lines(one[2])) if one[0] == "append" else one for one in flow.actions]


def whole_lines(text):
    return text if not text or text.endswith(b"\n") else text + b"\n"


def tail_text(draw, number):
    """No two files have the same bytes: one of them would count as a copy, and wait for 10 s (docs/stages/source_taildir.md)."""
    text = b"".join(line(draw) + draw.pick(b"\n", b"\n", b"\n", b"\r\n", b"\n\n") for _ in range(draw.number(0, 4))) + draw.pick(b"", b"", line(draw))
    return b"-%d-" % number + text  # not the beginning of a compressed file


# ---- events ----

def json_request(draw, events):
    def quoted(text):
        import json
        return json.dumps(text)
    body = "[" + ",".join('{"headers":{' + ",".join(f"{quoted(n)}:{quoted(v)}" for n, v in headers.items()) + '},"body":' + quoted(body) + "}" for body, headers in events) + "]"
    data = body.encode()
    return "request", b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: %d\r\n\r\n" % len(data), data


def events_by_http(draw, flow):
    flow.source = {"type": "http", "bind": "127.0.0.1", "port": "@PORT@"}
    flow.tcp = True
    for _ in range(draw.number(1, 3)):
        events = []
        for _ in range(draw.number(1, 6)):
            body = draw.body().decode("utf-8", "ignore")
            events.append((draw.date_text() + body if draw.chance(0.2) else body, draw.headers()))
        flow.actions.append(json_request(draw, events))


def file_roll(draw, flow):
    events_by_http(draw, flow)
    keys = Keys(draw)
    keys.key("sink.serializer", draw.pick("text", "TEXT", "header_and_text", "avro_event", "AVRO_EVENT", "text", "text")) # with an unknown one no sink would be left: the agent is refused
    keys.maybe(0.4, "sink.serializer.appendNewline", draw.boolean())
    keys.maybe(0.3, "sink.serializer.compressionCodec", "null", "deflate", "bzip2", "xz", "nope")
    keys.maybe(0.2, "sink.serializer.syncIntervalBytes", "32", "100", "2048000")
    keys.maybe(0.5, "sink.pathManager", "DEFAULT", "default", "ROLLTIME", "rolltime", "nope", "org.apache.flume.formatter.output.DefaultPathManager$Builder")
    keys.maybe(0.4, "sink.pathManager.prefix", "p", "p-", "é", "a b", "x.y")
    keys.maybe(0.4, "sink.pathManager.extension", "log", ".log", "x.y", "é")
    keys.maybe(0.4, "sink.batchSize", "1", "2", "100")
    keys.maybe(0.3, "batchSize", "1", "3")
    keys.maybe(0.3, "sink.rollInterval", "0", "1000", "0 ", "3600")
    flow.sinks = [keys.keys]


def expression(draw):
    """One that Java and penstock always understand in the same way; flume_draws_interceptors_test.sh has the others."""
    while True:
        text = draw.expression()
        if not any(one in text for one in ("(?", "\\B", "\\G", "\\1", "${")) and text[0] not in " \t":
            return text


def regex_filter(keys):
    keys.key("regex", expression(keys))
    keys.maybe(0.6, "excludeEvents", keys.boolean())


def search_replace(keys):
    keys.key("searchPattern", expression(keys))
    keys.maybe(0.9, "replaceString", "", "x", "$0", "[$0]", "\\$1", "é")


def regex_extractor(keys):
    """Each group takes part in each match: Flume sets the others to null."""
    regex, groups = keys.pick(("(\\w+)=(\\w+)", 2), ("(.+)", 1), ("([a-z]+)(.)", 2), ("(\\d+)", 1), ("(\\S)(\\s)", 2))
    keys.key("regex", regex)
    keys.key("serializers", " ".join(f"s{i}" for i in range(groups)))
    for i in range(groups):
        keys.key(f"serializers.s{i}.name", keys.name())
        keys.maybe(0.3, f"serializers.s{i}.type", "DEFAULT", components.PASS)


REGEX = {"regex_filter": regex_filter, "search_replace": search_replace, "regex_extractor": regex_extractor}


def chain(draw, flow):
    """Interceptors of several kinds, a selector and up to four channels."""
    events_by_http(draw, flow)
    kinds = [name for name in components.INTERCEPTORS]
    for _ in range(draw.number(1, 5)):
        name = draw.pick(*kinds)
        keys = Keys(draw)
        keys.key("type", name)
        if name in REGEX:
            REGEX[name](keys)
        else:
            components.INTERCEPTORS[name](keys)
        flow.interceptors.append(keys.keys)
    flow.sinks = [{} for _ in range(draw.number(1, 4))]
    keys = Keys(draw)
    if draw.chance(0.7):
        kind = draw.pick("replicating", "multiplexing", "multiplexing")
        names = [flow.channel(i) for i in range(len(flow.sinks))]
        some = lambda: " ".join(draw.random.sample(names, draw.number(1, len(names))))
        keys.key("type", kind)
        if kind == "replicating":
            keys.maybe(0.6, "optional", some())
        else:
            header = draw.name()
            keys.maybe(0.95, "header", header)
            values = [draw.text() for _ in range(3)]
            for value in values:
                if components.java_trim(value) == value and value and "." not in value:
                    keys.maybe(0.8, f"mapping.{value}", some())
                    keys.maybe(0.2, f"optional.{value}", some())
            keys.maybe(0.7, "default", some())
            flow.interceptors.append({"type": "static", "key": header, "value": draw.pick(*values), "preserveExisting": draw.boolean()})
            flow.interceptors[-1] = {n: v for n, v in flow.interceptors[-1].items() if v}
    flow.selector = keys.keys


KINDS = {"netcat": netcat, "netcatudp": netcatudp, "multiport": multiport, "blob": blob, "spooldir": spooldir, "taildir": taildir, "file_roll": file_roll, "chain": chain}


def drawn(seed, kinds, first, count):
    """Flows number first to first + count - 1 of each of the kinds: the same ones for a seed, however many are asked at once."""
    flows = []
    for kind in kinds:
        for i in range(first, first + count):
            flow = Flow(kind, len(flows))
            KINDS[kind](components.Draw(f"{seed} {kind} {i}"), flow)
            flow.name, flow.alone = f"{kind} {i}", f"PENSTOCK_SEED={seed} ONLY={kind} FIRST={i} DRAWS=1"
            flows.append(flow)
    return flows
