/* Turns that are passed within the product's code, and not at its calls. */
#pragma once

/* Begins to count, at the start of a life. */
void blocks_begin(void);
