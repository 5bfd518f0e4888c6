# Completion of rxm(1) for bash; to be called rxm in a directory of bash-completion's, or to be sourced.
_rxm() {
  # rxm splits the line as bash does, and quotes what it offers: a name may be any text of somebody else's.
  mapfile -t COMPREPLY < <(rxm __complete_line "$COMP_WORDBREAKS" "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
}
complete -o default -F _rxm rxm
