/* Pictures of the report's page. Each is drawn twice, wide and narrow, and the page's style shows the one
 * that fits: text keeps its size on a telephone. Colours, fonts and line styles are classes (style.c);
 * here are places.
 *
 * Text that was placed is remembered, so that what comes later can keep clear of it: the same document always
 * gives the same picture. The width of text is estimated, generously, for the sans-serif fonts a browser may
 * use.
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
    unsigned segment_count;                      /* pieces of lines that text had better not cover */
    struct ps_box segments[PS_SVG_SEGMENTS_MAX]; /* from left, top to right, bottom, as drawn: not ordered */
    double path_x, path_y;                       /* where the open path is */
};

struct ps_svg_figure {
    const char *id;          /* our own word, unique on the page */
    const char *title;       /* what it is; for those who cannot see it, and as a caption */
    const char *description; /* what there is to see in it, as text; may hold foreign text */
    const char *caption;     /* below it; our own markup, may be NULL */
    double wide_height, narrow_height;
    void (*draw)(struct ps_svg *svg, const void *context);
    const void *context;
};

#define PS_SVG_WIDE 800.0
#define PS_SVG_NARROW 340.0
#define PS_SVG_TEXT 13.0 /* pixels; .tick and .axis are smaller, which only leaves more room */

/* <figure> with both pictures. */
void ps_svg_figure(struct ps_html *html, const struct ps_svg_figure *figure);

enum ps_anchor { PS_ANCHOR_START, PS_ANCHOR_MIDDLE, PS_ANCHOR_END };

/* `class` is ours; `text` may be anybody's. The baseline is at y. */
void ps_svg_text(struct ps_svg *svg, double x, double y, enum ps_anchor anchor, const char *class,
                 const char *text);
double ps_svg_text_width(const char *text);
/* The box that text would take; "strong" in `class` takes PS_SVG_STRONG times as much. */
#define PS_SVG_STRONG 1.12
struct ps_box ps_svg_text_box(double x, double y, enum ps_anchor anchor, const char *class, const char *text);
/* Whether a box lies on the picture and touches no text placed before. */
bool ps_svg_free(const struct ps_svg *svg, const struct ps_box *box);
/* Places text at the first of these places where it covers neither text nor a line that was avoided, else at
 * the first where it covers no text; false: nowhere, nothing was drawn. */
struct ps_svg_place {
    double x, y;
    enum ps_anchor anchor;
};
bool ps_svg_text_somewhere(struct ps_svg *svg, const struct ps_svg_place *places, size_t count,
                           const char *class, const char *text);
/* As many bytes of `text` as fit into `width`, with "…" when it was cut; into `to`. */
const char *ps_svg_text_cut(const char *text, double width, char *to, size_t room);

/* Text placed by ps_svg_text_somewhere keeps clear of this line. Paths are avoided without being asked. */
void ps_svg_avoid(struct ps_svg *svg, double x1, double y1, double x2, double y2);

void ps_svg_line(struct ps_svg *svg, double x1, double y1, double x2, double y2, const char *class);
void ps_svg_rectangle(struct ps_svg *svg, double left, double top, double right, double bottom,
                      const char *class);
/* A line of many points; `class` begins one, the last point ends it. */
void ps_svg_path_begin(struct ps_svg *svg, const char *class);
void ps_svg_path_to(struct ps_svg *svg, double x, double y);
void ps_svg_path_end(struct ps_svg *svg);

/* In the order of verdicts: held, lost, late, generator, failed. */
enum ps_svg_shape {
    PS_SVG_SHAPE_DISC,
    PS_SVG_SHAPE_CROSS,
    PS_SVG_SHAPE_TRIANGLE,
    PS_SVG_SHAPE_DIAMOND,
    PS_SVG_SHAPE_SQUARE
};
/* A point of data: `class` gives the colour, `tip` (may be NULL) is shown under the pointer. */
void ps_svg_mark(struct ps_svg *svg, enum ps_svg_shape shape, double x, double y, double radius,
                 const char *class, const char *tip);

/* Where the data are. */
struct ps_plot {
    double left, top, right, bottom;
};
typedef struct ps_figure (*ps_svg_format)(double value);
/* Tick labels and grid lines; tick labels that would touch their neighbour are left out. `title` may be NULL.
 */
void ps_svg_axis_bottom(struct ps_svg *svg, const struct ps_plot *plot, const struct ps_axis *axis,
                        ps_svg_format format, const char *title);
void ps_svg_axis_left(struct ps_svg *svg, const struct ps_plot *plot, const struct ps_axis *axis,
                      ps_svg_format format, const char *title);
/* The room that the tick labels of a left axis need. */
double ps_svg_axis_room(const struct ps_axis *axis, ps_svg_format format);

/* Labels right of the plot, one for each end of a line, moved up and down until they do not touch; a thin
 * line leads to those that moved far. */
struct ps_svg_label {
    double y;          /* of the end of the line */
    const char *class; /* of the swatch before it */
    const char *text;
};
#define PS_SVG_LABELS_MAX 12U
void ps_svg_labels_right(struct ps_svg *svg, const struct ps_plot *plot, const struct ps_svg_label *labels,
                         unsigned count);
/* Moves places (ascending or not) apart until they are `gap` away from each other and within low and high, as
 * little as possible; their order stays, equal ones keep that of the array. */
void ps_svg_spread(double *places, unsigned count, double gap, double low, double high);
