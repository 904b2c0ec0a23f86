#include "options.h"

#include "failure.h"
#include "output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const option option_table[OPTIONS] = {
    [OPTION_CONTEXT] = {"context", 0, "FILE|NUMBERS", "context: a file of one row or of one for each, or \"0.5,-1\""},
    [OPTION_OUTPUT] = {"output", 'o', "FILE", "where to write (standard output)"},
    [OPTION_FORMAT] = {"format", 0, "csv|tsv|npy", "of the output (by its name, else csv)"},
    [OPTION_HEADER] = {"header", 0, NULL, "begin CSV with the names of the columns"},
    [OPTION_LOG_DET] = {"log-det", 0, NULL, "a last column with log|det| of the map"},
    [OPTION_LOG_PROB] = {"log-prob", 0, NULL, "a last column with log p of the draw"},
    [OPTION_COUNT] = {"count", 'n', "N", "draws, for each row of the context (1)"},
    [OPTION_SEED] = {"seed", 0, "N", "a draw is a function of seed, stream and index (at random, and printed)"},
    [OPTION_STREAM] = {"stream", 0, "N", "see --seed (0)"},
    [OPTION_INDEX] = {"index", 0, "N", "number of the first draw (0)"},
    [OPTION_THREADS] = {"threads", 0, "N", "threads, which do not change results (0: one for each CPU)"},
    [OPTION_JSON] = {"json", 0, NULL, "as JSON"},
    [OPTION_NAME] = {"name", 0, "NAME", "C identifier of the array (model)"},
    [OPTION_HELP] = {"help", 'h', NULL, "show this help"},
};

/* Whether one letter more, less or other, or two that changed places, make the one of the other; or it begins it. */
static bool is_similar(const char *text, size_t length, const char *name) {
    size_t size = strlen(name), start = 0, end = 0;
    while (start < length && start < size && text[start] == name[start]) start++;
    if (start == length) return length > 1;
    while (end < length - start && end < size - start && text[length - 1 - end] == name[size - 1 - end]) end++;
    size_t left = length - start - end, right = size - start - end;
    bool swapped = left == 2 && right == 2 && text[start] == name[start + 1] && text[start + 1] == name[start];
    return (left <= 1 && right <= 1) || swapped;
}

const char *command_similar(const char *name) {
    for (size_t i = 0; i < command_count; i++)
        if (is_similar(name, strlen(name), command_table[i].name)) return command_table[i].name;
    return NULL;
}

const command *command_find(const char *name) {
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(command_table[i].name, name) == 0) return &command_table[i];
    return NULL;
}

static bool takes(const command *of, option_name name) { return of->options >> name & 1; }

/* The option that "--text", "--text=value" or "-t" names; ends the program if the command has none. */
static option_name find_option(const command *of, const char *text, size_t length) {
    for (option_name i = 0; i < OPTIONS; i++) {
        const option *entry = &option_table[i];
        bool brief = text[1] != '-' && entry->letter == text[1];
        bool named =
            text[1] == '-' && strlen(entry->name) == length - 2 && strncmp(entry->name, text + 2, length - 2) == 0;
        if (takes(of, i) && (brief || named)) return i;
    }
    for (option_name i = 0; i < OPTIONS; i++)
        if (takes(of, i) && text[1] == '-' && is_similar(text + 2, length - 2, option_table[i].name))
            fail_usage(of->name, "%s: unknown option %.*s: did you mean --%s?", of->name, (int)length, text,
                       option_table[i].name);
    fail_usage(of->name, "%s: unknown option %.*s", of->name, (int)length, text);
}

/* Takes the option at texts[i] into the arguments; returns how many texts it was. */
static int read_option(const command *of, arguments *given, int count, char **texts) {
    const char *text = texts[0];
    bool brief = text[1] != '-';
    size_t length = brief ? 2 : strcspn(text, "=");
    option_name name = find_option(of, text, length);
    const option *entry = &option_table[name];
    const char *attached = text[length] ? text + length + (brief ? 0 : 1) : NULL;
    if (given->values[name] && name != OPTION_HELP)
        fail_usage(of->name, "%s: --%s is there twice", of->name, entry->name);
    if (!entry->value) {
        if (attached) fail_usage(of->name, "%s: --%s takes no value", of->name, entry->name);
        given->values[name] = "";
        return 1;
    }
    if (!attached && count < 2) fail_usage(of->name, "%s: --%s needs %s", of->name, entry->name, entry->value);
    given->values[name] = attached ? attached : texts[1];
    return attached ? 1 : 2;
}

arguments read_arguments(const command *of, int count, char **texts) {
    arguments given = {.command = of->name, .operands = allocate((size_t)count + 1, sizeof(char *))};
    bool only_operands = false;
    for (int i = 0; i < count;) {
        if (!only_operands && strcmp(texts[i], "--") == 0) {
            only_operands = true;
            i++;
        } else if (!only_operands && texts[i][0] == '-' && texts[i][1]) {
            i += read_option(of, &given, count - i, texts + i);
        } else {
            given.operands[given.operand_count++] = texts[i++];
        }
    }
    if (given.values[OPTION_HELP]) {
        print_help(of);
        exit(EXIT_DONE);
    }
    if (given.operand_count < of->least) fail_usage(of->name, "%s: expected %s", of->name, of->operands);
    if (given.operand_count > of->most)
        fail_usage(of->name, "%s: unexpected \"%s\"", of->name, given.operands[of->most]);
    return given;
}

uint64_t option_number(const arguments *given, option_name name) {
    const char *text = given->values[name], *at = text;
    uint64_t number = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (number > (UINT64_MAX - digit) / 10) break;
        number = number * 10 + digit;
    }
    if (*at || at == text)
        fail_usage(given->command, "%s: --%s: expected a whole number from 0 to 2^64 - 1, found \"%s\"", given->command,
                   option_table[name].name, text);
    return number;
}

uint64_t option_number_or(const arguments *given, option_name name, uint64_t absent) {
    return given->values[name] ? option_number(given, name) : absent;
}

static void print_command_help(const command *of) {
    output_printf("usage: flowrt %s%s%s%s\n\n%s\n", of->name, of->options ? " [options]" : "", *of->operands ? " " : "",
                  of->operands, of->text);
    for (option_name i = 0; i < OPTIONS; i++) {
        const option *entry = &option_table[i];
        if (!takes(of, i)) continue;
        char left[64];
        snprintf(left, sizeof left, "%c%c%s--%s%s%s", entry->letter ? '-' : ' ', entry->letter ? entry->letter : ' ',
                 entry->letter ? ", " : "  ", entry->name, entry->value ? " " : "", entry->value ? entry->value : "");
        output_printf("  %-26s  %s\n", left, entry->text);
    }
}

void print_help(const command *of) {
    output_open(NULL);
    if (of) {
        print_command_help(of);
    } else {
        output_printf(
            "usage: flowrt COMMAND ...\n\nInspect, check and run trained normalizing flows (.flw files).\n\n");
        for (size_t i = 0; i < command_count; i++)
            output_printf("  %-11s %s\n", command_table[i].name, command_table[i].text);
        output_printf(
            "\nflowrt help COMMAND tells more, and so does the manual page flowrt(1).\n"
            "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 done, but some rows are NaN or infinite.\n");
    }
    output_finish(0);
}
