#include "npy.h"

#include "failure.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What follows a key in the header's dictionary, NULL if the key is not there. */
static const char *value_of(const char *header, const char *key) {
    const char *at = strstr(header, key);
    if (!at) return NULL;
    at += strlen(key);
    while (*at == ' ') at++;
    if (*at != ':') return NULL;
    do at++;
    while (*at == ' ');
    return at;
}

/* Reads "(n,)" or "(n, m)"; returns the number of dimensions, -1 if it is something else. */
static int read_shape(const char *at, uint64_t shape[2]) {
    int dimensions = 0;
    if (*at++ != '(') return -1;
    for (;;) {
        while (*at == ' ' || *at == ',') at++;
        if (*at == ')') return dimensions;
        if (*at < '0' || *at > '9') return -1;
        uint64_t number = 0;
        for (; *at >= '0' && *at <= '9'; at++) {
            if (number > (UINT64_MAX - 9) / 10) return -1;
            number = number * 10 + (uint64_t)(*at - '0');
        }
        if (dimensions < 2) shape[dimensions] = number;
        dimensions++;
    }
}

static void set_rows(npy *array, int dimensions, const uint64_t shape[2]) {
    const char *name = array->input->name;
    if (dimensions != 1 && dimensions != 2)
        fail("%s: expected an array of 1 or 2 dimensions, found %d", name, dimensions);
    uint64_t columns = dimensions == 2 ? shape[1] : array->width == 1 ? 1 : shape[0];
    array->count = dimensions == 2 || array->width == 1 ? shape[0] : 1;
    if (columns == array->width) return;
    fail(dimensions == 2 ? "%s: expected an array (n, %zu), found (%" PRIu64 ", %" PRIu64 ")"
                         : "%s: expected an array (n, %zu), found (%" PRIu64 ",)",
         name, array->width, shape[0], shape[1]);
}

/* The dictionary as text; *size are the bytes up to the numbers. */
static void read_dictionary(source *input, char *text, size_t capacity, size_t *size) {
    size_t there = source_need(input, 12);
    const unsigned char *start = (const unsigned char *)input->data + input->begin;
    unsigned major = there >= 8 ? start[6] : 0;
    if (there < 12 || major < 1 || major > 3)
        fail("%s: expected version 1, 2 or 3 of .npy, found %u", input->name, major);
    size_t prefix = major == 1 ? 10 : 12, length = start[8] | (size_t)start[9] << 8;
    if (major > 1) length |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
    if (length >= capacity)
        fail("%s: expected a header of an array of numbers, found %zu bytes of it", input->name, length);
    *size = prefix + length;
    if (source_need(input, *size) < *size) fail("%s: the file ends within its header", input->name);
    memcpy(text, input->data + input->begin + prefix, length);
    text[length] = 0;
}

npy npy_open(source *input, size_t width) {
    npy array = {.input = input, .width = width};
    char text[4096];
    size_t size;
    read_dictionary(input, text, sizeof text, &size);
    const char *type = value_of(text, "'descr'"), *order = value_of(text, "'fortran_order'");
    const char *shape_text = value_of(text, "'shape'");
    if (!type || !order || !shape_text) fail("%s: the header lacks descr, fortran_order or shape", input->name);
    if (strncmp(type, "'<f4'", 5) == 0)
        array.size = 4;
    else if (strncmp(type, "'<f8'", 5) == 0)
        array.size = 8;
    else
        fail("%s: expected numbers '<f4' or '<f8' (float32, float64), found %.*s", input->name,
             (int)strcspn(type, ",}\n"), type);
    uint64_t shape[2] = {0, 0};
    int dimensions = read_shape(shape_text, shape);
    if (dimensions < 0)
        fail("%s: expected a shape (n, %zu), found %.*s", input->name, width, (int)strcspn(shape_text, ")}\n") + 1,
             shape_text);
    if (strncmp(order, "False", 5) != 0 && dimensions > 1)
        fail("%s: expected rows in C order, found Fortran order: save numpy.ascontiguousarray(x)", input->name);
    set_rows(&array, dimensions, shape);
    input->begin += size;
    return array;
}

static float number_at(const char *bytes, size_t size) {
    if (size == 4) {
        float value;
        memcpy(&value, bytes, 4);
        return value;
    }
    double value;
    memcpy(&value, bytes, 8);
    return (float)value;
}

bool npy_row(npy *array, float *row) {
    source *input = array->input;
    if (array->taken == array->count) {
        if (source_need(input, 1) > 0)
            fail("%s: expected %" PRIu64 " rows, found bytes behind the last one", input->name, array->count);
        return false;
    }
    size_t bytes = array->width * array->size;
    if (source_need(input, bytes) < bytes)
        fail("%s: expected %" PRIu64 " rows, the file ends in row %" PRIu64, input->name, array->count, array->taken);
    const char *start = input->data + input->begin;
    for (size_t i = 0; i < array->width; i++) row[i] = number_at(start + i * array->size, array->size);
    input->begin += bytes;
    array->taken++;
    return true;
}

void npy_header(char *header, uint64_t count, size_t width) {
    char shape[64];
    if (width)
        snprintf(shape, sizeof shape, "(%" PRIu64 ", %zu)", count, width);
    else
        snprintf(shape, sizeof shape, "(%" PRIu64 ",)", count);
    memset(header, ' ', NPY_HEADER_SIZE);
    memcpy(header, NPY_MAGIC "\1\0\x76", 10); /* version 1.0, 118 bytes follow */
    header[9] = 0;
    int length =
        snprintf(header + 10, NPY_HEADER_SIZE - 10, "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }", shape);
    header[10 + length] = ' ';
    header[NPY_HEADER_SIZE - 1] = '\n';
}
