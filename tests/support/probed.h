/* What a probe reported: the last thing that it tried, and how many there were. */
#pragma once

#include "core/probe.h"

struct ps_test_probed {
    unsigned count;
    enum ps_probed result;
    char key[64], what[400], cause[400], cure[400]; /* "": none */
};

/* For ps_probe.tried; ps_probe.argument is a struct ps_test_probed. */
void ps_test_probed_note(const struct ps_probe *probe, enum ps_probed result, const char *key,
                         const char *what, const char *cause, const char *cure);

/* The result is this one, and cause and cure contain these texts. */
void ps_test_probed_expect(const struct ps_test_probed *probed, enum ps_probed result, const char *cause,
                           const char *cure);
