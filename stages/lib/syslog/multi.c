#include "stages/lib/syslog/multi.h"

#include "stages/lib/text/scan.h"
#include "core/text/utf8.h"

#include <string.h>

#define PRIORITY_CHARS_MAX 5 /* maximum number of characters between "<" and ">" */
#define RFC3164_CHARS 15
#define TIME_BYTES_MAX 24U   /* room for any 64-bit number */
#define NUMBER_BYTES_MAX 12U /* room for any facility or severity */
#define TIME_IN_PLACE_MIN 15U
/* Times nearer to 0 have at most 15 characters, sign included */
#define TIME_IN_PLACE_LIMIT INT64_C(100000000000000)

void ps_syslog_multi_init(struct ps_syslog_multi *parser, const struct ps_syslog_multi_rules *rules)
{
    *parser = (struct ps_syslog_multi){.rules = rules};
    ps_syslog_time_init(&parser->time, rules->zone);
}

struct fields {
    struct ps_slice priority, version, stamp, host, body;
    int number; /* the priority as a number */
    int64_t ms;
};

/* Java's Integer.parseInt for one to five characters. */
static bool parse_number(struct ps_slice text, int *number)
{
    uint32_t i = text.length > 0 && (text.data[0] == '-' || text.data[0] == '+');
    int value = 0;
    if (i == text.length)
        return false;
    for (uint32_t k = i; k < text.length; k++) {
        if (text.data[k] < '0' || text.data[k] > '9')
            return false;
        value = value * 10 + (text.data[k] - '0');
    }
    *number = text.data[0] == '-' ? -value : value;
    return true;
}

static const char *find(const char *p, const char *end, char c)
{
    return memchr(p, c, (size_t)(end - p));
}

/* Returns how many bytes the first `chars` Java chars take, or SIZE_MAX unless at least one more follows. */
static size_t skip_chars(const char *p, const char *end, unsigned chars)
{
    const char *q = p;
    for (unsigned i = 0; i < chars; i++) {
        if (q >= end)
            return SIZE_MAX;
        uint8_t byte = (uint8_t)*q;
        size_t width = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
        if (width == 4)
            i++; /* a surrogate pair: two Java chars */
        q += width;
    }
    return q < end ? (size_t)(q - p) : SIZE_MAX;
}

/* Parses the time stamp and sets *next to the start of the host. */
static bool parse_stamp(struct ps_syslog_time *time, const char *p, const char *end, struct fields *fields,
                        const char **next)
{
    if (*p == '-') { /* no time stamp: use the current time */
        size_t host = skip_chars(p, end, 2);
        if (host == SIZE_MAX)
            return false;
        fields->stamp = (struct ps_slice){p, 1};
        fields->ms = time->now_ms;
        *next = p + host;
        return true;
    }
    if (*p >= 'A' && *p <= 'Z') {
        size_t chars = skip_chars(p, end, RFC3164_CHARS);
        if (chars == SIZE_MAX)
            return false;
        fields->stamp = (struct ps_slice){p, (uint32_t)chars};
        fields->ms = ps_syslog_time_utc3164(time, p, (uint32_t)chars);
        size_t one = skip_chars(p + chars, end, 1); /* Flume skips one character and does not check it */
        *next = one == SIZE_MAX ? end : p + chars + one;
        return true;
    }
    const char *blank = find(p, end, ' ');
    if (blank == NULL)
        return false;
    fields->stamp = (struct ps_slice){p, (uint32_t)(blank - p)};
    *next = blank + 1;
    return ps_syslog_time_utc5424(time, p, fields->stamp.length, &fields->ms);
}

/* Splits a line into its fields as SyslogParser.parseMessage does. `line` is well-formed UTF-8, not empty. */
static bool parse(struct ps_syslog_time *time, const char *line, uint32_t length, struct fields *fields)
{
    const char *end = line + length;
    uint32_t look = length < PRIORITY_CHARS_MAX + 2 ? length : PRIORITY_CHARS_MAX + 2;
    const char *bracket = line[0] == '<' ? find(line, line + look, '>') : NULL;
    if (bracket == NULL)
        return false;
    fields->priority = (struct ps_slice){line + 1, (uint32_t)(bracket - line - 1)};
    if (!parse_number(fields->priority, &fields->number))
        return false;
    const char *p = bracket + 1;
    if (p == end)
        return false;
    fields->version = (struct ps_slice){p, 0};
    if (end - p > 2 && p[0] == '1' && p[1] == ' ') {
        fields->version.length = 1;
        p += 2;
    }
    const char *host;
    if (!parse_stamp(time, p, end, fields, &host))
        return false;
    const char *blank = find(host, end, ' ');
    if (blank == NULL)
        return false;
    fields->host = (struct ps_slice){host, (uint32_t)(blank - host)};
    fields->body = (struct ps_slice){blank + 1, (uint32_t)(end - blank - 1)};
    return true;
}

