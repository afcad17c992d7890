/* libc's streams over the world's descriptors. */
#pragma once

/* Makes stdin, stdout and stderr streams of 0, 1 and 2. At the start of a life. */
void stdio_begin(void);
