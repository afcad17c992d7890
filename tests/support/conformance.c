#include "tests/support/conformance.h"

#include "core/text/ends.h"
#include "tests/support/folder.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

unsigned ps_test_stage_hoard(struct ps_test_stage *stage, struct ps_block_cache *hoard,
                             struct ps_block **taken, struct ps_lease *lease)
{
    unsigned count = 0;
    ps_block_cache_init(hoard, stage->depot);
    while ((taken[count] = ps_block_take(hoard)) != NULL)
        count++;
    for (uint32_t piece = 4096; piece > 0; piece /= 4) {
        while (ps_batch_alloc(lease->batch, piece) != NULL)
            ;
    }
    return count;
}

uint64_t ps_test_stage_gauges(const struct ps_test_stage *stage)
{
    const char *const *names = stage->ops->counters;
    uint64_t sum = ps_test_stage_counter(stage, PS_COUNTER_OpenConnectionCount);
    for (unsigned i = 0; names != NULL && names[i] != NULL; i++) {
        bool counts = ps_text_ends(names[i], "_now") && !ps_text_ends(names[i], "_us_now") &&
                      strstr(names[i], "_limit_") == NULL;
        sum += counts ? ps_test_stage_counter(stage, (enum ps_counter)(PS_COUNTER_extra + i)) : 0;
    }
    return sum;
}

void ps_test_stage_close_all(struct ps_test_stage *stage)
{
    ps_test_stage_close(stage);
#ifndef PS_TEST_PLUGIN
    if (ps_test_stage_gauges(stage) != 0)
        fail_msg("%s: its gauges are %llu when it is closed", stage->ops->name,
                 (unsigned long long)ps_test_stage_gauges(stage));
#endif
}

void ps_test_asked_elsewhere(const struct ps_stage_ops *ops, const char *text)
{
    const char *tree = getenv("PENSTOCK_SOURCE");
    char path[512];
    snprintf(path, sizeof path, "%s/%.*s", tree != NULL ? tree : ".", (int)strcspn(text, ":"), text);
    if (access(path, R_OK) != 0)
        fail_msg("%s: there is no test %s", ops->name, path);
    print_message("%s is not asked: %s\n", ops->name, text);
}

void ps_test_print_fds(void)
{
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        char what[256];
        ssize_t length = readlinkat(dirfd(directory), entry->d_name, what, sizeof what);
        if (length > 0)
            printf("descriptor %s: %.*s\n", entry->d_name, (int)length, what);
    }
    closedir(directory);
}

unsigned ps_test_open_fds(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

void ps_test_place_keys(struct ps_test_stage *stage, const char *const *keys, const char **copies)
{
    for (; *keys != NULL; keys++, copies++) {
        char text[1024], *to = text;
        for (const char *from = *keys; *from != '\0'; from++) {
            assert_true(to + 512 < text + sizeof text); /* the folder's path has less than 256 bytes */
            if (*from == PS_TEST_PLACE)
                to += sprintf(to, "%s/", ps_test_folder());
            else
                *to++ = *from;
        }
        *copies = ps_arena_copy(stage->arena, text, (size_t)(to - text));
    }
    *copies = NULL;
}
