#include "stages/lib/syslog/single.h"

#include "stages/lib/syslog/shapes.h"
#include "stages/lib/text/scan.h"
#include "core/text/utf8.h"

#include <string.h>

#define TIME_DIGITS_NOW 13U /* number of digits of a time in ms from 2001 to 2286 */
/* Maximum number of characters, sign included, of a time in ms whose stamp has a year of four digits */
#define TIME_DIGITS 15U

/* The fields of a message: slices of the line. `data` NULL: the field is missing. */
struct fields {
    struct ps_slice priority, version, stamp, host, body;
    bool has_body; /* the format has a body; its value may still be Java's null */
    bool has_time;
    int64_t ms;
    bool is_structured;
    struct ps_slice structured[PS_SYSLOG_STRUCTURED];
};

bool ps_syslog_single_init(struct ps_syslog_single *parser, const struct ps_syslog_single_rules *rules)
{
    *parser = (struct ps_syslog_single){.rules = rules};
    ps_syslog_time_init(&parser->time, rules->zone);
    if (rules->format == NULL)
        return true;
    parser->matcher = ps_syslog_matcher_create(rules->format);
    return parser->matcher != NULL;
}

void ps_syslog_single_fini(struct ps_syslog_single *parser)
{
    ps_syslog_matcher_destroy(parser->matcher);
}

/* Parses host and body after the stamp. `dash`: "-" is allowed and means no host. */
static bool parse_tail(const char *p, const char *end, bool dash, struct fields *fields)
{
    if (p == end || !ps_syslog_is_blank(*p))
        return false;
    const char *host = ++p;
    if (p < end && (ps_syslog_host_class[(uint8_t)*p] & 2)) {
        while (p < end && ps_syslog_host_class[(uint8_t)*p])
            p++;
        fields->host = (struct ps_slice){host, (uint32_t)(p - host)};
    } else if (dash && p < end && *p == '-') {
        p++;
    } else {
        return false;
    }
    if (p == end || !ps_syslog_is_blank(*p))
        return false;
    p++;
    fields->body = (struct ps_slice){p, (uint32_t)(end - p)};
    fields->has_body = true;
    return true;
}

/* Returns whether `length` bytes, 8 to 16, are the same. */
static inline bool is_same(const char *a, const char *b, uint32_t length)
{
    uint64_t first[2], last[2];
    memcpy(&first[0], a, 8);
    memcpy(&first[1], b, 8);
    memcpy(&last[0], a + length - 8, 8);
    memcpy(&last[1], b + length - 8, 8);
    return first[0] == first[1] && last[0] == last[1];
}

/* Returns the end of the stamp at `p` if it is the stamp that remember_stamp has kept, and still means the same
 * time; else NULL. */
static const char *stamp3164_again(const struct ps_syslog_single *parser, const char *p, const char *end,
                                   int64_t *ms)
{
    const struct ps_syslog_time *time = &parser->time;
    const uint32_t length = parser->stamp.length;
    if (length == 0 || end - p < length || time->now_s != parser->stamp.now_s ||
        time->into_second != parser->stamp.into_second || !is_same(p, parser->stamp.text, length))
        return NULL;
    *ms = parser->stamp.ms;
    return p + length;
}

static void remember_stamp(struct ps_syslog_single *parser, const struct fields *fields)
{
    PS_ASSERT(fields->stamp.length >= 8 && fields->stamp.length <= sizeof parser->stamp.text);
    memcpy(parser->stamp.text, fields->stamp.data, fields->stamp.length);
    parser->stamp.length = fields->stamp.length;
    parser->stamp.now_s = parser->time.now_s;
    parser->stamp.into_second = parser->time.into_second;
    parser->stamp.ms = fields->ms;
}

