/* Shared by the sink of echo.h and its server. */
#pragma once

#include <stdint.h>

uint16_t ps_test_echo_port(void);
