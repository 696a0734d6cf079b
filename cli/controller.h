/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The options of `controller create` and `controller set`. */
#ifndef CLI_CONTROLLER_H
#define CLI_CONTROLLER_H

#include "cli/cli.h"

/* The options as the body of a POST, or NULL after saying what is wrong with them. A new network
 * (is_new) is private unless --public is given; of an old one only what is named changes. */
json_t *controller_options(const struct cli *cli, int argc, char **argv, bool is_new);

#endif