static bool parse_rfc5424(struct ps_syslog_time *time, const char *p, const char *end, struct fields *fields)
{
    fields->host = (struct ps_slice){0};
    if (*p == '-') {
        fields->stamp = (struct ps_slice){0};
        return parse_tail(p + 1, end, true, fields);
    }
    const char *stop = ps_syslog_stamp5424_end(p, end);
    if (stop == NULL)
        return false;
    fields->stamp = (struct ps_slice){p, (uint32_t)(stop - p)};
    if (!parse_tail(stop, end, true, fields))
        return false;
    fields->has_time = ps_syslog_time_local5424(time, p, fields->stamp.length, &fields->ms);
    return true;
}

static bool parse_rfc3164(struct ps_syslog_single *parser, const char *p, const char *end,
                          struct fields *fields)
{
    fields->host = (struct ps_slice){0};
    const char *stop = stamp3164_again(parser, p, end, &fields->ms);
    fields->has_time = stop != NULL;
    if (stop == NULL)
        stop = ps_syslog_stamp3164_end(p, end);
    if (stop == NULL || !parse_tail(stop, end, false, fields))
        return false;
    fields->stamp = (struct ps_slice){p, (uint32_t)(stop - p)};
    if (fields->has_time)
        return true;
    fields->has_time = ps_syslog_time_local3164(&parser->time, p, fields->stamp.length, &fields->ms);
    if (fields->has_time)
        remember_stamp(parser, fields);
    return true;
}

/* Parses the text after ">": an optional digit (the version), an optional blank, then RFC 5424 or
 * RFC 3164. */
static bool parse_builtin(struct ps_syslog_single *parser, const char *p, const char *end,
                          struct fields *fields)
{
    fields->version = (struct ps_slice){p, 0};
    if (p == end)
        return false;
    if (ps_syslog_is_digit(*p)) { /* a version, unless it is the first digit of a year */
        const char *q = p + 1;
        if (q < end && ps_syslog_is_blank(*q))
            q++;
        fields->version.length = 1;
        if (q < end &&
            (parse_rfc5424(&parser->time, q, end, fields) || parse_rfc3164(parser, q, end, fields)))
            return true;
        fields->version.length = 0;
    } else if (ps_syslog_is_blank(*p)) {
        p++;
    }
    return p < end && (parse_rfc5424(&parser->time, p, end, fields) || parse_rfc3164(parser, p, end, fields));
}

/* Java's `.` does not match a line terminator, so a body that contains one matches neither format. */
static bool has_terminator(struct ps_slice body)
{
    return memchr(body.data, '\r', body.length) != NULL || memchr(body.data, '\n', body.length) != NULL ||
           ps_utf8_has_terminator(body.data, body.length);
}

static bool parse_format(struct ps_syslog_single *parser, struct ps_batch *batch, const char *line,
                         uint32_t length, struct fields *fields, bool *memory)
{
    if (ps_utf8_valid_length(line, length) != length) {
        char *copy = ps_batch_alloc(batch, 3 * length);
        if (copy == NULL) {
            *memory = false;
            return false;
        }
        length = (uint32_t)ps_utf8_repair(line, length, copy);
        line = copy;
    }
    struct ps_syslog_match match;
    if (!ps_syslog_matcher_match(parser->matcher, &parser->time, line, length, &match))
        return false;
    *fields = (struct fields){.priority = match.group[1],
                              .version = match.group[2],
                              .stamp = match.group[3],
                              .host = match.group[4],
                              .body = match.group[5],
                              .has_body = match.group_count >= 5,
                              .has_time = match.has_time,
                              .ms = match.ms};
    return true;
}

static char *append(char *to, struct ps_slice piece)
{
    if (piece.data == NULL)
        piece = (struct ps_slice){"null", 4}; /* Java's string concatenation */
    memcpy(to, piece.data, piece.length);
    return to + piece.length;
}

/* Puts the kept fields in front of the body, in this order (SyslogUtils.addFieldsToBody). Returns data NULL
 * when there is no memory. */
