/* Prints an expression over bytes for Hyperscan. Called while translating; pure. */
#include "regex/java/bytes.h"

#include <string.h>

/* Users see fragments, so printable characters stay readable. */
static void put_byte(struct ps_java_text *text, unsigned byte)
{
    bool plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                 (byte >= 'a' && byte <= 'z') || byte == '_' || byte == ' ';
    ps_java_text_put(text, plain ? "%c" : byte > ' ' && byte < 0x7F ? "\\%c" : "\\x%02x", byte);
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
    if (members == 1 && !high) { /* a single character needs no class */
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

/* Returns whether the node never consumes a byte, so that repeating it is pointless. */
static bool is_zero_width(const struct ps_bytes_node *node)
{
    if (node->kind == PS_BYTES_CHARACTER || node->kind == PS_BYTES_TEXT)
        return false;
    for (const struct ps_bytes_node *child = node->child; child != NULL; child = child->next)
        if (!is_zero_width(child))
            return false;
    return true;
}

static void put_node(struct ps_java_text *text, const struct ps_bytes_node *node);

static void put_repeat(struct ps_java_text *text, const struct ps_bytes_node *node)
{
    if (is_zero_width(node->child)) {
        if (node->min > 0)
            put_node(text, node->child);
        return;
    }
    if (ps_bytes_is_run(node)) {
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
    case PS_BYTES_LINE_BEGIN: /* after the last byte of any line terminator */
        ps_java_text_put(text, "(?:^|[\\x0d\\x85\\xa8\\xa9])");
        break;
    case PS_BYTES_END:
        ps_java_text_put(text, "$");
        break;
    case PS_BYTES_LINE_END: /* before the first byte of any line terminator */
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
