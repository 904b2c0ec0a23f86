/* A line on the terminal that says how far the work is. */
#ifndef FLOWRT_CLI_PROGRESS_H
#define FLOWRT_CLI_PROGRESS_H

#include <stdint.h>

/* Shows `done` of `all` rows (UINT64_MAX: not known), four times a second from the first second on, if standard error
 * is a terminal and the results go elsewhere. */
void progress_show(uint64_t done, uint64_t all);

/* Removes the line, if there is one. */
void progress_clear(void);

/* Seconds of a clock that only runs forward. */
double seconds_now(void);

#endif
