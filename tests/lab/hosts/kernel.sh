# To be sourced: what images and guests do with Debian's kernels.

# Print one of the little-endian numbers of a file: FILE, where it stands, its octets.
number() { od -An -tu"$3" -j"$2" -N"$3" "$1" | tr -d ' '; }

# Print the ELF kernel inside a vmlinuz, which QEMU starts as well: under emulation to unpack it takes a second at every
# start, and several of Debian 13's zstd. Where it is the header says (Linux' Documentation/arch/x86/boot.rst), and four
# octets behind it how long it will be.
unpacked() {
  local at length how
  at=$((($(number "$1" 497 1) + 1) * 512 + $(number "$1" 584 4)))
  length=$(number "$1" 588 4)
  case $(od -An -tx1 -j"$at" -N4 "$1" | tr -d ' ') in
    02214c18) how=lz4 ;;
    28b52ffd) how=zstd ;;
    fd377a58) how=xz ;;
    *) echo "$1: no kernel packed by lz4, zstd or xz is in it" >&2; return 1 ;;
  esac
  tail -c "+$((at + 1))" "$1" | head -c "$((length - 4))" | "$how" -dcq
}
