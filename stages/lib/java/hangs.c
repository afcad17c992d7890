#include "stages/lib/java/hangs.h"

#include "rings/flag.h"

static struct ps_flag stops, hung; /* one pair for the process, which has one agent */

void ps_java_hangs_begin(void)
{
    ps_flag_set(&hung, false);
    ps_flag_set(&stops, true);
}

void ps_java_hangs_note(void)
{
    if (ps_flag_get(&stops))
        ps_flag_set(&hung, true);
}

bool ps_java_hangs_any(void)
{
    return ps_flag_get(&hung);
}
