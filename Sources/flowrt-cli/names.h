/* A list of names, of columns or of features. */
#ifndef FLOWRT_CLI_NAMES_H
#define FLOWRT_CLI_NAMES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct names {
    char **items;
    size_t count;
} names;

/* Adds a copy of `length` bytes. */
void names_add(names *list, const char *text, size_t length);
void names_free(names *list);

/* Place of a name, SIZE_MAX if it is not there. */
size_t names_find(const names *list, const char *name);

/* The index of the first name that an earlier item has, too; SIZE_MAX if there is none. */
size_t names_repeated(const names *list);

/* "a, b, c", shortened with "..." to fit; the caller frees it. */
char *names_text(const names *list);

#endif
