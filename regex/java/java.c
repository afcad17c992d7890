/* Translates Java's regular expressions for PCRE2 and Hyperscan: parses (java/parse.c), then prints twice
 * (java/pcre2.c, java/hyperscan.c). Called by the control thread and by helpers' threads; pure. */
#include "regex/java/java.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regex/java/internal.h"

/* Returns the fewest bytes of a match, also in malformed UTF-8: U+FFFD may be one byte. */
static uint64_t length_min(const struct ps_java_node *node)
{
    uint64_t length = 0, least = UINT64_MAX;
    switch (node->kind) {
    case PS_JAVA_CLASS:
        return node->set->ascii[0] != 0 || node->set->ascii[1] != 0 || node->set->replacement ? 1 : 2;
    case PS_JAVA_CONCAT:
        for (const struct ps_java_node *child = node->child; child != NULL; child = child->next)
            length += length_min(child);
        break;
    case PS_JAVA_EITHER:
        for (const struct ps_java_node *child = node->child; child != NULL; child = child->next) {
            uint64_t of_child = length_min(child);
            least = of_child < least ? of_child : least;
        }
        length = least;
        break;
    case PS_JAVA_REPEAT:
        length = node->min == 0 ? 0 : node->min * length_min(node->child);
        break;
    case PS_JAVA_GROUP:
    case PS_JAVA_ATOMIC:
        return length_min(node->child);
    case PS_JAVA_LINE_BREAK:
    case PS_JAVA_GRAPHEME:
        return 1;
    default:
        break;
    }
    return length > UINT32_MAX ? UINT32_MAX : length;
}

static uint32_t bound_of(const struct ps_java_node *node)
{
    return node->max == PS_JAVA_UNBOUNDED ? node->min + 1 : node->max; /* 0: the node does not repeat */
}

/* Returns the {} with the highest bound, or `largest` if none has a higher one. The bounds of ?, * and + are up to 2. */
static const struct ps_java_node *largest_repeat(const struct ps_java_node *node,
                                                 const struct ps_java_node *largest)
{
    if (bound_of(node) > (largest == NULL ? 2 : bound_of(largest)))
        largest = node;
    for (const struct ps_java_node *child = node->child; child != NULL; child = child->next)
        largest = largest_repeat(child, largest);
    return largest;
}

static void print_repeat(const struct ps_java_node *repeat, char *text, size_t room)
{
    char most[16] = "";
    if (repeat->max != PS_JAVA_UNBOUNDED)
        snprintf(most, sizeof most, "%u", repeat->max);
    if (repeat->min == repeat->max)
        snprintf(text, room, "{%s} at %u", most, repeat->at);
    else
        snprintf(text, room, "{%u,%s} at %u", repeat->min, most, repeat->at);
}

static void number_groups(const struct ps_java_node *node, const struct ps_java_node **groups)
{
    if (node->kind == PS_JAVA_GROUP)
        groups[node->number] = node;
    for (const struct ps_java_node *child = node->child; child != NULL; child = child->next)
        number_groups(child, groups);
}

static char **copy_names(const struct ps_java_parser *parser)
{
    char **names = ps_must_alloc(parser->group_count + 1, sizeof *names, "names of groups");
    for (unsigned i = 1; i <= parser->group_count; i++)
        if (parser->names[i] != NULL) {
            names[i] = ps_must_copy_text(parser->names[i], "names of groups");
        }
    return names;
}

enum ps_status ps_java_regex_translate(const char *pattern, unsigned flags, struct ps_java_regex *regex,
                                       struct ps_err *err)
{
    struct ps_arena *arena = ps_arena_create();
    struct ps_java_parser parser = {.arena = arena, .pattern = pattern, .err = err, .flags = flags};
    struct ps_java_node *root = ps_java_parse(&parser);
    *regex = (struct ps_java_regex){.exactness = PS_REGEX_NONE};
    if (root != NULL) {
        struct ps_java_text text = {.data = NULL}, after = {.data = NULL};
        const struct ps_java_node **groups = ps_arena_alloc(arena, (parser.group_count + 1) * sizeof *groups);
        const struct ps_java_node *repeat = largest_repeat(root, NULL);
        uint64_t least = length_min(root);
        number_groups(root, groups);
        ps_java_mark_words(arena, root);
        ps_java_fold(root, groups, parser.group_count);
        regex->group_count = parser.group_count;
        regex->group_names = copy_names(&parser);
        regex->length_min = (uint32_t)least;
        if (repeat != NULL)
            print_repeat(repeat, regex->largest_repeat, sizeof regex->largest_repeat);
        ps_java_print_pcre2(&text, arena, root, parser.group_count, true);
        if (ps_java_has(root, PS_JAVA_LAST_MATCH))
            ps_java_print_pcre2(&after, arena, root, parser.group_count, false);
        regex->pcre2 = text.data;
        regex->pcre2_after = after.data;
        ps_java_print_hyperscan(regex, arena, root, groups);
    }
    free(parser.names);
    ps_arena_destroy(arena);
    return root != NULL ? PS_OK : PS_FAIL;
}

void ps_java_regex_fini(struct ps_java_regex *regex)
{
    for (unsigned i = 0; regex->group_names != NULL && i <= regex->group_count; i++)
        free(regex->group_names[i]);
    free(regex->group_names);
    free(regex->pcre2);
    free(regex->pcre2_after);
    free(regex->hyperscan);
    free(regex->fragment);
    *regex = (struct ps_java_regex){0};
}
