#compdef rxm
# Completion of rxm(1) for zsh; to be called _rxm in a directory of $fpath.
local -a found
# (Q) takes the quotes away; compadd puts them around what it inserts.
found=("${(@f)$(rxm __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
found=("${(@)found:#}")
if (( $#found )); then
  compadd -- "${(@)found}"
else
  _files
fi
