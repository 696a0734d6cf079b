/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Going into the background, with a parent that waits to hear how the start went. */
#ifndef SERVICE_DAEMONIZE_H
#define SERVICE_DAEMONIZE_H

/* Fork. Returns in the child only, with a descriptor for daemonize_ready; the parent exits 0 once
 * the child says that it is up, or 1 when it ends before (it prints its reason on the shared
 * stderr). -1 if there can be no child. */
int daemonize_begin(void);
/* Tell the parent, detach from the terminal: stdin and stdout to /dev/null, stderr to `log_path`;
 * the same for the process at the other end of `supervisor` (-1 = none). */
void daemonize_ready(int fd, const char *log_path, int supervisor);

#endif
