/* "did you mean": the nearest of some words, as conf/ has it (struct ps_nearest). A door for bench/load,
 * bench/verify and bench/plan, which include nothing else of conf/. Set-up only. */
#pragma once

#include "conf/text.h"
