#include "stages/hive_sink/walk.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define PURPOSE "a walk through a table of Hive"
#define DIRECTORIES_MAX 10000U
#define AT_ONCE 8U                  /* questions in one cycle */
#define STEP_NS (10 * PS_NS_PER_MS) /* between two cycles with questions */

struct directory {
    struct ps_hive_walk *walk;
    STAILQ_ENTRY(directory) list;
    uint32_t depth; /* levels below it */
    char path[];
};

struct ps_hive_walk {
    struct ps_hdfs_sink *sink;
    struct ps_filesystem *filesystem;
    STAILQ_HEAD(, directory) todo;
    STAILQ_HEAD(, directory) asked; /* listings under way */
    uint32_t count;                 /* directories so far */
    uint64_t due_ns;
    char prefix[];
};

static void add(struct ps_hive_walk *walk, const char *parent, const char *name, uint32_t depth)
{
    if (walk->count == DIRECTORIES_MAX)
        return;
    size_t length = strlen(parent);
    while (length > 0 && parent[length - 1] == '/')
        length--;
    size_t room = length + strlen(name) + 2;
    struct directory *directory = ps_must_alloc(1, sizeof(*directory) + room, PURPOSE);
    directory->walk = walk;
    directory->depth = depth;
    snprintf(directory->path, room, "%.*s%s%s", (int)length, parent, name[0] != '\0' ? "/" : "", name);
    walk->count++;
    STAILQ_INSERT_TAIL(&walk->todo, directory, list);
}

struct ps_hive_walk *ps_hive_walk_open(struct ps_hdfs_sink *sink, struct ps_filesystem *filesystem,
                                       const char *directory, uint32_t depth, const char *prefix)
{
    struct ps_hive_walk *walk = ps_must_alloc(1, sizeof(*walk) + strlen(prefix) + 1, PURPOSE);
    walk->sink = sink;
    walk->filesystem = filesystem;
    memcpy(walk->prefix, prefix, strlen(prefix) + 1);
    STAILQ_INIT(&walk->todo);
    STAILQ_INIT(&walk->asked);
    add(walk, directory, "", depth);
    return walk;
}

void ps_hive_walk_close(struct ps_hive_walk *walk)
{
    if (walk == NULL)
        return;
    STAILQ_CONCAT(&walk->todo, &walk->asked);
    for (struct directory *directory; (directory = STAILQ_FIRST(&walk->todo)) != NULL;) {
        STAILQ_REMOVE_HEAD(&walk->todo, list);
        free(directory);
    }
    free(walk);
}

/* A directory that cannot be listed is left out: one that is not there has no orphans. */
static void listed(void *directory_, const struct ps_file_answer *answer)
{
    struct directory *directory = directory_;
    struct ps_hive_walk *walk = directory->walk;
    for (size_t i = 0; answer->error == PS_FILE_OK && i < answer->entry_count; i++) {
        const struct ps_file_status *entry = &answer->entries[i];
        if (entry->directory && entry->name[0] != '_' && entry->name[0] != '.')
            add(walk, directory->path, entry->name, directory->depth - 1);
    }
    STAILQ_REMOVE(&walk->asked, directory, directory, list);
    free(directory);
}

static void look(struct ps_hive_walk *walk, struct directory *directory)
{
    char *text = NULL;
    int length = asprintf(&text, "%s/%s", directory->path, walk->prefix);
    if (length < 0)
        abort();
    const struct ps_hdfs_bucket_name name = {text, (uint32_t)length, (uint32_t)strlen(directory->path)};
    ps_hdfs_sink_look(walk->sink, &name);
    free(text);
    free(directory);
}

uint64_t ps_hive_walk_go_on(struct ps_hive_walk *walk, const struct ps_now *now)
{
    struct directory *directory;
    if (now->mono_ns < walk->due_ns)
        return walk->due_ns;
    for (unsigned i = 0; i < AT_ONCE && (directory = STAILQ_FIRST(&walk->todo)) != NULL; i++) {
        STAILQ_REMOVE_HEAD(&walk->todo, list);
        if (directory->depth == 0) {
            look(walk, directory);
            continue;
        }
        STAILQ_INSERT_TAIL(&walk->asked, directory, list);
        ps_file_list(walk->filesystem, directory->path[0] != '\0' ? directory->path : "/", listed, directory);
    }
    walk->due_ns = now->mono_ns + STEP_NS;
    return STAILQ_EMPTY(&walk->todo) ? PS_NEVER : walk->due_ns;
}

bool ps_hive_walk_is_done(const struct ps_hive_walk *walk)
{
    return STAILQ_EMPTY(&walk->todo) && STAILQ_EMPTY(&walk->asked);
}
