#compdef rxm
# Completion of rxm(1) for zsh; to be called _rxm in a directory of $fpath.
local -a found
found=("${(@f)$(rxm __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
found=("${(@)found:#}")
if (( $#found )); then
  compadd -- "${(@)found}"
else
  _files
fi
