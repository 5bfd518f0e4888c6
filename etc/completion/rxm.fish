# Completion of rxm(1) for fish; to be called rxm.fish in a directory of $fish_complete_path.
function __rxm_complete
    set -l before (commandline -opc)
    set -l current (string unescape -- (commandline -ct))
    # fish quotes what it inserts.
    set -l found (rxm __complete $before[2..-1] "$current" 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path "$current"
    end
end
complete -c rxm -f -a '(__rxm_complete)'
