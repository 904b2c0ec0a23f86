#!/bin/sh
# flowrt_add_model's own rules for workspace and plan give what flowrt_workspace_size and flowrt_plan_size give: for every flow of the tests, and every
# model of models/.
#   WorkspaceRule.sh CMAKE WORKSPACE_RULE SOURCE [EMULATOR...]
set -eu
cmake=$1 program=$2 source=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC2046
"$@" "$program" "$work" $(find "$source/models" -name '*.flw') >"$work/expected"
while read -r model one all plan; do
    "$cmake" "-DMODEL=$model" -DNAME=model "-DHEADER=$work/model.h" "-DSOURCE=$work/model.c" \
        -P "$source/cmake/FlowrtModelSource.cmake"
    grep -q "MODEL_WORKSPACE_BYTES ${one}u\$" "$work/model.h" && grep -q "MODEL_FULL_WORKSPACE_BYTES ${all}u\$" "$work/model.h" &&
        grep -q "MODEL_PLAN_BYTES ${plan}u\$" "$work/model.h" || {
        echo "$model: flowrt_workspace_size is $one and $all, flowrt_plan_size $plan; flowrt_add_model writes"
        grep BYTES "$work/model.h"
        exit 1
    }
done <"$work/expected"
echo "$(wc -l <"$work/expected") models"
