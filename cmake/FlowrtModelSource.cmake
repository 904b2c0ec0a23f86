# Writes the header and the source of flowrt_add_model:
#   cmake -DMODEL=<model.flw> -DNAME=<name> -DHEADER=<name>.h -DSOURCE=<name>.c -P FlowrtModelSource.cmake
#
# Of the file it reads the header and the records (docs/FORMAT.md, sections 1 and 2), from which the sizes of workspace and plan
# follow: the rules are those of Workspace.swift and PlanLayout.swift in Sources/Flowrt/Call, and the test WorkspaceRule compares both on every model of this
# repository. flowrt_model_open checks the rest when the program runs.
cmake_minimum_required(VERSION 3.22)

function(refuse reason)
  message(FATAL_ERROR "${MODEL}: ${reason}")
endfunction()

set(keywords " alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class compl concept \
const consteval constexpr constinit const_cast continue co_await co_return co_yield decltype default delete do double dynamic_cast else \
enum explicit export extern false float for friend goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or \
or_eq private protected public register reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast \
struct switch template this thread_local throw true try typedef typeid typename typeof typeof_unqual union unsigned using virtual void \
volatile wchar_t while xor xor_eq ")
if(keywords MATCHES " ${NAME} ")
  refuse("'${NAME}' is a keyword of C or C++ and cannot name an array: flowrt_add_model(... NAME my_model).")
endif()

# ---- header ----

file(SIZE "${MODEL}" size)
if(size LESS 128)
  refuse("${size} bytes are no .flw file: header and base density alone are 128.")
endif()
file(READ "${MODEL}" bytes LIMIT 64 HEX)
if(NOT bytes MATCHES "^89464c570d0a1a0a")
  refuse("is no .flw file (its first eight bytes are not the magic number). 'git lfs pull', if it is a pointer to one.")
endif()

# The unsigned little-endian number of <count> bytes at <offset> of ${bytes}.
macro(field result offset count)
  math(EXPR place "2 * (${offset})")
  math(EXPR digits "2 * ${count}")
  string(SUBSTRING "${bytes}" ${place} ${digits} little)
  string(REGEX REPLACE "(..)(..)(..)(..)(..)(..)(..)(..)" "\\8\\7\\6\\5\\4\\3\\2\\1" big "${little}")
  if(${count} EQUAL 4)
    string(REGEX REPLACE "(..)(..)(..)(..)" "\\4\\3\\2\\1" big "${little}")
  elseif(${count} EQUAL 2)
    string(REGEX REPLACE "(..)(..)" "\\2\\1" big "${little}")
  endif()
  math(EXPR ${result} "0x${big}")
endmacro()

field(major 8 2)
field(file_size 16 8)
field(features 24 4)
field(dim 28 4)
field(context_dim 32 4)
field(record_count 36 4)
if(NOT major EQUAL 1)
  refuse("has version ${major} of the format; this flowrt reads version 1.")
endif()
if(features GREATER 1) # 1: planes
  refuse("asks for features (${features}) that this flowrt does not have.")
endif()
if(NOT file_size EQUAL size)
  refuse("has ${size} bytes, and ${file_size} according to its header: it was cut off or changed.")
endif()
math(EXPR records_end "64 * (1 + ${record_count})")
if(dim EQUAL 0 OR record_count EQUAL 0 OR records_end GREATER size)
  refuse("is damaged: dim ${dim}, ${record_count} records in ${size} bytes.")
endif()

# ---- records: what a call needs of each ----

set(steps 0)        # without base and encoder
set(layers 0)
set(stages 0)       # of all steps and of the base
set(panels 0)       # weight panels, of 16 units
set(prologue 0)     # floats that depend on the context alone
set(activations 0)  # units of the largest conditioner, each layer padded to 16
set(encoder 0)      # units of the encoder, likewise
set(columns 0)      # of the transformer with the most parameters
set(networks 0)     # conditioners
set(keeps_sums 0)   # 1 if a gradient needs what an activation was applied to
set(planes 0)       # scratch of the plane layer or pixelwise step that needs most
set(step_planes 0)    # 1 if a step has planes: rows are evaluated one by one
set(encoder_planes 0) # 1 if the encoder has: contexts are encoded one by one
set(encoded_dim ${context_dim}) # of the context that the steps see
set(next 0)         # record

