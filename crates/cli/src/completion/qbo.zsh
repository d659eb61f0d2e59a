#compdef qbo
# Completion of qbo in zsh. For this shell: source <(qbo completion zsh)
# For all: qbo completion zsh > a file _qbo in a directory of $fpath

_qbo() {
    local -a candidates
    local word meaning
    while IFS=$'\t' read -r word meaning; do
        # _describe takes word:meaning, so a colon in the word is escaped.
        candidates+=("${word//:/\\:}${meaning:+:$meaning}")
    done < <("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    _describe qbo candidates
}

# Loaded from $fpath this file is the function; sourced it announces it.
if [[ ${funcstack[1]} == _qbo ]]; then
    _qbo "$@"
else
    compdef _qbo qbo
fi
