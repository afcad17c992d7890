/* Programs that write log files, and what rotates them: everything that the page of the source taildir promises to follow without a loss. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/disk.h"
#include "tests/world/ledger.h"
#include "tests/world/peers/peers.h"
#include "tests/world/peers/supply.h"

#define PAUSE_NS_MAX UINT64_C(100000000)
#define KNOWN_NS WORLD_NS_PER_S /* a position file that is as old is on the disk */
#define LOG_BYTES_MAX ((size_t)1 << 20)

struct log {
    char name[16]; /* in /w/logs */
    uint32_t label, left;
    unsigned rotations, oldest; /* how many there were; the first rotated file that may be there */
    uint16_t stream;
    bool returns; /* lines end in \r\n */
    bool shifts;  /* the newest rotated file is always number 1, as logrotate has it */
    uint64_t
        made_bytes; /* a new file has so many NULs, into which lines are written; 0: lines are appended */
    struct disk_inode *file; /* that is written; NULL: it is made with the next line */
    uint64_t end;            /* of its lines */
    bool is_over;            /* it had others before, or its inode had */
    bool has_rest;           /* the last line is written in part */
    uint32_t number;         /* of the event of this line */
    size_t rest;             /* bytes that are missing */
    uint32_t inode;          /* that the position file has, and since when */
    uint64_t known_since_ns;
};

static struct disk_inode *logs(void)
{
    return disk_at("/w/logs");
}

/* Writes the present name of the file of this rotation. */
static void rotated_name(const struct log *log, unsigned rotation, char to[32])
{
    snprintf(to, 32, "%s.%u", log->name, log->shifts ? log->rotations - rotation + 1 : rotation);
}

static void sync_names(void)
{
    disk_sync(logs());
}

/* ---- lines ---- */

/* Returns whether the inode of a file that was just made was another file's before. */
static bool is_of_another(const struct disk_inode *file)
{
    return file->number != world->disk->inodes;
}

static void make(struct log *log)
{
    disk_make(logs(), log->name, S_IFREG | 0644, &log->file);
    log->end = 0;
    log->is_over = is_of_another(log->file);
    if (log->made_bytes > 0)
        disk_reserve(log->file, 0, log->made_bytes, false);
}

static void put(struct log *log, const char *bytes, size_t length)
{
    size_t written;
    disk_write(log->file, log->end, bytes, length, &written);
    log->end += length;
}

static size_t line(const struct log *log, uint32_t number, char to[LEDGER_TEXT_MAX + 2])
{
    size_t length = ledger_text(number, to);
    if (log->returns)
        to[length++] = '\r';
    to[length++] = '\n';
    return length;
}

/* Writes what is missing of the last line. The event is acknowledged when it is synced. */
static void complete(struct log *log)
{
    char text[LEDGER_TEXT_MAX + 2];
    if (!log->has_rest)
        return;
    size_t length = line(log, log->number, text);
    put(log, text + length - log->rest, log->rest);
    disk_sync(log->file);
    ledger_acknowledged(log->number);
    log->has_rest = false;
}

/* Writes a line, or now and then a part of it. */
static void begin_line(struct log *log, bool may_wait)
{
    char text[LEDGER_TEXT_MAX + 2];
    log->number = ledger_add();
    log->left--;
    size_t length = line(log, log->number, text), cut = world_below(8) == 0 ? world_below(length) : 0;
    ledger_ordered(log->number, log->stream);
    ledger_written(log->number, log->label, log->file->number, log->end, log->end + length);
    world->ledger->over[log->number] = log->is_over;
    ledger_sent(log->number);
    put(log, text, cut > 0 ? cut : length);
    log->has_rest = true;
    log->rest = cut > 0 ? length - cut : 0;
    if (cut == 0 || !may_wait)
        complete(log);
}

static void write_lines(struct log *log)
{
    if (log->file == NULL)
        make(log);
    complete(log);
    for (uint64_t count = 1 + world_below(20); count > 0 && log->left > 0 && !log->has_rest; count--)
        begin_line(log, world_below(4) == 0 && log->left > 0);
    disk_sync(log->file);
    sync_names();
}

/* ---- rotations ---- */

/* Returns a copy of the log's file, synced. */
static struct disk_inode *copy(const struct log *log, const char *name)
{
    char *bytes = world_allocate(log->end + 1);
    struct disk_inode *file;
    size_t written;
    disk_make(logs(), name, S_IFREG | 0644, &file);
    disk_write(file, 0, bytes, disk_read(log->file, 0, bytes, log->end), &written);
    disk_sync(file);
    world_free(bytes, log->end + 1);
    return file;
}

static void begin_anew(struct log *log)
{
    log->stream = ledger_stream();
    log->file = NULL;
}

/* Begins a rotation: the rotated files make room for its name. */
static void shift(struct log *log, char to[32])
{
    char from[32];
    for (unsigned rotation = log->oldest; log->shifts && rotation <= log->rotations; rotation++) {
        rotated_name(log, rotation, from);
        snprintf(to, 32, "%s.%u", log->name, log->rotations - rotation + 2);
        disk_rename(logs(), from, logs(), to, true);
    }
    rotated_name(log, ++log->rotations, to);
}

static void rename_log(struct log *log, const char *to)
{
    if (world_below(2) == 0) {
        disk_rename(logs(), log->name, logs(), to, false);
    } else { /* as `ln` and `rm` do */
        disk_link(log->file, logs(), to);
        disk_unlink(logs(), log->name, false);
    }
    begin_anew(log);
}

