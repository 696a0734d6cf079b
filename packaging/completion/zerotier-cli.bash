# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck shell=bash
# Completion of zerotier-cli for bash. Commands are those that its help lists, networks those joined;
# switches such as -D<home> that were typed already are passed on, so the right service is asked.

_zerotier_cli_commands() {
  "$1" -h 2>/dev/null | sed -n '/^Available commands/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

# The 16 digits of every joined network.
_zerotier_cli_networks() {
  "$@" listnetworks 2>/dev/null | awk '$3 ~ /^[0-9a-f]+$/ && length($3) == 16 { print $3 }'
}

_zerotier_cli() {
  local word=${COMP_WORDS[COMP_CWORD]} command='' verb='' i ask=("${COMP_WORDS[0]}")
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
    -[DHpT]?*) ask+=("${COMP_WORDS[i]}") ;;
    -*) ;;
    *) if [ -z "$command" ]; then command=${COMP_WORDS[i]}; elif [ -z "$verb" ]; then verb=${COMP_WORDS[i]}; fi ;;
    esac
  done
  local words=''
  case $command in
  '')
    case $word in
    -D*)
      local folders=()
      mapfile -t folders < <(compgen -d -P -D -- "${word#-D}")
      COMPREPLY=("${folders[@]}")
      return
      ;;
    -*) words='-h -v -j -D -H -p -T' ;;
    *) words=$(_zerotier_cli_commands "${ask[0]}") ;;
    esac
    ;;
  leave | get | set | wait | capture | sockets)
    if [ -z "$verb" ]; then
      words=$(_zerotier_cli_networks "${ask[@]}")
    elif [ "$command" = capture ] && [ "${COMP_WORDS[COMP_CWORD - 1]}" = -w ]; then
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
    else
      case $command in
      set) words='allowManaged= allowGlobal= allowDefault= allowDNS=' ;;
      get) words='ip ip4 ip6 ip6plane ip6prefix allowManaged allowGlobal allowDefault allowDNS' ;;
      wait) words='--timeout' ;;
      capture) words='-w -c' ;;
      esac
    fi
    ;;
  controller)
    [ -n "$verb" ] || words='create list show set authorise deauthorise delete'
    ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _zerotier_cli zerotier-cli zerotier-netcon-cli
