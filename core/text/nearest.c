#include "core/text/nearest.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define DISTANCE_MAX_LENGTH 64

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Returns how many changes, insertions, removals and swaps of neighbours turn one text into the other. */
static unsigned text_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    if (n > DISTANCE_MAX_LENGTH || m > DISTANCE_MAX_LENGTH)
        return strcasecmp(a, b) == 0 ? 0 : UINT32_MAX;
    unsigned rows[3][DISTANCE_MAX_LENGTH + 1];
    for (unsigned j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
                y == tolower((unsigned char)a[i - 2]))
                row[j] = least(row[j], second[j - 2] + 1);
        }
    }
    return rows[n % 3][m];
}

void ps_nearest_init(struct ps_nearest *nearest, const char *written)
{
    size_t length = strlen(written);
    /* The number of mistakes that are allowed: more in longer words. */
    unsigned slips = length < 3 ? 0 : length < 6 ? 1 : length < 12 ? 2 : 3;
    *nearest = (struct ps_nearest){.written = written, .distance = slips + 1};
}

void ps_nearest_offer(struct ps_nearest *nearest, const char *word)
{
    unsigned distance = text_distance(nearest->written, word);
    if (distance < nearest->distance) {
        nearest->distance = distance;
        nearest->word = word;
    }
}
