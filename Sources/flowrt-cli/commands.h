/* The commands. Each returns the exit code. */
#ifndef FLOWRT_CLI_COMMANDS_H
#define FLOWRT_CLI_COMMANDS_H

#include "options.h"

int command_info(const arguments *given);
int command_check(const arguments *given);
int command_log_prob(const arguments *given);
int command_sample(const arguments *given);
int command_forward(const arguments *given);
int command_inverse(const arguments *given);
int command_bench(const arguments *given);
int command_c_array(const arguments *given);
int command_completion(const arguments *given);
int command_help(const arguments *given);

#endif
