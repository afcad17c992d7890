/* The file `checkpoint` is an array of big-endian 64-bit numbers: a head of 1,029 (version, order, ..), then as many slots as
 * the channel's capacity, used as a ring. checkpoint.meta has the beginning of the ring. inflightputs and inflighttakes have
 * an MD5 and then, for each transaction, its number, the number of its pointers, and the pointers. */
#include "stages/lib/flume_log/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages/lib/flume_log/numbers.h"
#include "stages/lib/flume_log/record.h"

#define PATH_BYTES 4096U
#define HEAD_NUMBERS 1029U
#define INDEX_VERSION 0U
#define INDEX_ORDER 1U
#define INDEX_MARKER 4U
#define DIGEST_BYTES 16U
#define FILE_BYTES_MAX ((size_t)16 << 30) /* 2^31 slots */

struct content {
    uint8_t *bytes;
    size_t length;
};

static uint64_t number_at(const struct content *content, size_t index)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 8; i++)
        value = value << 8 | content->bytes[8 * index + i];
    return value;
}

/* Reads a whole file; the caller frees content->bytes. Returns false if the file does not exist, or, with *error, if it cannot be read. */
static bool file_read(const char *directory, const char *name, struct content *content, int *error)
{
    char path[PATH_BYTES];
    struct stat about;
    *content = (struct content){0};
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        *error = errno == ENOENT ? *error : errno;
        return false;
    }
    bool whole = fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && (size_t)about.st_size <= FILE_BYTES_MAX;
    size_t size = whole ? (size_t)about.st_size : 0;
    content->bytes = ps_must_alloc(1, size + 1, "a checkpoint of Flume");
    while (whole && content->length < size) {
        ssize_t got =
            pread(fd, content->bytes + content->length, size - content->length, (off_t)content->length);
        if (got < 0 && errno == EINTR)
            continue;
        *error = got < 0 ? errno : *error;
        whole = got > 0;
        content->length += whole ? (size_t)got : 0;
    }
    close(fd);
    if (whole)
        return true;
    free(content->bytes);
    *content = (struct content){0};
    return false;
}

/* ---- the queue ---- */

/* Returns whether the queue has as many events of each log as the meta file says. */
static bool counts_agree(const struct ps_flume_checkpoint *checkpoint, struct ps_flume_checkpoint_meta *meta)
{
    struct ps_number_map counts = {0};
    uint32_t log, expected, count = 0;
    uint64_t all = 0;
    bool agree = true;
    for (size_t i = 0; i < checkpoint->queue_count; i++) {
        uint64_t number = checkpoint->queue[i] >> 32;
        if (!ps_number_map_get(&counts, number, &count))
            count = 0;
        ps_number_map_put(&counts, number, count + 1);
    }
    while (ps_flume_checkpoint_log(meta, &log, &expected)) {
        agree = agree && ps_number_map_get(&counts, log, &count) && count == expected;
        all += expected;
    }
    ps_number_map_fini(&counts);
    return agree && all == checkpoint->queue_count;
}

static const char *queue_read(const struct content *file, struct ps_flume_checkpoint_meta *meta,
                              struct ps_flume_checkpoint *checkpoint)
{
    size_t numbers = file->length / 8;
    if (file->length % 8 != 0 || numbers <= HEAD_NUMBERS ||
        number_at(file, INDEX_VERSION) != PS_FLUME_VERSION)
        return "the file checkpoint is not of version 3";
    if (number_at(file, INDEX_MARKER) != 0)
        return "it was being written when the agent ended";
    if (number_at(file, INDEX_ORDER) != meta->order)
        return "checkpoint and checkpoint.meta are not of the same moment";
    size_t capacity = numbers - HEAD_NUMBERS;
    if (meta->queue_size > capacity || meta->queue_head > capacity)
        return "checkpoint.meta does not match the size of the file checkpoint";
    checkpoint->order = meta->order;
    checkpoint->queue_count = meta->queue_size;
    checkpoint->queue =
        ps_must_alloc(meta->queue_size + (size_t)1, sizeof *checkpoint->queue, "a checkpoint of Flume");
    for (size_t i = 0; i < meta->queue_size; i++)
        checkpoint->queue[i] = number_at(file, HEAD_NUMBERS + (meta->queue_head + i) % capacity);
    return counts_agree(checkpoint, meta) ? NULL
                                          : "its events are not in the logs that checkpoint.meta names";
}

/* ---- transactions that had not ended ---- */

static bool digest_is_right(const struct content *file)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    return EVP_Digest(file->bytes + DIGEST_BYTES, file->length - DIGEST_BYTES, digest, &length, EVP_md5(),
                      NULL) == 1 &&
           length == DIGEST_BYTES && memcmp(digest, file->bytes, DIGEST_BYTES) == 0;
}

static bool inflight_read(const char *directory, const char *name, struct ps_flume_inflight **list,
                          size_t *count, int *error)
{
    struct content file;
    if (!file_read(directory, name, &file, error))
        return false;
    bool right = file.length == 0 || (file.length >= DIGEST_BYTES && digest_is_right(&file));
    size_t numbers = file.length / 8;
    *list = ps_must_alloc(numbers + 1, sizeof **list, "a checkpoint of Flume");
    for (size_t at = DIGEST_BYTES / 8; right && at + 2 <= numbers;) {
        uint64_t transaction = number_at(&file, at), pointers = number_at(&file, at + 1);
        at += 2;
        right = pointers <= numbers - at;
        for (uint64_t i = 0; right && i < pointers; i++)
            (*list)[(*count)++] = (struct ps_flume_inflight){transaction, number_at(&file, at++)};
    }
    free(file.bytes);
    return right;
}

const char *ps_flume_checkpoint_read(const char *directory, struct ps_flume_checkpoint *checkpoint,
                                     int *error)
{
    struct content meta_file = {0}, file = {0};
    struct ps_flume_checkpoint_meta meta;
    const char *wrong = NULL;
    *checkpoint = (struct ps_flume_checkpoint){0};
    *error = 0;
    if (!file_read(directory, "checkpoint.meta", &meta_file, error) ||
        !file_read(directory, "checkpoint", &file, error))
        wrong = "its files cannot be read";
    else if (!ps_flume_checkpoint_meta_read(meta_file.bytes, meta_file.length, &meta) ||
             meta.version != PS_FLUME_VERSION)
        wrong = "checkpoint.meta is damaged or not of version 3";
    else
        wrong = queue_read(&file, &meta, checkpoint);
    if (wrong == NULL &&
        (!inflight_read(directory, "inflightputs", &checkpoint->puts, &checkpoint->put_count, error) ||
         !inflight_read(directory, "inflighttakes", &checkpoint->takes, &checkpoint->take_count, error)))
        wrong = "inflightputs or inflighttakes is damaged";
    free(meta_file.bytes);
    free(file.bytes);
    if (wrong != NULL)
        ps_flume_checkpoint_fini(checkpoint);
    return wrong;
}

void ps_flume_checkpoint_fini(struct ps_flume_checkpoint *checkpoint)
{
    free(checkpoint->queue);
    free(checkpoint->puts);
    free(checkpoint->takes);
    *checkpoint = (struct ps_flume_checkpoint){0};
}
