#include "names.h"

#include "failure.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void names_add(names *list, const char *text, size_t length) {
    if ((list->count & (list->count - 1)) == 0) /* 0 and powers of two */
        list->items = reallocate(list->items, list->count ? 2 * list->count : 1, sizeof *list->items);
    char *copy = allocate(length + 1, 1);
    memcpy(copy, text, length);
    copy[length] = 0;
    list->items[list->count++] = copy;
}

void names_free(names *list) {
    for (size_t i = 0; i < list->count; i++) free(list->items[i]);
    free(list->items);
    *list = (names){0};
}

size_t names_find(const names *list, const char *name) {
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], name) == 0) return i;
    return SIZE_MAX;
}

static int compare(const void *left, const void *right) {
    const char *const *a = left, *const *b = right;
    return strcmp(*a, *b);
}

size_t names_repeated(const names *list) {
    if (list->count < 2) return SIZE_MAX;
    char **sorted = allocate(list->count, sizeof *sorted);
    memcpy(sorted, list->items, list->count * sizeof *sorted);
    qsort(sorted, list->count, sizeof *sorted, compare);
    size_t found = SIZE_MAX;
    for (size_t i = 1; i < list->count && found == SIZE_MAX; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            for (size_t j = names_find(list, sorted[i]) + 1; j < list->count && found == SIZE_MAX; j++)
                if (strcmp(list->items[j], sorted[i]) == 0) found = j;
    free(sorted);
    return found;
}

char *names_text(const names *list) {
    enum { MOST = 200 };
    char *text = allocate(MOST + 8, 1);
    size_t length = 0;
    text[0] = 0;
    for (size_t i = 0; i < list->count; i++) {
        size_t next = strlen(list->items[i]);
        if (length + next + 2 > MOST) {
            strcpy(text + length, length ? ", ..." : "...");
            break;
        }
        if (i) {
            memcpy(text + length, ", ", 2);
            length += 2;
        }
        memcpy(text + length, list->items[i], next + 1);
        length += next;
    }
    return text;
}
