# SPDX-License-Identifier: Apache-2.0 OR MIT
# Completion of zerotier-cli for fish. Commands are those that its help lists, networks those joined.

function __zerotier_cli_commands
    zerotier-cli -h 2>/dev/null | sed -n '/^Available commands/,/^$/s/^  \([a-z]*\) .*- \(.*\)/\1\t\2/p'
end

function __zerotier_cli_networks
    set -l ask (string match -r -- '^-[DHpT].+' (commandline -opc))
    zerotier-cli $ask listnetworks 2>/dev/null | awk '$3 ~ /^[0-9a-f]+$/ && length($3) == 16 { print $3 "\t" $4 }'
end

# Words typed so far that are no switches, without the program.
function __zerotier_cli_plain
    string match -v -r -- '^-' (commandline -opc)[2..-1]
end

function __zerotier_cli_at
    set -l plain (__zerotier_cli_plain)
    test (count $plain) -eq $argv[1]; or return 1
    test $argv[1] -eq 0; or contains -- $plain[1] $argv[2..-1]
end

complete -c zerotier-cli -f
complete -c zerotier-cli -s h -d 'Display help'
complete -c zerotier-cli -s v -d 'Show version'
complete -c zerotier-cli -s j -d 'JSON output'
complete -c zerotier-cli -n '__zerotier_cli_at 0' -a '(__zerotier_cli_commands)'
complete -c zerotier-cli -n '__zerotier_cli_at 1 leave get set wait capture sockets' -a '(__zerotier_cli_networks)'
complete -c zerotier-cli -n '__zerotier_cli_at 1 controller' -a 'create list show set authorise deauthorise delete'
complete -c zerotier-cli -n '__zerotier_cli_at 2 set' -a 'allowManaged= allowGlobal= allowDefault= allowDNS='
complete -c zerotier-cli -n '__zerotier_cli_at 2 get' -a 'ip ip4 ip6 ip6plane ip6prefix allowManaged allowGlobal allowDefault allowDNS'
complete -c zerotier-cli -n '__zerotier_cli_at 2 wait' -a '--timeout'
complete -c zerotier-cli -n '__zerotier_cli_at 2 capture' -F -a '-w -c'
