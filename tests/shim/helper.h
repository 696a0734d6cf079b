/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What cases run in a new image of this program (exec, posix_spawn): helper.c. */
#ifndef TESTS_SHIM_HELPER_H
#define TESTS_SHIM_HELPER_H

/* argv[0] says what to do, the rest with which descriptors. */
int helper_main(int argc, char **argv);

#endif
