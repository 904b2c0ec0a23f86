/* Both directions multiply or divide by one exact power of ten in float64. The result is off by a few units in its last
 * place, 29 bits below the last place of a float32. Unless it lies that close to where rounding changes, rounding it
 * gives the right float32, or the right nine digits. The rest, one in millions, goes to strtof and snprintf. */
#include "number.h"

#include "failure.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { EXACT_POWERS = 23 };
static const double power_of_ten[EXACT_POWERS] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* A decimal number: (-1)^negative digits 10^exponent, but for digits beyond the 19th. */
typedef struct decimal {
    bool negative;
    uint64_t digits;
    int64_t exponent;
} decimal;

static const char *read_digits(const char *at, const char *end, decimal *number, bool fraction) {
    for (; at < end && is_digit(*at); at++) {
        if (number->digits < 1000000000000000000u) {
            number->digits = number->digits * 10 + (uint64_t)(*at - '0');
            number->exponent -= fraction;
        } else {
            number->exponent += !fraction;
        }
    }
    return at;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit before or after the point. */
static bool read_decimal(const char *at, const char *end, decimal *number) {
    const char *first = at;
    at = read_digits(at, end, number, false);
    bool any = at > first;
    if (at < end && *at == '.') {
        first = ++at;
        at = read_digits(at, end, number, true);
        any |= at > first;
    }
    if (!any) return false;
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        bool negative = at < end && *at == '-';
        if (at < end && (*at == '-' || *at == '+')) at++;
        if (at == end) return false;
        int64_t exponent = 0;
        for (; at < end && is_digit(*at); at++)
            if (exponent < INT32_MAX) exponent = exponent * 10 + (*at - '0');
        number->exponent += negative ? -exponent : exponent;
    }
    return at == end;
}

static float parse_slowly(const char *text, const char *end) {
    char brief[64];
    size_t length = (size_t)(end - text);
    char *copy = length < sizeof brief ? brief : allocate(length + 1, 1);
    memcpy(copy, text, length);
    copy[length] = 0;
    float value = strtof(copy, NULL);
    if (copy != brief) free(copy);
    return value;
}

static bool is_word(const char *text, const char *end, const char *word) {
    return (size_t)(end - text) == strlen(word) && strncasecmp(text, word, strlen(word)) == 0;
}

bool parse_number(const char *text, const char *end, float *value) {
    decimal number = {0};
    const char *at = text;
    if (at < end && (*at == '+' || *at == '-')) number.negative = *at++ == '-';
    if (!read_decimal(at, end, &number)) {
        bool infinite = is_word(at, end, "inf") || is_word(at, end, "infinity");
        if (!infinite && !is_word(at, end, "nan")) return false;
        *value = infinite ? INFINITY : NAN;
        if (number.negative) *value = -*value;
        return true;
    }
    double result = (double)number.digits;
    if (number.digits != 0) {
        if (number.exponent >= EXACT_POWERS || number.exponent <= -EXACT_POWERS) {
            *value = parse_slowly(text, end);
            return true;
        }
        if (number.exponent < 0)
            result /= power_of_ten[-number.exponent];
        else
            result *= power_of_ten[number.exponent];
        uint64_t bits;
        memcpy(&bits, &result, sizeof bits);
        const uint32_t below = bits & 0x1fffffff, tie = 0x10000000;
        if ((below > tie - 5 && below < tie + 5) || result < (double)FLT_MIN || result > (double)FLT_MAX) {
            *value = parse_slowly(text, end);
            return true;
        }
    }
    *value = (float)(number.negative ? -result : result);
    return true;
}

/* Nine digits and an exponent as %g writes them: d.dddddddd * 10^exponent. */
static size_t write_digits(uint32_t digits, int exponent, char *text) {
    char nine[9], *at = text;
    for (int i = 8; i >= 0; i--, digits /= 10) nine[i] = (char)('0' + digits % 10);
    int count = 9;
    while (count > 1 && nine[count - 1] == '0') count--;
    int point = exponent < -4 || exponent >= 9 ? 0 : exponent; /* digits before the point, less one */
    if (point < 0) {
        *at++ = '0';
        *at++ = '.';
        for (int i = -1; i > point; i--) *at++ = '0';
        memcpy(at, nine, (size_t)count);
        return (size_t)(at + count - text);
    }
    for (int i = 0; i < count || i <= point; i++) {
        if (i == point + 1) *at++ = '.';
        *at++ = i < count ? nine[i] : '0';
    }
    if (point != exponent) {
        unsigned magnitude = (unsigned)(exponent < 0 ? -exponent : exponent);
        *at++ = 'e';
        *at++ = exponent < 0 ? '-' : '+';
        *at++ = (char)('0' + magnitude / 10);
        *at++ = (char)('0' + magnitude % 10);
    }
    return (size_t)(at - text);
}

static size_t print_slowly(float value, char *text) {
    char copy[32];
    int length = snprintf(copy, sizeof copy, "%.9g", (double)value);
    memcpy(text, copy, (size_t)length);
    return (size_t)length;
}

size_t print_number(float value, char *text) {
    if (isnan(value)) {
        memcpy(text, "nan", 3);
        return 3;
    }
    double magnitude = fabs((double)value);
    if (isinf(value) || !(magnitude > 0)) return print_slowly(value, text);
    int binary;
    frexp(magnitude, &binary);
    int exponent = (int)floor((binary - 1) * 0.30102999566398120); /* of ten: right, or too small by one */
    double scaled = 0;
    for (int attempt = 0; attempt < 2; attempt++, exponent++) {
        int shift = 8 - exponent;
        if (shift >= EXACT_POWERS || shift <= -EXACT_POWERS) return print_slowly(value, text);
        scaled = shift < 0 ? magnitude / power_of_ten[-shift] : magnitude * power_of_ten[shift];
        if (scaled < 999999999.5) break;
    }
    double whole = floor(scaled), fraction = scaled - whole;
    if (fabs(fraction - 0.5) < 1e-5) return print_slowly(value, text);
    char *at = text;
    if (value < 0) *at++ = '-';
    at += write_digits((uint32_t)whole + (fraction > 0.5), exponent, at);
    return (size_t)(at - text);
}
