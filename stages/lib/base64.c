#include "stages/lib/base64.h"

static int digit_of(char letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    if (letter >= 'a' && letter <= 'z')
        return letter - 'a' + 26;
    if (letter >= '0' && letter <= '9')
        return letter - '0' + 52;
    return letter == '+' ? 62 : letter == '/' ? 63 : -1;
}

bool ps_base64_decode(const char *text, size_t length, char *to, size_t *decoded)
{
    uint32_t bits = 0;
    size_t digits = length, made = 0;
    if (length % 4 == 0 && length > 0 && text[length - 1] == '=')
        digits -= text[length - 2] == '=' ? 2 : 1;
    if (digits % 4 == 1)
        return false;
    for (size_t i = 0; i < digits; i++) {
        int digit = digit_of(text[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 > 0)
            to[made++] = (char)(bits >> (6 - 2 * (i % 4)));
    }
    *decoded = made;
    return true;
}
