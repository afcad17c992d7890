/* The calls of ClientProtocol. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/peers/hadoop/cluster.h"

#define HOLDER_BYTES 128

/* The arguments that calls share, from the fields that each method has them in. */
static void get_text(struct proto_in in, unsigned field, char to[HDFS_NAME_BYTES])
{
    proto_text(proto_find(in, field).in, to, HDFS_NAME_BYTES);
}

/* ---- answers ---- */

static void put_block(struct proto_out *out, unsigned field, const struct hdfs_block *block,
                      uint64_t generation)
{
    size_t begin = proto_begin(out, field);
    proto_put_text(out, 1, "BP-1");
    proto_put_number(out, 2, block->id);
    proto_put_number(out, 3, generation);
    proto_put_number(out, 4, block->acknowledged);
    proto_end(out, begin);
}

static void put_node(struct proto_out *out, unsigned field, int node)
{
    char text[32];
    size_t begin = proto_begin(out, field), id = proto_begin(out, 1);
    snprintf(text, sizeof text, "127.0.0.%d", 31 + node);
    proto_put_text(out, 1, text);
    snprintf(text, sizeof text, "dn%d", 1 + node);
    proto_put_text(out, 2, text);
    snprintf(text, sizeof text, "uuid-%d", 1 + node);
    proto_put_text(out, 3, text);
    proto_put_number(out, 4, HDFS_DATANODE_PORT);
    proto_put_number(out, 5, 9864);
    proto_put_number(out, 6, 9867);
    proto_end(out, id);
    proto_end(out, begin);
}

static void put_located(struct proto_out *out, unsigned field, const struct hdfs_block *block,
                        uint64_t generation, unsigned nodes)
{
    size_t begin = proto_begin(out, field);
    put_block(out, 1, block, generation);
    proto_put_number(out, 2, block->offset);
    for (int i = 0; i < HDFS_DATANODES; i++)
        if ((nodes >> i & 1) != 0)
            put_node(out, 3, i);
    proto_put_number(out, 4, 0);
    size_t token = proto_begin(out, 5);
    for (unsigned i = 1; i <= 4; i++)
        proto_put_text(out, i, "");
    proto_end(out, token);
    for (unsigned i = 0; i < HDFS_DATANODES; i++)
        if ((nodes >> i & 1) != 0)
            proto_put_number(out, 7, 1); /* DISK */
    for (unsigned i = 0; i < HDFS_DATANODES; i++) {
        char text[16];
        snprintf(text, sizeof text, "DS-%u", 1 + i);
        if ((nodes >> i & 1) != 0)
            proto_put_text(out, 8, text);
    }
    proto_end(out, begin);
}

static void put_status(struct proto_out *out, unsigned field, const struct disk_inode *inode,
                       const char *name)
{
    size_t begin = proto_begin(out, field);
    proto_put_number(out, 1, S_ISDIR(inode->mode) ? 1 : 2);
    proto_put_text(out, 2, name);
    proto_put_number(out, 3, S_ISDIR(inode->mode) ? 0 : inode->now.size);
    size_t mode = proto_begin(out, 4);
    proto_put_number(out, 1, inode->mode & 0777);
    proto_end(out, mode);
    proto_put_text(out, 5, "root");
    proto_put_text(out, 6, "supergroup");
    proto_put_number(out, 7, inode->write_ns / 1000000);
    proto_put_number(out, 8, inode->access_ns / 1000000);
    proto_put_number(out, 10, HDFS_REPLICATION);
    proto_put_number(out, 11, 0);
    proto_put_number(out, 13, hdfs_file_id(inode));
    proto_end(out, begin);
}

/* Reads which datanodes a list of DatanodeInfo, or of DatanodeID, names. */
static unsigned nodes_of(struct proto_in in, unsigned field, bool are_ids)
{
    struct proto_field one;
    unsigned nodes = 0;
    while (proto_next(&in, &one)) {
        char uuid[HDFS_NAME_BYTES];
        if (one.number != field)
            continue;
        get_text(are_ids ? one.in : proto_find(one.in, 1).in, 3, uuid);
        nodes |= 1U << (atoi(uuid + 5) - 1);
    }
    return nodes;
}

/* ---- names ---- */

