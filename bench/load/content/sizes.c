/* Computes how wide fields are and how large events can be, and checks whether the size asked for is
 * possible. */
#include <math.h>

#include "bench/load/content/internal.h"
#include "bench/load/content/digits.h"
#include "bench/support/stamp.h"
#include "core/quantity.h"

static struct ps_quantity_text number(uint64_t bytes)
{
    return ps_quantity_print_count(bytes);
}

static uint32_t signed_width(int64_t value)
{
    return value < 0 ? 1 + ps_digits_count(0 - (uint64_t)value) : ps_digits_count((uint64_t)value);
}

/* Computes the shortest and longest text of the whole numbers low..high. */
static void range_width(int64_t low, int64_t high, uint32_t *min, uint32_t *max)
{
    uint32_t a = signed_width(low), b = signed_width(high);
    *max = a > b ? a : b;
    *min = low <= 0 && high >= 0 ? 1 : a < b ? a : b;
}

static uint32_t float_width(int64_t scaled, uint32_t digits)
{
    uint32_t width = ps_digits_count(scaled < 0 ? 0 - (uint64_t)scaled : (uint64_t)scaled);
    if (width < digits + 1)
        width = digits + 1;
    return width + (digits > 0) + (scaled < 0);
}

static void float_range_width(const struct ps_template_part *part, uint32_t *min, uint32_t *max)
{
    double scale = pow(10, part->digits);
    int64_t low = (int64_t)rint(part->distribution.low * scale),
            high = (int64_t)rint(part->distribution.high * scale);
    uint32_t a = float_width(low, part->digits), b = float_width(high, part->digits);
    *max = a > b ? a : b;
    *min = low <= 0 && high >= 0 ? float_width(0, part->digits) : a < b ? a : b;
}

static void choice_width(const struct ps_template_part *part, uint32_t *min, uint32_t *max)
{
    *min = UINT32_MAX;
    *max = 0;
    for (uint32_t i = 0; i < part->alias.count; i++) {
        uint32_t length = part->texts[i].length;
        *min = length < *min ? length : *min;
        *max = length > *max ? length : *max;
    }
}

static uint32_t address_width(uint32_t address)
{
    uint32_t width = 3;
    for (unsigned i = 0; i < 4; i++)
        width += ps_digits_count(address >> (8 * i) & 255);
    return width;
}

static void ip_width(const struct ps_template_part *part, uint32_t *min, uint32_t *max)
{
    uint32_t last =
        part->network | (part->host_bits == 0 ? 0 : (uint32_t)((UINT64_C(1) << part->host_bits) - 1));
    *min = address_width(part->network); /* the network's host bits are 0, so no address of it is shorter */
    *max = address_width(last);
}

void ps_content_part_width(const struct ps_content *content, const struct ps_template_part *part,
                           uint32_t *min, uint32_t *max)
{
    const struct ps_distribution *distribution = &part->distribution;
    *min = *max = part->width;
    switch (part->kind) {
    case PS_TEMPLATE_TEXT:
        *min = *max = part->length;
        return;
    case PS_TEMPLATE_INT:
        if (part->width == 0)
            range_width(distribution->min, distribution->max, min, max);
        return;
    case PS_TEMPLATE_FLOAT:
        float_range_width(part, min, max);
        return;
    case PS_TEMPLATE_CHOICE:
        choice_width(part, min, max);
        return;
    case PS_TEMPLATE_SEQ:
        if (part->width == 0)
            range_width(0, (int64_t)PS_STAMP_SEQUENCE_MAX, min, max);
        return;
    case PS_TEMPLATE_SOURCE:
        if (part->width == 0)
            range_width(0, PS_STAMP_SOURCE_MAX, min, max);
        return;
    case PS_TEMPLATE_HOST:
        *min = *max = PS_HOST_BYTES;
        return;
    case PS_TEMPLATE_TIME:
        *min = *max = ps_content_clock_width(part);
        if (part->time == PS_TIME_STRFTIME) {
            *min = content->strftime_min[part->width];
            *max = content->strftime_max[part->width];
        }
        return;
    case PS_TEMPLATE_UUID:
        *min = *max = 36;
        return;
    case PS_TEMPLATE_HEX:
        return;
    case PS_TEMPLATE_IP:
        ip_width(part, min, max);
        return;
    case PS_TEMPLATE_WORDS:
        *min = (uint32_t)distribution->min * (PS_WORD_BYTES_MIN + 1) - 1;
        *max = (uint32_t)distribution->max * (PS_WORD_BYTES_MAX + 1) - 1;
        return;
    case PS_TEMPLATE_LINE:
        *min = content->lines.length_min;
        *max = content->lines.length_max;
        return;
    case PS_TEMPLATE_STAMP:
        *min = *max = PS_STAMP_BYTES;
        return;
    case PS_TEMPLATE_PAD:
    case PS_TEMPLATE_SIZE:
    case PS_TEMPLATE_COVER_END:
        *min = *max = 0;
        return;
    }
}

