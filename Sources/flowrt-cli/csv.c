#include "csv.h"

#include "failure.h"
#include "number.h"

#include <stdlib.h>
#include <string.h>

csv csv_open(source *input, size_t width, const names *wanted) {
    return (csv){.input = input, .wanted = wanted, .width = width, .columns = width};
}

void csv_close(csv *table) {
    names_free(&table->header);
    free(table->column_of);
    free(table->number_of);
}

static bool is_blank(char c, char separator) { return c == ' ' || (c == '\t' && separator != '\t'); }

/* A field without quotes and the blanks around it. */
typedef struct field {
    const char *begin, *end;
    bool quoted;
} field;

/* Takes a field off the line: *at moves behind its separator, to NULL behind the last one. */
static field next_field(const csv *table, const char **at, const char *end, size_t column) {
    const char *begin = *at;
    while (begin < end && is_blank(*begin, table->separator)) begin++;
    const char *stop = begin;
    bool quoted = begin < end && *begin == '"';
    if (quoted) {
        do {
            stop = memchr(stop + 1, '"', (size_t)(end - stop - 1));
            if (!stop) break;
            stop++;
        } while (stop < end && *stop == '"'); /* "" is a quote in a quoted field */
        const char *after = stop;
        while (after && after < end && is_blank(*after, table->separator)) after++;
        if (!after || (after < end && *after != table->separator))
            fail("%s, line %llu, column %zu: expected a closing quote and a separator", table->input->name,
                 (unsigned long long)table->line, column + 1);
        *at = after < end ? after + 1 : NULL;
        return (field){begin + 1, stop - 1, true};
    }
    stop = memchr(begin, table->separator, (size_t)(end - begin));
    *at = stop ? stop + 1 : NULL;
    if (!stop) stop = end;
    while (stop > begin && is_blank(stop[-1], table->separator)) stop--;
    return (field){begin, stop, false};
}

#define SEPARATORS ": columns are separated by commas, semicolons or tabs"

/* Ends the program: the line has another number of columns. */
static _Noreturn void fail_count(const csv *table, size_t found) {
    size_t expected = table->columns;
    fail("%s, line %llu: expected %zu column%s, found %zu%s", table->input->name, (unsigned long long)table->line,
         expected, expected == 1 ? "" : "s", found, found == 1 ? SEPARATORS : "");
}

/* Ends the program: what stands in a column is no number. */
static _Noreturn void fail_field(const csv *table, size_t column, field found) {
    bool named = column < table->header.count;
    size_t length = (size_t)(found.end - found.begin), shown = length > 40 ? 40 : length;
    /* A field that has a comma has another separator around it, or quotes. */
    bool decimal_comma = memchr(found.begin, ',', length) != NULL;
    const char *quote = length ? "\"" : "";
    fail("%s, line %llu, column %zu%s%.200s%s: expected a number%s, found %s%.*s%s%s%s", table->input->name,
         (unsigned long long)table->line, column + 1, named ? " (" : "", named ? table->header.items[column] : "",
         named ? ")" : "", decimal_comma ? " with a decimal point" : "", quote, (int)(length ? shown : 7),
         length ? found.begin : "nothing", length > shown ? "..." : "", quote,
         memchr(found.begin, ' ', length) ? SEPARATORS : "");
}

