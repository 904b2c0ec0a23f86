/* The command completion: what a shell needs to complete commands and options, from their tables. */
#include "commands.h"

#include "failure.h"
#include "output.h"

#include <string.h>

static void put_command_names(void) {
    for (size_t i = 0; i < command_count; i++) output_printf("%s%s", i ? " " : "", command_table[i].name);
}

static void put_options(const command *of) {
    for (option_name i = 0; i < OPTIONS; i++) {
        const option *entry = &option_table[i];
        if (!(of->options >> i & 1)) continue;
        if (entry->letter) output_printf(" -%c", entry->letter);
        output_printf(" --%s", entry->name);
    }
}

static void bash(void) {
    output_printf("# bash completion of flowrt: eval \"$(flowrt completion bash)\"\n"
                  "_flowrt() {\n"
                  "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=\n"
                  "    COMPREPLY=()\n"
                  "    case $before in\n"
                  "    --format) words='csv tsv npy' ;;\n"
                  "    --context|--output|-o) ;;\n"
                  "    *)\n"
                  "        if [ \"$COMP_CWORD\" = 1 ]; then\n"
                  "            words='");
    put_command_names();
    output_printf(" --help --version'\n"
                  "        else\n"
                  "            case ${COMP_WORDS[1]} in\n"
                  "            help) words='");
    put_command_names();
    output_printf("' ;;\n"
                  "            completion) words='bash zsh' ;;\n");
    for (size_t i = 0; i < command_count; i++) {
        const command *of = &command_table[i];
        if (strcmp(of->name, "help") == 0 || strcmp(of->name, "completion") == 0) continue;
        output_printf("            %s) [ \"${word:0:1}\" != - ] || words='", of->name);
        put_options(of);
        output_printf("' ;;\n");
    }
    output_printf("            esac\n"
                  "        fi\n"
                  "        ;;\n"
                  "    esac\n"
                  "    [ -z \"$words\" ] || COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
                  "}\n"
                  "complete -o default -F _flowrt flowrt\n");
}

/* Text within single quotes, where zsh takes [ ] : as its own. */
static void put_quoted(const char *text) {
    for (; *text; text++) {
        if (strchr("[]:", *text)) output_printf("\\");
        output_printf(*text == '\'' ? "'\\''" : "%c", *text);
    }
}

static void zsh_options(const command *of) {
    for (option_name i = 0; i < OPTIONS; i++) {
        const option *entry = &option_table[i];
        if (!(of->options >> i & 1)) continue;
        for (int brief = 0; brief <= (entry->letter != 0); brief++) {
            output_printf(" \\\n            '");
            if (brief)
                output_printf("-%c[", entry->letter);
            else
                output_printf("--%s%s[", entry->name, entry->value ? "=" : "");
            put_quoted(entry->text);
            output_printf("]");
            if (entry->value) {
                bool is_file = i == OPTION_CONTEXT || i == OPTION_OUTPUT;
                output_printf(":%s:%s", entry->name, is_file ? "_files" : i == OPTION_FORMAT ? "(csv tsv npy)" : "");
            }
            output_printf("'");
        }
    }
}

static void zsh(void) {
    output_printf("#compdef flowrt\n"
                  "# zsh completion of flowrt: flowrt completion zsh > _flowrt, in a folder of $fpath\n"
                  "_flowrt() {\n"
                  "    local -a commands\n"
                  "    commands=(\n");
    for (size_t i = 0; i < command_count; i++) {
        output_printf("        '%s:", command_table[i].name);
        put_quoted(command_table[i].text);
        output_printf("'\n");
    }
    output_printf("    )\n"
                  "    if (( CURRENT == 2 )); then\n"
                  "        _describe command commands\n"
                  "        return\n"
                  "    fi\n"
                  "    local command=$words[2]\n"
                  "    shift words\n"
                  "    (( CURRENT-- ))\n"
                  "    case $command in\n");
    for (size_t i = 0; i < command_count; i++) {
        const command *of = &command_table[i];
        output_printf("    %s)\n        _arguments", of->name);
        zsh_options(of);
        bool help = strcmp(of->name, "help") == 0, shells = strcmp(of->name, "completion") == 0;
        if (help) {
            output_printf(" \\\n            '*:command:(");
            put_command_names();
            output_printf(")'\n        ;;\n");
        } else {
            output_printf(" \\\n            '*:%s'\n        ;;\n", shells ? "shell:(bash zsh)" : "file:_files");
        }
    }
    output_printf("    esac\n"
                  "}\n"
                  "if [ \"$funcstack[1]\" = _flowrt ]; then _flowrt \"$@\"; else compdef _flowrt flowrt; fi\n");
}

int command_completion(const arguments *given) {
    const char *shell = given->operands[0];
    bool is_bash = strcmp(shell, "bash") == 0;
    if (!is_bash && strcmp(shell, "zsh") != 0)
        fail_usage(given->command, "completion: expected bash or zsh, found \"%s\"", shell);
    output_open(NULL);
    if (is_bash)
        bash();
    else
        zsh();
    output_finish(0);
    return EXIT_DONE;
}
