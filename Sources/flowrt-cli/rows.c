#include "rows.h"

#include "failure.h"

#include <stdlib.h>
#include <string.h>

struct rows {
    source input;
    size_t width;
    enum { CSV, NPY, NUMBERS } form;
    csv table;
    npy array;
    float *numbers; /* NUMBERS: the row, NULL when it has been read */
};

rows *rows_open(const char *path, size_t width, const names *wanted) {
    rows *from = allocate(1, sizeof *from);
    *from = (rows){.input = source_open(path), .width = width};
    if (source_starts(&from->input, NPY_MAGIC, NPY_MAGIC_SIZE)) {
        from->form = NPY;
        from->array = npy_open(&from->input, width);
    } else {
        from->table = csv_open(&from->input, width, wanted);
    }
    return from;
}

rows *rows_of_one(float *numbers, size_t width, const char *name) {
    rows *from = allocate(1, sizeof *from);
    *from = (rows){.input = {.name = name, .ended = true}, .width = width, .form = NUMBERS, .numbers = numbers};
    return from;
}

void rows_close(rows *from) {
    if (!from) return;
    if (from->form == CSV) csv_close(&from->table);
    if (from->form != NUMBERS) source_close(&from->input);
    free(from->numbers);
    free(from);
}

static source_state next_row(rows *from, bool may_wait, float *row) {
    switch (from->form) {
    case CSV: return csv_row(&from->table, may_wait, row);
    case NPY: return npy_row(&from->array, row) ? SOURCE_LINE : SOURCE_END;
    case NUMBERS: break;
    }
    if (!from->numbers) return SOURCE_END;
    memcpy(row, from->numbers, from->width * sizeof *row);
    free(from->numbers);
    from->numbers = NULL;
    return SOURCE_LINE;
}

size_t rows_read(rows *from, size_t most, float *values, uint64_t *places) {
    size_t count = 0;
    while (count < most && next_row(from, count == 0, values + count * from->width) == SOURCE_LINE) {
        if (places)
            places[count] = from->form == CSV ? from->table.line : from->form == NPY ? from->array.taken - 1 : 0;
        count++;
    }
    return count;
}

const char *rows_name(const rows *from) { return from->input.name; }
bool rows_have_lines(const rows *from) { return from->form == CSV; }

bool rows_count(const rows *from, uint64_t *all) {
    if (from->form == NPY) *all = from->array.count;
    return from->form == NPY;
}