/* Puts the kept fields in front of the body (SyslogUtils.addFieldsToBody). Returns data NULL when there is no
 * memory. */
static struct ps_slice keep_fields(unsigned keep, struct ps_batch *batch, const struct fields *fields)
{
    const struct {
        bool kept;
        struct ps_slice text;
        const char *before, *after;
    } pieces[] = {
        {keep & PS_KEEP_PRIORITY, fields->priority, "<", ">"},
        {(keep & PS_KEEP_VERSION) && fields->version.length > 0, fields->version, "", " "},
        {keep & PS_KEEP_TIMESTAMP, fields->stamp, "", " "},
        {keep & PS_KEEP_HOSTNAME, fields->host, "", " "},
        {true, fields->body, "", ""},
    };
    char *room =
        ps_batch_alloc(batch, fields->priority.length + fields->version.length + fields->stamp.length +
                                  fields->host.length + fields->body.length + 8);
    char *to = room;
    for (size_t i = 0; room != NULL && i < PS_COUNT_OF(pieces); i++) {
        if (!pieces[i].kept)
            continue;
        to = stpcpy(to, pieces[i].before);
        memcpy(to, pieces[i].text.data, pieces[i].text.length);
        to = stpcpy(to + pieces[i].text.length, pieces[i].after);
    }
    return (struct ps_slice){room, (uint32_t)(to - room)};
}

static struct ps_slice decimal(int value, struct ps_syslog_row *row)
{
    if (value >= 0 && value < PS_PRIORITY_COUNT)
        return ps_decimal((unsigned)value);
    struct ps_slice text = {row->bytes, ps_time_render(value, row->bytes)};
    row->bytes += text.length;
    return text;
}

/* Writes the time as a decimal number. `in_place`: over the time stamp, whose bytes are not part of the
 * body. */
static struct ps_slice render_time(const struct fields *fields, bool in_place, struct ps_syslog_row *row)
{
    char text[TIME_BYTES_MAX];
    uint32_t length = ps_time_render(fields->ms, text);
    char *to = in_place ? (char *)(uintptr_t)fields->stamp.data : row->bytes;
    if (!in_place)
        row->bytes += length;
    memcpy(to, text, length);
    return (struct ps_slice){to, length};
}

static void push_stem(const struct ps_syslog_names *names, const struct fields *fields, bool in_place,
                      struct ps_syslog_row *row)
{
    ps_syslog_row_push(row, names->priority, fields->priority);
    ps_syslog_row_push(row, names->facility, decimal(fields->number / 8, row));
    ps_syslog_row_push(row, names->severity, decimal(fields->number % 8, row));
    if (fields->version.length > 0)
        ps_syslog_row_push(row, names->version, fields->version);
    ps_syslog_row_push(row, names->timestamp, render_time(fields, in_place, row));
}

/* One received line and its decoded text. */
struct line {
    char *raw;
    uint32_t raw_length;
    char *text; /* UTF-8; points to the raw bytes when they are UTF-8 already */
    uint32_t length;
    bool incomplete; /* cut at size_max */
    bool plain;      /* plain text (stages/lib/text/scan.h) in a character set whose bytes are UTF-8 then */
    bool decoded;    /* false: malformed; the event is Invalid and has the raw bytes as body */
};

/* Returns whether plain text in the character set of the port is the same in UTF-8. */
static bool is_bytes(const struct ps_transcoder *transcoder)
{
    return transcoder->charset->unit == 1 && transcoder->charset->kind < PS_CHARSET_UTF16;
}

/* Decodes a line up to its first NUL as MINA's IoBuffer.getString does; clears line->decoded when it is
 * malformed. Returns false when there is no memory. */
