/* flowrt: trained normalizing flows from the command line. */
#include "commands.h"

#include "describe.h"
#include "failure.h"
#include "model.h"
#include "output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BIT(option) (1u << (option))
#define RESULTS                                                                                                        \
    (BIT(OPTION_CONTEXT) | BIT(OPTION_OUTPUT) | BIT(OPTION_FORMAT) | BIT(OPTION_HEADER) | BIT(OPTION_THREADS))
#define DRAWS (BIT(OPTION_COUNT) | BIT(OPTION_SEED) | BIT(OPTION_STREAM) | BIT(OPTION_INDEX))

const command command_table[] = {
    {"info", "MODEL", "steps, sizes and metadata of a file", 1, 1, BIT(OPTION_JSON) | BIT(OPTION_HELP), command_info},
    {"check", "MODEL...", "read every byte; say where and why a file is wrong", 1, SIZE_MAX, BIT(OPTION_HELP),
     command_check},
    {"log-prob", "MODEL [ROWS]", "log p(x) of each row of CSV or .npy", 1, 2, RESULTS | BIT(OPTION_HELP),
     command_log_prob},
    {"sample", "MODEL", "draw rows from the flow", 1, 1, RESULTS | DRAWS | BIT(OPTION_LOG_PROB) | BIT(OPTION_HELP),
     command_sample},
    {"forward", "MODEL [ROWS]", "data x to noise z", 1, 2, RESULTS | BIT(OPTION_LOG_DET) | BIT(OPTION_HELP),
     command_forward},
    {"inverse", "MODEL [ROWS]", "noise z to data x", 1, 2, RESULTS | BIT(OPTION_LOG_DET) | BIT(OPTION_HELP),
     command_inverse},
    {"bench", "MODEL", "time a row of density and of draws", 1, 1, BIT(OPTION_CONTEXT) | BIT(OPTION_HELP),
     command_bench},
    {"c-array", "MODEL", "the file as an aligned C array, with its sizes as #defines", 1, 1,
     BIT(OPTION_NAME) | BIT(OPTION_OUTPUT) | BIT(OPTION_HELP), command_c_array},
    {"completion", "bash|zsh", "completion for a shell", 1, 1, BIT(OPTION_HELP), command_completion},
    {"help", "[COMMAND]", "help for a command", 0, 1, BIT(OPTION_HELP), command_help},
};
const size_t command_count = sizeof command_table / sizeof *command_table;

int command_info(const arguments *given) {
    model flow;
    model_open(&flow, given->operands[0], NULL);
    output_open(NULL);
    if (given->values[OPTION_JSON])
        describe_json(&flow);
    else
        describe(&flow);
    output_finish(0);
    model_close(&flow);
    return EXIT_DONE;
}

int command_check(const arguments *given) {
    int code = EXIT_DONE;
    output_open(NULL);
    for (size_t i = 0; i < given->operand_count; i++) {
        model flow;
        char reason[MODEL_REASON];
        if (!model_open(&flow, given->operands[i], reason)) {
            output_flush();
            say("%s", reason);
            code = EXIT_FAILED;
            continue;
        }
        output_printf("%s: valid, format %" PRIu32 ".%" PRIu32 ", %zu bytes\n", flow.path,
                      flow.info.format_version / 100, flow.info.format_version % 100, flow.size);
        model_close(&flow);
    }
    output_finish(0);
    return code;
}

int command_help(const arguments *given) {
    const command *of = given->operand_count ? command_find(given->operands[0]) : NULL;
    if (given->operand_count && !of) fail_usage(NULL, "unknown command \"%s\"", given->operands[0]);
    print_help(of);
    return EXIT_DONE;
}

int main(int count, char **texts) {
    if (count < 2) fail_usage(NULL, "expected a command");
    const char *name = texts[1];
    if (strcmp(name, "--version") == 0) {
        output_open(NULL);
        output_printf("%s\n", flowrt_build_info());
        output_finish(0);
        return EXIT_DONE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
    const command *of = command_find(name);
    const char *meant = of ? NULL : command_similar(name);
    if (meant) fail_usage(NULL, "unknown command \"%s\": did you mean %s?", name, meant);
    if (!of) fail_usage(NULL, "unknown command \"%s\"", name);
    arguments given = read_arguments(of, count - 2, texts + 2);
    int code = of->run(&given);
    free(given.operands);
    return code;
}
