/* The namespace: names, blocks and leases (FSNamesystem, BlockManager, LeaseManager). */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/world/peers/hadoop/cluster.h"

#define SOFT_LIMIT_NS (60 * WORLD_NS_PER_S) /* HdfsConstants.LEASE_SOFTLIMIT_PERIOD */
#define RECOVERY_NS (2 * WORLD_NS_PER_S)    /* the primary datanode hears of it with a heartbeat */
#define FIRST_ID 16385U                     /* INodeId.ROOT_INODE_ID */

bool hdfs_refuse(struct hdfs_error *error, const char *class, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    error->class = class;
    return false;
}

/* ---- names ---- */

void hdfs_disk_path(const char *path, char to[HDFS_NAME_BYTES])
{
    snprintf(to, HDFS_NAME_BYTES, "%s%s", HDFS_ROOT, strcmp(path, "/") == 0 ? "" : path);
}

struct disk_inode *hdfs_inode(const char *path)
{
    char name[HDFS_NAME_BYTES];
    hdfs_disk_path(path, name);
    return disk_at(name);
}

uint64_t hdfs_file_id(const struct disk_inode *inode)
{
    return FIRST_ID + inode->number;
}

struct hdfs_file *hdfs_file_at(struct hdfs_cluster *cluster, const char *path)
{
    const struct disk_inode *inode = hdfs_inode(path);
    struct hdfs_file *file = inode == NULL ? NULL : cluster->files;
    while (file != NULL && file->inode != inode)
        file = file->next;
    return file;
}

/* Somebody may have removed a directory above it. */
static bool is_below(const struct disk_inode *directory, const struct disk_inode *inode)
{
    for (size_t i = 0; i < directory->names.count; i++) {
        const struct disk_inode *one = directory->names.entries[i].inode;
        if (one == inode || (S_ISDIR(one->mode) && is_below(one, inode)))
            return true;
    }
    return false;
}

/* By id if there is one, as the namenode finds a file that was renamed while it is written. */
struct hdfs_file *hdfs_written(struct hdfs_cluster *cluster, const char *path, uint64_t file_id,
                               const char *holder, struct hdfs_error *error)
{
    struct hdfs_file *file = file_id == 0 ? hdfs_file_at(cluster, path) : cluster->files;
    while (file_id != 0 && file != NULL && hdfs_file_id(file->inode) != file_id)
        file = file->next;
    if (file == NULL || !is_below(disk_at(HDFS_ROOT), file->inode))
        hdfs_refuse(error, "java.io.FileNotFoundException", "File does not exist: %s (inode %llu)", path,
                    (unsigned long long)file_id);
    else if (!file->is_open || strcmp(file->holder, holder) != 0)
        hdfs_refuse(error, "org.apache.hadoop.hdfs.server.namenode.LeaseExpiredException",
                    "%s (inode %llu) Holder %s does not have any open files", path,
                    (unsigned long long)file_id, holder);
    return error->class == NULL ? file : NULL;
}

static bool is_file(const struct disk_inode *inode)
{
    return inode != NULL && S_ISREG(inode->mode);
}

