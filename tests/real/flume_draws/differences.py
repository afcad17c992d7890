"""What two agents may give for one drawn flow (agents.py): what differs from run to run, and the differences that the documents name."""
import re

import compare

UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


# ---- what differs from run to run ----

def masked(value, agent, flow):
    if value is None:
        return None
    value = UUID.sub(b"UUID", value)
    value = re.sub(rb"^1[789]\d{11}$", b"NOW", value)
    value = re.sub(rb"^/127\.0\.0\.1:\d+$", b"/127.0.0.1:N", value)
    for i, port in enumerate(agent.ports.get(flow.number, ())):
        value = re.sub(rb"^%d$" % port, b"PORT%d" % i, value)
    return value.replace(agent.directory(flow).encode(), b"@DIR@")


def number_of(name):
    found = re.search(r"-(\d+)(?:\.[^-]*)?$", name)
    return int(found[1]) if found else 0


def form_of(name):
    return re.sub(r"\d{13,}", "TIME", name)


def events_of(files, agent, flow):
    """The events of files of the serializer avro_event, in order."""
    events = []
    for _, content in sorted(files, key=lambda one: number_of(one[0])):
        if not content:
            continue
        _, blocks = compare.avro_file(content)
        for block in blocks:
            events += [(body, tuple((name, masked(value, agent, flow)) for name, value in headers)) for headers, body in block]
    return events


def plain(flow, result, agent):
    if flow.kind == "file_roll" or "sink.serializer" in flow.sinks[0]:
        result.sinks = [contents(flow, files) for files in result.sinks]
    else:
        result.sinks = [events_of(files, agent, flow) for files in result.sinks]
    if flow.kind == "multiport":  # the order of connections is free
        result.sinks = [sorted(events) for events in result.sinks]
    if flow.kind == "taildir":  # each file has its order
        by_file = {}
        for body, headers in result.sinks[0]:
            by_file.setdefault(dict(headers).get(flow.source.get("fileHeaderKey", "file").encode()), []).append((body, headers))
        result.sinks = [sorted((name or b"", events) for name, events in by_file.items())]
    return result


def contents(flow, files):
    """The names without their time, and the contents in order; of Avro files the schema, the codec and the events."""
    files = sorted(files, key=lambda one: number_of(one[0]))
    names = [form_of(name) for name, _ in files]
    if flow.sinks[0].get("sink.serializer", "").lower() == "avro_event":
        made = [compare.avro_file(content) for _, content in files if content]
        metas = [sorted(meta.items()) for meta, _ in made]
        return names, metas, [event for _, blocks in made for block in blocks for event in (block if isinstance(block, list) else [block])]
    text = b"".join(content for _, content in files)
    return names, compare.headers_in_order(text) if flow.sinks[0].get("sink.serializer") == "header_and_text" else text


# ---- differences that the documents name ----

def malformed_line(flow, flume, penstock):
    """docs/stages/source_netcat.md: Flume closes a connection with malformed bytes, and loses what it read together with them."""
    if flow.kind != "netcat":
        return False
    charset = flow.source.get("encoding", "utf-8").lower().replace("utf-16", "utf-16-be") if "LE" not in flow.source.get("encoding", "") else "utf-16-le"
    for _, _, pieces in flow.actions:
        try:
            b"".join(pieces).decode(charset.replace("-bebe", "-be"))
        except UnicodeDecodeError:
            return compare.is_part(flume.sinks[0], penstock.sinks[0])
        except LookupError:
            return False
    return False


def unknown_encoding(flow, flume, penstock):
    """docs/stages/source_netcat.md: Flume opens its port and answers nothing; penstock refuses the source."""
    return flow.kind == "netcat" and flow.source.get("encoding") == "nope" and flume.sinks == penstock.sinks == [[]] and \
        all(how == "refused" for _, how in penstock.answers) and all(text == b"" for text, _ in flume.answers)


def failed_file(flow, flume, penstock):
    """docs/stages/source_spooldir.md: what comes before the bytes that cannot be read is delivered; Flume gives the events of a batch or none."""
    more = events_more(flume, penstock) if flow.kind == "spooldir" and flume.files == penstock.files else None
    if not more:
        return False
    most = max(1, int(flow.source.get("deserializer.maxLineLength", "2048")))
    charset = flow.source.get("deserializer.outputCharset", "UTF-8")
    delivered = []
    for path, content in penstock.files:
        text = text_before_malformed(content, flow.source.get("inputCharset", "utf-8"))
        if text is not None and not path.endswith(flow.source.get("fileSuffix", ".COMPLETED")):
            delivered += [one.encode(charset, "replace") for one in lines_before(text, most)]
    return all(body in delivered for body, _ in more)


def pair_in_one_event(flow, flume, penstock):
    """docs/stages/deserializer_line.md: a character of two chars is not cut in two at maxLineLength."""
    if flow.kind != "spooldir" or "deserializer.maxLineLength" not in flow.source or flume.files != penstock.files or flume.answers != penstock.answers:
        return False
    charset = flow.source.get("deserializer.outputCharset", "UTF-8")
    return any(b"\xf0" in content for _, content, _ in flow.files) and all(
        compare.text_of_events(theirs, charset) == compare.text_of_events(ours, charset) and {headers for _, headers in theirs} == {headers for _, headers in ours}
        for theirs, ours in zip(flume.sinks, penstock.sinks))


