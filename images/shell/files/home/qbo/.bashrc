# shellcheck shell=bash
# For interactive shells of qbo's users.
[[ $- == *i* ]] || return

HISTCONTROL=ignoreboth
HISTSIZE=10000
shopt -s histappend checkwinsize
PS1='\[\e[1;36m\]qbo\[\e[0m\]:\[\e[1m\]\w\[\e[0m\]\$ '
alias ls='ls --color=auto' grep='grep --color=auto' k=kubectl

. /usr/share/bash-completion/bash_completion
. /usr/share/bash-completion/completions/kubectl
complete -o default -F __start_kubectl k