static bool get_defaults(struct hdfs_cluster *cluster, struct proto_in in, struct proto_out *out,
                         struct hdfs_error *error)
{
    size_t begin = proto_begin(out, 1);
    const uint64_t values[] = {cluster->block_bytes, 512, 65536, HDFS_REPLICATION, 4096, 0, 0, 2};
    for (unsigned i = 0; i < sizeof values / sizeof *values; i++)
        proto_put_number(out, i + 1, values[i]);
    proto_end(out, begin);
    return true;
}

static bool get_stats(struct hdfs_cluster *cluster, struct proto_in in, struct proto_out *out,
                      struct hdfs_error *error)
{
    uint64_t capacity = cluster->room_bytes != 0 ? cluster->room_bytes : UINT64_C(1) << 40;
    proto_put_number(out, 1, capacity);
    proto_put_number(out, 2, cluster->used_bytes);
    proto_put_number(out, 3, capacity > cluster->used_bytes ? capacity - cluster->used_bytes : 0);
    for (unsigned i = 4; i <= 6; i++)
        proto_put_number(out, i, 0);
    return true;
}

static bool get_file_info(struct hdfs_cluster *cluster, struct proto_in in, struct proto_out *out,
                          struct hdfs_error *error)
{
    char path[HDFS_NAME_BYTES];
    get_text(in, 1, path);
    const struct disk_inode *inode = hdfs_inode(path);
    if (inode != NULL)
        put_status(out, 1, inode, "");
    return true;
}

static bool create(struct hdfs_cluster *cluster, struct proto_in in, struct proto_out *out,
                   struct hdfs_error *error)
{
    char path[HDFS_NAME_BYTES], holder[HDFS_NAME_BYTES];
    get_text(in, 1, path);
    get_text(in, 3, holder);
    if (!hdfs_create(cluster, path, holder, proto_find(in, 5).value != 0, (unsigned)proto_find(in, 6).value,
                     proto_find(in, 7).value, error))
        return false;
    put_status(out, 1, hdfs_inode(path), "");
    return true;
}

static bool rename_file(struct hdfs_cluster *cluster, struct proto_in in, struct proto_out *out,
                        struct hdfs_error *error)
{
    char from[HDFS_NAME_BYTES], to[HDFS_NAME_BYTES];
    get_text(in, 1, from);
    get_text(in, 2, to);
    return hdfs_rename(cluster, from, to, error);
}

static bool delete (struct hdfs_cluster *cluster, struct proto_in in, struct proto_out *out,
                    struct hdfs_error *error)
{
    char path[HDFS_NAME_BYTES];
    bool existed;
    get_text(in, 1, path);
    if (!hdfs_remove(cluster, path, &existed, error))
        return false;
    proto_put_number(out, 1, existed);
    return true;
}

/* Three entries at a time, so that a longer directory is asked for again. */
#define LISTED_MAX 3U

static bool get_listing(struct hdfs_cluster *cluster, struct proto_in in, struct proto_out *out,
                        struct hdfs_error *error)
{
    char path[HDFS_NAME_BYTES], after[HDFS_NAME_BYTES];
    get_text(in, 1, path);
    get_text(in, 2, after);
    const struct disk_inode *inode = hdfs_inode(path);
    if (inode == NULL)
        return true;
    size_t begin = proto_begin(out, 1), left = 0;
    for (size_t i = 0; S_ISDIR(inode->mode) && i < inode->names.count; i++)
        left += strcmp(inode->names.entries[i].name, after) > 0;
    for (unsigned listed = 0; listed < LISTED_MAX && left > 0; listed++, left--) {
        const struct disk_entry *next = NULL;
        for (size_t i = 0; i < inode->names.count; i++) {
            const struct disk_entry *entry = &inode->names.entries[i];
            if (strcmp(entry->name, after) > 0 && (next == NULL || strcmp(entry->name, next->name) < 0))
                next = entry;
        }
        put_status(out, 1, next->inode, next->name);
        snprintf(after, sizeof after, "%s", next->name);
    }
    proto_put_number(out, 2, left);
    proto_end(out, begin);
    return true;
}

/* ---- blocks ---- */

