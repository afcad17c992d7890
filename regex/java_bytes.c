/* An expression over bytes: what its ends do not need is cut off, what it loses is summed up, and it is
 * printed for Hyperscan. Called while translating; pure. */
#include "regex/java_bytes.h"

#include <string.h>

bool ps_bytes_nullable(const struct ps_bytes_node *node)
{
    const struct ps_bytes_node *child = node->child;
    switch (node->kind) {
    case PS_BYTES_EMPTY:
        return node->loss == PS_REGEX_EXACT;
    case PS_BYTES_CONCAT:
        while (child != NULL && ps_bytes_nullable(child))
            child = child->next;
        return child == NULL && node->loss == PS_REGEX_EXACT;
    case PS_BYTES_EITHER:
        while (child != NULL && !ps_bytes_nullable(child))
            child = child->next;
        return child != NULL;
    case PS_BYTES_REPEAT:
        return node->min == 0 || ps_bytes_nullable(child);
    default:
        return false;
    }
}

/* ---- trimming ---- */

struct trimmer {
    struct ps_arena *arena;
    enum ps_regex_exactness *loss;
    bool end; /* else the beginning */
};

static void lose(struct trimmer *trimmer, enum ps_regex_exactness loss)
{
    if (loss > *trimmer->loss)
        *trimmer->loss = loss;
}

static bool has_atomic(const struct ps_bytes_node *node)
{
    for (const struct ps_bytes_node *child = node->child; child != NULL; child = child->next)
        if (has_atomic(child))
            return true;
    return node->atomic;
}

/* A repeat of what a plain subject has throughout. */
static bool is_dots(const struct ps_bytes_node *node)
{
    const struct ps_bytes_node *child = node->child;
    return node->kind == PS_BYTES_REPEAT && node->max == PS_JAVA_UNBOUNDED && !node->atomic &&
           child->kind == PS_BYTES_CHARACTER && child->high && child->ascii[1] == UINT64_MAX &&
           (child->ascii[0] | UINT64_C(0x2400)) == UINT64_MAX; /* but for \n and \r */
}

static struct ps_bytes_node *trim(struct trimmer *trimmer, struct ps_bytes_node *node);

static bool is_outer_anchor(const struct trimmer *trimmer, const struct ps_bytes_node *node)
{
    if (trimmer->end)
        return node->kind == PS_BYTES_END || node->kind == PS_BYTES_LINE_END;
    return node->kind == PS_BYTES_BEGIN || node->kind == PS_BYTES_LINE_BEGIN;
}

/* Cuts at one end of a sequence; `step` leads inwards. Removed ones become NULL. */
static void trim_children(struct trimmer *trimmer, struct ps_bytes_node **children, size_t count)
{
    size_t at = trimmer->end ? count - 1 : 0, step = trimmer->end ? SIZE_MAX : 1;
    for (; at < count; at += step) {
        struct ps_bytes_node *child = children[at];
        if (child->kind == PS_BYTES_EMPTY) {
            if (child->loss == PS_REGEX_EXACT)
                children[at] = NULL;
            continue;
        }
        if (is_outer_anchor(trimmer, child)) {
            /* "^.*x" is "x" where all of a subject is dots. */
            if (count > 2 && at + step < count && is_dots(children[at + step])) {
                children[at] = NULL;
                lose(trimmer, PS_REGEX_PLAIN);
                continue;
            }
            return;
        }
        if (!ps_bytes_nullable(child)) {
            children[at] = trim(trimmer, child);
            return;
        }
        if (!trimmer->end && has_atomic(child))
            lose(trimmer, PS_REGEX_CONFIRM);
        children[at] = NULL;
    }
}

