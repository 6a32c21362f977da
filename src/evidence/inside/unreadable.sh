# Shows which of the files given as arguments the container's user may not read, to parse.rs. The kernel answers. Needs sh.
echo ">>> unreadable"
for path; do [ -r "$path" ] || printf '%s\n' "$path"; done
echo ">>> end"