/* The client says how long the block before is. */
static bool end_previous(struct hdfs_cluster *cluster, struct hdfs_file *file, struct proto_in block,
                         const char *path, struct hdfs_error *error)
{
    struct hdfs_file *owner;
    struct hdfs_block *previous = hdfs_block_of(cluster, proto_find(block, 2).value, &owner);
    if (previous == NULL || owner != file || previous->generation != proto_find(block, 3).value)
        return hdfs_refuse(error, HDFS_IO_EXCEPTION, "Unexpected block of %s: generation %llu, not %llu",
                           path, (unsigned long long)proto_find(block, 3).value,
                           (unsigned long long)(previous == NULL ? 0 : previous->generation));
    if (!hdfs_end_block(cluster, previous, proto_find(block, 4).value))
        return hdfs_refuse(error, "org.apache.hadoop.hdfs.server.namenode.NotReplicatedYetException",
                           "Not replicated yet: %s", path);
    return true;
}

/* A call that comes again gets the block that the first one made (FSDirWriteFileOp.analyzeFileState). */
static bool add_block(struct hdfs_cluster *cluster, struct proto_in in, struct proto_out *out,
                      struct hdfs_error *error)
{
    char path[HDFS_NAME_BYTES], holder[HDFS_NAME_BYTES];
    get_text(in, 1, path);
    get_text(in, 2, holder);
    struct hdfs_file *file = hdfs_written(cluster, path, proto_find(in, 5).value, holder, error);
    if (file == NULL)
        return false;
    struct proto_in previous = proto_find(in, 3).in;
    uint64_t id = previous.at != NULL ? proto_find(previous, 2).value : 0;
    struct hdfs_block *last = file->count > 0 ? file->blocks[file->count - 1] : NULL;
    uint64_t before = file->count > 1 ? file->blocks[file->count - 2]->id : 0;
    bool is_again = last != NULL && last->id != id && before == id;
    if (is_again && last->acknowledged == 0) {
        put_located(out, 1, last, last->generation, last->nodes);
        return true;
    }
    if (previous.at != NULL && !end_previous(cluster, file, previous, path, error))
        return false;
    if ((last == NULL ? 0 : last->id) != id)
        return hdfs_refuse(error, HDFS_IO_EXCEPTION,
                           "Request looked like a retry to allocate a block of %s, and is none", path);
    struct hdfs_block *block = hdfs_add_block(cluster, file, nodes_of(in, 4, false), error);
    if (block != NULL)
        put_located(out, 1, block, block->generation, block->nodes);
    return block != NULL;
}

static bool abandon_block(struct hdfs_cluster *cluster, struct proto_in in, struct proto_out *out,
                          struct hdfs_error *error)
{
    char path[HDFS_NAME_BYTES], holder[HDFS_NAME_BYTES];
    get_text(in, 2, path);
    get_text(in, 3, holder);
    struct hdfs_file *file = hdfs_written(cluster, path, proto_find(in, 4).value, holder, error);
    if (file == NULL)
        return false;
    if (file->count > 0 && file->blocks[file->count - 1]->id == proto_find(proto_find(in, 1).in, 2).value)
        file->count--;
    return true;
}

static bool get_additional(struct hdfs_cluster *cluster, struct proto_in in, struct proto_out *out,
                           struct hdfs_error *error)
{
    struct hdfs_file *file;
    struct hdfs_block *block = hdfs_block_of(cluster, proto_find(proto_find(in, 2).in, 2).value, &file);
    unsigned existing = nodes_of(in, 3, false), excluded = nodes_of(in, 4, false) | existing;
    unsigned free_nodes = hdfs_live_nodes(cluster) & ~excluded;
    if (block == NULL)
        return hdfs_refuse(error, HDFS_IO_EXCEPTION, "there is no such block");
    if (free_nodes == 0)
        return hdfs_refuse(error, HDFS_IO_EXCEPTION, "Failed to find a datanode that is not in use");
    put_located(out, 1, block, block->generation, existing | (free_nodes & -free_nodes));
    return true;
}

static struct hdfs_block *block_under_construction(struct hdfs_cluster *cluster, struct proto_in in,
                                                   const char *holder, struct hdfs_error *error)
{
    struct hdfs_file *file;
    struct hdfs_block *block = hdfs_block_of(cluster, proto_find(in, 2).value, &file);
    if (block == NULL || block->is_whole || !file->is_open)
        hdfs_refuse(error, HDFS_IO_EXCEPTION, "the block is not under construction");
    else if (strcmp(file->holder, holder) != 0)
        hdfs_refuse(error, "org.apache.hadoop.hdfs.server.namenode.LeaseExpiredException",
                    "Lease mismatch: the file is owned by %s but is accessed by %s", file->holder, holder);
    else if (block->generation != proto_find(in, 3).value)
        hdfs_refuse(error, HDFS_IO_EXCEPTION, "the block has another generation stamp");
    return error->class == NULL ? block : NULL;
}