/* Looks at the directories above a path. Returns false, and why the file cannot be there. */
static bool check_parents(const char *path, bool makes, struct hdfs_error *error)
{
    char name[HDFS_NAME_BYTES];
    snprintf(name, sizeof name, "%s", path);
    for (char *slash = strchr(name + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        struct disk_inode *inode = hdfs_inode(name);
        if (is_file(inode))
            return hdfs_refuse(error, "org.apache.hadoop.fs.ParentNotDirectoryException",
                               "%s (is not a directory)", name);
        if (inode != NULL && (inode->mode & S_IWUSR) == 0)
            return hdfs_refuse(error, "org.apache.hadoop.security.AccessControlException",
                               "Permission denied: user=root, access=WRITE, inode=\"%s\"", name);
        if (inode == NULL && !makes)
            return hdfs_refuse(error, "java.io.FileNotFoundException", "Parent directory doesn't exist: %s",
                               name);
        *slash = '/';
    }
    return true;
}

/* The answer to `create` for a path that is there (FSNamesystem.recoverLeaseInternal). */
static bool refuse_existing(struct hdfs_cluster *cluster, struct hdfs_file *file, const char *path,
                            const char *holder, struct hdfs_error *error)
{
    if (file != NULL && file->is_open) {
        bool is_old = hdfs_lease_is_old(cluster, file->holder);
        if (file->recovered_ns == 0 && !is_old)
            return hdfs_refuse(
                error, "org.apache.hadoop.hdfs.protocol.AlreadyBeingCreatedException",
                "Failed to CREATE_FILE %s for %s on 127.0.0.1 because this file lease is currently "
                "owned by %s on 127.0.0.1",
                path, holder, file->holder);
        if (!hdfs_recover_lease(cluster, file))
            return hdfs_refuse(error, "org.apache.hadoop.hdfs.protocol.RecoveryInProgressException",
                               "Failed to CREATE_FILE %s for %s on 127.0.0.1 because lease recovery is in "
                               "progress. Try again later.",
                               path, holder);
    }
    return hdfs_refuse(error, "org.apache.hadoop.fs.FileAlreadyExistsException",
                       "%s for client 127.0.0.1 already exists", path);
}

bool hdfs_create(struct hdfs_cluster *cluster, const char *path, const char *holder, bool makes_parents,
                 unsigned replication, uint64_t block_bytes, struct hdfs_error *error)
{
    char name[HDFS_NAME_BYTES];
    if (hdfs_inode(path) != NULL)
        return refuse_existing(cluster, hdfs_file_at(cluster, path), path, holder, error);
    if (!check_parents(path, makes_parents, error))
        return false;
    hdfs_disk_path(path, name);
    disk_put(name, "", 0);
    struct hdfs_file *file = world_allocate(sizeof *file);
    *file = (struct hdfs_file){.next = cluster->files,
                               .inode = disk_at(name),
                               .is_open = true,
                               .block_bytes = block_bytes,
                               .replication = replication};
    snprintf(file->holder, sizeof file->holder, "%s", holder);
    cluster->files = file;
    hdfs_renew(cluster, holder);
    return true;
}

bool hdfs_rename(struct hdfs_cluster *cluster, const char *from, const char *to, struct hdfs_error *error)
{
    char old[HDFS_NAME_BYTES], new[HDFS_NAME_BYTES], last[2][DISK_NAME_MAX + 1];
    struct disk_inode *directories[2];
    int ignored;
    if (hdfs_inode(from) == NULL)
        return hdfs_refuse(error, "java.io.FileNotFoundException", "rename source %s is not found.", from);
    if (hdfs_inode(to) != NULL)
        return hdfs_refuse(error, "org.apache.hadoop.fs.FileAlreadyExistsException",
                           "rename destination %s already exists", to);
    if (!check_parents(from, false, error) || !check_parents(to, false, error))
        return false;
    hdfs_disk_path(from, old);
    hdfs_disk_path(to, new);
    disk_find(NULL, old, false, &directories[0], last[0], &ignored);
    disk_find(NULL, new, false, &directories[1], last[1], &ignored);
    disk_rename(directories[0], last[0], directories[1], last[1], false);
    disk_sync(directories[0]);
    disk_sync(directories[1]);
    return true;
}

bool hdfs_remove(struct hdfs_cluster *cluster, const char *path, bool *existed, struct hdfs_error *error)
{
    char name[HDFS_NAME_BYTES], last[DISK_NAME_MAX + 1];
    struct disk_inode *directory, *inode = hdfs_inode(path);
    int ignored;
    *existed = inode != NULL;
    if (inode == NULL)
        return true;
    if (!check_parents(path, false, error))
        return false;
    if (S_ISDIR(inode->mode) && inode->names.count > 0)
        return hdfs_refuse(error, "org.apache.hadoop.fs.PathIsNotEmptyDirectoryException",
                           "`%s is non empty': Directory is not empty", path);
    struct hdfs_file *file = hdfs_file_at(cluster, path);
    if (file != NULL)
        file->is_open = false;
    hdfs_disk_path(path, name);
    disk_find(NULL, name, false, &directory, last, &ignored);
    disk_unlink(directory, last, S_ISDIR(inode->mode));
    disk_sync(directory);
    return true;
}

/* ---- blocks ---- */

unsigned hdfs_live_nodes(const struct hdfs_cluster *cluster)
{
    unsigned live = 0;
    for (unsigned i = 0; i < HDFS_DATANODES; i++)
        live |= cluster->datanodes[i] != NULL ? 1U << i : 0;
    return live;
}

struct hdfs_block *hdfs_add_block(struct hdfs_cluster *cluster, struct hdfs_file *file, unsigned excluded,
                                  struct hdfs_error *error)
{
    unsigned allowed = hdfs_live_nodes(cluster) & ~excluded, nodes = 0;
    unsigned wanted = file->replication < HDFS_DATANODES ? file->replication : HDFS_DATANODES;
    for (unsigned i = 0, from = (unsigned)world_below(HDFS_DATANODES); i < HDFS_DATANODES; i++) {
        unsigned node = 1U << (from + i) % HDFS_DATANODES;
        if ((allowed & node) != 0 && (unsigned)__builtin_popcount(nodes) < wanted)
            nodes |= node;
    }
    if (nodes == 0) {
        hdfs_refuse(error, HDFS_IO_EXCEPTION,
                    "File could only be written to 0 of the 1 minReplication nodes. There are %d datanode(s) "
                    "running and %d node(s) are excluded in this operation.",
                    __builtin_popcount(hdfs_live_nodes(cluster)), __builtin_popcount(excluded));
        return NULL;
    }
    if (cluster->room_bytes != 0 && cluster->used_bytes >= cluster->room_bytes) {
        hdfs_refuse(error, "org.apache.hadoop.hdfs.protocol.DSQuotaExceededException",
                    "The DiskSpace quota of / is exceeded: quota = %llu B but diskspace consumed = %llu B",
                    (unsigned long long)cluster->room_bytes, (unsigned long long)cluster->used_bytes);
        return NULL;
    }
    if (file->count == HDFS_BLOCKS_MAX)
        world_fatal("a file of HDFS has more than %u blocks", HDFS_BLOCKS_MAX);
    struct hdfs_block *block = world_allocate(sizeof *block), *last;
    last = file->count > 0 ? file->blocks[file->count - 1] : NULL;
    *block = (struct hdfs_block){.id = ++cluster->next_block + (1U << 30),
                                 .generation = ++cluster->next_generation + 1000,
                                 .offset = last == NULL ? 0 : last->offset + last->acknowledged,
                                 .nodes = nodes};
    file->blocks[file->count++] = block;
    return block;
}

struct hdfs_block *hdfs_block_of(struct hdfs_cluster *cluster, uint64_t id, struct hdfs_file **file)
{
    for (*file = cluster->files; *file != NULL; *file = (*file)->next)
        for (unsigned i = 0; i < (*file)->count; i++)
            if ((*file)->blocks[i]->id == id)
                return (*file)->blocks[i];
    return NULL;
}

/* A replica that is whole: of the block's last generation, with at least these bytes. */
static struct hdfs_replica *whole_replica(struct hdfs_block *block, uint64_t bytes, unsigned nodes)
{
    for (unsigned i = 0; i < HDFS_DATANODES; i++) {
        struct hdfs_replica *replica = &block->replicas[i];
        if ((nodes >> i & 1) != 0 && replica->is_there && replica->generation == block->generation &&
            replica->bytes.size >= bytes)
            return replica;
    }
    return NULL;
}

void hdfs_show(struct hdfs_file *file, struct hdfs_block *block)
{
    const struct hdfs_replica *replica = whole_replica(block, block->acknowledged, UINT32_MAX);
    size_t written, length = (size_t)block->acknowledged;
    uint64_t have = file->inode->now.size;
    if (replica == NULL || have >= block->offset + length)
        return;
    char *bytes = world_allocate(length + 1);
    disk_bytes_get(&replica->bytes, 0, bytes, length);
    uint64_t limit = world->disk->limit_bytes;
    world->disk->limit_bytes = 0; /* it is another machine's disk */
    disk_write(file->inode, have, bytes + (have - block->offset), (size_t)(block->offset + length - have),
               &written);
    disk_sync(file->inode);
    world->disk->limit_bytes = limit;
    world_free(bytes, length + 1);
}

bool hdfs_end_block(struct hdfs_cluster *cluster, struct hdfs_block *block, uint64_t bytes)
{
    if (block->is_whole)
        return true;
    if (whole_replica(block, bytes, hdfs_live_nodes(cluster)) == NULL)
        return false;
    block->acknowledged = bytes;
    block->is_whole = true;
    cluster->used_bytes += bytes * HDFS_REPLICATION;
    return true;
}

void hdfs_close_file(struct hdfs_cluster *cluster, struct hdfs_file *file)
{
    for (unsigned i = 0; i < file->count; i++)
        hdfs_show(file, file->blocks[i]);
    file->is_open = false;
    file->recovered_ns = 0;
    file->inode->write_ns = world->now_ns + WORLD_WALL_START_S * WORLD_NS_PER_S;
}

/* ---- leases ---- */

static struct hdfs_lease *lease_of(struct hdfs_cluster *cluster, const char *holder)
{
    struct hdfs_lease *lease = cluster->leases;
    while (lease != NULL && strcmp(lease->holder, holder) != 0)
        lease = lease->next;
    return lease;
}

void hdfs_renew(struct hdfs_cluster *cluster, const char *holder)
{
    struct hdfs_lease *lease = lease_of(cluster, holder);
    if (lease == NULL) {
        lease = world_allocate(sizeof *lease);
        lease->next = cluster->leases;
        snprintf(lease->holder, sizeof lease->holder, "%s", holder);
        cluster->leases = lease;
    }
    lease->renewed_ns = world->now_ns;
}

bool hdfs_lease_is_old(struct hdfs_cluster *cluster, const char *holder)
{
    const struct hdfs_lease *lease = lease_of(cluster, holder);
    return lease == NULL || lease->renewed_ns + SOFT_LIMIT_NS < world->now_ns;
}

/* Returns the block whose length the datanodes have to agree on; NULL: there is none. */
static struct hdfs_block *last_open_block(struct hdfs_file *file)
{
    struct hdfs_block *last = file->count > 0 ? file->blocks[file->count - 1] : NULL;
    return last != NULL && !last->is_whole ? last : NULL;
}

bool hdfs_recover_lease(struct hdfs_cluster *cluster, struct hdfs_file *file)
{
    if (!file->is_open)
        return true;
    if (file->recovered_ns != 0)
        return false;
    snprintf(file->holder, sizeof file->holder, "HDFS_NameNode-2026"); /* the namenode recovers it itself */
    if (last_open_block(file) == NULL) {
        hdfs_close_file(cluster, file);
        return true;
    }
    file->recovered_ns = world->now_ns + RECOVERY_NS;
    cluster->recovers = true;
    return false;
}

/* The datanodes that run agree on the shortest of the newest replicas (BlockRecoveryWorker). */
static bool recover_block(struct hdfs_cluster *cluster, struct hdfs_file *file, struct hdfs_block *block)
{
    uint64_t shortest = UINT64_MAX, newest = 0;
    unsigned live = hdfs_live_nodes(cluster);
    for (unsigned i = 0; i < HDFS_DATANODES; i++) {
        const struct hdfs_replica *replica = &block->replicas[i];
        if ((live >> i & 1) == 0 || !replica->is_there || replica->generation < block->generation)
            continue;
        if (replica->generation > newest)
            shortest = UINT64_MAX;
        newest = replica->generation > newest ? replica->generation : newest;
        if (replica->generation == newest && replica->bytes.size < shortest)
            shortest = replica->bytes.size;
    }
    if (newest == 0) { /* no datanode has it: it was never begun, or they do not run */
        for (unsigned i = 0; i < HDFS_DATANODES; i++)
            if (block->replicas[i].is_there)
                return false;
        file->count--;
        return true;
    }
    block->generation = newest;
    block->acknowledged = shortest;
    block->is_whole = true;
    if (shortest == 0)
        file->count--;
    return true;
}

uint64_t hdfs_recoveries(struct hdfs_cluster *cluster)
{
    uint64_t due_ns = WORLD_NEVER;
    if (!cluster->recovers) /* asked at each step, and there may be thousands of files */
        return due_ns;
    for (struct hdfs_file *file = cluster->files; file != NULL; file = file->next) {
        if (!file->is_open || file->recovered_ns == 0)
            continue;
        if (file->recovered_ns <= world->now_ns) {
            struct hdfs_block *last = last_open_block(file);
            if (last == NULL || recover_block(cluster, file, last)) {
                hdfs_close_file(cluster, file);
                continue;
            }
            file->recovered_ns = world->now_ns + RECOVERY_NS;
        }
        due_ns = file->recovered_ns < due_ns ? file->recovered_ns : due_ns;
    }
    cluster->recovers = due_ns != WORLD_NEVER;
    return due_ns;
}

/* A file that was put there without a client is a block of its own, which the first two datanodes have. */
/* Two datanodes have a copy of it. */
static struct hdfs_block *adopt_block(struct hdfs_cluster *cluster, struct disk_inode *inode, uint64_t offset,
                                      size_t length)
{
    struct hdfs_block *block = world_allocate(sizeof *block);
    char *bytes = world_allocate(length + 1);
    disk_read(inode, offset, bytes, length);
    *block = (struct hdfs_block){.id = ++cluster->next_block + (1U << 30),
                                 .generation = ++cluster->next_generation + 1000,
                                 .acknowledged = length,
                                 .offset = offset,
                                 .is_whole = true};
    for (unsigned i = 0; i < 2; i++) {
        struct hdfs_replica *replica = &block->replicas[i];
        *replica = (struct hdfs_replica){.is_there = true, .is_final = true, .generation = block->generation};
        disk_bytes_put(&replica->bytes, 0, bytes, length);
        disk_bytes_resize(&replica->bytes, length);
    }
    world_free(bytes, length + 1);
    return block;
}

struct hdfs_file *hdfs_adopt(struct hdfs_cluster *cluster, struct disk_inode *inode)
{
    struct hdfs_file *file = world_allocate(sizeof *file);
    *file = (struct hdfs_file){.next = cluster->files, .inode = inode, .block_bytes = cluster->block_bytes};
    uint64_t offset = 0, length = inode->now.size;
    do {
        uint64_t bytes = length - offset < file->block_bytes ? length - offset : file->block_bytes;
        file->blocks[file->count++] = adopt_block(cluster, inode, offset, (size_t)bytes);
        offset += bytes;
    } while (offset < length && file->count < HDFS_BLOCKS_MAX);
    cluster->files = file;
    return file;
}
