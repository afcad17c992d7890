/* The dead letters of one stage under test: in the folder `dead` of the test's folder (tests/support/folder.h). A letter is
 * written before the put returns, unless the folder cannot be written. Thread: the test's. */
#pragma once

#include "tests/support/stage.h"

/* Gives the stage, which is open, a dead_letter_queue. */
void ps_test_dead_letters_open(struct ps_test_stage *stage);
/* Call it after the stage is closed. */
void ps_test_dead_letters_close(struct ps_test_stage *stage);

/* Returns how many letters have this text somewhere in their lines. */
unsigned ps_test_dead_letters_with(const char *text);