static struct ps_bytes_node *trim_concat(struct trimmer *trimmer, struct ps_bytes_node *node)
{
    size_t count = 0, kept = 0;
    for (const struct ps_bytes_node *child = node->child; child != NULL; child = child->next)
        count++;
    if (count == 0)
        return node;
    struct ps_bytes_node **children = ps_arena_alloc(trimmer->arena, count * sizeof(struct ps_bytes_node *));
    for (struct ps_bytes_node *child = node->child; child != NULL; child = child->next)
        children[kept++] = child;
    trim_children(trimmer, children, count);
    struct ps_bytes_node **link = &node->child;
    for (size_t i = 0; i < count; i++)
        if (children[i] != NULL) {
            *link = children[i];
            link = &children[i]->next;
        }
    *link = NULL;
    return node;
}

/* A node that nothing stands outside of any more. */
static struct ps_bytes_node *trim(struct trimmer *trimmer, struct ps_bytes_node *node)
{
    if (node->atomic && !trimmer->end && node->kind == PS_BYTES_REPEAT)
        lose(trimmer, PS_REGEX_CONFIRM);
    if (trimmer->end)
        node->atomic = false;
    switch (node->kind) {
    case PS_BYTES_CHARACTER:
        node->edge = true;
        return node;
    case PS_BYTES_CONCAT:
        return trim_concat(trimmer, node);
    case PS_BYTES_EITHER: {
        struct ps_bytes_node **link = &node->child;
        for (struct ps_bytes_node *child = node->child, *next; child != NULL; child = next) {
            next = child->next;
            child->next = NULL;
            *link = trim(trimmer, child);
            link = &(*link)->next;
        }
        return node;
    }
    case PS_BYTES_REPEAT:
        node->max = node->min;
        if (node->min != 1)
            return node;
        node->child->next = NULL;
        return trim(trimmer, node->child);
    default:
        return node;
    }
}

static bool are_disjoint(const struct ps_bytes_node *a, const struct ps_bytes_node *b)
{
    return (a->ascii[0] & b->ascii[0]) == 0 && (a->ascii[1] & b->ascii[1]) == 0 && !(a->high && b->high);
}

/* "[^"]*+"" loses nothing: to come back into the repeat would not help. */
static void settle_atomic(struct ps_bytes_node *node)
{
    for (struct ps_bytes_node *child = node->child; child != NULL; child = child->next) {
        settle_atomic(child);
        const struct ps_bytes_node *next = child->next;
        if (next != NULL && next->kind == PS_BYTES_REPEAT && next->min > 0)
            next = next->child;
        if (node->kind == PS_BYTES_CONCAT && child->atomic && child->kind == PS_BYTES_REPEAT &&
            child->child->kind == PS_BYTES_CHARACTER && next != NULL && next->kind == PS_BYTES_CHARACTER &&
            are_disjoint(child->child, next))
            child->atomic = false;
    }
}

struct ps_bytes_node *ps_bytes_trim(struct ps_arena *arena, struct ps_bytes_node *root,
                                    enum ps_regex_exactness *loss)
{
    struct trimmer trimmer = {.arena = arena, .loss = loss, .end = true};
    settle_atomic(root);
    root = trim(&trimmer, root);
    trimmer.end = false;
    return trim(&trimmer, root);
}

/* ---- summing up ---- */

static void lose_at(struct ps_bytes_summary *summary, const struct ps_bytes_node *node,
                    enum ps_regex_exactness loss, const char *why)
{
    if (loss > summary->loss) {
        summary->loss = loss;
        summary->why = why;
        summary->at = node->at;
    }
}

static bool is_run(const struct ps_bytes_node *node)
{
    return node->kind == PS_BYTES_REPEAT && node->max == PS_JAVA_UNBOUNDED && node->min <= 1 &&
           node->child->kind == PS_BYTES_CHARACTER;
}

