# LLVM's intermediate code of the kernels (FlowrtSwift.cmake): what only rare flows run, and the bookkeeping of gradients, is
# compiled for size, which also means without padding in front of it. Names are mangled: 7MixtureV is `struct Mixture`.
/^define .*FlowrtKernels.*\(7MixtureV\|7ChoicesV\|9LogSumExpV\|10SplineFormV\|4BaseV[0-9]*\(drawMixture\|addUniform\|prepare\|logMixture\|term\|.*radient\)\)/b size
/^define .*FlowrtKernels.*\(lementwise\|ormalize\|Gradient\|15activationSlope\|akePrologue\|5SweepV[0-9]*\(linear\|diagonal\|permutation\|addLogDet\|encode\)\)/b size
/^define .*FlowrtKernels.*\(6probit\|4atan\|5asinh\|3sin\|11log1pOfUnit\)/b size
b
:size
s/ #[0-9]/ optsize&/
