/* Formats numbers for the report's page: grouped by thousands, units after a narrow no-break space, "–" for
 * what was not measured (NaN).
 *
 * Thread: any; no state. */
#pragma once

#include "core/base.h"

#define PS_FIGURE_BYTES 48U

struct ps_figure {
    char text[PS_FIGURE_BYTES];
};

#define PS_FIGURE_NONE "–"
#define PS_FIGURE_BLANK "\u202f" /* narrow no-break space */

/* 812,345; an exponent from 10^15 on. */
struct ps_figure ps_figure_count(double count);
/* For axes and labels: 800 k, 1.2 M, 0.5; three digits. */
struct ps_figure ps_figure_short(double count);
/* The three below as core/quantity.h prints them. 18.4 ms, 1 min 30 s; below 0 counts as 0. */
struct ps_figure ps_figure_ns(double ns);
/* 97 %; one digit more below 10 %, three significant digits below 1 %. The argument is 0.97. */
struct ps_figure ps_figure_share(double share);
/* 1.23 TiB. */
struct ps_figure ps_figure_bytes(double bytes);
/* 18.4 s, 2 min 5 s, 7 d. */
struct ps_figure ps_figure_seconds(double seconds);
/* Three significant digits, for numbers without a unit. */
struct ps_figure ps_figure_number(double number);