static bool decode(struct ps_batch *batch, struct ps_transcoder *transcoder, struct line *line)
{
    line->text = line->raw;
    line->length = line->raw_length;
    line->decoded = true;
    if (transcoder->charset->unit == 1) {
        line->plain = is_bytes(transcoder) && ps_text_is_plain(line->raw, line->raw_length);
        if (line->plain)
            return true;
        const char *nul = memchr(line->raw, '\0', line->raw_length);
        if (nul != NULL)
            line->length = (uint32_t)(nul - line->raw);
        if (transcoder->charset->kind == PS_CHARSET_UTF8) {
            line->decoded = ps_utf8_valid_length(line->text, line->length) == line->length;
            return true;
        }
    }
    if (transcoder->charset->unit == 2) /* as MINA: drops the odd byte that a two-byte newline leaves */
        line->length &= ~1U;
    char *copy = ps_batch_alloc(batch, (uint32_t)PS_CHARSET_DECODED_MAX(line->length));
    if (copy == NULL)
        return false;
    size_t used = 0;
    line->decoded = ps_transcoder_decode(transcoder, line->raw, line->length, false, false, copy, &used);
    if (line->decoded) {
        const char *nul = memchr(copy, '\0', used);
        line->text = copy;
        line->length = (uint32_t)(nul != NULL ? (size_t)(nul - copy) : used);
    }
    return true;
}

/* Encodes the body in the port's character set. Returns data NULL when there is no memory. */
static struct ps_slice encode(struct ps_batch *batch, struct ps_transcoder *transcoder, struct ps_slice body)
{
    if (transcoder->charset->kind == PS_CHARSET_UTF8 || body.length == 0 ||
        (transcoder->charset->kind <= PS_CHARSET_LATIN1 &&
         ps_utf8_char_count(body.data, body.length) == body.length))
        return body;
    char *room = ps_batch_alloc(batch, (uint32_t)PS_CHARSET_ENCODED_MAX(body.length));
    size_t used = 0;
    if (room != NULL)
        ps_transcoder_encode(transcoder, body.data, body.length, room, &used);
    return (struct ps_slice){room, (uint32_t)used};
}

/* Returns whether an event may be made from a kept head. Returns false if the line is cut or not plain, its sender has headers, or
 * the user keeps some fields. */
static bool may_have_head(const struct ps_syslog_multi *parser, const struct line *line,
                          const struct ps_syslog_client *client)
{
    return !line->incomplete && line->plain && client == NULL &&
           (parser->rules->keep & ~(unsigned)PS_KEEP_ALL) == 0;
}

/* Sets the fields of a line with this head. */
static void fields_of_head(const struct ps_syslog_head *head, const struct line *line, struct fields *fields)
{
    const char *text = line->text;
    *fields = (struct fields){.number = head->parts.number,
                              .priority = ps_syslog_part_slice(text, head->parts.priority),
                              .version = ps_syslog_part_slice(text, head->parts.version),
                              .stamp = ps_syslog_part_slice(text, head->parts.stamp),
                              .host = ps_syslog_part_slice(text, head->parts.host),
                              .body = {text + head->length, line->length - head->length},
                              .ms = head->parts.ms};
}

static struct ps_syslog_head *keep_head(struct ps_syslog_heads *heads, const struct line *line,
                                        const struct fields *fields)
{
    /* the stamp "-" means the time of the message's arrival */
    bool keeps = fields->stamp.length > 1 && fields->body.length > 0;
    struct ps_syslog_head *head =
        keeps ? ps_syslog_heads_keep(heads, line->text, line->length, fields->body.data) : NULL;
    if (head != NULL)
        head->parts = (struct ps_syslog_parts){.priority = ps_syslog_part_of(line->text, fields->priority),
                                               .version = ps_syslog_part_of(line->text, fields->version),
                                               .stamp = ps_syslog_part_of(line->text, fields->stamp),
                                               .host = ps_syslog_part_of(line->text, fields->host),
                                               .number = fields->number,
                                               .ms = fields->ms};
    return head;
}

/* Pushes the headers of a parsed line up to the time: those of an earlier event of the batch if it `fits`, or new ones. */
static void push_to_time(struct ps_syslog_multi *parser, struct ps_batch *batch, const struct fields *fields,
                         struct ps_syslog_stem *stem, bool fits, bool in_place, struct ps_syslog_row *row)
{
    if (fits) {
        ps_syslog_stem_push(stem, row, batch);
        return;
    }
    push_stem(&parser->rules->names, fields, in_place, row);
    if (stem != NULL)
        ps_syslog_stem_keep(&parser->heads, stem, row, fields->priority, fields->version, fields->ms);
}

