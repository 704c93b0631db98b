#pragma once

// Which vector targets are compiled. Include before any Highway header, in every file that uses Highway, so
// that all of them choose among the same targets: on x86 the portable baseline, AVX2 and AVX-512 (AVX3); on
// Arm NEON.

#include <hwy/detect_compiler_arch.h>

#if HWY_ARCH_X86
// Processors that have SSSE3 or SSE4 but not AVX2 use the baseline.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4)
#elif HWY_ARCH_ARM
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#endif