static struct ps_slice keep_fields(unsigned keep, struct ps_batch *batch, const struct fields *fields)
{
    char *room =
        ps_batch_alloc(batch, fields->priority.length + fields->version.length + fields->stamp.length +
                                  fields->host.length + fields->body.length + 32);
    if (room == NULL)
        return (struct ps_slice){0};
    char *to = room;
    if (keep & PS_KEEP_PRIORITY) {
        *to++ = '<';
        to = append(to, fields->priority);
        *to++ = '>';
    }
    if ((keep & PS_KEEP_VERSION) && fields->version.length > 0) {
        to = append(to, fields->version);
        *to++ = ' ';
    }
    if (keep & PS_KEEP_TIMESTAMP) {
        to = append(to, fields->stamp);
        *to++ = ' ';
    }
    if (keep & PS_KEEP_HOSTNAME) {
        to = append(to, fields->host);
        *to++ = ' ';
    }
    to = append(to, fields->body);
    return (struct ps_slice){room, (uint32_t)(to - room)};
}

/* Takes the fields of RFC 5424 out of the body. */
static void take_structured(struct fields *fields)
{
    struct ps_syslog_structured structured;
    if (fields->version.length == 0 || !fields->has_body ||
        !ps_syslog_structured_split(fields->body.data, fields->body.length, &structured))
        return;
    fields->is_structured = true;
    memcpy(fields->structured, structured.fields, sizeof fields->structured);
    fields->body = structured.message;
}

/* Replaces *body (the raw line) by the parsed body, with the fields to keep and malformed UTF-8 replaced, if
 * there is one. Returns false when there is no memory. */
static bool make_body(const struct ps_syslog_single_rules *rules, struct ps_batch *batch,
                      const struct fields *fields, bool plain, struct ps_slice *body)
{
    if ((rules->keep & PS_KEEP_ALL) || !fields->has_body)
        return true;
    if (rules->keep == 0 && plain && fields->body.length > 0) {
        body->data = fields->body.data;
        body->length = fields->body.length;
        return true;
    }
    struct ps_slice made = fields->body;
    if (rules->keep != 0) {
        made = keep_fields(rules->keep, batch, fields);
        if (made.data == NULL)
            return false;
    }
    if (made.length == 0) {
        if (fields->is_structured)
            *body = made;
        return true;
    }
    if (!plain && ps_utf8_valid_length(made.data, made.length) != made.length) {
        char *copy = ps_batch_alloc(batch, 3 * made.length);
        if (copy == NULL)
            return false;
        made = (struct ps_slice){copy, (uint32_t)ps_utf8_repair(made.data, made.length, copy)};
    }
    *body = made;
    return true;
}

/* Writes the time as a decimal number. `in_place`: over the time stamp, whose bytes are not part of the
 * body. */
static struct ps_slice render_time(struct ps_syslog_single *parser, const struct fields *fields,
                                   bool in_place, struct ps_syslog_row *row)
{
    if (fields->ms != parser->rendered_ms ||
        parser->rendered_length == 0) { /* many messages share a second */
        parser->rendered_length = ps_time_render(fields->ms, parser->rendered);
        parser->rendered_ms = fields->ms;
    }
    const uint32_t length = parser->rendered_length;
    char *to = in_place ? (char *)(uintptr_t)fields->stamp.data : row->bytes;
    PS_ASSERT(!in_place || length <= fields->stamp.length);
    if (!in_place)
        row->bytes += length;
    if (PS_LIKELY(length == TIME_DIGITS_NOW))
        memcpy(to, parser->rendered, TIME_DIGITS_NOW);
    else
        memcpy(to, parser->rendered, length);
    return (struct ps_slice){to, length};
}

/* The start of a message: "<priority>". */
struct start {
    unsigned priority, digits;
    bool bad;        /* the message does not begin with "<digits>" */
    bool incomplete; /* cut at size_max */
    bool plain;      /* the message is plain text (stages/lib/text/scan.h) */
    bool framed;     /* no newline ends the message, so that its body may have some */
};

