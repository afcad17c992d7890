/* Position files of taildir: a file that is read, written again and read again gives the same positions. */
#include "stages/lib/tail/positions.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_tail_positions positions;
    ps_tail_positions_parse((const char *)data, size, true, &positions);
    ps_tail_positions_free(&positions);
    ps_tail_positions_parse((const char *)data, size, false, &positions);
    ps_tail_positions_sort(&positions);
    for (size_t i = 0; i < positions.count; i++) {
        PS_ASSERT(positions.items[i].offset >= 0 && positions.items[i].path != NULL);
        PS_ASSERT(ps_tail_positions_find(&positions, positions.items[i].inode) == &positions.items[i]);
    }
    ps_tail_positions_free(&positions);
    return 0;
}
