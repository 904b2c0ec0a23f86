/* Numbers are read as strtof reads them and printed as printf("%.9g") prints them: random bits, decimal fractions,
 * texts of up to 30 digits, ties between two floats, and what is no number. Numbers [COUNT] */
#include "number.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 1;
static uint64_t next(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void check_parse(const char *text) {
    float found = 0, expected = strtof(text, NULL);
    if (parse_number(text, text + strlen(text), &found) && bits_of(found) == bits_of(expected)) return;
    printf("%s was read as %a, expected %a\n", text, (double)found, (double)expected);
    exit(1);
}

static void check_print(float value) {
    char found[NUMBER_TEXT + 1], expected[64];
    size_t length = print_number(value, found);
    found[length] = 0;
    snprintf(expected, sizeof expected, "%.9g", (double)value);
    if (isnan(value)) strcpy(expected, "nan");
    if (strcmp(found, expected) == 0) {
        if (!isnan(value)) check_parse(found);
        return;
    }
    printf("%a was printed as %s, expected %s\n", (double)value, found, expected);
    exit(1);
}

/* Texts next to the middle between two floats, where rounding turns. */
static void check_tie(void) {
    uint32_t low = (uint32_t)(next() % 0x7f000000u), high = low + 1;
    float a, b;
    char text[400];
    memcpy(&a, &low, sizeof a);
    memcpy(&b, &high, sizeof b);
    double middle = ((double)a + (double)b) / 2;
    int length = snprintf(text, sizeof text, "%.*e", (int)(next() % 12) + 15, middle);
    if (length > 0) check_parse(text);
    length = snprintf(text, sizeof text, "%.160f", middle); /* exact, for most */
    check_parse(text);
    snprintf(text + length, sizeof text - (size_t)length, "1");
    check_parse(text);
}

static void check_random(void) {
    uint32_t bits = (uint32_t)(next() >> 32);
    float value;
    char text[80];
    memcpy(&value, &bits, sizeof value);
    check_print(value);
    float plain = (float)((double)(int32_t)next() * pow(10, -(double)(next() % 14)));
    check_print(plain);
    snprintf(text, sizeof text, "%.*g", (int)(next() % 30) + 1, (double)plain * (1 + (double)(next() % 1000) * 1e-12));
    check_parse(text);
    snprintf(text, sizeof text, "%llu.%llue%d", (unsigned long long)next(), (unsigned long long)next() >> next() % 60,
             (int)(next() % 100) - 60);
    check_parse(text);
}

static void check_words(void) {
    static const char *const numbers[] = {"0",
                                          "-0",
                                          "+1",
                                          ".5",
                                          "5.",
                                          "1e5",
                                          "1E-5",
                                          "1e+5",
                                          "inf",
                                          "-inf",
                                          "INFINITY",
                                          "1e39",
                                          "-1e39",
                                          "1e-46",
                                          "1e-400",
                                          "1e99999999999",
                                          "0e99999999999",
                                          "1.17549435e-38",
                                          "1e-45",
                                          "3.4028235677973366e38",
                                          "0.00000000000000000000000000000000000000000001"};
    static const char *const others[] = {"",     "-",  ".",   "e5", "1e", "1e+", "1.2.3", "0x10", "1_000", "1,5",
                                         "nan1", "in", "--1", "1 ", " 1", "1d5", "NA",    "null", "-.",    "infinit"};
    float value;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) check_parse(numbers[i]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (parse_number(others[i], others[i] + strlen(others[i]), &value)) {
            printf("\"%s\" was read as %g\n", others[i], (double)value);
            exit(1);
        }
    const char *const nan = "-NaN";
    if (!parse_number(nan, nan + 4, &value) || !isnan(value)) {
        puts("-NaN was not read as a NaN");
        exit(1);
    }
}

int main(int count, char **arguments) {
    long rounds = count > 1 ? atol(arguments[1]) : 1000000;
    check_words();
    const float special[] = {0.0f,  -0.0f,         1e9f,   999999999.0f, 1e-4f,     9.9999e-5f,
                             1e-5f, 3.4028235e38f, 1e-45f, INFINITY,     -INFINITY, NAN};
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) check_print(special[i]);
    for (long i = 0; i < rounds; i++) {
        check_random();
        if (i % 16 == 0) check_tie();
    }
    printf("%ld rounds\n", rounds);
    return 0;
}
