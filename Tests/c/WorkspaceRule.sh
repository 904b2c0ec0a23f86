#!/bin/sh
# flowrt_add_model's own rules for workspaces and plan give what flowrt_workspace_size, flowrt_gradient_workspace_size and flowrt_plan_size
# give: for every flow of the tests, and every model of models/ and, without
# an emulator, Tests/golden.
#   WorkspaceRule.sh CMAKE WORKSPACE_RULE SOURCE [EMULATOR...]
set -eu
cmake=$1 program=$2 source=$3
shift 3
golden=$source/Tests/golden
[ $# = 0 ] || golden= # under an emulator the flows of the tests are enough: the rule is the same on every CPU
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC2046
"$@" "$program" "$work" $(find "$source/models" $golden -name '*.flw') >"$work/expected"
while read -r model one all gradient all_gradient plan; do
    "$cmake" "-DMODEL=$model" -DNAME=model "-DHEADER=$work/model.h" "-DSOURCE=$work/model.c" \
        -P "$source/cmake/FlowrtModelSource.cmake"
    for size in "WORKSPACE $one" "FULL_WORKSPACE $all" "GRADIENT_WORKSPACE $gradient" "FULL_GRADIENT_WORKSPACE $all_gradient" \
        "PLAN $plan"; do
        grep -q "MODEL_${size% *}_BYTES ${size#* }u\$" "$work/model.h" || {
            echo "$model: the library says $size; flowrt_add_model writes"
            grep BYTES "$work/model.h"
            exit 1
        }
    done
done <"$work/expected"
echo "$(wc -l <"$work/expected") models"