static bool update_block(struct hdfs_cluster *cluster, struct proto_in in, struct proto_out *out,
                         struct hdfs_error *error)
{
    char holder[HDFS_NAME_BYTES];
    get_text(in, 2, holder);
    struct hdfs_block *block = block_under_construction(cluster, proto_find(in, 1).in, holder, error);
    if (block == NULL)
        return false;
    block->next_generation = ++cluster->next_generation + 1000;
    put_located(out, 1, block, block->next_generation, 0);
    return true;
}

static bool update_pipeline(struct hdfs_cluster *cluster, struct proto_in in, struct proto_out *out,
                            struct hdfs_error *error)
{
    char holder[HDFS_NAME_BYTES];
    struct proto_in now = proto_find(in, 3).in;
    get_text(in, 1, holder);
    struct hdfs_block *block = block_under_construction(cluster, proto_find(in, 2).in, holder, error);
    if (block == NULL)
        return false;
    if (proto_find(now, 3).value != block->next_generation)
        return hdfs_refuse(error, HDFS_IO_EXCEPTION, "the new block has another generation stamp");
    block->generation = block->next_generation;
    block->nodes = nodes_of(in, 4, true);
    return true;
}

static bool fsync_file(struct hdfs_cluster *cluster, struct proto_in in, struct proto_out *out,
                       struct hdfs_error *error)
{
    char path[HDFS_NAME_BYTES], holder[HDFS_NAME_BYTES];
    get_text(in, 1, path);
    get_text(in, 2, holder);
    return hdfs_written(cluster, path, proto_find(in, 4).value, holder, error) != NULL;
}

static bool complete(struct hdfs_cluster *cluster, struct proto_in in, struct proto_out *out,
                     struct hdfs_error *error)
{
    char path[HDFS_NAME_BYTES], holder[HDFS_NAME_BYTES];
    get_text(in, 1, path);
    get_text(in, 2, holder);
    struct proto_in last = proto_find(in, 3).in;
    struct hdfs_file *file = hdfs_written(cluster, path, proto_find(in, 4).value, holder, error);
    if (file == NULL) { /* the call comes again, and the first one was carried out */
        struct hdfs_file *there = hdfs_file_at(cluster, path);
        if (there == NULL || there->is_open || strcmp(there->holder, holder) != 0)
            return false;
        error->class = NULL;
        proto_put_number(out, 1, true);
        return true;
    }
    bool is_whole = last.at == NULL || end_previous(cluster, file, last, path, error);
    if (!is_whole && strstr(error->class, "NotReplicated") == NULL)
        return false;
    error->class = NULL;
    if (is_whole)
        hdfs_close_file(cluster, file);
    proto_put_number(out, 1, is_whole);
    return true;
}

static bool get_locations(struct hdfs_cluster *cluster, struct proto_in in, struct proto_out *out,
                          struct hdfs_error *error)
{
    char path[HDFS_NAME_BYTES];
    get_text(in, 1, path);
    struct hdfs_file *file = hdfs_file_at(cluster, path);
    struct disk_inode *inode = hdfs_inode(path);
    if (inode == NULL || !S_ISREG(inode->mode))
        return hdfs_refuse(error, "java.io.FileNotFoundException", "File does not exist: %s", path);
    if (file == NULL)
        file = hdfs_adopt(cluster, inode);
    size_t begin = proto_begin(out, 1);
    proto_put_number(out, 1, file->inode->now.size);
    for (unsigned i = 0; i < file->count; i++) {
        unsigned nodes = 0;
        for (unsigned node = 0; node < HDFS_DATANODES; node++)
            nodes |= file->blocks[i]->replicas[node].is_there ? 1U << node : 0;
        put_located(out, 2, file->blocks[i], file->blocks[i]->generation, nodes);
    }
    proto_put_number(out, 3, file->is_open);
    proto_put_number(out, 5, !file->is_open);
    proto_end(out, begin);
    return true;
}

