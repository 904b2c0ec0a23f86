# LLVM's intermediate code of the kernels (FlowrtSwift.cmake): what runs once for a call, a step or a coordinate, or only in rare
# flows, is compiled for size, which also means without padding in front of it. Names are mangled: 4BaseV is `struct Base`.
/^define .*FlowrtKernels.*\(4BaseV\|5NoiseV\|10EvaluationV\|7MixtureV\|7ChoicesV\|9LogSumExpV\|6LogSumV\|10SplineFormV\)/b size
/^define .*FlowrtKernels.*\(lementwise\|ormalize\|Gradient\|15activationSlope\|akePrologue\|5SweepV[0-9]*\(linear\|diagonal\|permutation\|addLogDet\|encode\)\)/b size
/^define .*FlowrtKernels.*\(6philox\|6probit\|4atan\|5asinh\|3sin\|11log1pOfUnit\)/b size
b
:size
s/ #[0-9]/ optsize&/