/* Adds the event of a parsed line. `structured`: its structured data, or NULL. `keeps`: see may_have_head. */
static enum ps_parsed add_row(struct ps_syslog_multi *parser, struct ps_batch *batch, const struct line *line,
                              const struct fields *fields, const struct ps_syslog_structured *structured,
                              struct ps_slice body, bool in_place, bool keeps,
                              const struct ps_syslog_client *client)
{
    const struct ps_syslog_multi_rules *rules = parser->rules;
    bool plain_number = fields->number >= 0 && fields->number < PS_PRIORITY_COUNT;
    struct ps_syslog_stem *stem =
        keeps && plain_number ? ps_syslog_stem_of(&parser->heads, (unsigned)fields->number) : NULL;
    bool fits = stem != NULL &&
                ps_syslog_stem_fits(&parser->heads, stem, fields->priority, fields->version, fields->ms);
    uint32_t headers = (fits ? 1U : 5U + (fields->version.length > 0)) + line->incomplete +
                       (structured != NULL ? PS_SYSLOG_STRUCTURED : 0);
    uint32_t bytes = (plain_number ? 0 : 2 * NUMBER_BYTES_MAX) + (in_place || fits ? 0 : TIME_BYTES_MAX);
    struct ps_syslog_row row;
    if (!ps_syslog_row_init(&row, batch, headers, client, bytes))
        return PS_PARSED_MEMORY;
    struct ps_event *event = ps_batch_add(batch, (char *)(uintptr_t)body.data, body.length);
    if (event == NULL)
        return PS_PARSED_FULL;
    push_to_time(parser, batch, fields, stem, fits, in_place, &row);
    ps_syslog_row_push(&row, rules->names.host, fields->host);
    for (unsigned i = 0; structured != NULL && i < PS_SYSLOG_STRUCTURED; i++) {
        if (structured->fields[i].length > 0)
            ps_syslog_row_push(&row, rules->structured[i], structured->fields[i]);
    }
    if (line->incomplete) {
        ps_syslog_row_push(&row, rules->names.status, ps_syslog_status_incomplete);
        ps_syslog_mistake_add(&parser->mistakes, PS_SYSLOG_CUT, line->raw, line->raw_length);
    }
    if (client != NULL)
        ps_syslog_row_client(&row, client);
    ps_syslog_row_finish(&row, batch, event);
    return PS_PARSED_ADDED;
}

/* Adds the event of a line that is no syslog message. */
static enum ps_parsed add_invalid(struct ps_syslog_multi *parser, struct ps_batch *batch,
                                  const struct line *line, struct ps_slice body,
                                  const struct ps_syslog_client *client, uint64_t *failed)
{
    struct ps_syslog_row row;
    if (!ps_syslog_row_init(&row, batch, 1, client, 0))
        return PS_PARSED_MEMORY;
    struct ps_event *event = ps_batch_add(batch, (char *)(uintptr_t)body.data, body.length);
    if (event == NULL)
        return PS_PARSED_FULL;
    ps_syslog_row_push(&row, parser->rules->names.status, ps_syslog_status_invalid);
    ++*failed;
    ps_syslog_mistake_add(&parser->mistakes, PS_SYSLOG_INVALID, line->raw, line->raw_length);
    if (client != NULL)
        ps_syslog_row_client(&row, client);
    ps_syslog_row_finish(&row, batch, event);
    return PS_PARSED_ADDED;
}

