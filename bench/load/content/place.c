/* Decides where the stamp goes in a template, which bytes it covers, and where padding goes. Works on the
 * parts before they become ops. */
#include <string.h>

#include "bench/load/content/internal.h"

static enum ps_status part_insert(struct ps_template *template, uint32_t at, struct ps_template_part part,
                                  struct ps_err *err)
{
    if (template->count == PS_TEMPLATE_PARTS_MAX)
        return ps_template_fail(template->text, part.offset, err, "more than %u fields and texts",
                                PS_TEMPLATE_PARTS_MAX);
    memmove(template->parts + at + 1, template->parts + at, (template->count - at) * sizeof part);
    template->parts[at] = part;
    template->count++;
    return PS_OK;
}

static void part_remove(struct ps_template *template, uint32_t at)
{
    template->count--;
    memmove(template->parts + at, template->parts + at + 1, (template->count - at) * sizeof *template->parts);
}

/* Removes the stamp's field, and the blank next to it. */
static void stamp_remove(struct ps_template *template, uint32_t at)
{
    struct ps_template_part *parts = template->parts;
    part_remove(template, at);
    bool behind = at < template->count;
    if (behind && parts[at].kind == PS_TEMPLATE_TEXT && parts[at].text[0] == ' ') {
        parts[at].text++;
        parts[at].length--;
    } else if (!behind && at > 0 && parts[at - 1].kind == PS_TEMPLATE_TEXT &&
               parts[at - 1].text[parts[at - 1].length - 1] == ' ') {
        parts[--at].length--;
    }
    if (at < template->count && parts[at].kind == PS_TEMPLATE_TEXT && parts[at].length == 0)
        part_remove(template, at);
}

/* Inserts a stamp in front of the first free text. */
static enum ps_status stamp_insert(struct ps_template *template, const char *what, struct ps_err *err)
{
    uint32_t at = 0;
    while (at < template->count && template->parts[at].kind != PS_TEMPLATE_WORDS &&
           template->parts[at].kind != PS_TEMPLATE_PAD)
        at++;
    if (at == template->count)
        return ps_err_set(
            err,
            "%s: there is no place for the stamp; write {stamp} where text is allowed, or use --no-stamp",
            what);
    uint32_t offset = template->parts[at].offset;
    bool blank = template->parts[at].kind == PS_TEMPLATE_WORDS;
    struct ps_template_part text = {.kind = PS_TEMPLATE_TEXT, .offset = offset, .text = " ", .length = 1};
    if (blank && part_insert(template, at, text, err) != PS_OK)
        return PS_FAIL;
    return part_insert(template, at, (struct ps_template_part){.kind = PS_TEMPLATE_STAMP, .offset = offset},
                       err);
}

/* The covered bytes end before the next quote of the template's text: at a quote a JSON string ends, and software that
 * parses the record may write the rest in another form. */
static enum ps_status cover_end_insert(struct ps_template *template, uint32_t at, struct ps_err *err)
{
    for (; at < template->count; at++) {
        struct ps_template_part head = template->parts[at];
        const char *quote = head.kind == PS_TEMPLATE_TEXT ? memchr(head.text, '"', head.length) : NULL;
        if (quote == NULL)
            continue;
        struct ps_template_part *tail = &template->parts[at];
        tail->text = quote;
        tail->length = head.length - (uint32_t)(quote - head.text);
        head.length = (uint32_t)(quote - head.text);
        struct ps_template_part end = {.kind = PS_TEMPLATE_COVER_END, .offset = head.offset};
        if (part_insert(template, at, end, err) != PS_OK)
            return PS_FAIL;
        return head.length > 0 ? part_insert(template, at, head, err) : PS_OK;
    }
    return PS_OK;
}

/* A size needs padding; where the template has none it is put at the end. */
static enum ps_status pad_place(struct ps_content *content, uint32_t size_bytes, struct ps_err *err)
{
    struct ps_template *template = &content->template;
    if ((size_bytes == 0 && ps_template_find(template, PS_TEMPLATE_SIZE) < 0) ||
        ps_template_find(template, PS_TEMPLATE_PAD) >= 0)
        return PS_OK;
    struct ps_template_part pad = {.kind = PS_TEMPLATE_PAD, .offset = (uint32_t)strlen(template->text)};
    return part_insert(template, template->count, pad, err);
}

static enum ps_status stamp_place(struct ps_content *content, const char *what, struct ps_err *err)
{
    struct ps_template *template = &content->template;
    int at = ps_template_find(template, PS_TEMPLATE_STAMP);
    if (!content->stamp) {
        if (at >= 0)
            stamp_remove(template, (uint32_t)at);
        return PS_OK;
    }
    if (at < 0 && stamp_insert(template, what, err) != PS_OK)
        return PS_FAIL;
    at = ps_template_find(template, PS_TEMPLATE_STAMP);
    return cover_end_insert(template, (uint32_t)at + 1, err);
}

enum ps_status ps_content_place(struct ps_content *content, uint32_t size_bytes, const char *what,
                                struct ps_err *err)
{
    if (stamp_place(content, what, err) != PS_OK)
        return PS_FAIL;
    return pad_place(content, size_bytes, err);
}
