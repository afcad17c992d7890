#include "tests/world/disk.h"

#include <string.h>

static void set_page_count(struct disk_bytes *bytes, size_t count)
{
    if (count > bytes->page_count) {
        bytes->pages =
            world_grow(bytes->pages, bytes->page_count * sizeof *bytes->pages, count * sizeof *bytes->pages);
        bytes->page_count = count;
    }
}

static char *page_of(struct disk_bytes *bytes, uint64_t offset)
{
    size_t number = offset / DISK_PAGE_BYTES;
    if (number >= bytes->page_count)
        set_page_count(bytes, number < 8 ? number + 1 : number + number / 2);
    if (bytes->pages[number] == NULL)
        bytes->pages[number] = world_allocate(DISK_PAGE_BYTES);
    return bytes->pages[number];
}

void disk_bytes_put(struct disk_bytes *bytes, uint64_t offset, const char *from, size_t length)
{
    while (length > 0) {
        size_t at = offset % DISK_PAGE_BYTES,
               piece = DISK_PAGE_BYTES - at < length ? DISK_PAGE_BYTES - at : length;
        memcpy(page_of(bytes, offset) + at, from, piece);
        offset += piece;
        from += piece;
        length -= piece;
    }
    if (offset > bytes->size)
        bytes->size = offset;
}

/* What is behind the new end is zero if the file becomes longer again. */
void disk_bytes_resize(struct disk_bytes *bytes, uint64_t size)
{
    if (size < bytes->size) {
        size_t first = (size + DISK_PAGE_BYTES - 1) / DISK_PAGE_BYTES;
        for (size_t i = first; i < bytes->page_count; i++) {
            world_free(bytes->pages[i], DISK_PAGE_BYTES);
            bytes->pages[i] = NULL;
        }
        size_t at = size % DISK_PAGE_BYTES, number = size / DISK_PAGE_BYTES;
        if (at > 0 && number < bytes->page_count && bytes->pages[number] != NULL)
            memset(bytes->pages[number] + at, 0, DISK_PAGE_BYTES - at);
    }
    bytes->size = size;
}

size_t disk_bytes_get(const struct disk_bytes *bytes, uint64_t offset, char *to, size_t length)
{
    if (offset >= bytes->size)
        return 0;
    if (length > bytes->size - offset)
        length = bytes->size - offset;
    for (size_t done = 0; done < length;) {
        size_t number = offset / DISK_PAGE_BYTES, at = offset % DISK_PAGE_BYTES;
        size_t piece = DISK_PAGE_BYTES - at < length - done ? DISK_PAGE_BYTES - at : length - done;
        if (number < bytes->page_count && bytes->pages[number] != NULL)
            memcpy(to + done, bytes->pages[number] + at, piece);
        else
            memset(to + done, 0, piece);
        done += piece;
        offset += piece;
    }
    return length;
}
