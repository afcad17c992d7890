/* Parses the template; template_fields.c parses the arguments of fields. */
#include "bench/load/content/template.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/text/nearest.h"
#include "core/quantity.h"

#define NAME_BYTES_MAX 32U
#define ARGUMENTS_MAX 4100U

struct reader {
    struct ps_template *template;
    struct ps_arena *arena;
    const char *text;
    uint32_t length, at;
    /* room for texts and arguments whose escapes were removed: they are never longer than the input */
    char *spare;
    struct ps_err *err;
};

static uint32_t column(const char *text, uint32_t offset)
{
    uint32_t count = 1;
    for (uint32_t i = 0; i < offset; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

enum ps_status ps_template_fail(const char *text, uint32_t offset, struct ps_err *err, const char *format,
                                ...)
{
    char reason[PS_ERR_BYTES / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return ps_err_set(err, "template, column %u: %s", column(text, offset), reason);
}

int ps_template_find(const struct ps_template *template, enum ps_template_kind kind)
{
    for (uint32_t i = 0; i < template->count; i++) {
        if (template->parts[i].kind == kind)
            return (int)i;
    }
    return -1;
}

static bool is_letter(char c)
{
    return c >= 'a' && c <= 'z';
}

static enum ps_status part_add(struct reader *reader, const struct ps_template_part *part)
{
    struct ps_template *template = reader->template;
    if (template->count == PS_TEMPLATE_PARTS_MAX)
        return ps_template_fail(reader->text, part->offset, reader->err, "more than %u fields and texts",
                                PS_TEMPLATE_PARTS_MAX);
    template->parts[template->count++] = *part;
    return PS_OK;
}

/* Reads text up to the next field. */
static enum ps_status text_read(struct reader *reader)
{
    struct ps_template_part part = {.kind = PS_TEMPLATE_TEXT, .offset = reader->at};
    char *copy = reader->spare;
    for (; reader->at < reader->length; reader->at++) {
        const char *at = reader->text + reader->at;
        if (at[0] == '{' && is_letter(at[1]))
            break;
        if (at[0] == '{' && at[1] == '{')
            reader->at++;
        copy[part.length++] = *at;
    }
    part.text = copy;
    reader->spare += part.length;
    return part.length == 0 ? PS_OK : part_add(reader, &part);
}

/* Reads one argument up to `,` or `}`: removes escapes, splits at the first `=`. */
static void argument_read(struct reader *reader, struct ps_argument *argument)
{
    char *copy = reader->spare, *to = copy;
    *argument = (struct ps_argument){.value = copy, .offset = reader->at};
    for (;; reader->at++) {
        char c = reader->text[reader->at];
        if (c == '\0' || c == ',' || c == '}')
            break;
        if (c == '\\' && reader->text[reader->at + 1] != '\0')
            c = reader->text[++reader->at];
        else if (c == '=' && argument->name == NULL) {
            *to++ = '\0';
            argument->name = copy;
            argument->value = to;
            continue;
        }
        *to++ = c;
    }
    *to++ = '\0'; /* in place of the `,` or `}` */
    reader->spare = to;
}

static enum ps_status arguments_read(struct reader *reader, struct ps_arguments *arguments)
{
    arguments->items = ps_arena_alloc(reader->arena, sizeof *arguments->items);
    uint32_t room = 1;
    for (;;) {
        if (arguments->count == ARGUMENTS_MAX)
            return ps_template_fail(reader->text, reader->at, reader->err, "more than %u arguments",
                                    ARGUMENTS_MAX);
        if (arguments->count == room) {
            struct ps_argument *more = ps_arena_alloc(reader->arena, 2 * room * sizeof *more);
            memcpy(more, arguments->items, room * sizeof *more);
            arguments->items = more;
            room *= 2;
        }
        argument_read(reader, &arguments->items[arguments->count++]);
        if (reader->text[reader->at] != ',')
            return PS_OK;
        reader->at++;
    }
}

static const struct ps_template_field *field_find(const char *name)
{
    const struct ps_template_field *field = ps_template_fields;
    while (field->name != NULL && strcmp(field->name, name) != 0)
        field++;
    return field->name != NULL ? field : NULL;
}

static enum ps_status field_unknown(struct reader *reader, uint32_t offset, const char *name)
{
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, name);
    for (const struct ps_template_field *field = ps_template_fields; field->name != NULL; field++)
        ps_nearest_offer(&nearest, field->name);
    if (nearest.word != NULL)
        return ps_template_fail(reader->text, offset, reader->err,
                                "there is no field {%s}; did you mean {%s}?", name, nearest.word);
    return ps_template_fail(reader->text, offset, reader->err, "there is no field {%s}; write {{ for a brace",
                            name);
}

/* Reads the name of the distribution, or whatever comes before the second colon: {int:uniform:1..100}. */
static const char *first_read(struct reader *reader, enum ps_template_kind kind)
{
    bool distributed = kind == PS_TEMPLATE_INT || kind == PS_TEMPLATE_FLOAT || kind == PS_TEMPLATE_SIZE ||
                       kind == PS_TEMPLATE_WORDS;
    const char *from = reader->text + reader->at;
    size_t length = strspn(from, "abcdefghijklmnopqrstuvwxyz");
    if (!distributed || length == 0 || (from[length] != ':' && from[length] != '}'))
        return NULL;
    reader->at += (uint32_t)length + (from[length] == ':');
    return ps_arena_copy(reader->arena, from, length);
}

static enum ps_status unused_find(struct reader *reader, const struct ps_arguments *arguments,
                                  const struct ps_template_field *field)
{
    for (uint32_t i = 0; i < arguments->count; i++) {
        const struct ps_argument *argument = &arguments->items[i];
        if (!argument->used)
            return ps_template_fail(reader->text, argument->offset, reader->err,
                                    "{%s} does not take `%s%s%s`; it is written {%s%s}", field->name,
                                    argument->name != NULL ? argument->name : "",
                                    argument->name != NULL ? "=" : "", argument->value, field->name,
                                    field->arguments);
    }
    return PS_OK;
}

static enum ps_status field_read(struct reader *reader)
{
    struct ps_template_part part = {.offset = reader->at};
    struct ps_arguments arguments = {0};
    struct ps_err inner = {0};
    const char *first = NULL;
    char name[NAME_BYTES_MAX + 1];
    const char *from = reader->text + reader->at + 1;
    size_t length = strspn(from, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    reader->at += 1 + (uint32_t)length;
    if (length > NAME_BYTES_MAX)
        length = NAME_BYTES_MAX;
    memcpy(name, from, length);
    name[length] = '\0';
    char next = reader->text[reader->at];
    const struct ps_template_field *field = field_find(name);
    if (field == NULL)
        return field_unknown(reader, part.offset, name);
    part.kind = field->kind;
    if (next == ':') {
        reader->at++;
        first = first_read(reader, part.kind);
        if (arguments_read(reader, &arguments) != PS_OK)
            return PS_FAIL;
    }
    if (reader->text[reader->at] != '}')
        return ps_template_fail(reader->text, part.offset, reader->err, "{%s is not closed: a } is missing",
                                name);
    arguments.offset = part.offset;
    if (field->parse != NULL && field->parse(&part, reader->arena, first, &arguments, &inner) != PS_OK)
        return ps_template_fail(reader->text, arguments.offset, reader->err, "{%s}: %s", name, inner.text);
    if (unused_find(reader, &arguments, field) != PS_OK)
        return PS_FAIL;
    reader->at++;
    bool once =
        part.kind == PS_TEMPLATE_STAMP || part.kind == PS_TEMPLATE_PAD || part.kind == PS_TEMPLATE_SIZE;
    if (once && ps_template_find(reader->template, part.kind) >= 0)
        return ps_template_fail(reader->text, part.offset, reader->err,
                                "{%s} is used for the second time here", name);
    if (part.kind == PS_TEMPLATE_LINE && reader->template->lines == NULL)
        return ps_template_fail(reader->text, part.offset, reader->err,
                                "{line} needs a file to take lines from: --lines FILE");
    return part_add(reader, &part);
}

enum ps_status ps_template_parse(struct ps_template *template, struct ps_arena *arena, const char *text,
                                 struct ps_err *err)
{
    size_t length = strlen(text);
    if (length > PS_TEMPLATE_BYTES_MAX)
        return ps_err_set(err, "template: it has %s bytes, and the limit is %s",
                          ps_quantity_print_count(length).text,
                          ps_quantity_print_count(PS_TEMPLATE_BYTES_MAX).text);
    struct reader reader = {template, arena, text, (uint32_t)length, 0, ps_arena_alloc(arena, length + 1),
                            err};
    template->text = text;
    template->count = 0;
    while (reader.at < reader.length) {
        if (text_read(&reader) != PS_OK)
            return PS_FAIL;
        if (reader.at < reader.length && field_read(&reader) != PS_OK)
            return PS_FAIL;
    }
    return PS_OK;
}