/* Splits the message into fields. Returns false if it is in no known format, or when there is no memory. */
static bool split(struct ps_syslog_single *parser, struct ps_batch *batch, const char *line, uint32_t length,
                  const struct start *start, struct fields *fields, bool *formatted, bool *memory)
{
    if (start->bad)
        return false;
    if (parser->matcher != NULL) {
        *formatted = parse_format(parser, batch, line, length, fields, memory);
        if (*formatted || !*memory)
            return *formatted;
    }
    uint32_t from = 2 + start->digits;
    if (start->digits == 0 || length < from || line[from - 1] != '>')
        return false;
    *fields = (struct fields){.priority = {line + 1, start->digits}};
    return parse_builtin(parser, line + from, line + length, fields) &&
           (start->plain || start->framed || !has_terminator(fields->body));
}

/* Returns whether the event of this message may be made from a kept head. Returns false if the message is invalid, incomplete or not
 * plain text, its sender has headers, or the user has a format or some fields to keep. */
static bool may_have_head(const struct ps_syslog_single *parser, const struct start *start,
                          const struct ps_syslog_client *client)
{
    return !start->bad && !start->incomplete && start->plain && client == NULL && parser->matcher == NULL &&
           (parser->rules->keep & ~(unsigned)PS_KEEP_ALL) == 0;
}

static void push_stem(struct ps_syslog_single *parser, const struct start *start, const struct fields *fields,
                      bool in_place, struct ps_syslog_row *row)
{
    const struct ps_syslog_names *names = &parser->rules->names;
    ps_syslog_row_push(row, names->facility, ps_decimal(start->priority / 8));
    ps_syslog_row_push(row, names->severity, ps_decimal(start->priority % 8));
    if (fields->priority.length > 0)
        ps_syslog_row_push(row, names->priority, fields->priority);
    if (fields->version.length > 0)
        ps_syslog_row_push(row, names->version, fields->version);
    if (fields->has_time)
        ps_syslog_row_push(row, names->timestamp, render_time(parser, fields, in_place, row));
}

/* `stems`: the stem of an earlier event of the batch may be used. `in_place`: see render_time. */
static enum ps_parsed add_row(struct ps_syslog_single *parser, struct ps_batch *batch,
                              const struct start *start, const struct fields *fields,
                              const struct ps_slice *body, const struct ps_syslog_client *client,
                              bool in_place, bool stems)
{
    const struct ps_syslog_names *names = &parser->rules->names;
    struct ps_syslog_heads *heads = &parser->heads;
    struct ps_syslog_stem *stem =
        stems && fields->has_time ? ps_syslog_stem_of(heads, start->priority) : NULL;
    bool fits =
        stem != NULL && ps_syslog_stem_fits(heads, stem, fields->priority, fields->version, fields->ms);
    uint32_t headers =
        (fits ? 0 : 2U + (fields->priority.length > 0) + (fields->version.length > 0) + fields->has_time) +
        (fields->host.length > 0) + (start->bad || start->incomplete) +
        (fields->is_structured ? PS_SYSLOG_STRUCTURED : 0);
    struct ps_syslog_row row;
    if (!ps_syslog_row_init(&row, batch, headers, client,
                            fields->has_time && !in_place && !fits ? PS_SYSLOG_TIME_BYTES : 0))
        return PS_PARSED_MEMORY;
    struct ps_event *event = ps_batch_add(batch, (char *)(uintptr_t)body->data, body->length);
    if (event == NULL)
        return PS_PARSED_FULL;
    if (fits)
        ps_syslog_stem_push(stem, &row, batch);
    else
        push_stem(parser, start, fields, in_place, &row);
    if (stem != NULL && !fits)
        ps_syslog_stem_keep(heads, stem, &row, fields->priority, fields->version, fields->ms);
    if (fields->host.length > 0)
        ps_syslog_row_push(&row, names->host, fields->host);
    for (unsigned i = 0; fields->is_structured && i < PS_SYSLOG_STRUCTURED; i++) {
        if (fields->structured[i].length > 0)
            ps_syslog_row_push(&row, parser->rules->structured[i], fields->structured[i]);
    }
    if (start->bad || start->incomplete)
        ps_syslog_row_push(&row, names->status,
                           start->bad ? ps_syslog_status_invalid : ps_syslog_status_incomplete);
    if (client != NULL)
        ps_syslog_row_client(&row, client);
    ps_syslog_row_finish(&row, batch, event);
    return PS_PARSED_ADDED;
}

