/* float32 as text, both ways, independent of the locale. */
#ifndef FLOWRT_CLI_NUMBER_H
#define FLOWRT_CLI_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

/* The float32 nearest to the decimal number [text, end), ties to even, as strtof gives it. "inf", "infinity" and "nan"
 * are numbers in any case; what is too large is infinite. False for anything else, hexadecimal included. */
bool parse_number(const char *text, const char *end, float *value);

/* Most characters that print_number writes. */
enum { NUMBER_TEXT = 16 };

/* Writes what printf("%.9g") prints, which reads back as the same float32; "nan" for every NaN. No terminating zero.
 * Returns the characters written. */
size_t print_number(float value, char *text);

#endif
