#!/bin/sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
# zerotier-intercept: run a program with its sockets on a virtual network; see zerotier-intercept(1).
# A script because `. zerotier-intercept on` changes the shell that sources it, as the original's did;
# all else is done by zerotier-intercept-exec, which lies beside the library.

# shellcheck disable=SC3028 # bash sets it when this is sourced, others leave it empty
_zt_nc_self=$(readlink -f "${BASH_SOURCE:-$0}" 2>/dev/null) || _zt_nc_self=
_zt_nc_exec=
for _zt_nc_folder in "${_zt_nc_self%/*}" "${_zt_nc_self%/*}/../lib/netcon" "@LIBDIR@"; do
  if [ -x "$_zt_nc_folder/zerotier-intercept-exec" ]; then
    _zt_nc_exec=$_zt_nc_folder/zerotier-intercept-exec
    break
  fi
done
case ${1-} in
on | off | show | sh)
  if [ -n "$_zt_nc_exec" ]; then
    # The words come from our own program, quoted for this.
    case $1 in
    show | sh) "$_zt_nc_exec" --shell show ;;
    *) eval "$("$_zt_nc_exec" --shell "$@")" ;;
    esac
  else
    echo "zerotier-intercept: zerotier-intercept-exec is not in @LIBDIR@; install it with make install" >&2
  fi
  unset _zt_nc_self _zt_nc_exec _zt_nc_folder
  ;;
*)
  if [ -z "$_zt_nc_exec" ]; then
    echo "zerotier-intercept: zerotier-intercept-exec is not in @LIBDIR@; install it with make install" >&2
    exit 125
  fi
  exec "$_zt_nc_exec" "$@"
  ;;
esac
