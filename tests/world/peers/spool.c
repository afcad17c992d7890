/* Programs that put files into a directory for the source spooldir. */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "tests/world/disk.h"
#include "tests/world/ledger.h"
#include "tests/world/peers/peers.h"
#include "tests/world/peers/supply.h"

#define PAUSE_NS_MAX UINT64_C(100000000)
#define FILE_EVENTS_MAX 60
#define BLOCK_BYTES_MAX 0xffffU

struct spooler {
    const struct spooled *form;
    const char *directory;
    uint32_t left, files; /* events and files */
    size_t length;
    char text[(LEDGER_TEXT_MAX + 1) * FILE_EVENTS_MAX * 2],
        packed[(LEDGER_TEXT_MAX + 1) * FILE_EVENTS_MAX * 3];
};

/* In the form of the directory's files: with two bytes a character, or one. */
static void add(struct spooler *spooler, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        spooler->text[spooler->length++] = bytes[i];
        if (spooler->form->is_wide)
            spooler->text[spooler->length++] = 0;
    }
}

static void put_number(char **to, uint32_t number, unsigned bytes)
{
    for (; bytes > 0; bytes--, number >>= 8)
        *(*to)++ = (char)(number & 0xff);
}

/* Makes a gzip member of stored blocks: nothing here allocates. Returns its length. */
static size_t pack(const char *text, size_t length, char *packed)
{
    static const char head[10] = "\x1f\x8b\x08\0\0\0\0\0\0\3";
    char *to = mempcpy(packed, head, sizeof head);
    for (size_t at = 0, size; at < length || at == 0; at += size) {
        size = length - at < BLOCK_BYTES_MAX ? length - at : BLOCK_BYTES_MAX;
        *to++ = at + size == length;
        put_number(&to, (uint32_t)size, 2);
        put_number(&to, ~(uint32_t)size, 2);
        to = mempcpy(to, text + at, size);
    }
    put_number(&to, (uint32_t)crc32(0, (const unsigned char *)text, (unsigned)length), 4);
    put_number(&to, (uint32_t)length, 4);
    return (size_t)(to - packed);
}

static void write_file(struct spooler *spooler, const char *path)
{
    uint16_t stream = ledger_stream();
    uint64_t count = spooler->form->is_blob ? 1 : 1 + world_below(FILE_EVENTS_MAX);
    spooler->length = 0;
    for (; count > 0 && spooler->left > 0; count--, spooler->left--) {
        char text[LEDGER_TEXT_MAX + 1];
        uint32_t number = ledger_add();
        size_t length = ledger_text(number, text);
        bool is_last = count == 1 || spooler->left == 1;
        text[length] = '\n';
        bool has_end =
            !spooler->form->is_blob && !(is_last && world_below(2) == 0); /* the last line needs none */
        add(spooler, text, length + has_end);
        ledger_ordered(number, stream);
        ledger_written(number, spooler->files, 0, 0, 0);
        ledger_sent(number);
    }
    if (spooler->form->is_packed)
        disk_append(path, spooler->packed, pack(spooler->text, spooler->length, spooler->packed));
    else
        disk_append(path, spooler->text, spooler->length);
    disk_sync(disk_at(path));
}

static void rest(struct world_peer *peer, const struct spooler *spooler)
{
    if (spooler->left > 0 || !supply_is_over())
        peer->due_ns = supply_next_ns();
    else
        peers_one_less();
}

/* An event is acknowledged when its file has its name. */
static void step(struct world_peer *peer)
{
    struct spooler *spooler = peer->state;
    char path[128], name[32];
    if (spooler->left == 0)
        spooler->left = supply_take(FILE_EVENTS_MAX);
    if (spooler->left == 0) {
        rest(peer, spooler);
        return;
    }
    uint32_t first = world->ledger->count;
    snprintf(name, sizeof name, "%u.txt%s", ++spooler->files, spooler->form->is_packed ? ".gz" : "");
    snprintf(path, sizeof path, "/w/beside/%s", name);
    write_file(spooler, path);
    struct disk_inode *beside = disk_at("/w/beside"), *directory = disk_at(spooler->directory);
    disk_rename(beside, name, directory, name, false);
    disk_sync(directory);
    disk_sync(beside);
    while (first < world->ledger->count)
        ledger_acknowledged(first++);
    rest(peer, spooler);
}

void spooler_add(const struct spooled *form)
{
    static const char words[] = "nobody wants this\n";
    struct spooler *spooler = world_allocate(sizeof *spooler);
    spooler->form = form;
    spooler->directory = form->is_below ? "/w/spool/below" : "/w/spool";
    disk_put("/w/beside/.none", "", 0);
    disk_put("/w/spool/.draft.txt", words, strlen(words));
    disk_put("/w/spool/draft.part", words, strlen(words));
    disk_put("/w/spool/.below/1.txt", words, strlen(words));
    disk_put(form->is_below ? "/w/spool/below/.none" : "/w/spool/other/1.txt", words, strlen(words));
    peers_one_more();
    peer_add(step, spooler, world_below(PAUSE_NS_MAX));
}
