/* Numbers as the report's page shows them: grouped by thousands, units behind a narrow blank that does not
 * break, "–" for what was not measured (NaN).
 *
 * Thread: any; nothing here keeps state. */
#pragma once

#include "core/base.h"

#define PS_FIGURE_BYTES 48U

struct ps_figure {
    char text[PS_FIGURE_BYTES];
};

#define PS_FIGURE_NONE "–"
#define PS_FIGURE_BLANK "\u202f" /* narrow no-break space */

/* 812,345; from 10^15 on with an exponent. */
struct ps_figure ps_figure_count(double count);
/* For axes and labels: 800k, 1.2M, 0.5; three digits. */
struct ps_figure ps_figure_short(double count);
/* 18.4 ms: three digits, ns to s; from 10,000 s on min and h. */
struct ps_figure ps_figure_ns(double ns);
/* 97 %; below 10 % one digit more, below 1 % three digits that count. 0.97 is given. */
struct ps_figure ps_figure_share(double share);
/* 1.23 TB (thousands). */
struct ps_figure ps_figure_bytes(double bytes);
/* 118 s, 2 min 5 s, 7 days. */
struct ps_figure ps_figure_seconds(double seconds);
/* Three digits that count, for what has no unit. */
struct ps_figure ps_figure_number(double number);
