# Completion of qbo in fish. For this shell: qbo completion fish | source
# For all: qbo completion fish > ~/.config/fish/completions/qbo.fish

complete -c qbo -f -a '(qbo __complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
