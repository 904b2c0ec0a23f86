#include "context.h"

#include "failure.h"
#include "number.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char between[] = " ,;\t\n";

/* The text as numbers: how many there are, up to the first field that is none; that field is *wrong, else NULL. */
static float *read_numbers(const char *text, size_t *count, const char **wrong) {
    float *numbers = NULL;
    *count = 0;
    *wrong = NULL;
    for (const char *at = text + strspn(text, between); *at; at += strspn(at, between)) {
        const char *end = at + strcspn(at, between);
        numbers = reallocate(numbers, *count + 1, sizeof *numbers);
        if (!parse_number(at, end, &numbers[*count])) {
            *wrong = at;
            return numbers;
        }
        ++*count;
        at = end;
    }
    return numbers;
}

/* Numbers, unless the text is the name of a file: then NULL. `name`: of the command. */
static float *numbers_of(const char *name, const char *text, size_t width) {
    size_t count;
    const char *wrong;
    float *numbers = read_numbers(text, &count, &wrong);
    if (wrong && (count == 0 || access(text, F_OK) == 0)) {
        free(numbers);
        return NULL;
    }
    if (wrong)
        fail_usage(name, "--context: expected a number, found \"%.*s\"", (int)strcspn(wrong, between), wrong);
    bool decimal_commas = count > width && strchr(text, ',');
    if (count != width)
        fail_usage(name, "--context: expected %zu number%s, found %zu%s", width, width == 1 ? "" : "s", count,
                   decimal_commas ? ": a comma separates numbers, and is no decimal point" : "");
    return numbers;
}

rows *context_open(const arguments *given, const model *flow, bool needed) {
    const char *text = given->values[OPTION_CONTEXT];
    size_t width = flow->info.context_dim;
    if (!width && text) fail_usage(given->command, "%s takes no context: leave --context out", flow->path);
    if (width && !text && needed)
        fail_usage(given->command, "%s needs a context of %zu number%s: --context FILE or --context NUMBERS",
                   flow->path, width, width == 1 ? "" : "s");
    if (!text) return NULL;
    float *numbers = numbers_of(given->command, text, width);
    if (numbers) return rows_of_one(numbers, width, "--context");
    return rows_open(text, width, flow->context_names.count ? &flow->context_names : NULL);
}