macro(next_record)
  if(next GREATER_EQUAL record_count)
    refuse("is damaged: its ${record_count} records end before the base density.")
  endif()
  math(EXPR offset "64 * (1 + ${next})")
  file(READ "${MODEL}" bytes OFFSET ${offset} LIMIT 64 HEX)
  field(kind 0 2)
  math(EXPR next "${next} + 1")
endmacro()

macro(at_least result number)
  if(${number} GREATER ${${result}})
    set(${result} ${${number}})
  endif()
endmacro()

# What a plane layer (docs/FORMAT.md, section 4.3) needs: <padded>, floats of its values, and <starts>, of the prologue.
macro(plane_layer flag)
  set(${flag} 1)
  set(starts 0)
  foreach(name_place IN ITEMS height:28 width:30 top:52 bottom:54 left:56 right:58)
    string(REPLACE ":" ";" name_place ${name_place})
    list(GET name_place 0 name)
    list(GET name_place 1 place_of)
    field(plane_${name} ${place_of} 2)
  endforeach()
  field(in_channels 32 4)
  field(channels 36 4)
  math(EXPR bordered
    "(${plane_height} + ${plane_top} + ${plane_bottom}) * (${plane_width} + ${plane_left} + ${plane_right}) * ${in_channels} + 16")
  at_least(planes bordered)
  if(channels)
    math(EXPR padded "${width} / ${channels} * ((${channels} + 15) / 16 * 16)")
    if(operation LESS 3 AND source AND context) # a convolution
      math(EXPR starts "(${channels} + 15) / 16 * 16")
    endif()
  endif()
endmacro()

# The layers of a conditioner: <units>, of all of them, and <width>, of the last. <has_outputs>: its last layer has the parameters of
# ranks, which depend on more than the context. <flag>: step_planes or encoder_planes.
macro(network count has_outputs flag)
  set(units 0)
  foreach(number RANGE 1 ${count})
    next_record()
    if(NOT kind EQUAL 2)
      refuse("is damaged: record ${next} is no layer.")
    endif()
    field(width 4 4)
    math(EXPR padded "(${width} + 15) / 16 * 16")
    math(EXPR layers "${layers} + 1")
    field(source 8 2)
    field(context 10 2)
    field(operation 22 2)
    set(starts ${padded})
    if(operation)
      plane_layer(${flag})
    endif()
    math(EXPR units "${units} + ${padded}")
    if(source AND NOT operation)
      math(EXPR panels "${panels} + ${padded} / 16")
    endif()
    # Whether the slope of its activation follows from its value (identity, relu, tanh, sigmoid; elu and leaky relu with a > 0).
    field(activation 2 2)
    field(gate 12 2)
    field(slope 24 4) # bits of a float
    set(slope_is_of_value FALSE)
    if(activation MATCHES "^[0128]$" OR (activation MATCHES "^[34]$" AND slope GREATER 0 AND slope LESS 0x7f800001))
      set(slope_is_of_value TRUE)
    endif()
    if(NOT operation AND (NOT slope_is_of_value OR gate))
      set(keeps_sums 1)
    endif()
    # Whether it depends on the context alone: number i of this network is reference i + 1.
    set(constant_source FALSE)
    if(source GREATER 1)
      set(constant_source "${constant_${source}}")
    endif()
    set(constant FALSE)
    if((source EQUAL 0 OR constant_source) AND NOT (${has_outputs} AND number EQUAL ${count}))
      set(constant TRUE)
    endif()
    foreach(place 12 14 16 18) # gate, and three added layers
      field(reference ${place} 2)
      if(reference GREATER 1 AND NOT constant_${reference})
        set(constant FALSE)
      endif()
    endforeach()
    math(EXPR reference "${number} + 1")
    set(constant_${reference} ${constant})
    if(operation OR constant OR constant_source OR context)
      math(EXPR prologue "${prologue} + ${starts}")
    endif()
  endforeach()
endmacro()

macro(conditioner count has_outputs)
  network(${count} ${has_outputs} step_planes)
  math(EXPR networks "${networks} + 1")
  if(units GREATER activations)
    set(activations ${units})
  endif()
