# Shows what is at each path given as an argument, and on the way to it, to parse.rs. Needs sh and stat.
command -v stat >/dev/null 2>&1 || { echo ">>> none"; exit 0; }
echo ">>> stats"
for path; do
  step=
  stat -c '%f %u %g %s %N' / 2>/dev/null
  rest=${path#/}
  while [ -n "$rest" ]; do
    name=${rest%%/*}
    case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
    [ -n "$name" ] || continue
    step=$step/$name
    stat -c '%f %u %g %s %N' "$step" 2>/dev/null || break
  done
  if [ -d "$path" ]; then stat -c '%f %u %g %s %N' "$path"/* "$path"/.[!.]* 2>/dev/null; fi
done
echo ">>> end"