/* ---- leases ---- */

static bool renew_lease(struct hdfs_cluster *cluster, struct proto_in in, struct proto_out *out,
                        struct hdfs_error *error)
{
    char holder[HDFS_NAME_BYTES];
    get_text(in, 1, holder);
    hdfs_renew(cluster, holder);
    return true;
}

static bool recover_lease(struct hdfs_cluster *cluster, struct proto_in in, struct proto_out *out,
                          struct hdfs_error *error)
{
    char path[HDFS_NAME_BYTES];
    get_text(in, 1, path);
    struct hdfs_file *file = hdfs_file_at(cluster, path);
    if (hdfs_inode(path) == NULL)
        return hdfs_refuse(error, "java.io.FileNotFoundException", "File does not exist: %s", path);
    proto_put_number(out, 1, file == NULL || hdfs_recover_lease(cluster, file));
    return true;
}

static bool is_closed(struct hdfs_cluster *cluster, struct proto_in in, struct proto_out *out,
                      struct hdfs_error *error)
{
    char path[HDFS_NAME_BYTES];
    get_text(in, 1, path);
    const struct hdfs_file *file = hdfs_file_at(cluster, path);
    if (hdfs_inode(path) == NULL)
        return hdfs_refuse(error, "java.io.FileNotFoundException", "File does not exist: %s", path);
    proto_put_number(out, 1, file == NULL || !file->is_open);
    return true;
}

/* ---- the table ---- */

static const struct {
    const char *name;
    bool (*serve)(struct hdfs_cluster *, struct proto_in, struct proto_out *, struct hdfs_error *);
    unsigned path;      /* the field; 0: none */
    bool needs_writing; /* refused in safe mode */
} methods[] = {
    {"getServerDefaults", get_defaults, 0, false},
    {"getFsStats", get_stats, 0, false},
    {"getFileInfo", get_file_info, 1, false},
    {"create", create, 1, true},
    {"rename2", rename_file, 1, true},
    {"delete", delete, 1, true},
    {"getListing", get_listing, 1, false},
    {"addBlock", add_block, 1, true},
    {"abandonBlock", abandon_block, 2, true},
    {"getAdditionalDatanode", get_additional, 1, true},
    {"updateBlockForPipeline", update_block, 0, true},
    {"updatePipeline", update_pipeline, 0, true},
    {"fsync", fsync_file, 1, true},
    {"complete", complete, 1, true},
    {"getBlockLocations", get_locations, 1, false},
    {"renewLease", renew_lease, 0, false},
    {"recoverLease", recover_lease, 1, true},
    {"isFileClosed", is_closed, 1, false},
};

struct hdfs_rule *hdfs_rule_of(struct hdfs_cluster *cluster, const char *method, const char *path)
{
    for (unsigned i = 0; i < cluster->rule_count; i++) {
        struct hdfs_rule *rule = &cluster->rules[i];
        bool is_meant = rule->left > 0 && (rule->method[0] == 0 || strcmp(rule->method, method) == 0);
        if (!is_meant || strstr(path, rule->path) == NULL)
            continue;
        rule->left--;
        return rule;
    }
    return NULL;
}

bool hdfs_call(struct hdfs_cluster *cluster, const char *method, struct proto_in in, struct proto_out *out,
               struct hdfs_error *error)
{
    size_t i = 0;
    char path[HDFS_NAME_BYTES] = "";
    while (i < sizeof methods / sizeof *methods && strcmp(methods[i].name, method) != 0)
        i++;
    if (i == sizeof methods / sizeof *methods)
        return hdfs_refuse(error, "org.apache.hadoop.ipc.RpcNoSuchMethodException", "Unknown method %s",
                           method);
    if (methods[i].path != 0)
        get_text(in, methods[i].path, path);
    const struct hdfs_rule *rule = hdfs_rule_of(cluster, method, path);
    if (rule != NULL)
        return hdfs_refuse(error, rule->exception, "%s", rule->message);
    if (cluster->is_safe && methods[i].needs_writing)
        return hdfs_refuse(error, "org.apache.hadoop.hdfs.server.namenode.SafeModeException",
                           "Cannot %s %s. Name node is in safe mode.", method, path);
    return methods[i].serve(cluster, in, out, error);
}