/* `sought`: the batch has no event with the head. */
static enum ps_parsed build(struct ps_syslog_multi *parser, struct ps_batch *batch,
                            struct ps_transcoder *transcoder, struct line *line,
                            const struct ps_syslog_client *client, uint64_t *failed, bool sought)
{
    const struct ps_syslog_multi_rules *rules = parser->rules;
    struct fields fields = {0};
    if (!decode(batch, transcoder, line))
        return PS_PARSED_MEMORY;
    if (line->decoded && line->length == 0)
        return PS_PARSED_DROPPED;
    bool keeps = may_have_head(parser, line, client);
    const struct ps_syslog_head *same = NULL;
    ps_syslog_heads_begin(&parser->heads, &parser->time, batch);
    if (!sought && keeps)
        same = ps_syslog_heads_find(&parser->heads, &parser->time, batch, line->text, line->length);
    if (same != NULL)
        return ps_syslog_heads_add(same, batch, line->text, line->length, rules->keep != 0) ? PS_PARSED_ADDED
                                                                                            : PS_PARSED_FULL;
    /* structured data is part of a kept head, and not of its parts */
    struct ps_syslog_head *head = keeps && rules->structured[0] == NULL ? parser->heads.known : NULL;
    if (head != NULL)
        fields_of_head(head, line, &fields);
    else if (!line->decoded)
        return add_invalid(parser, batch, line, (struct ps_slice){line->raw, line->raw_length}, client,
                           failed);
    bool parsed = head != NULL || parse(&parser->time, line->text, line->length, &fields);
    struct ps_slice body = {line->text, line->length};
    struct ps_syslog_structured structured;
    bool is_structured = PS_UNLIKELY(rules->structured[0] != NULL) && parsed && fields.version.length > 0 &&
                         ps_syslog_structured_split(fields.body.data, fields.body.length, &structured);
    if (is_structured)
        fields.body = structured.message;
    if (parsed && (fields.body.length > 0 || is_structured) && !(rules->keep & PS_KEEP_ALL)) {
        body = rules->keep != 0 ? keep_fields(rules->keep, batch, &fields) : fields.body;
        if (body.data == NULL)
            return PS_PARSED_MEMORY;
    }
    bool whole = body.data == line->text;
    if ((body = encode(batch, transcoder, body)).data == NULL)
        return PS_PARSED_MEMORY;
    if (!parsed)
        return add_invalid(parser, batch, line, body, client, failed);
    /* the log may quote the bytes of a message that is cut */
    bool in_place = !whole && !line->incomplete && fields.stamp.length >= TIME_IN_PLACE_MIN &&
                    fields.ms > -TIME_IN_PLACE_LIMIT && fields.ms < TIME_IN_PLACE_LIMIT;
    /* a message without structured data may have the head of one with it */
    bool alike = rules->structured[0] == NULL || fields.version.length == 0 || is_structured;
    if (keeps && head == NULL && alike)
        head = keep_head(&parser->heads, line, &fields);
    enum ps_parsed added = add_row(parser, batch, line, &fields, is_structured ? &structured : NULL, body,
                                   in_place, keeps, client);
    if (added == PS_PARSED_ADDED && head != NULL)
        ps_syslog_heads_kept(&parser->heads, head, batch);
    return added;
}

enum ps_parsed ps_syslog_multi_next(struct ps_syslog_multi *parser, struct ps_batch *batch,
                                    struct ps_transcoder *transcoder, char *data, uint32_t length,
                                    const struct ps_syslog_client *client, uint32_t *used, uint64_t *failed)
{
    uint32_t size_max = parser->rules->size_max;
    if (PS_LIKELY(client == NULL && is_bytes(transcoder) &&
                  ps_syslog_heads_add_line(&parser->heads, &parser->time, batch, data, length, size_max,
                                           parser->rules->keep != 0, used)))
        return PS_PARSED_ADDED;
    uint32_t look = length < size_max ? length : size_max;
    const char *newline = look > 0 ? memchr(data, '\n', look) : NULL;
    struct line line = {.raw = data};
    *used = 0;
    if (newline != NULL) {
        line.raw_length = (uint32_t)(newline - data);
    } else if (length >= size_max && (parser->cuts || !parser->rules->asks)) {
        line.raw_length = size_max;
        line.incomplete = true;
        parser->cuts = false;
    } else {
        return PS_PARSED_PARTIAL;
    }
    enum ps_parsed parsed = build(parser, batch, transcoder, &line, client, failed, newline != NULL);
    if (parsed == PS_PARSED_ADDED || parsed == PS_PARSED_DROPPED)
        *used = line.raw_length + (newline != NULL);
    return parsed;
}

enum ps_parsed ps_syslog_multi_message(struct ps_syslog_multi *parser, struct ps_batch *batch,
                                       struct ps_transcoder *transcoder, char *data, uint32_t length,
                                       bool cut, const struct ps_syslog_client *client, uint64_t *failed)
{
    struct line line = {.raw = data, .raw_length = length, .incomplete = cut};
    return build(parser, batch, transcoder, &line, client, failed, false);
}
