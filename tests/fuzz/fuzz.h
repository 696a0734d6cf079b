/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What every fuzz target shares. A target checks what must hold for any input, beyond not crashing.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "base/bug.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
