# Completion of qbo in bash. For this shell: source <(qbo completion bash)
# For all: qbo completion bash > /etc/bash_completion.d/qbo

_qbo() {
    local line="${COMP_LINE:0:COMP_POINT}" words candidate current joined
    # By blanks alone: COMP_WORDS also splits at ':' and '=', of which images are full.
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    current="${words[-1]}"
    # bash replaces only what stands behind the last such character.
    joined="${current%"${current##*[:=]}"}"
    COMPREPLY=()
    while IFS=$'\t' read -r candidate _; do
        COMPREPLY+=("${candidate#"$joined"}")
    done < <("${words[0]}" __complete -- "${words[@]:1}" 2>/dev/null)
}

complete -F _qbo qbo
