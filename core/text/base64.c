#include "core/text/base64.h"

size_t ps_base64_encode(char *to, const void *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *from = bytes;
    for (size_t i = 0; i < length; i += 3, to += 4) {
        size_t left = length - i;
        uint32_t three = (uint32_t)from[i] << 16 | (left > 1 ? (uint32_t)from[i + 1] << 8 : 0) |
                         (left > 2 ? (uint32_t)from[i + 2] : 0);
        to[0] = digits[three >> 18];
        to[1] = digits[three >> 12 & 63];
        to[2] = left > 1 ? digits[three >> 6 & 63] : '=';
        to[3] = left > 2 ? digits[three & 63] : '=';
    }
    return (length + 2) / 3 * 4;
}

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
