#include "stages/lib/queue/flow_rest.h"

#include "core/text/ends.h"
#include "core/text/list.h"
#include "stages/lib/flume_log/directory.h"
#include "stages/lib/queue/plan.h"

#include <string.h>
#include <strings.h>

#define SECTION "channels."

/* Returns whether Flume's class of this type keeps events in checkpointDir and dataDirs. */
static bool has_log(const char *type)
{
    static const char *const types[] = {"file", "org.apache.flume.channel.file.FileChannel",
                                        "spillablememory", "org.apache.flume.channel.SpillableMemoryChannel"};
    for (size_t i = 0; i < PS_COUNT_OF(types); i++)
        if (strcasecmp(type, types[i]) == 0)
            return true;
    return false;
}

/* Splits at commas, and drops blanks around items, as Flume does. */
static struct ps_texts split(struct ps_arena *arena, const char *text)
{
    struct ps_texts texts = {0};
    struct ps_slice item;
    const char **items = ps_arena_alloc(arena, (strlen(text) + 1) * sizeof *items);
    while (ps_list_next_between_commas(&text, &item))
        items[texts.count++] = ps_arena_copy(arena, item.data, item.length);
    texts.items = items;
    return texts;
}

/* `name`: the channel's name. */
static bool find(const struct ps_pairs *flow, const char *name, struct ps_context *context,
                 struct ps_queue_flow_rest *rest)
{
    struct ps_arena *arena = context->arena;
    struct ps_err text = {.length = 0};
    const char *key = ps_arena_format(arena, SECTION "%s.dataDirs", name);
    const char *data = ps_pairs_get(flow, key);
    const struct ps_queue_plan plan = {
        .checkpoint_directory = ps_pairs_get(flow, ps_arena_format(arena, SECTION "%s.checkpointDir", name)),
        .data_directories = split(arena, data != NULL ? data : "")};
    enum ps_queue_rest found = ps_queue_plan_find_rest(&plan, context, &rest->directory, &text);
    bool is_unreadable = found == PS_QUEUE_REST_UNREADABLE && !ps_flume_log_is_directory(rest->directory);
    if (found != PS_QUEUE_REST_EVENTS && !is_unreadable)
        return false;
    rest->channel = name;
    rest->key = data != NULL ? key : ps_arena_format(arena, SECTION "%s.type", name);
    rest->what =
        is_unreadable
            ? ps_arena_format(arena, "its log in penstock's own format cannot be read: %s",
                              ps_err_join(&text))
            : ps_arena_format(arena,
                              "it has %s in penstock's own format, which Flume's class, that runs in "
                              "Java now, does not read",
                              text.text);
    rest->cure = is_unreadable ? "`penstock channel verify` tells more"
                               : "let the native channel deliver them first: start once with what was "
                                 "configured before; or name other directories, and read them with "
                                 "`penstock channel export`";
    return true;
}

bool ps_queue_flow_rest(const struct ps_pairs *flow, struct ps_context *context,
                        struct ps_queue_flow_rest *rest)
{
    static const char type[] = ".type";
    for (size_t i = 0; i < flow->count; i++) {
        const char *key = flow->items[i].key;
        size_t length = strlen(key), before = sizeof SECTION - 1, after = sizeof type - 1;
        if (strncmp(key, SECTION, before) != 0 || length <= before + after || !ps_text_ends(key, type) ||
            !has_log(flow->items[i].value))
            continue;
        const char *name = ps_arena_copy(context->arena, key + before, length - before - after);
        if (strchr(name, '.') == NULL && find(flow, name, context, rest))
            return true;
    }
    return false;
}