static void sum_up(const struct ps_bytes_node *node, bool run, struct ps_bytes_summary *summary)
{
    if (node->atomic)
        lose_at(summary, node, PS_REGEX_CONFIRM, "atomic group or possessive repeat");
    lose_at(summary, node, node->loss, node->why);
    switch (node->kind) {
    case PS_BYTES_CHARACTER:
        if (node->high && !(node->high_all && (run || node->edge)))
            lose_at(summary, node, PS_REGEX_PLAIN, "a character that may be beyond ASCII");
        summary->repair |= node->high && node->replacement;
        summary->newline |= node->ascii[0] >> '\n' & 1;
        break;
    case PS_BYTES_BEGIN:
    case PS_BYTES_END:
    case PS_BYTES_LINE_END:
    case PS_BYTES_LINE_BEGIN:
        summary->anchored = true;
        break;
    default:
        for (const struct ps_bytes_node *child = node->child; child != NULL; child = child->next)
            sum_up(child, is_run(node), summary);
    }
}

/* Has a match without any byte. */
static bool has_no_width(const struct ps_bytes_node *node)
{
    const struct ps_bytes_node *child = node->child;
    switch (node->kind) {
    case PS_BYTES_NEVER:
    case PS_BYTES_CHARACTER:
    case PS_BYTES_TEXT:
        return false;
    case PS_BYTES_CONCAT:
        while (child != NULL && has_no_width(child))
            child = child->next;
        return child == NULL;
    case PS_BYTES_EITHER:
        while (child != NULL && !has_no_width(child))
            child = child->next;
        return child != NULL;
    case PS_BYTES_REPEAT:
        return node->min == 0 || has_no_width(child);
    default:
        return true;
    }
}

/* Matches the empty text in most subjects; "^$" does not. */
static bool is_idle(const struct ps_bytes_node *node)
{
    if (node->kind == PS_BYTES_EITHER) {
        for (const struct ps_bytes_node *child = node->child; child != NULL; child = child->next)
            if (is_idle(child))
                return true;
        return false;
    }
    bool begins = false, ends = false;
    if (node->kind == PS_BYTES_CONCAT)
        for (const struct ps_bytes_node *child = node->child; child != NULL; child = child->next) {
            begins |= child->kind == PS_BYTES_BEGIN || child->kind == PS_BYTES_LINE_BEGIN;
            ends |= child->kind == PS_BYTES_END || child->kind == PS_BYTES_LINE_END;
        }
    return has_no_width(node) && !(begins && ends);
}

void ps_bytes_sum_up(const struct ps_bytes_node *root, struct ps_bytes_summary *summary)
{
    *summary = (struct ps_bytes_summary){.never = root->kind == PS_BYTES_NEVER, .idle = is_idle(root)};
    sum_up(root, false, summary);
}

/* ---- printing ---- */

static void put_byte(struct ps_java_text *text, unsigned byte)
{
    bool plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
    ps_java_text_put(text, plain ? "%c" : "\\x%02x", byte);
}

static void put_class(struct ps_java_text *text, const uint64_t ascii[2], bool high)
{
    size_t opened = text->length;
    unsigned members = 0;
    ps_java_text_put(text, "[");
    for (unsigned byte = 0; byte < 0x80; byte++) {
        unsigned last = byte;
        if (!(ascii[byte / 64] >> (byte % 64) & 1))
            continue;
        while (last + 1 < 0x80 && (ascii[(last + 1) / 64] >> ((last + 1) % 64) & 1))
            last++;
        put_byte(text, byte);
        if (last > byte + 1)
            ps_java_text_put(text, "-");
        if (last > byte)
            put_byte(text, last);
        members += last - byte + 1;
        byte = last;
    }
    if (members == 1 && !high) { /* no class at all */
        memmove(text->data + opened, text->data + opened + 1, text->length - opened);
        text->length--;
        return;
    }
    ps_java_text_put(text, "%s]", high ? "\\x80-\\xfe" : "");
}

static bool has_ascii(const struct ps_bytes_node *node)
{
    return node->ascii[0] != 0 || node->ascii[1] != 0;
}

