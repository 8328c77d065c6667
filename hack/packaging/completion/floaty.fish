# Completion of floaty(8) for fish.

# Succeeds if exactly that many arguments other than flags stand before the cursor.
function __floaty_given
    set -l count 0
    set -l previous
    for word in (commandline -opc)[2..-1]
        if not string match -q -- '-*' $word; and not string match -qr -- '^--?output$' "$previous"
            set count (math $count + 1)
        end
        set previous $word
    end
    test $count -eq $argv[1]
end

# Succeeds if no flag says what floaty is called for, so that it may be a notify script.
function __floaty_no_mode
    not string match -qr -- '^(--?(fifo|check|test|status|ready|version|help)|-T)$' (commandline -opc)
end

function __floaty_takes_fifo
    string match -qr -- '^--?(fifo|check)$' (commandline -opc)
end

complete -c floaty -f
complete -c floaty -l fifo -d 'Run as the daemon that reads events from a FIFO'
complete -c floaty -l check -d 'Say offline whether the configuration is usable'
complete -c floaty -s T -l test -d 'Ask the real cloud whether everything is right'
complete -c floaty -l dry-run -d 'Say what would be written, and write nothing'
complete -c floaty -l status -d 'Print what the running daemon knows'
complete -c floaty -l watch -d 'Print the status again and again'
complete -c floaty -l ready -d 'Exit with 0 if the running daemon is ready'
complete -c floaty -l output -x -a 'text json' -d 'Form of a report'
complete -c floaty -l json-log -d 'Write each log line as a JSON object'
complete -c floaty -s v -l verbose -d 'Log more'
complete -c floaty -l version -d 'Print version, commit and Go version'
complete -c floaty -l help -d 'Print a summary'
complete -c floaty -F -n '__floaty_given 0'
complete -c floaty -F -n '__floaty_given 1; and __floaty_takes_fifo'
complete -c floaty -n '__floaty_given 1; and __floaty_no_mode' -a 'INSTANCE GROUP'
complete -c floaty -n '__floaty_given 3; and __floaty_no_mode' -a 'MASTER BACKUP FAULT STOP DELETED'
