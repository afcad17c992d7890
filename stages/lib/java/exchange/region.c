#include "stages/lib/java/exchange/region.h"

#include "core/quantity.h"
#include "core/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define REGION_BYTES_MAX (UINT64_C(64) << 30)
#define REGION_BYTES_MIN                                                                                     \
    (UINT64_C(16) << 20) /* a sink has 8 areas of 512 KiB; without room for them it waits for ever */
#define AREA_STEP (UINT64_C(64) << 10)

struct extent {
    uint64_t offset, size;
    struct extent *next; /* in order of offsets */
};

struct ps_java_region {
    pthread_mutex_t lock; /* protects the members below */
    int fd;
    uint64_t size; /* bytes */
    unsigned holders;
    struct extent *used;
};

static void region_free(struct ps_java_region *region)
{
    while (region->used != NULL) { /* abandoned ones */
        struct extent *extent = region->used;
        region->used = extent->next;
        free(extent);
    }
    if (region->fd >= 0)
        close(region->fd);
    pthread_mutex_destroy(&region->lock);
    free(region);
}

/* The limit of file sizes (ulimit -f) also counts for this memory. */
static uint64_t region_bytes(void)
{
    struct rlimit limit;
    uint64_t size = REGION_BYTES_MAX;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < size)
        size = limit.rlim_cur / AREA_STEP * AREA_STEP;
    return size;
}

struct ps_java_region *ps_java_region_create(struct ps_err *err)
{
    struct ps_java_region *region = ps_must_alloc(1, sizeof *region, "the Java host");
    pthread_mutex_init(&region->lock, NULL);
    region->holders = 1;
    region->size = region_bytes();
    if (region->size < REGION_BYTES_MIN) {
        region->fd = -1;
        ps_err_set(
            err,
            "no memory to share with Java: the limit of file sizes (ulimit -f, LimitFSIZE= of a service) "
            "is below %s; raise it",
            ps_quantity_print_bytes(REGION_BYTES_MIN).text);
        region_free(region);
        return NULL;
    }
    region->fd = memfd_create("penstock-java", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (region->fd >= 0 && ftruncate(region->fd, (off_t)region->size) == 0 &&
        fcntl(region->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return region;
    ps_err_set(err, "no memory to share with Java: %s", strerror(errno));
    region_free(region);
    return NULL;
}

int ps_java_region_fd(const struct ps_java_region *region)
{
    return region->fd;
}

void ps_java_region_hold(struct ps_java_region *region)
{
    pthread_mutex_lock(&region->lock);
    region->holders++;
    pthread_mutex_unlock(&region->lock);
}

void ps_java_region_release(struct ps_java_region *region)
{
    pthread_mutex_lock(&region->lock);
    bool last = --region->holders == 0;
    pthread_mutex_unlock(&region->lock);
    if (last)
        region_free(region);
}

/* Marks the first free `size` bytes as used. Returns their offset, or UINT64_MAX if there is no room, or no
 * memory. */
static uint64_t extent_take(struct ps_java_region *region, uint64_t size)
{
    uint64_t offset = 0;
    struct extent **at = &region->used;
    for (; *at != NULL && (*at)->offset - offset < size; at = &(*at)->next)
        offset = (*at)->offset + (*at)->size;
    struct extent *extent = offset + size <= region->size ? malloc(sizeof *extent) : NULL;
    if (extent == NULL)
        return UINT64_MAX;
    *extent = (struct extent){offset, size, *at};
    *at = extent;
    region->holders++;
    return offset;
}

static void extent_give(struct ps_java_region *region, uint64_t offset)
{
    struct extent **at = &region->used;
    pthread_mutex_lock(&region->lock);
    while (*at != NULL && (*at)->offset != offset)
        at = &(*at)->next;
    struct extent *extent = *at;
    PS_ASSERT(extent != NULL);
    *at = extent->next;
    pthread_mutex_unlock(&region->lock);
    free(extent);
    ps_java_region_release(region);
}

/* Sets `why` to the reason why there is no area. Always returns false. */
static bool lack(const struct ps_java_region *region, uint64_t size, int error, struct ps_err *why)
{
    struct ps_quantity_text wanted = ps_quantity_print_bytes(size);
    if (size > PS_JAVA_AREA_BYTES_MAX)
        ps_err_set(why, "%s are more than Java can be given at a time: 1 GiB is the limit", wanted.text);
    else if (error == ENOSPC && region->size < REGION_BYTES_MAX)
        ps_err_set(why,
                   "no memory to share with Java: %s are wanted, and the %s that the limit of file sizes "
                   "(ulimit -f, LimitFSIZE= of a service) allows are in use; raise it",
                   wanted.text, ps_quantity_print_bytes(region->size).text);
    else
        ps_err_set(why,
                   "no memory to share with Java: %s are wanted: %s; look at vm.max_map_count and the "
                   "limit of the address space (ulimit -v, LimitAS= of a service)",
                   wanted.text, strerror(error));
    return false;
}

bool ps_java_area_take(struct ps_java_region *region, uint64_t bytes, struct ps_java_area *area,
                       struct ps_err *why)
{
    uint64_t size = (bytes + AREA_STEP - 1) / AREA_STEP * AREA_STEP;
    *area = (struct ps_java_area){.region = NULL};
    if (size == 0 || size > PS_JAVA_AREA_BYTES_MAX)
        return lack(region, size, EINVAL, why);
    pthread_mutex_lock(&region->lock);
    uint64_t offset = extent_take(region, size);
    pthread_mutex_unlock(&region->lock);
    if (offset == UINT64_MAX)
        return lack(region, size, ENOSPC, why);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, region->fd, (off_t)offset);
    if (memory == MAP_FAILED) {
        (void)lack(region, size, errno, why);
        extent_give(region, offset);
        return false;
    }
    *area =
        (struct ps_java_area){.region = region, .memory = memory, .offset = offset, .size = (uint32_t)size};
    return true;
}

void ps_java_area_abandon(struct ps_java_area *area)
{
    if (area->region == NULL)
        return;
    munmap(area->memory, area->size);
    ps_java_region_release(area->region);
    *area = (struct ps_java_area){.region = NULL};
}

void ps_java_area_give(struct ps_java_area *area)
{
    if (area->region == NULL)
        return;
    munmap(area->memory, area->size);
    (void)fallocate(area->region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)area->offset,
                    (off_t)area->size);
    extent_give(area->region, area->offset);
    *area = (struct ps_java_area){.region = NULL};
}
