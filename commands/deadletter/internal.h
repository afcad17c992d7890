/* Shared by commands/deadletter/read.c and marks.c. Thread: main. */
#pragma once

#include "commands/deadletter/deadletter.h"

/* Header with the number of replays, set on a letter that is replayed with its headers. */
#define PS_DEADLETTER_HEADER "penstock.replays"

/* Sets letter->replayed and letter->replays. */
void ps_deadletter_marks_look(const struct ps_deadletter_marks *marks, struct ps_deadletter *letter);