endmacro()

# The parameters of a rank are as many as its outputs.
macro(transformer ranks extra)
  math(EXPR needed "${width} / (${ranks}) + ${extra}")
  if(needed GREATER columns)
    set(columns ${needed})
  endif()
endmacro()

set(has_base FALSE)
while(NOT has_base)
  next_record()
  field(layer_count 12 2)
  if(kind EQUAL 1 OR (kind EQUAL 8 AND layer_count) OR kind EQUAL 7)
    if(layer_count EQUAL 0 OR layer_count GREATER 128)
      refuse("is damaged: record ${next} has ${layer_count} layers.")
    endif()
  endif()
  field(stage_count 4 4)
  if(kind EQUAL 1) # autoregressive step
    field(passthrough 8 4)
    field(transformer 14 2)
    if(NOT passthrough LESS dim)
      refuse("is damaged: record ${next} passes ${passthrough} of ${dim} ranks through.")
    endif()
    set(spline_columns 0)
    if(transformer EQUAL 3)
      set(spline_columns 15)
    endif()
    math(EXPR stages "${stages} + ${stage_count}")
    conditioner(${layer_count} TRUE)
    transformer("${dim} - ${passthrough}" ${spline_columns})
    math(EXPR steps "${steps} + 1")
  elseif(kind EQUAL 7) # context encoder
    network(${layer_count} FALSE encoder_planes)
    set(encoder ${units})
    set(encoded_dim ${width})
  elseif(kind EQUAL 8) # base density
    set(has_base TRUE)
    field(base 2 2)
    field(components 20 4)
    if(base EQUAL 3)
      math(EXPR prologue "${prologue} + (2 * ${components} + 32) / 16 * 16")
    elseif(base EQUAL 4)
      conditioner(${layer_count} FALSE)
    elseif(base EQUAL 5)
      math(EXPR stages "${stages} + ${stage_count}")
      conditioner(${layer_count} TRUE)
      transformer(${dim} 0)
    elseif(base GREATER 5)
      refuse("has base density ${base}, which this flowrt does not know.")
    endif()
  elseif(kind GREATER 2 AND kind LESS 7) # diagonal, linear, elementwise, permutation
    math(EXPR steps "${steps} + 1")
  elseif(kind EQUAL 9) # pixelwise linear step
    field(channels 4 4)
    field(pixels 16 4)
    math(EXPR needed "2 * ${pixels} * ((${channels} + 15) / 16 * 16) + 16")
    at_least(planes needed)
    set(step_planes 1)
    math(EXPR steps "${steps} + 1")
  else()
    refuse("has a record of kind ${kind}, which this flowrt does not know.")
  endif()
endwhile()

# ---- plan and workspaces: their parts, for tiles of so many rows ----

set(plan "64 * (${steps} + 2)" "192 * ${layers}" "8 * ${stages}" "4 * ${panels}")
set(plan_bytes 64) # its mark
foreach(part IN LISTS plan)
  math(EXPR plan_bytes "${plan_bytes} + (${part} + 63) / 64 * 64")
endforeach()

