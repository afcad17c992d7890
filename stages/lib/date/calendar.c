#include "stages/lib/date/calendar.h"

#include "core/decimal.h"

#include <endian.h>
#include <string.h>

#define TODAY_MIN INT64_C(1000000000000) /* times of 13 digits: 2001 to 2286 */
#define TODAY_END INT64_C(10000000000000)
#define CUTOVER_DAYS INT64_C(-141427) /* 1582-10-15 */

const char *const ps_month_names[] = {"January", "February", "March",     "April",   "May",      "June",
                                      "July",    "August",   "September", "October", "November", "December",
                                      "Jan",     "Feb",      "Mar",       "Apr",     "May",      "Jun",
                                      "Jul",     "Aug",      "Sep",       "Oct",     "Nov",      "Dec"};
const char *const ps_day_names[] = {"Monday",   "Tuesday", "Wednesday", "Thursday", "Friday",
                                    "Saturday", "Sunday",  "Mon",       "Tue",      "Wed",
                                    "Thu",      "Fri",     "Sat",       "Sun"};

int ps_month_days(int64_t year, int month)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month] + (month == 1 && ps_is_leap_year(year));
}

/* Convert a date to days since 1970-01-01, and back (Howard Hinnant, "chrono-compatible low-level date
 * algorithms"). */
int64_t ps_gregorian_days(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month < 2 ? year - 1 : year;
    int64_t era = ps_floor_div(y, 400), of_era = y - era * 400;
    int64_t of_year = (153 * ((month + 10) % 12) + 2) / 5;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year + day - 1 - 719468;
}

void ps_civil_from_wall(int64_t wall_s, struct ps_civil *civil)
{
    int64_t days = ps_floor_div(wall_s, 86400), rest = wall_s - days * 86400;
    int64_t shifted = days + 719468, era = ps_floor_div(shifted, 146097), day_of_era = shifted - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    civil->day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1);
    civil->month = (unsigned)(month < 10 ? month + 3 : month - 9);
    civil->year = year_of_era + era * 400 + (civil->month <= 2);
    civil->hour = (unsigned)(rest / 3600);
    civil->minute = (unsigned)(rest / 60 % 60);
    civil->second = (unsigned)(rest % 60);
    civil->week_day = (unsigned)(((days + 4) % 7 + 7) % 7);
    civil->year_day = (unsigned)(days - ps_gregorian_days(civil->year, 0, 1) + 1);
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

/* Writes eight digits, two at a time in the lanes of a word: computing one digit after the other is a chain of divisions. */
static void render_eight(uint32_t value, char *out)
{
    uint64_t fours = (uint64_t)(value % 10000) << 32 | value / 10000;
    uint64_t hundreds = (fours * 10486) >> 20 & UINT64_C(0x7f0000007f);
    uint64_t pairs = (fours - 100 * hundreds) << 16 | hundreds;
    uint64_t tens = (pairs * 103) >> 10 & UINT64_C(0x000f000f000f000f);
    uint64_t digits = htole64((tens | (pairs - 10 * tens) << 8) | UINT64_C(0x3030303030303030));
    memcpy(out, &digits, sizeof digits);
}

uint32_t ps_time_render(int64_t ms, char *out)
{
    char digits[8];
    if (PS_UNLIKELY(ms < TODAY_MIN || ms >= TODAY_END))
        return (uint32_t)(ps_decimal_put_signed(out, ms) - out);
    render_eight((uint32_t)(ms / 100000000), digits); /* three zeros and five digits */
    memcpy(out, digits + 3, 5);
    render_eight((uint32_t)(ms % 100000000), out + 5);
    return 13;
}
