/* Turns a template's parts into ops: runs of fixed width, fields that vary, and texts that change with the
 * second or the source. */
#include <string.h>

#include "bench/load/content/internal.h"

struct maker {
    struct ps_content *content;
    struct ps_content_op *run; /* the open one, or NULL */
};

static struct ps_content_op *op_add(struct maker *maker, enum ps_content_op_kind kind,
                                    const struct ps_template_part *part)
{
    struct ps_content *content = maker->content;
    PS_ASSERT(content->op_count < PS_CONTENT_OPS_MAX);
    struct ps_content_op *op = &content->ops[content->op_count++];
    *op = (struct ps_content_op){.kind = kind, .part = part};
    /* the keys follow from the part's place in the template text, because the ops before it may change */
    if (part != NULL) {
        op->keys[0] = ps_mix(content->seed ^ UINT64_C(0x8ebc6af09c88c6e3),
                             (part->offset + 1) * UINT64_C(0x9e3779b97f4a7c15));
        op->keys[1] = ps_mix_next(op->keys[0] ^ content->seed);
    }
    return op;
}

/* Appends `length` bytes to the open run, or starts a run. Returns their offset in the skeleton. */
static uint32_t run_extend(struct maker *maker, const char *text, uint32_t length)
{
    struct ps_content *content = maker->content;
    if (maker->run == NULL) {
        maker->run = op_add(maker, PS_OP_RUN, NULL);
        maker->run->offset = content->skeleton_length;
    }
    uint32_t at = content->skeleton_length;
    if (text != NULL)
        memcpy(content->skeleton + at, text, length);
    else
        memset(content->skeleton + at, '0', length);
    content->skeleton_length += length;
    maker->run->length += length;
    return at;
}

static struct ps_content_op *fixed_add(struct maker *maker, enum ps_content_op_kind kind,
                                       const struct ps_template_part *part, uint32_t width)
{
    uint32_t at = run_extend(maker, NULL, width);
    struct ps_content_op *op = op_add(maker, kind, part);
    op->offset = at - maker->run->offset;
    op->length = width;
    return op;
}

static void varying_add(struct maker *maker, enum ps_content_op_kind kind,
                        const struct ps_template_part *part)
{
    maker->run = NULL;
    op_add(maker, kind, part);
}

static void clock_add(struct maker *maker, const struct ps_template_part *part)
{
    struct ps_content *content = maker->content;
    struct ps_content_patch *patch = &content->clock[content->clock_count++];
    patch->part = part;
    if (part->time == PS_TIME_STRFTIME) {
        patch->offset = part->width;
        varying_add(maker, PS_OP_STRFTIME, part);
        return;
    }
    uint32_t offset, digits = ps_content_clock_subsecond(part, &offset);
    patch->offset = run_extend(maker, NULL, ps_content_clock_width(part));
    if (digits > 0) {
        struct ps_content_op *op = op_add(maker, PS_OP_SUBSECOND, part);
        op->offset = patch->offset + offset - maker->run->offset;
        op->length = digits;
    }
}

static void source_add(struct maker *maker, const struct ps_template_part *part, uint32_t width)
{
    struct ps_content *content = maker->content;
    content->source[content->source_count++] = (struct ps_content_patch){
        run_extend(maker, part->kind == PS_TEMPLATE_HOST ? "host-000000" : NULL, width), part};
}

/* Returns whether the text before part `at` ends in a character after which padding must begin with a blank. */
static bool ends_in_word(const struct ps_template *template, uint32_t at)
{
    if (at == 0)
        return false;
    const struct ps_template_part *part = &template->parts[at - 1];
    if (part->kind != PS_TEMPLATE_TEXT)
        return part->kind != PS_TEMPLATE_SIZE || ends_in_word(template, at - 1);
    char last = part->text[part->length - 1];
    return last != ' ' && last != '"' && last != '=' && last != '\'';
}

static void pad_add(struct maker *maker, uint32_t at)
{
    const struct ps_template *template = &maker->content->template;
    varying_add(maker, PS_OP_PAD, &template->parts[at]);
    struct ps_content_op *op = &maker->content->ops[maker->content->op_count - 1];
    op->blank = ends_in_word(template, at);
    for (uint32_t i = at + 1; i < template->count; i++) {
        uint32_t min, max;
        ps_content_part_width(maker->content, &template->parts[i], &min, &max);
        if (min != max)
            op->length = UINT32_MAX;
        else if (op->length != UINT32_MAX)
            op->length += min;
    }
}