static void put_character(struct ps_java_text *text, const struct ps_bytes_node *node)
{
    if (!node->high || node->edge) {
        put_class(text, node->ascii, node->high);
        return;
    }
    ps_java_text_put(text, "(?:");
    if (has_ascii(node)) {
        put_class(text, node->ascii, false);
        ps_java_text_put(text, "|");
    }
    ps_java_text_put(text, "[\\x80-\\xfe]{1,4})");
}

/* Never takes a byte, so that there is no sense in repeating it. */
static bool is_still(const struct ps_bytes_node *node)
{
    if (node->kind == PS_BYTES_CHARACTER || node->kind == PS_BYTES_TEXT)
        return false;
    for (const struct ps_bytes_node *child = node->child; child != NULL; child = child->next)
        if (!is_still(child))
            return false;
    return true;
}

static void put_node(struct ps_java_text *text, const struct ps_bytes_node *node);

static void put_repeat(struct ps_java_text *text, const struct ps_bytes_node *node)
{
    if (is_still(node->child)) {
        if (node->min > 0)
            put_node(text, node->child);
        return;
    }
    if (is_run(node)) {
        put_class(text, node->child->ascii, node->child->high);
    } else if (node->child->kind == PS_BYTES_CHARACTER) {
        put_character(text, node->child);
    } else {
        ps_java_text_put(text, "(?:");
        put_node(text, node->child);
        ps_java_text_put(text, ")");
    }
    if (node->max == PS_JAVA_UNBOUNDED && node->min <= 1)
        ps_java_text_put(text, node->min == 0 ? "*" : "+");
    else if (node->max == PS_JAVA_UNBOUNDED)
        ps_java_text_put(text, "{%u,}", node->min);
    else if (node->min == 0 && node->max == 1)
        ps_java_text_put(text, "?");
    else if (node->min == node->max && node->min != 1)
        ps_java_text_put(text, "{%u}", node->min);
    else if (node->min != node->max)
        ps_java_text_put(text, "{%u,%u}", node->min, node->max);
}

static void put_either(struct ps_java_text *text, const struct ps_bytes_node *node)
{
    for (const struct ps_bytes_node *child = node->child; child != NULL; child = child->next) {
        put_node(text, child);
        if (child->next != NULL)
            ps_java_text_put(text, "|");
    }
}

static void put_node(struct ps_java_text *text, const struct ps_bytes_node *node)
{
    switch (node->kind) {
    case PS_BYTES_EMPTY:
    case PS_BYTES_NEVER:
        break;
    case PS_BYTES_CHARACTER:
        put_character(text, node);
        break;
    case PS_BYTES_TEXT:
        for (const char *p = node->text; *p != '\0'; p++)
            put_byte(text, (uint8_t)*p);
        break;
    case PS_BYTES_CONCAT:
        for (const struct ps_bytes_node *child = node->child; child != NULL; child = child->next)
            put_node(text, child);
        break;
    case PS_BYTES_EITHER:
        ps_java_text_put(text, "(?:");
        put_either(text, node);
        ps_java_text_put(text, ")");
        break;
    case PS_BYTES_REPEAT:
        put_repeat(text, node);
        break;
    case PS_BYTES_BEGIN:
        ps_java_text_put(text, "^");
        break;
    case PS_BYTES_LINE_BEGIN: /* after the last byte of any terminator */
        ps_java_text_put(text, "(?:^|[\\x0d\\x85\\xa8\\xa9])");
        break;
    case PS_BYTES_END:
        ps_java_text_put(text, "$");
        break;
    case PS_BYTES_LINE_END: /* before the first byte of any terminator */
        ps_java_text_put(text, "(?:$|[\\x0d\\xc2\\xe2])");
        break;
    case PS_BYTES_BOUNDARY:
        ps_java_text_put(text, "\\b");
        break;
    }
}

void ps_bytes_print(struct ps_java_text *text, const struct ps_bytes_node *root)
{
    if (root->kind == PS_BYTES_EITHER)
        put_either(text, root);
    else
        put_node(text, root);
}
