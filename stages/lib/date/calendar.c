#include "stages/lib/date/calendar.h"

#define CUTOVER_DAYS INT64_C(-141427) /* 1582-10-15 */

int64_t ps_gregorian_days(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month < 2 ? year - 1 : year;
    int64_t era = ps_floor_div(y, 400), of_era = y - era * 400;
    int64_t of_year = (153 * ((month + 10) % 12) + 2) / 5;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year + day - 1 - 719468;
}

static int64_t julian_days(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month < 2 ? year - 1 : year;
    int64_t of_year = (153 * ((month + 10) % 12) + 2) / 5;
    return ps_floor_div(y * 1461, 4) + of_year + day - 1 - 719470;
}

int64_t ps_days_from_java(int64_t year, int64_t month, int64_t day)
{
    year += ps_floor_div(month, 12);
    month -= ps_floor_div(month, 12) * 12;
    int64_t days = ps_gregorian_days(year, month, day);
    return days >= CUTOVER_DAYS ? days : julian_days(year, month, day);
}

uint32_t ps_time_render(int64_t ms, char *out)
{
    char digits[24];
    uint32_t count = 0, length = 0;
    uint64_t value = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    if (ms < 0)
        out[length++] = '-';
    while (count > 0)
        out[length++] = digits[--count];
    return length;
}