/* Files of other kinds that people give by mistake. */
static void refuse_other_formats(const csv *table) {
    static const struct {
        const char *start;
        size_t length;
        const char *kind;
    } others[] = {
        {"\x89"
         "FLW",
         4, "a .flw model"},
        {"PK\3\4", 4, "a zip archive (.npz, .xlsx)"},
        {"\x1f\x8b", 2, "gzip"},
        {"PAR1", 4, "a Parquet file"},
        {"\xff\xfe", 2, "UTF-16 text"},
        {"\xfe\xff", 2, "UTF-16 text"},
        {"\x89HDF", 4, "an HDF5 file"},
        {"BZh", 3, "bzip2"},
        {"\xfd"
         "7zXZ",
         5, "xz"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (source_starts(table->input, others[i].start, others[i].length))
            fail("%s: expected rows as CSV or .npy, found %s", table->input->name, others[i].kind);
    if (source_starts(table->input, "\xef\xbb\xbf", 3)) table->input->begin += 3; /* byte order mark */
}

/* Tab, else semicolon, else comma: the first of them that the line has outside of quotes. */
static char find_separator(const char *line, const char *end) {
    bool quoted = false, semicolon = false;
    for (; line < end; line++) {
        if (*line == '"') quoted = !quoted;
        if (!quoted && *line == '\t') return '\t';
        semicolon |= !quoted && *line == ';';
    }
    return semicolon ? ';' : ',';
}

/* Whether a field means to be a number, or several: "1,5", "1 000" or "1.5 -2.5". */
static bool is_nearly_number(field found) {
    bool any = false, starts = true;
    for (const char *at = found.begin; at < found.end; at++) {
        bool is_digit = *at >= '0' && *at <= '9', is_sign = starts && (*at == '-' || *at == '+');
        if (!is_digit && !is_sign && !memchr("., '", *at, 4)) return false;
        any |= is_digit;
        starts = *at == ' ';
    }
    return any;
}

/* Whether a line is a header: none of its fields is a number, nor means to be one, and one at least is not empty. */
static bool is_header(csv *table, const char *line, const char *end) {
    float ignored;
    bool any = false;
    size_t column = 0;
    for (const char *at = line; at; column++) {
        field found = next_field(table, &at, end, column);
        if (parse_number(found.begin, found.end, &ignored) || is_nearly_number(found)) return false;
        any |= found.end > found.begin;
    }
    return any;
}

/* Finds the model's columns by their names. */
static void match_names(csv *table) {
    const names *header = &table->header;
    unsigned long long line = table->line;
    table->column_of = allocate(table->width, sizeof(size_t));
    table->number_of = allocate(header->count, sizeof(size_t));
    for (size_t i = 0; i < header->count; i++) table->number_of[i] = SIZE_MAX;
    for (size_t i = 0; i < table->width; i++) {
        const char *name = table->wanted->items[i];
        size_t column = names_find(header, name);
        if (column == SIZE_MAX)
            fail("%s, line %llu: expected a column \"%s\", found %s", table->input->name, line, name,
                 names_text(header));
        for (size_t j = column + 1; j < header->count; j++)
            if (strcmp(header->items[j], name) == 0)
                fail("%s, line %llu, column %zu: a second column \"%s\"", table->input->name, line, j + 1, name);
        table->column_of[i] = column;
        table->number_of[column] = i;
    }
    table->columns = header->count;
}

static void read_header(csv *table, const char *line, const char *end) {
    size_t column = 0;
    for (const char *at = line; at; column++) {
        field found = next_field(table, &at, end, column);
        char *text = allocate((size_t)(found.end - found.begin) + 1, 1);
        size_t length = 0;
        for (const char *c = found.begin; c < found.end; c++) {
            text[length++] = *c;
            c += found.quoted && *c == '"'; /* "" is one quote */
        }
        names_add(&table->header, text, length);
        free(text);
    }
    if (table->wanted && table->wanted->count) {
        match_names(table);
        return;
    }
    size_t repeated = names_repeated(&table->header);
    if (repeated != SIZE_MAX)
        fail("%s, line %llu, column %zu: a second column \"%s\"", table->input->name, (unsigned long long)table->line,
             repeated + 1, table->header.items[repeated]);
    if (column != table->width) fail_count(table, column);
}

static void read_fields(const csv *table, const char *line, const char *end, float *row) {
    size_t column = 0;
    for (const char *at = line; at; column++) {
        field found = next_field(table, &at, end, column);
        if (column >= table->columns) continue;
        size_t number = table->number_of ? table->number_of[column] : column;
        if (number != SIZE_MAX && !parse_number(found.begin, found.end, &row[number])) fail_field(table, column, found);
    }
    if (column != table->columns) fail_count(table, column);
}

source_state csv_row(csv *table, bool may_wait, float *row) {
    if (table->line == 0) refuse_other_formats(table);
    for (;;) {
        const char *line, *end;
        source_state state = source_line(table->input, may_wait, &line, &end);
        if (state != SOURCE_LINE) return state;
        table->line++;
        const char *text = line;
        while (text < end && (*text == ' ' || *text == '\t')) text++;
        if (text == end || *text == '#') continue; /* blank lines and comments */
        if (!table->started) {
            table->started = true;
            table->separator = find_separator(line, end);
            if (is_header(table, line, end)) {
                read_header(table, line, end);
                continue;
            }
        }
        read_fields(table, line, end, row);
        return SOURCE_LINE;
    }
}
