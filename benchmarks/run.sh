#!/bin/sh
# Measure: benchmarks/run.sh BUILD [options of bench.py]. Makes what is needed below BUILD/bench (environments of the peers,
# OpenBLAS, programs in C), then runs bench.py, which writes a folder below benchmarks/results.
#
# BENCH_ENVIRONMENTS names a folder that has the environments torch, runtimes, iree, tfp and jax already.
set -eu
build=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
bench=$build/bench
mkdir -p "$bench"
bench=$(cd "$bench" && pwd)

case "$*" in
"--sections planes"*) needed='torch runtimes' ;;
*) needed='torch runtimes iree tfp jax' ;;
esac
environment() { # name, packages...
    name=$1
    shift
    case " $needed " in *" $name "*) ;; *) return ;; esac
    [ -e "$bench/$name/ready" ] && return
    echo "environment of $name: $*"
    "$here/../cmake/setup.sh" python "$bench/$name" "$@"
    [ "$name" != tfp ] || "$here/../cmake/setup.sh" python "$bench/$name" --no-deps tf_keras # which asks for another TensorFlow
    touch "$bench/$name/ready"
}
if [ -z "${BENCH_ENVIRONMENTS:-}" ]; then
    BENCH_ENVIRONMENTS=$bench
    environment torch 'torch==2.13.0+cpu' nflows zuko numpy
    environment runtimes onnx onnxruntime openvino ai-edge-litert numpy matplotlib
    environment iree iree-base-compiler iree-base-runtime onnx numpy
    environment tfp tensorflow-cpu tensorflow-probability numpy
    environment jax jax flowjax numpy
fi
"$here/../cmake/setup.sh" bench-tools "$build"

cc=${CC:-cc}
flags='-std=gnu11 -Wall -Wextra -O3 -march=native'
flowrt="-I $here/../include -L $build -lflowrt -Wl,-rpath,$(cd "$build" && pwd) -pthread"
# shellcheck disable=SC2086
{
    "$cc" $flags -ffp-contract=fast "$here/machine.c" -o "$bench/machine"
    "$cc" $flags "$here/peers/flowrt.c" -o "$bench/flowrt" $flowrt
    "$cc" $flags "$here/threads.c" -o "$bench/threads" $flowrt
    "$cc" $flags -ffast-math "$here/peers/openblas.c" -o "$bench/openblas" -lopenblas -lm
    "$cc" $flags -shared -fPIC "$here/peers/without_avx.c" -o "$bench/without_avx.so"
}
interpreter() { # environment
    for folder in "$BENCH_ENVIRONMENTS/$1/venv" "$BENCH_ENVIRONMENTS/$1"; do
        [ ! -x "$folder/bin/python" ] || { echo "$folder/bin/python"; return; }
    done
    echo "no environment $1 in $BENCH_ENVIRONMENTS" >&2
    exit 1
}
mkdir -p "$bench/flows"
[ "$needed" != 'torch runtimes' ] || # the flows of images are made by the section itself
    exec "$(interpreter runtimes)" "$here/bench.py" --build "$build" --environments "$BENCH_ENVIRONMENTS" "$@"
OMP_NUM_THREADS=1 "$(interpreter runtimes)" "$here/flows.py" "$bench/flows"
TF_CPP_MIN_LOG_LEVEL=3 "$(interpreter tfp)" "$here/peers/convert_litert.py" "$bench/flows" 2>"$bench/convert.log" ||
    { cat "$bench/convert.log"; exit 1; }
exec "$(interpreter runtimes)" "$here/bench.py" --build "$build" --environments "$BENCH_ENVIRONMENTS" "$@"
