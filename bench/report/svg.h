/* Pictures of the report's page. Each is drawn twice, wide and narrow, and the page's style shows the one
 * that fits: text keeps its size on a telephone. Colours, fonts and line styles are classes (style.c); these
 * functions handle positions.
 *
 * The positions of texts are stored so that later texts can avoid them; the same document always gives the
 * same picture. The width of text is estimated, with a margin, for the sans-serif fonts a browser may use.
 *
 * Thread: its owner. */
#pragma once

#include "bench/report/axis.h"
#include "bench/report/figure.h"
#include "bench/report/html.h"

#define PS_SVG_BOXES_MAX 256U
#define PS_SVG_SEGMENTS_MAX 1024U

struct ps_box {
    double left, top, right, bottom;
};

struct ps_svg {
    struct ps_html *html;
    double width, height;
    bool narrow;
    bool path_open;
    unsigned box_count; /* text placed so far */
    struct ps_box boxes[PS_SVG_BOXES_MAX];
    unsigned segment_count; /* pieces of lines that text should not cover */
    /* from (left, top) to (right, bottom) as drawn: not sorted */
    struct ps_box segments[PS_SVG_SEGMENTS_MAX];
    double path_x, path_y; /* end of the open path */
};

struct ps_svg_figure {
    const char *id;          /* fixed word, unique on the page */
    const char *title;       /* name of the picture; also for screen readers */
    const char *description; /* describes the content in words; may contain foreign text */
    const char *caption;     /* shown below the picture; markup of the report, may be NULL */
    double wide_height, narrow_height;
    void (*draw)(struct ps_svg *svg, const void *context);
    const void *context;
};

#define PS_SVG_WIDE 800.0
#define PS_SVG_NARROW 340.0
#define PS_SVG_TEXT 13.0 /* pixels; .tick and .axis are smaller, which only leaves more room */

/* Writes a <figure> with both pictures. */
void ps_svg_figure(struct ps_html *html, const struct ps_svg_figure *figure);

enum ps_anchor { PS_ANCHOR_START, PS_ANCHOR_MIDDLE, PS_ANCHOR_END };

/* Draws text with its baseline at y. `class` is a fixed word. `text` is escaped, so it may come from outside. */
void ps_svg_text(struct ps_svg *svg, double x, double y, enum ps_anchor anchor, const char *class,
                 const char *text);
double ps_svg_text_width(const char *text);
/* Returns the box that text would take; "strong" in `class` makes it PS_SVG_STRONG times wider. */
#define PS_SVG_STRONG 1.12
struct ps_box ps_svg_text_box(double x, double y, enum ps_anchor anchor, const char *class, const char *text);
/* Draws text at the first of these places where it covers neither text nor an avoided line, otherwise at the
 * first where it covers no text. Returns false when there is no such place; nothing is drawn then. */
struct ps_svg_place {
    double x, y;
    enum ps_anchor anchor;
};
bool ps_svg_text_somewhere(struct ps_svg *svg, const struct ps_svg_place *places, size_t count,
                           const char *class, const char *text);
/* Copies as much of `text` as fits into `width` to `to`, with "…" when it was cut. */
const char *ps_svg_text_cut(const char *text, double width, char *to, size_t room);

/* Makes ps_svg_text_somewhere avoid this line. Paths are always avoided. */
void ps_svg_avoid(struct ps_svg *svg, double x1, double y1, double x2, double y2);

void ps_svg_line(struct ps_svg *svg, double x1, double y1, double x2, double y2, const char *class);
void ps_svg_rectangle(struct ps_svg *svg, double left, double top, double right, double bottom,
                      const char *class);
/* Draws a line through many points: begin, then each point, then end. */
void ps_svg_path_begin(struct ps_svg *svg, const char *class);
void ps_svg_path_to(struct ps_svg *svg, double x, double y);
void ps_svg_path_end(struct ps_svg *svg);

/* One shape per verdict, in the order of verdicts: held, lost, late, generator, failed. */
enum ps_svg_shape {
    PS_SVG_SHAPE_DISC,
    PS_SVG_SHAPE_CROSS,
    PS_SVG_SHAPE_TRIANGLE,
    PS_SVG_SHAPE_DIAMOND,
    PS_SVG_SHAPE_SQUARE,
    PS_SVG_SHAPE_DASH
};
/* Draws a data point: `class` gives the colour, `tip` (may be NULL) is its tool tip. */
void ps_svg_mark(struct ps_svg *svg, enum ps_svg_shape shape, double x, double y, double radius,
                 const char *class, const char *tip);

/* The area of the plot. */
struct ps_plot {
    double left, top, right, bottom;
};
typedef struct ps_figure (*ps_svg_format)(double value);
/* Draws tick labels and grid lines; leaves out tick labels that would touch their neighbour. `title` may be
 * NULL. */
void ps_svg_axis_bottom(struct ps_svg *svg, const struct ps_plot *plot, const struct ps_axis *axis,
                        ps_svg_format format, const char *title);
void ps_svg_axis_left(struct ps_svg *svg, const struct ps_plot *plot, const struct ps_axis *axis,
                      ps_svg_format format, const char *title);
/* Returns the room that the tick labels of a left axis need. */
double ps_svg_axis_room(const struct ps_axis *axis, ps_svg_format format);

/* Draws labels right of the plot, one for the end of each line, and moves them up and down until none touch;
 * a thin line leads to a label that moved far. */
struct ps_svg_label {
    double y;          /* of the end of the line */
    const char *class; /* class of the colour sample before the label */
    const char *text;
};
#define PS_SVG_LABELS_MAX 12U
void ps_svg_labels_right(struct ps_svg *svg, const struct ps_plot *plot, const struct ps_svg_label *labels,
                         unsigned count);
/* Moves positions (in any order) apart until they are `gap` away from each other and within low and high, as little as
 * possible; keeps their order; equal positions keep the order of the array. */
void ps_svg_spread(double *places, unsigned count, double gap, double low, double high);
