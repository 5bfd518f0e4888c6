# Completion of rxm(1) for bash; to be called rxm in a directory of bash-completion's, or to be sourced.
_rxm() {
  local line=${COMP_LINE:0:COMP_POINT} word prefix
  local -a words
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  mapfile -t COMPREPLY < <(rxm __complete "${words[@]:1}" 2>/dev/null)
  # bash replaces only what stands behind the last of the characters at which it breaks words.
  word=${words[-1]}
  prefix=${word%"${word##*["$COMP_WORDBREAKS"]}"}
  COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
}
complete -o default -F _rxm rxm