def text_before_malformed(content, charset):
    try:
        content.decode(charset)
    except UnicodeDecodeError as error:
        return content[:error.start].decode(charset)
    except LookupError:
        pass
    return None


def lines_before(text, most):
    """The lines of a text that goes on with what cannot be read, in pieces of `most` of Java's chars: a character of two is not cut."""
    *lines, rest = text.split("\n")
    events = []
    for number, line in enumerate([*lines, rest]):
        piece, size = "", 0
        for one in line:
            chars = 1 + (one > "\uffff")
            if size > 0 and size + chars > most:
                events.append(piece)
                piece, size = "", 0
            piece, size = piece + one, size + chars
            if size >= most:
                events.append(piece)
                piece, size = "", 0
        if number < len(lines):
            events.append(piece)
    return events


def line_length_below_one(flow, flume, penstock):
    """docs/stages/source_netcat.md: Flume opens its port, and neither reads nor answers, or refuses all with 0; penstock refuses the source."""
    length = flow.source.get("max-line-length")
    return flow.kind == "netcat" and length in ("-1", "0") and flume.sinks == penstock.sinks == [[]] and \
        all(how == "refused" for _, how in penstock.answers) and \
        all(how == ("silent" if length == "-1" else "closed") and b"OK" not in text for text, how in flume.answers)


def events_more(flume, penstock):
    """The events that penstock has beside those of Flume; None if it lacks one of these, or has them in another order."""
    if not compare.is_part(flume.sinks[0], penstock.sinks[0]):
        return None
    more = list(penstock.sinks[0])
    for event in flume.sinks[0]:
        more.remove(event)
    return more


def lost_with_a_bad_line(flow, flume, penstock):
    """docs/stages/source_multiport_syslogtcp.md: Flume loses a line that it cannot read, and those read together with it."""
    more = events_more(flume, penstock) if flow.kind == "multiport" and flume.answers == penstock.answers else None
    if more is None:
        return False
    return any((b"flume.syslog.status", b"Invalid") in headers for _, headers in more) or b"\n\n" in b"".join(b"".join(one[2]) for one in flow.actions)


def unfinished_line(flow, flume, penstock):
    """docs/MIGRATING.md: Flume cuts a line that was not complete at the last look, if it has delivered nothing of the file for idleTimeout."""
    if flow.kind != "taildir" or flume.answers != penstock.answers or [name for name, _ in flume.sinks[0]] != [name for name, _ in penstock.sinks[0]]:
        return False
    ends = {action[2].rpartition(b"\n")[2] for action in flow.actions if action[0] == "append"} - {b""}
    ours = dict(penstock.sinks[0])
    return all(events == ours[name] or is_cut_once(events, ours[name], ends) for name, events in flume.sinks[0])


def is_cut_once(theirs, ours, ends):
    """Whether our events are theirs, but for one that is cut in two where an append ended."""
    for i, ((begin, headers), (rest, _)) in enumerate(zip(theirs, theirs[1:])):
        if any(begin.endswith(end) for end in ends) and [*theirs[:i], (begin + rest, headers), *theirs[i + 2:]] == ours:
            return True
    return False


def inside_of_a_pair(flow, flume, penstock):
    """docs/stages/interceptor_regex_filter.md: Java finds empty matches between the halves of a surrogate pair; search_replace writes two `?` for it."""
    if flow.kind != "chain" or not any(one["type"] == "search_replace" for one in flow.interceptors) or flume.answers != penstock.answers:
        return False
    of_pair = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}")
    return len(flume.sinks) == len(penstock.sinks) and all(
        len(theirs) == len(ours) and all(
            one == other or one[1] == other[1] and one[0].count(b"?") > other[0].count(b"?") and of_pair.search(other[0])
            for one, other in zip(theirs, ours)) for theirs, ours in zip(flume.sinks, penstock.sinks))


KNOWN = [malformed_line, unknown_encoding, inside_of_a_pair, line_length_below_one, failed_file, pair_in_one_event, lost_with_a_bad_line, unfinished_line]


def known(flow, flume, penstock):
    for one in KNOWN:
        if one(flow, flume, penstock):
            return one.__name__.replace("_", " ")
    return None


def show(flow, flume, penstock):
    def brief(what):
        text = str(what)
        return text if len(text) < 3000 else text[:3000] + " .."
    print(f"-- {flow.name} (alone: {flow.alone}): source {flow.source}, interceptors {flow.interceptors}, selector {flow.selector}, sinks {flow.sinks}\n   files    {brief(flow.files)}\n   actions  {brief(flow.actions)}")
    for name, result in (("Flume", flume), ("penstock", penstock)):
        print(f"   {name:8} answers {result.answers}\n            sinks {brief(result.sinks)}\n            files {brief(result.files)}")