/* ---- events ---- */

uint32_t ps_content_framing(enum ps_framing framing, uint64_t body)
{
    return framing == PS_FRAMING_NONE ? 0 : framing == PS_FRAMING_NEWLINE ? 1 : ps_digits_count(body) + 1;
}

uint32_t ps_content_body(enum ps_framing framing, uint32_t size)
{
    uint32_t body = size;
    while (body > 0 && body + ps_content_framing(framing, body) > size)
        body--;
    return body;
}

static enum ps_status needs_add(struct ps_content *content, const char *what, struct ps_err *err)
{
    for (uint32_t i = 0; i < content->template.count; i++) {
        uint32_t min, max;
        ps_content_part_width(content, &content->template.parts[i], &min, &max);
        content->need_min += min;
        content->need_max += max;
    }
    if (content->need_max > PS_CONTENT_SIZE_MAX)
        return ps_err_set(err, "%s: an event can have up to %s bytes, and the limit is %s", what,
                          number(content->need_max).text, number(PS_CONTENT_SIZE_MAX).text);
    return PS_OK;
}

/* Sizes in messages include the framing. */
static uint64_t framed(const struct ps_content *content, uint64_t body)
{
    return body + ps_content_framing(content->framing, body);
}

enum ps_status ps_content_sizes_set(struct ps_content *content, uint32_t size_bytes, const char *what,
                                    struct ps_err *err)
{
    if (needs_add(content, what, err) != PS_OK)
        return PS_FAIL;
    uint64_t body_max = content->need_max;
    if (size_bytes > PS_CONTENT_SIZE_MAX)
        return ps_err_set(err, "%s: %s bytes are asked for, and the limit is %s", what,
                          number(size_bytes).text, number(PS_CONTENT_SIZE_MAX).text);
    if (size_bytes > 0) {
        content->body_bytes = ps_content_body(content->framing, size_bytes);
        if (content->body_bytes == 0)
            return ps_err_set(err, "%s: %s bytes are asked for, but the framing alone takes as many", what,
                              number(size_bytes).text);
        if (content->need_max > content->body_bytes && content->need_max == content->need_min)
            return ps_err_set(err, "%s: %s bytes are asked for, and its fields need %s", what,
                              number(size_bytes).text, number(framed(content, content->need_min)).text);
        if (content->need_max > content->body_bytes)
            return ps_err_set(err, "%s: %s bytes are asked for, and its fields need from %s to %s", what,
                              number(size_bytes).text, number(framed(content, content->need_min)).text,
                              number(framed(content, content->need_max)).text);
        body_max = content->body_bytes;
    } else if (content->size != NULL) {
        if ((uint64_t)content->size->max < framed(content, content->need_min))
            return ps_err_set(err, "%s: {size} gives at most %s bytes, and its fields need %s", what,
                              number((uint64_t)content->size->max).text,
                              number(framed(content, content->need_min)).text);
        if ((uint64_t)content->size->max > body_max)
            body_max = (uint64_t)content->size->max;
    } else if (content->need_min == 0) {
        return ps_err_set(err, "%s: it makes empty events; give it a size (--size BYTES)", what);
    }
    content->event_max = (uint32_t)framed(content, body_max);
    return PS_OK;
}
