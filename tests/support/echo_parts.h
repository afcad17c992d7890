/* What the sink of echo.h and its server share. */
#pragma once

#include <stdint.h>

uint16_t ps_test_echo_port(void);