# <result> for densities and draws, <gradient_result> for gradients, which keep more in the place of the activations.
function(workspace result gradient_result rows)
  if(step_planes)
    set(rows 1)
  endif()
  set(few ${rows}) # rows side by side without being a tile
  if(few GREATER 15)
    set(few 15)
  endif()
  math(EXPR few_rows "${few} * ((${dim} + 31) / 16 * 16)")
  math(EXPR tile "${dim} * ${rows}")
  if(few_rows GREATER tile)
    set(tile ${few_rows})
  endif()
  math(EXPR few_units "(${few} - 1) * (${activations} | 16) + ${activations}")
  math(EXPR units "${activations} * ${rows}")
  if(few_units GREATER units)
    set(units ${few_units})
  endif()
  set(context_rows ${rows})
  set(encoder_rows ${rows})
  if(rows EQUAL 1 OR encoder_planes)
    set(context_rows 0)
    set(encoder_rows ${encoder_planes})
  endif()
  set(bytes 0)
  foreach(part IN ITEMS
      ${plan} "4 * ${prologue}" "4 * ${planes}"
      "4 * ${context_dim} * ${context_rows}" "4 * ${encoder} * ${encoder_rows}"
      "4 * ${tile}" "4 * ${tile}" "4 * ${few_rows}" "4 * ${few_rows}" # state, read side; other side, log scales
      "64 * (${columns} + 3)" "12 * ${rows}")
    math(EXPR bytes "${bytes} + (${part} + 63) / 64 * 64")
  endforeach()
  math(EXPR all "${bytes} + (4 * (${units} + 32) + 63) / 64 * 64")
  set(${result} ${all} PARENT_SCOPE)

  set(callers_context 0)
  set(widest ${activations})
  if(encoder)
    set(callers_context ${context_dim})
    if(encoder GREATER activations)
      set(widest ${encoder})
    endif()
  endif()
  foreach(floats IN ITEMS # of each row: units, sums, the encoder's sums, sides of the steps; gradients by state, read side, units, contexts
      "${networks} * ${activations}" "${keeps_sums} * ${networks} * ${activations}" "${keeps_sums} * ${encoder}" "${steps} * ${dim}"
      "${dim}" "${dim}" "${widest}" "${encoded_dim}" "${callers_context}")
    math(EXPR bytes "${bytes} + ((${floats}) * ${rows} * 4 + 63) / 64 * 64")
  endforeach()
  math(EXPR bytes "${bytes} + 64 * (${columns} + 8)")
  set(${gradient_result} ${bytes} PARENT_SCOPE)
endfunction()
workspace(workspace_bytes nothing 1)
workspace(nothing gradient_workspace_bytes 16) # a gradient takes tiles
workspace(full_workspace_bytes full_gradient_workspace_bytes 64)

# ---- output ----

string(TOUPPER "${NAME}" upper)
file(CONFIGURE OUTPUT "${HEADER}" @ONLY CONTENT [[
/* Made by flowrt_add_model. */
#ifndef @upper@_FLW_H
#define @upper@_FLW_H

#define @upper@_SIZE @size@u
#define @upper@_DIM @dim@u
#define @upper@_CONTEXT_DIM @context_dim@u
/* flowrt_workspace_size(&model, 1): enough for calls with any number of rows. With SIZE_MAX instead of 1 they run at full speed. */
#define @upper@_WORKSPACE_BYTES @workspace_bytes@u
#define @upper@_FULL_WORKSPACE_BYTES @full_workspace_bytes@u
/* The same of flowrt_gradient_workspace_size, for flowrt_log_prob_gradient. */
#define @upper@_GRADIENT_WORKSPACE_BYTES @gradient_workspace_bytes@u
#define @upper@_FULL_GRADIENT_WORKSPACE_BYTES @full_gradient_workspace_bytes@u
/* flowrt_plan_size(&model) */
#define @upper@_PLAN_BYTES @plan_bytes@u

/* Stands before `static` (C++ asks for it). */
#if defined(__cplusplus) && __cplusplus >= 201103L
#define @upper@_ALIGNED alignas(64)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define @upper@_ALIGNED _Alignas(64)
#else
#define @upper@_ALIGNED __attribute__((aligned(64)))
#endif

#ifdef __cplusplus
extern "C" {
#endif
extern const unsigned char @NAME@[@upper@_SIZE] __attribute__((visibility("hidden")));
#ifdef __cplusplus
}
#endif

#endif
]])
string(REGEX REPLACE "([\\\"])" "\\\\\\1" quoted "${MODEL}") # for the assembler's string
string(REGEX REPLACE "([\\\"])" "\\\\\\1" quoted "${quoted}") # for the compiler's
file(CONFIGURE OUTPUT "${SOURCE}" @ONLY CONTENT [[
/* Made by flowrt_add_model: the bytes of the model, on 64 bytes, in constant data. */
__asm__(".pushsection .rodata.@NAME@, \"a\", %progbits\n"
        ".balign 64\n"
        ".globl @NAME@\n"
        ".hidden @NAME@\n"
        ".type @NAME@, %object\n"
        "@NAME@:\n"
        ".incbin \"@quoted@\"\n"
        ".size @NAME@, @size@\n"
        ".popsection\n");
]])