/* Its writer has it open, and writes on, before it opens the new one. */
static void rename_away(struct log *log, const char *to)
{
    disk_rename(logs(), log->name, logs(), to, false);
    for (uint64_t count = world_below(4); count > 0 && log->left > 0; count--)
        begin_line(log, false);
    ledger_moved(log->file->number,
                 log->file->number); /* once it is read, the position file need not have it */
    begin_anew(log);
}

/* Its writer has it open, and writes on; the agent has it open, too. */
static void delete (struct log *log)
{
    if (log->file->life != world->life || log->file->opens == 0 || !ledger_has_all_of(log->file->number))
        return;
    disk_unlink(logs(), log->name, false);
    for (uint64_t count = world_below(4); count > 0 && log->left > 0; count--) {
        begin_line(log, false);
        ledger_held(log->number);
    }
    ledger_moved(log->file->number, log->file->number);
    begin_anew(log);
}

static void cut(struct log *log)
{
    disk_resize(log->file, 0);
    disk_sync(log->file);
    log->stream = ledger_stream();
    log->end = 0;
    log->is_over = true;
}

static void copy_and_cut(struct log *log, const char *to)
{
    ledger_moved(log->file->number, copy(log, to)->number);
    cut(log);
}

/* As an editor does: another file has the same lines and the name. */
static void replace(struct log *log)
{
    struct disk_inode *file = copy(log, ".new");
    log->is_over |= is_of_another(file);
    ledger_moved(log->file->number, file->number);
    disk_rename(logs(), ".new", logs(), log->name, true);
    log->file = file;
}

/* A gzip member with a stored block. */
static void compress(const char *to)
{
    static const char head[] = "\x1f\x8b\x08\0\0\0\0\0\0\3\1\4\0\xfb\xfftext\0\0\0\0\4\0\0";
    size_t written;
    struct disk_inode *file;
    if (disk_make(logs(), to, S_IFREG | 0644, &file) != 0)
        return; /* numbers shift: an earlier one has the name */
    disk_write(file, 0, head, sizeof head, &written);
    disk_sync(file);
}

/* Removes the oldest rotated file, or compresses it, if all of it has arrived; its inode may be used again. */
static void retire(struct log *log)
{
    char name[32], compressed[40];
    rotated_name(log, log->oldest, name);
    struct disk_inode *file = disk_lookup(logs(), name);
    if (log->oldest > log->rotations || (file != NULL && !ledger_has_all_of(file->number)))
        return;
    log->oldest++;
    if (file == NULL)
        return;
    ledger_moved(file->number, 0);
    if (world_below(2) == 0) {
        snprintf(compressed, sizeof compressed, "%s.gz", name);
        compress(compressed);
    }
    if (world_below(2) == 0 || !disk_reuse(logs(), name))
        disk_unlink(logs(), name, false);
}

/* The position file has had this file for a while: the agent finds it under any name. */
static bool is_known(struct log *log)
{
    static char positions[(size_t)64 << 10];
    char key[32];
    const struct disk_inode *file = disk_at("/w/positions.json");
    uint32_t inode = log->file->number;
    snprintf(key, sizeof key, "\"inode\":%u,", inode);
    positions[file == NULL ? 0 : disk_read(file, 0, positions, sizeof positions - 1)] = 0;
    if (strstr(positions, key) == NULL || log->inode != inode) {
        log->inode = strstr(positions, key) == NULL ? 0 : inode;
        log->known_since_ns = world->now_ns;
        return false;
    }
    return world->now_ns - log->known_since_ns > KNOWN_NS;
}

static void rotate(struct log *log)
{
    char to[32];
    complete(log);
    bool known = is_known(log);
    shift(log, to);
    switch (log->made_bytes > 0 ? 0 : world_below(6)) {
    case 0:
        if (log->made_bytes > 0 && world_below(2) == 0) {
            disk_resize(log->file, log->end);
            disk_sync(log->file);
        }
        rename_log(log, to);
        break;
    case 1:
        copy_and_cut(log, to);
        break;
    case 2:
        replace(log);
        break;
    case 3:
        snprintf(to, sizeof to, "old%u.%u", log->label, log->rotations);
        if (known &&
            !log->is_over) /* after a crash nothing tells a file that was cut from another one with its inode */
            rename_away(log, to);
        break;
    case 4:
        delete (log);
        break;
    default:
        if (ledger_has_all_of(log->file->number)) { /* nobody wants it any more */
            ledger_moved(log->file->number, 0);
            cut(log);
        }
        break;
    }
    sync_names();
}

static void step(struct world_peer *peer)
{
    struct log *log = peer->state;
    bool is_full = log->made_bytes > 0 && log->end + (size_t)20 * LEDGER_TEXT_MAX > log->made_bytes;
    if (log->file != NULL && (is_full || world_below(12) == 0))
        rotate(log);
    if (world_below(16) == 0)
        retire(log);
    if (log->left == 0)
        log->left = supply_take(20);
    if (log->left > 0 || log->has_rest)
        write_lines(log);
    if (log->left > 0 || log->has_rest)
        peer->due_ns = world->now_ns + world_below(PAUSE_NS_MAX);
    else if (!supply_is_over())
        peer->due_ns = supply_next_ns();
    else
        peers_one_less();
}

void log_add(uint32_t label)
{
    struct log *log = world_allocate(sizeof *log);
    *log = (struct log){.label = label,
                        .stream = ledger_stream(),
                        .oldest = 1,
                        .returns = world_below(4) == 0,
                        .shifts = world_below(2) == 0,
                        .made_bytes = world_below(6) == 0 ? (uint64_t)64 << 10 : 0};
    snprintf(log->name, sizeof log->name, "app%u.log", label);
    disk_put("/w/logs/other", "nobody wants this\n", 18);
    peers_one_more();
    peer_add(step, log, world_below(PAUSE_NS_MAX));
}