/* Sets the fields of a message with this head. */
static void fields_of_head(const struct ps_syslog_head *head, const char *line, uint32_t length,
                           struct fields *fields)
{
    *fields = (struct fields){.priority = ps_syslog_part_slice(line, head->parts.priority),
                              .version = ps_syslog_part_slice(line, head->parts.version),
                              .stamp = ps_syslog_part_slice(line, head->parts.stamp),
                              .host = ps_syslog_part_slice(line, head->parts.host),
                              .body = {line + head->length, length - head->length},
                              .has_body = true,
                              .has_time = true,
                              .ms = head->parts.ms};
}

static struct ps_syslog_head *keep_head(struct ps_syslog_heads *heads, const char *line, uint32_t length,
                                        const struct fields *fields)
{
    /* without a body the structured data, which ends the head, may be longer in another message */
    bool keeps = fields->has_time && fields->body.length > 0;
    struct ps_syslog_head *head = keeps ? ps_syslog_heads_keep(heads, line, length, fields->body.data) : NULL;
    if (head != NULL)
        head->parts = (struct ps_syslog_parts){.priority = ps_syslog_part_of(line, fields->priority),
                                               .version = ps_syslog_part_of(line, fields->version),
                                               .stamp = ps_syslog_part_of(line, fields->stamp),
                                               .host = ps_syslog_part_of(line, fields->host),
                                               .ms = fields->ms};
    return head;
}

/* Returns false if the message has no structured data, but another one with this head may have it. */
static bool keeps_structure(const struct ps_syslog_single_rules *rules, const struct fields *fields)
{
    return rules->structured[0] == NULL || fields->version.length == 0 || fields->is_structured;
}

/* `sought`: the batch has no event with the head. Inline: a call would cost the usual message 5 % of its instructions. */
static inline __attribute__((always_inline)) enum ps_parsed
build(struct ps_syslog_single *parser, struct ps_batch *batch, char *line, uint32_t length,
      const struct start *start, const struct ps_syslog_client *client, bool sought)
{
    const struct ps_syslog_single_rules *rules = parser->rules;
    bool keeps = may_have_head(parser, start, client);
    const struct ps_syslog_head *same = NULL;
    ps_syslog_heads_begin(&parser->heads, &parser->time, batch);
    if (!sought && keeps)
        same = ps_syslog_heads_find(&parser->heads, &parser->time, batch, line, length);
    if (same != NULL)
        return ps_syslog_heads_add(same, batch, line, length, rules->keep != 0) ? PS_PARSED_ADDED
                                                                                : PS_PARSED_FULL;
    struct fields fields;
    struct ps_slice body = {line, length};
    bool memory = true, formatted = false, has_fields = true;
    /* structured data is part of a kept head, and not of its parts */
    struct ps_syslog_head *head = keeps && rules->structured[0] == NULL ? parser->heads.known : NULL;
    if (head != NULL)
        fields_of_head(head, line, length, &fields);
    else
        has_fields = split(parser, batch, line, length, start, &fields, &formatted, &memory);
    if (has_fields) {
        if (PS_UNLIKELY(rules->structured[0] != NULL))
            take_structured(&fields);
        memory = make_body(rules, batch, &fields, start->plain, &body);
    } else {
        fields = (struct fields){0};
    }
    if (!memory)
        return PS_PARSED_MEMORY;
    if (keeps && head == NULL && keeps_structure(rules, &fields))
        head = keep_head(&parser->heads, line, length, &fields);
    /* the log may quote the bytes of a message that is cut */
    bool in_place =
        !formatted && !start->incomplete && body.data != line && fields.stamp.length >= TIME_DIGITS;
    enum ps_parsed parsed = add_row(parser, batch, start, &fields, &body, client, in_place, keeps);
    if (parsed != PS_PARSED_ADDED)
        return parsed;
    if (head != NULL)
        ps_syslog_heads_kept(&parser->heads, head, batch);
    if (start->bad)
        ps_syslog_mistake_add(&parser->mistakes, PS_SYSLOG_INVALID, line, length);
    else if (start->incomplete)
        ps_syslog_mistake_add(&parser->mistakes, PS_SYSLOG_CUT, line, length);
    return parsed;
}

