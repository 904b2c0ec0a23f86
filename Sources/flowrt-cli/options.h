/* The command line: one table of commands, one of options. Help, completion and the man page's test follow them. */
#ifndef FLOWRT_CLI_OPTIONS_H
#define FLOWRT_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum option_name {
    OPTION_CONTEXT,
    OPTION_OUTPUT,
    OPTION_FORMAT,
    OPTION_HEADER,
    OPTION_LOG_DET,
    OPTION_LOG_PROB,
    OPTION_COUNT,
    OPTION_SEED,
    OPTION_STREAM,
    OPTION_INDEX,
    OPTION_THREADS,
    OPTION_JSON,
    OPTION_NAME,
    OPTION_HELP,
    OPTIONS
} option_name;

typedef struct option {
    const char *name;  /* without -- */
    char letter;       /* 0 if it has none */
    const char *value; /* what it takes, NULL for a switch */
    const char *text;
} option;
extern const option option_table[OPTIONS];

/* What a command was given. */
typedef struct arguments {
    const char *command;
    const char *values[OPTIONS]; /* NULL if absent; a switch that is there has "" */
    const char **operands;
    size_t operand_count;
} arguments;

typedef struct command {
    const char *name, *operands, *text;
    size_t least, most;                 /* operands */
    uint32_t options;                   /* bits: 1 << option_name */
    int (*run)(const arguments *given); /* returns the exit code */
} command;
extern const command command_table[];
extern const size_t command_count;

const command *command_find(const char *name); /* NULL if there is none */
const char *command_similar(const char *name); /* a name that may have been meant, or NULL */

/* Reads what follows the command's name; ends the program with EXIT_USAGE for anything that it does not take. */
arguments read_arguments(const command *of, int count, char **texts);

/* A whole number, 0 to 2^64 - 1, of an option that is there. */
uint64_t option_number(const arguments *given, option_name name);
/* The same, or what it is if it is absent. */
uint64_t option_number_or(const arguments *given, option_name name, uint64_t absent);

/* Help for one command, or for all of them (NULL), on standard output. */
void print_help(const command *of);

#endif