static void part_compile(struct maker *maker, uint32_t at)
{
    static const enum ps_content_op_kind varying[] = {
        [PS_TEMPLATE_INT] = PS_OP_INT,       [PS_TEMPLATE_FLOAT] = PS_OP_FLOAT,
        [PS_TEMPLATE_CHOICE] = PS_OP_CHOICE, [PS_TEMPLATE_SEQ] = PS_OP_SEQ,
        [PS_TEMPLATE_SOURCE] = PS_OP_SOURCE, [PS_TEMPLATE_IP] = PS_OP_IP,
        [PS_TEMPLATE_WORDS] = PS_OP_WORDS,   [PS_TEMPLATE_LINE] = PS_OP_LINE,
    };
    const struct ps_template_part *part = &maker->content->template.parts[at];
    uint32_t min, max;
    ps_content_part_width(maker->content, part, &min, &max);
    switch (part->kind) {
    case PS_TEMPLATE_TEXT:
        run_extend(maker, part->text, part->length);
        return;
    case PS_TEMPLATE_INT:
        if (min == max && part->distribution.min >= 0)
            fixed_add(maker, PS_OP_FIXED_INT, part, max);
        else
            varying_add(maker, PS_OP_INT, part);
        return;
    case PS_TEMPLATE_CHOICE:
        if (min == max && max > 0)
            fixed_add(maker, PS_OP_FIXED_CHOICE, part, max);
        else
            varying_add(maker, PS_OP_CHOICE, part);
        return;
    case PS_TEMPLATE_SEQ:
        if (min == max)
            fixed_add(maker, PS_OP_FIXED_SEQ, part, max);
        else
            varying_add(maker, PS_OP_SEQ, part);
        return;
    case PS_TEMPLATE_SOURCE:
        if (min == max)
            source_add(maker, part, max);
        else
            varying_add(maker, PS_OP_SOURCE, part);
        return;
    case PS_TEMPLATE_HOST:
        source_add(maker, part, max);
        return;
    case PS_TEMPLATE_TIME:
        clock_add(maker, part);
        return;
    case PS_TEMPLATE_UUID:
        fixed_add(maker, PS_OP_UUID, part, max);
        return;
    case PS_TEMPLATE_HEX:
        fixed_add(maker, PS_OP_HEX, part, max);
        return;
    case PS_TEMPLATE_STAMP:
        fixed_add(maker, PS_OP_STAMP, part, max);
        return;
    case PS_TEMPLATE_COVER_END:
        fixed_add(maker, PS_OP_COVER_END, part, 0);
        return;
    case PS_TEMPLATE_PAD:
        if (maker->content->size != NULL || maker->content->body_bytes > 0)
            pad_add(maker, at);
        return;
    case PS_TEMPLATE_SIZE:
        return;
    case PS_TEMPLATE_FLOAT:
    case PS_TEMPLATE_IP:
    case PS_TEMPLATE_WORDS:
    case PS_TEMPLATE_LINE:
        varying_add(maker, varying[part->kind], part);
        return;
    }
}

/* Fails when the part contains a newline: it would end the event too early. */
static enum ps_status newline_check(const struct ps_template *template, const struct ps_template_part *part,
                                    struct ps_err *err)
{
    bool found = part->kind == PS_TEMPLATE_TEXT && memchr(part->text, '\n', part->length) != NULL;
    for (uint32_t i = 0; part->kind == PS_TEMPLATE_CHOICE && i < part->alias.count; i++)
        found |= memchr(part->texts[i].data, '\n', part->texts[i].length) != NULL;
    if (part->kind == PS_TEMPLATE_TIME && part->time == PS_TIME_STRFTIME)
        found = strchr(part->text, '\n') != NULL || strstr(part->text, "%n") != NULL;
    if (found)
        return ps_template_fail(template->text, part->offset, err,
                                "a newline, but with this target a newline ends an event");
    return PS_OK;
}

static enum ps_status parts_prepare(struct ps_content *content, struct ps_err *err)
{
    struct ps_template *template = &content->template;
    for (uint32_t i = 0; i < template->count; i++) {
        struct ps_template_part *part = &template->parts[i];
        if (content->framing == PS_FRAMING_NEWLINE && newline_check(template, part, err) != PS_OK)
            return PS_FAIL;
        if (part->kind != PS_TEMPLATE_TIME || part->time != PS_TIME_STRFTIME)
            continue;
        part->width = content->strftime_count++;
        if (!ps_content_strftime_bounds(part, &content->strftime_min[part->width],
                                        &content->strftime_max[part->width]))
            return ps_template_fail(template->text, part->offset, err,
                                    "{time}: the format `%s` gives an empty text, or more than %u bytes",
                                    part->text, PS_STRFTIME_TEXT_MAX - 1);
    }
    return PS_OK;
}

enum ps_status ps_content_compile(struct ps_content *content, uint32_t size_bytes, const char *what,
                                  struct ps_err *err)
{
    struct ps_template *template = &content->template;
    struct maker maker = {.content = content};
    size_t skeleton_bytes = PS_CONTENT_SLACK;
    if (ps_content_place(content, size_bytes, what, err) != PS_OK || parts_prepare(content, err) != PS_OK)
        return PS_FAIL;
    int size = ps_template_find(template, PS_TEMPLATE_SIZE);
    if (size >= 0 && size_bytes > 0)
        return ps_template_fail(template->text, template->parts[size].offset, err,
                                "{size} and --size are both given; give only one of them");
    if (size >= 0)
        content->size = &template->parts[size].distribution;
    if (ps_content_sizes_set(content, size_bytes, what, err) != PS_OK)
        return PS_FAIL;
    for (uint32_t i = 0; i < template->count; i++) {
        uint32_t min, max;
        ps_content_part_width(content, &template->parts[i], &min, &max);
        skeleton_bytes += min == max ? max : 0;
    }
    content->skeleton = ps_arena_alloc(content->arena, skeleton_bytes);
    content->size_keys[0] = ps_mix_next(content->seed ^ UINT64_C(0x589965cc75374cc3));
    content->size_keys[1] = ps_mix_next(content->size_keys[0]);
    for (uint32_t i = 0; i < template->count; i++)
        part_compile(&maker, i);
    return PS_OK;
}
