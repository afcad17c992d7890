/* Draws shapes, paths and text of a picture. See svg.h; labels.c draws axes and labels. */
#include "bench/report/svg.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const anchor_names[] = {"start", "middle", "end"};

static void draw_variant(struct ps_html *html, const struct ps_svg_figure *figure, bool narrow)
{
    struct ps_svg svg = {.html = html,
                         .width = narrow ? PS_SVG_NARROW : PS_SVG_WIDE,
                         .height = narrow ? figure->narrow_height : figure->wide_height,
                         .narrow = narrow};
    const char *variant = narrow ? "narrow" : "wide";
    ps_html_print(
        html,
        "<svg class=\"%s\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-labelledby=\"%s-%s-t %s-%s-d\">\n"
        "<title id=\"%s-%s-t\">",
        variant, svg.width, svg.height, figure->id, variant, figure->id, variant, figure->id, variant);
    ps_html_text(html, figure->title);
    ps_html_print(html, "</title><desc id=\"%s-%s-d\">", figure->id, variant);
    ps_html_text(html, figure->description);
    ps_html_raw(html, "</desc>\n");
    figure->draw(&svg, figure->context);
    ps_html_raw(html, "</svg>\n");
}

void ps_svg_figure(struct ps_html *html, const struct ps_svg_figure *figure)
{
    ps_html_print(html, "<figure class=\"chart\" id=\"%s\">\n", figure->id);
    draw_variant(html, figure, false);
    draw_variant(html, figure, true);
    if (figure->caption)
        ps_html_print(html, "<figcaption>%s</figcaption>\n", figure->caption);
    ps_html_raw(html, "</figure>\n");
}

/* ---- text ---- */

/* Advance widths as shares of the font size: roughly those of the widest of DejaVu, Verdana, Arial, Segoe and
 * Roboto. */
static double character_width(unsigned char first)
{
    /* Such characters are µ, – and the narrow space; the caller handles the wider characters of Chinese, Japanese and
     * Korean. */
    if (first >= 0x80)
        return first < 0xe0 ? 0.62 : 0.6;
    if (first >= '0' && first <= '9')
        return 0.64;
    if (strchr("ijl.,:;'|!I", first))
        return 0.36;
    if (strchr("ftr()[]/-\" ", first))
        return 0.42;
    if (strchr("mwMW%@", first))
        return 0.98;
    return first >= 'A' && first <= 'Z' ? 0.74 : 0.63;
}

/* Returns the length in bytes of the character at `at`. */
static size_t character_bytes(const char *at)
{
    size_t bytes = 1;
    while (((unsigned char)at[bytes] & 0xc0U) == 0x80)
        bytes++;
    return bytes;
}

static double character_width_at(const char *at)
{
    unsigned char first = (unsigned char)at[0];
    if (!strncmp(at, "\u202f", 3))
        return 0.25;
    bool wide = first >= 0xe3; /* Chinese, Japanese, Korean, emoji */
    return wide ? 1.05 : character_width(first);
}

double ps_svg_text_width(const char *text)
{
    double width = 0;
    for (const char *at = text; *at; at += character_bytes(at))
        width += character_width_at(at);
    return width * PS_SVG_TEXT;
}

const char *ps_svg_text_cut(const char *text, double width, char *to, size_t room)
{
    static const char dots[] = "…";
    size_t length = strlen(text);
    if (length < room && ps_svg_text_width(text) <= width) {
        memcpy(to, text, length + 1);
        return to;
    }
    double used = PS_SVG_TEXT; /* room for "…" */
    size_t bytes = 0, next;
    for (; text[bytes]; bytes += next) {
        next = character_bytes(text + bytes);
        used += character_width_at(text + bytes) * PS_SVG_TEXT;
        if (used > width || bytes + next + sizeof(dots) > room)
            break;
    }
    memcpy(to, text, bytes);
    memcpy(to + bytes, dots, sizeof(dots));
    return to;
}

struct ps_box ps_svg_text_box(double x, double y, enum ps_anchor anchor, const char *class, const char *text)
{
    double width = ps_svg_text_width(text) * (strstr(class, "strong") ? PS_SVG_STRONG : 1);
    double left = x - (anchor == PS_ANCHOR_START ? 0 : anchor == PS_ANCHOR_MIDDLE ? width / 2 : width);
    return (struct ps_box){left, y - PS_SVG_TEXT * 0.95, left + width, y + PS_SVG_TEXT * 0.3};
}

/* Returns whether a box lies inside the picture and touches no earlier text. */
static bool is_free(const struct ps_svg *svg, const struct ps_box *box)
{
    if (box->left < 0 || box->top < 0 || box->right > svg->width || box->bottom > svg->height)
        return false;
    for (unsigned index = 0; index < svg->box_count; index++) {
        const struct ps_box *other = &svg->boxes[index];
        if (box->left < other->right && other->left < box->right && box->top < other->bottom &&
            other->top < box->bottom)
            return false;
    }
    return true;
}

void ps_svg_text(struct ps_svg *svg, double x, double y, enum ps_anchor anchor, const char *class,
                 const char *text)
{
    if (svg->box_count < PS_SVG_BOXES_MAX)
        svg->boxes[svg->box_count++] = ps_svg_text_box(x, y, anchor, class, text);
    ps_html_print(svg->html, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y,
                  anchor_names[anchor], class);
    ps_html_text(svg->html, text);
    ps_html_raw(svg->html, "</text>\n");
}