/* The states START and PRIO of SyslogUtils. Returns the number of bytes read before state DATA, or 0 when the
 * bytes end earlier. A newline in PRIO is data. */
static inline __attribute__((always_inline)) uint32_t read_start(const char *line, uint32_t length,
                                                                 struct start *start)
{
    *start = (struct start){0};
    if (length == 0)
        return 0;
    if (line[0] != '<') {
        start->bad = true;
        return 1;
    }
    for (uint32_t i = 1; i < length; i++) {
        if (line[i] == '>') {
            start->bad = start->digits == 0;
            return i + 1;
        }
        if (!ps_syslog_is_digit(line[i]) || start->digits == 3) {
            start->bad = true;
            return i + 1;
        }
        start->priority = start->priority * 10 + (unsigned)(line[i] - '0');
        start->digits++;
    }
    return 0;
}

enum ps_parsed ps_syslog_single_next(struct ps_syslog_single *parser, struct ps_batch *batch, char *data,
                                     uint32_t length, const struct ps_syslog_client *client, uint32_t *used)
{
    if (PS_LIKELY(client == NULL &&
                  ps_syslog_heads_add_line(&parser->heads, &parser->time, batch, data, length,
                                           parser->rules->size_max, parser->rules->keep != 0, used)))
        return PS_PARSED_ADDED;
    uint32_t skipped = 0;
    while (skipped < length && data[skipped] == '\n')
        skipped++;
    char *line = data + skipped;
    length -= skipped;
    struct start start;
    uint32_t from = read_start(line, length, &start), size_max = parser->rules->size_max;
    const char *newline = NULL;
    if (from > 0) {
        uint32_t look = length < size_max ? length : size_max;
        newline = ps_text_find_newline(line, from, look, &start.plain);
    }
    uint32_t end = newline != NULL ? (uint32_t)(newline - line) : length, taken;
    if (newline != NULL) {
        taken = end + 1;
    } else if (from > 0 && length >= size_max && (parser->cuts || !parser->rules->asks)) {
        taken = end = size_max;
        start.incomplete = true;
        parser->cuts = false;
    } else if (parser->rules->datagrams) {
        taken = end;
        if (from == 0 && start.digits == 0) { /* no priority number: Flume fails and drops the message */
            *used = skipped + length;
            return PS_PARSED_DROPPED;
        }
    } else {
        *used = skipped;
        return PS_PARSED_PARTIAL;
    }
    if (start.bad)
        start.priority = 0;
    enum ps_parsed parsed = build(parser, batch, line, end, &start, client, newline != NULL && skipped == 0);
    *used = parsed == PS_PARSED_ADDED ? skipped + taken : 0;
    return parsed;
}

enum ps_parsed ps_syslog_single_message(struct ps_syslog_single *parser, struct ps_batch *batch, char *data,
                                        uint32_t length, bool cut, const struct ps_syslog_client *client)
{
    struct start start;
    uint32_t from = read_start(data, length, &start);
    if (length == 0)
        return PS_PARSED_DROPPED;
    start.bad |= from == 0;
    start.priority = start.bad ? 0 : start.priority;
    start.incomplete = cut;
    start.framed = true;
    start.plain = ps_text_is_plain(data, length);
    return build(parser, batch, data, length, &start, client, false);
}