void ps_svg_avoid(struct ps_svg *svg, double x1, double y1, double x2, double y2)
{
    if (svg->segment_count < PS_SVG_SEGMENTS_MAX)
        svg->segments[svg->segment_count++] = (struct ps_box){x1, y1, x2, y2};
}

/* Returns whether a line crosses a box, by clipping the line to the box's edges, one pair after the other. */
static bool crosses(const struct ps_box *line, const struct ps_box *box)
{
    double from = 0, to = 1;
    const double starts[] = {line->left, line->top},
                 lengths[] = {line->right - line->left, line->bottom - line->top};
    const double lows[] = {box->left, box->top}, highs[] = {box->right, box->bottom};
    for (unsigned axis = 0; axis < 2; axis++) {
        if (fabs(lengths[axis]) < 1e-9) {
            if (starts[axis] < lows[axis] || starts[axis] > highs[axis])
                return false;
            continue;
        }
        double one = (lows[axis] - starts[axis]) / lengths[axis],
               other = (highs[axis] - starts[axis]) / lengths[axis];
        from = fmax(from, fmin(one, other));
        to = fmin(to, fmax(one, other));
    }
    return from < to;
}

static bool covers_line(const struct ps_svg *svg, const struct ps_box *box)
{
    for (unsigned index = 0; index < svg->segment_count; index++)
        if (crosses(&svg->segments[index], box))
            return true;
    return false;
}

bool ps_svg_text_somewhere(struct ps_svg *svg, const struct ps_svg_place *places, size_t count,
                           const char *class, const char *text)
{
    for (unsigned lines_too = 0; lines_too < 2; lines_too++) {
        for (size_t index = 0; index < count; index++) {
            const struct ps_svg_place *place = &places[index];
            struct ps_box box = ps_svg_text_box(place->x, place->y, place->anchor, class, text);
            if (!is_free(svg, &box) || (!lines_too && covers_line(svg, &box)))
                continue;
            ps_svg_text(svg, place->x, place->y, place->anchor, class, text);
            return true;
        }
    }
    return false;
}

/* ---- lines and marks ---- */

void ps_svg_line(struct ps_svg *svg, double x1, double y1, double x2, double y2, const char *class)
{
    ps_html_print(svg->html, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x1, y1,
                  x2, y2, class);
}

void ps_svg_rectangle(struct ps_svg *svg, double left, double top, double right, double bottom,
                      const char *class)
{
    ps_html_print(svg->html, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"%s\"/>\n",
                  left, top, fmax(right - left, 0), fmax(bottom - top, 0), class);
}

void ps_svg_path_begin(struct ps_svg *svg, const char *class)
{
    ps_html_print(svg->html, "<path class=\"%s\" d=\"", class);
    svg->path_open = false;
}

void ps_svg_path_to(struct ps_svg *svg, double x, double y)
{
    ps_html_print(svg->html, "%s%.1f %.1f", svg->path_open ? "L" : "M", x, y);
    if (svg->path_open)
        ps_svg_avoid(svg, svg->path_x, svg->path_y, x, y);
    svg->path_open = true;
    svg->path_x = x;
    svg->path_y = y;
}

void ps_svg_path_end(struct ps_svg *svg)
{
    ps_html_raw(svg->html, svg->path_open ? "\"/>\n" : "M0 0\"/>\n");
    svg->path_open = false;
}

void ps_svg_mark(struct ps_svg *svg, enum ps_svg_shape shape, double x, double y, double radius,
                 const char *class, const char *tip)
{
    struct ps_html *html = svg->html;
    ps_html_print(html, "<path class=\"mark %s\" d=\"", class);
    switch (shape) {
    case PS_SVG_SHAPE_DISC:
        ps_html_print(html, "M%.1f %.1fa%.1f %.1f 0 1 0 %.1f 0a%.1f %.1f 0 1 0 %.1f 0z", x - radius, y,
                      radius, radius, 2 * radius, radius, radius, -2 * radius);
        break;
    case PS_SVG_SHAPE_TRIANGLE:
        ps_html_print(html, "M%.1f %.1fL%.1f %.1fL%.1f %.1fz", x, y - radius * 1.25, x + radius * 1.2,
                      y + radius * 0.9, x - radius * 1.2, y + radius * 0.9);
        break;
    case PS_SVG_SHAPE_CROSS:
        ps_html_print(html, "M%.1f %.1fL%.1f %.1fM%.1f %.1fL%.1f %.1f", x - radius, y - radius, x + radius,
                      y + radius, x - radius, y + radius, x + radius, y - radius);
        break;
    case PS_SVG_SHAPE_DIAMOND:
        ps_html_print(html, "M%.1f %.1fL%.1f %.1fL%.1f %.1fL%.1f %.1fz", x, y - radius * 1.3,
                      x + radius * 1.3, y, x, y + radius * 1.3, x - radius * 1.3, y);
        break;
    case PS_SVG_SHAPE_SQUARE:
        ps_html_print(html, "M%.1f %.1fh%.1fv%.1fh%.1fz", x - radius, y - radius, 2 * radius, 2 * radius,
                      -2 * radius);
        break;
    case PS_SVG_SHAPE_DASH:
        ps_html_print(html, "M%.1f %.1fh%.1fv%.1fh%.1fz", x - radius, y - radius / 3, 2 * radius,
                      2 * radius / 3, -2 * radius);
        break;
    }
    ps_html_raw(html, "\">");
    if (tip)
        ps_html_element(html, "title", tip);
    ps_html_raw(html, "</path>\n");
}
